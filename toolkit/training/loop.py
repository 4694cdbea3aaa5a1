"""The training loop: one step over a batch, compiled once, on one device or on many.

Why not `keras.Model.fit`: (1) every epoch judges two sets of weights, the model's own and their moving average; (2)
each layer has a learning rate of its own while a backbone is fine-tuned; (3) a training that was killed goes on from
its last checkpoint to the same weights, bit for bit; (4) several workers share a batch, batch normalization included.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

import numpy as np

from toolkit.core import interrupt
from toolkit.core.framework import keras, tf

Batch = tuple[tf.Tensor, tf.Tensor, tf.Tensor]  # pictures, one-hot labels, weights
Step = Callable[[Iterator[Batch]], tf.Tensor]


class StepSums(NamedTuple):
    """Sums over the pictures of a step, or of several.

    Args:
        loss: of all pictures, penalties and their weights included.
        right: weights of the pictures that were named right.
        pictures: how many there were.
        weights: of all pictures.
    """

    loss: tf.Tensor
    right: tf.Tensor
    pictures: tf.Tensor
    weights: tf.Tensor


class Loop:
    """A model that learns step by step.

    Args:
        model: compiled with its optimizer, both made in the scope of the strategy.
        strategy: from `distribution.strategy`.
        label_smoothing: share of each label that is spread over all classes while learning, 0 up to but not 1.
        clip_norm: largest norm of the gradient over all weights together; 0 does not clip.
        rates: factor on the optimizer's step for a weight, by its path; 1 for those that are not in it.
        average: a second model of the same layers that follows the first as a moving average, or None.
        momentum: of that average, 0 up to but not 1; it begins lower, so that the first weights are soon forgotten.
    """

    def __init__(
        self,
        model: keras.Model,
        strategy: tf.distribute.Strategy,
        *,
        label_smoothing: float = 0.0,
        clip_norm: float = 0.0,
        rates: Mapping[str, float] | None = None,
        average: keras.Model | None = None,
        momentum: float = 0.0,
    ):
        self.model, self.strategy, self.smoothing, self.clip_norm = model, strategy, label_smoothing, clip_norm
        self.average, self.momentum = average, momentum
        factors = [(weight, (rates or {}).get(weight.path, 1)) for weight in model.trainable_variables]
        self.slowed = [(weight, factor) for weight, factor in factors if factor != 1]
        self.statistics = _statistics(model) if strategy.num_replicas_in_sync > 1 else []
        self._train_step = _compiled(self._step)
        models = [model, average] if average else [model]
        self._evaluation_steps = {id(each): self._evaluation_step(each) for each in models}

    def train_epoch(
        self, batches: Iterable[Batch], steps: int, on_step: Callable[[float], None] = lambda loss: None
    ) -> dict[str, float]:
        """One epoch; the mean loss, penalties and class weights included, and the accuracy.

        Args:
            batches: at least `steps` of them.
            steps: of the epoch.
            on_step: takes the mean loss so far, after every step.
        """
        return _means(self._train_step, batches, steps, on_step)

    def evaluate(self, model: keras.Model, batches: Iterable[Batch], steps: int) -> dict[str, float]:
        """Mean cross-entropy and accuracy of the model or its average, without learning."""
        return _means(self._evaluation_steps[id(model)], batches, steps)

    def _step(self, batches: Iterator[Batch]) -> tf.Tensor:
        before = [tf.identity(weight.value) for weight, _ in self.slowed]

        # every replica learns from its part of the batch
        flat = self.strategy.run(self._learn, args=(next(batches),))

        # the replicas' statistics of batch normalization become their mean
        sums, statistics = self._over_replicas(flat)
        for weight, total in zip(self.statistics, statistics, strict=True):
            self._assign(weight, total / self.strategy.num_replicas_in_sync)

        # layers with a lower rate take only a part of the step, whatever optimizer made it
        for (weight, factor), old in zip(self.slowed, before, strict=True):
            self._assign(weight, old + factor * (weight.value - old))

        # the moving average follows
        if self.average is not None:
            done = tf.cast(self.model.optimizer.iterations, tf.float32)
            momentum = tf.minimum(self.momentum, (1 + done) / (10 + done))
            for mean, weight in zip(self.average.weights, self.model.weights, strict=True):
                if weight.dtype.startswith("float"):  # the state of a dropout is no number to average
                    self._assign(mean, mean.value + (1 - momentum) * (weight.value - mean.value))
        return sums

    def _learn(self, batch: Batch) -> tf.Tensor:
        """One replica's part of a step; the optimizer adds up the gradients of all replicas."""
        pictures, labels, weights = batch
        classes, replicas = tf.cast(tf.shape(labels)[1], tf.float32), self.strategy.num_replicas_in_sync
        count = tf.cast(tf.size(weights), tf.float32)

        # forward: cross-entropy of smoothed labels, and the penalties of the layers
        with tf.GradientTape() as tape:
            answers = self.model(tf.cast(pictures, tf.float32), training=True)
            smooth = labels * (1 - self.smoothing) + self.smoothing / classes
            losses = keras.losses.categorical_crossentropy(smooth, answers) * weights
            penalty = tf.add_n(self.model.losses) if self.model.losses else tf.zeros(())
            loss = (tf.reduce_sum(losses) / count + penalty) / replicas

        # backward, clip the gradient, update
        gradients = tape.gradient(loss, self.model.trainable_variables)
        if self.clip_norm:
            gradients, _ = tf.clip_by_global_norm(gradients, self.clip_norm / replicas)
        self.model.optimizer.apply(gradients, self.model.trainable_variables)

        right = tf.reduce_sum(weights * _is_right(labels, answers))
        sums = StepSums(tf.reduce_sum(losses) + penalty * count, right, count, tf.reduce_sum(weights))
        return tf.concat([tf.stack(sums), *(tf.reshape(weight.value, [-1]) for weight in self.statistics)], axis=0)

    def _over_replicas(self, flat: tf.Tensor) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """Sums over all replicas, in one exchange: several at a time could wait for one another forever."""
        shapes = [(len(StepSums._fields),), *(weight.shape for weight in self.statistics)]
        parts = tf.split(self.strategy.reduce("SUM", flat, axis=None), [int(np.prod(shape)) for shape in shapes])
        sums, *statistics = [tf.reshape(part, shape) for part, shape in zip(parts, shapes, strict=True)]
        return sums, statistics

    def _assign(self, weight: keras.Variable, value: tf.Tensor) -> None:
        self.strategy.extended.update(weight.value, lambda own, new: own.assign(new), args=(value,), group=False)

    def _evaluation_step(self, model: keras.Model) -> Step:
        def evaluate(batch: Batch) -> tf.Tensor:
            pictures, labels, weights = batch
            answers = model(tf.cast(pictures, tf.float32), training=False)
            loss = tf.reduce_sum(weights * keras.losses.categorical_crossentropy(labels, answers))
            right, count = tf.reduce_sum(weights * _is_right(labels, answers)), tf.reduce_sum(weights)
            return tf.stack(StepSums(loss, right, count, count))

        def step(batches: Iterator[Batch]) -> tf.Tensor:
            return self.strategy.reduce("SUM", self.strategy.run(evaluate, args=(next(batches),)), axis=None)

        return _compiled(step)


def _compiled(step: Step) -> Step:
    """A step as a graph: without XLA, which is slower than oneDNN for convolutions, and read as it stands."""
    return tf.function(step, autograph=False, jit_compile=False)


def _means(
    step: Step, batches: Iterable[Batch], steps: int, on_step: Callable[[float], None] = lambda loss: None
) -> dict[str, float]:
    """Loss and accuracy over all pictures of an epoch."""
    iterator, rows = iter(batches), []
    loss = pictures = 0.0
    for _ in range(steps):
        rows.append(_whole(step, iterator))
        of_step = StepSums(*rows[-1])
        loss, pictures = loss + float(of_step.loss), pictures + float(of_step.pictures)
        on_step(loss / pictures)
    totals = StepSums(*np.array(rows).sum(axis=0, dtype=np.float64))
    return {"loss": float(totals.loss / totals.pictures), "accuracy": float(totals.right / totals.weights)}


def _whole(step: Step, batches: Iterator[Batch]) -> np.ndarray:
    """The sums of a step, after which an interrupt may come."""
    sums = step(batches).numpy()
    interrupt.check()
    return sums


def _statistics(model: keras.Model) -> list[keras.Variable]:
    """Moving means and variances of batch normalization, of which every replica moves its own."""
    layers = model._flatten_layers(include_self=False)
    learning = [each for each in layers if isinstance(each, keras.layers.BatchNormalization) and each.trainable]
    return [weight for layer in learning for weight in layer.non_trainable_variables]


def _is_right(labels: tf.Tensor, answers: tf.Tensor) -> tf.Tensor:
    return tf.cast(tf.argmax(labels, axis=1) == tf.argmax(answers, axis=1), tf.float32)

"""The steps of a training, compiled once: learn from a batch, look at a batch, on one device or on many."""

from collections.abc import Iterator, Mapping

import numpy as np

from toolkit.core.framework import keras, tf

SUMS = 4  # of a step: loss, right answers, pictures, their weights


class Loop:
    """A model that learns step by step.

    Args:
        model: compiled with its optimizer, both made in the scope of the strategy.
        strategy: from `distribution.strategy`.
        label_smoothing: share of each label that is spread over all classes while learning, 0 up to but not 1.
        clip: longest gradient, over all weights together, 0 for any.
        rates: share of the optimizer's step that a weight takes, by its path; 1 for those that are not in it.
        average: a second model of the same layers that follows the first as a moving average, or None.
        momentum: of that average, 0 up to but not 1; it begins lower, so that the first weights are soon forgotten.
    """

    def __init__(
        self,
        model: keras.Model,
        strategy: tf.distribute.Strategy,
        *,
        label_smoothing: float = 0.0,
        clip: float = 0.0,
        rates: Mapping[str, float] | None = None,
        average: keras.Model | None = None,
        momentum: float = 0.0,
    ):
        self.model, self.strategy, self.smoothing, self.clip = model, strategy, label_smoothing, clip
        self.slowed = [
            (weight, rates[weight.path])
            for weight in model.trainable_variables
            if (rates or {}).get(weight.path, 1) != 1
        ]
        self.average, self.momentum = average, momentum
        self.statistics = [  # every replica moves its own, by the pictures it sees
            weight
            for layer in model._flatten_layers(include_self=False)
            if isinstance(layer, keras.layers.BatchNormalization) and layer.trainable
            for weight in layer.non_trainable_variables
            if strategy.num_replicas_in_sync > 1
        ]
        self._compiled = {id(model): self._looking(model)} | ({id(average): self._looking(average)} if average else {})
        self._step = tf.function(self._learn, jit_compile=False)  # XLA is slower than oneDNN for convolutions

    def learn(self, data: tf.data.Dataset, steps: int) -> dict[str, float]:
        """One epoch; the mean loss, penalties and class weights included, and the accuracy."""
        return self._over(self._step, data, steps)

    def look(self, model: keras.Model, data: tf.data.Dataset, steps: int) -> dict[str, float]:
        """Mean cross-entropy and accuracy of the model or its average, without learning."""
        return self._over(self._compiled[id(model)], data, steps)

    def _over(self, step: tf.types.experimental.PolymorphicFunction, data: object, steps: int) -> dict[str, float]:
        iterator = iter(data)
        sums = np.sum([step(iterator).numpy() for _ in range(steps)], axis=0, dtype=np.float64)
        return {"loss": float(sums[0] / sums[2]), "accuracy": float(sums[1] / sums[3])}

    def _learn(self, iterator: Iterator) -> tf.Tensor:
        before = [tf.identity(weight.value) for weight, _ in self.slowed]
        told = self.strategy.run(self._update, args=(next(iterator),))
        sums, *statistics = self._together(told)
        for weight, values in zip(self.statistics, statistics, strict=True):
            self._set(weight, values / self.strategy.num_replicas_in_sync)
        for (weight, rate), old in zip(self.slowed, before, strict=True):
            self._set(weight, old + rate * (weight.value - old))
        if self.average is not None:
            steps = tf.cast(self.model.optimizer.iterations, tf.float32)
            momentum = tf.minimum(self.momentum, (1 + steps) / (10 + steps))
            for mean, weight in zip(self.average.weights, self.model.weights, strict=True):
                if weight.dtype.startswith("float"):  # the state of a dropout is no number to average
                    self._set(mean, mean.value + (1 - momentum) * (weight.value - mean.value))
        return sums

    def _together(self, told: tf.Tensor) -> list[tf.Tensor]:
        """Sums over all replicas, in one exchange: several at a time could wait for one another forever."""
        shapes = [[SUMS], *(weight.shape for weight in self.statistics)]
        parts = tf.split(self.strategy.reduce("SUM", told, axis=None), [int(np.prod(shape)) for shape in shapes])
        return [tf.reshape(part, shape) for part, shape in zip(parts, shapes, strict=True)]

    def _set(self, weight: keras.Variable, value: tf.Tensor) -> None:
        self.strategy.extended.update(weight.value, lambda one, new: one.assign(new), args=(value,), group=False)

    def _update(self, batch: tuple[tf.Tensor, ...]) -> tf.Tensor:
        """One replica's part of a step; the optimizer adds up the gradients of all replicas."""
        pictures, labels, weights = batch
        classes, replicas = tf.cast(tf.shape(labels)[1], tf.float32), self.strategy.num_replicas_in_sync
        count = tf.cast(tf.size(weights), tf.float32)
        with tf.GradientTape() as tape:
            answers = self.model(pictures, training=True)
            smooth = labels * (1 - self.smoothing) + self.smoothing / classes
            losses = keras.losses.categorical_crossentropy(smooth, answers) * weights
            penalty = tf.add_n(self.model.losses) if self.model.losses else tf.zeros(())
            loss = (tf.reduce_sum(losses) / count + penalty) / replicas
        gradients = tape.gradient(loss, self.model.trainable_variables)
        if self.clip:
            gradients, _ = tf.clip_by_global_norm(gradients, self.clip / replicas)
        self.model.optimizer.apply(gradients, self.model.trainable_variables)
        right = tf.reduce_sum(weights * _right(labels, answers))
        sums = [tf.reduce_sum(losses) + penalty * count, right, count, tf.reduce_sum(weights)]
        return tf.concat([tf.stack(sums), *(tf.reshape(weight.value, [-1]) for weight in self.statistics)], axis=0)

    def _looking(self, model: keras.Model) -> tf.types.experimental.PolymorphicFunction:
        def look(batch: tuple[tf.Tensor, ...]) -> tf.Tensor:
            pictures, labels, weights = batch
            answers = model(pictures, training=False)
            loss = tf.reduce_sum(weights * keras.losses.categorical_crossentropy(labels, answers))
            right, count = tf.reduce_sum(weights * _right(labels, answers)), tf.reduce_sum(weights)
            return tf.stack([loss, right, count, count])

        def step(iterator: Iterator) -> tf.Tensor:
            return self.strategy.reduce("SUM", self.strategy.run(look, args=(next(iterator),)), axis=None)

        return tf.function(step, jit_compile=False)


def _right(labels: tf.Tensor, answers: tf.Tensor) -> tf.Tensor:
    return tf.cast(tf.argmax(labels, axis=1) == tf.argmax(answers, axis=1), tf.float32)

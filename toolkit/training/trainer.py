"""The trainer: epoch after epoch, in one phase or two: first the head on a frozen base, then its last layers too."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from toolkit import networks
from toolkit.core import framework, interrupt, parallel
from toolkit.core.framework import keras, tf
from toolkit.dataset.manifest import Manifest
from toolkit.errors import BundleError
from toolkit.model import epochs
from toolkit.model.epochs import Row
from toolkit.training import batches, distribution, finetune, optimizers
from toolkit.training.checkpoint import Checkpoint, State
from toolkit.training.config import Resolved
from toolkit.training.finetune import FineTune
from toolkit.training.loop import Loop

BAR = "{desc} {percentage:3.0f}%|{bar}| {remaining}{postfix}"  # 80 columns hold name, loss and accuracy


@dataclass(frozen=True)
class Phase:
    """A part of a training with its own optimizer.

    Args:
        name: what it is called in the progress bar and the history.
        epochs: passes over the training pictures, at most.
        patience: epochs without a better validation loss after which it stops.
        tuning: how the last layers of the base learn; None where the base stays as it is.
    """

    name: str
    epochs: int
    patience: int
    tuning: FineTune | None = None


class Trainer:
    """A training that goes on where it was killed.

    Args:
        config: what to train, and how.
        manifest: a split manifest whose squares are there.
        checkpoint: where it goes on from.
        head_is_fitted: leave out the phase in which the head learns; `start_from` brings its weights.
        on_epoch: takes the rows of the history after every epoch; what it raises ends the training.
    """

    def __init__(
        self,
        config: Resolved,
        manifest: Manifest,
        checkpoint: Checkpoint,
        *,
        head_is_fitted: bool = False,
        on_epoch: Callable[[Sequence[Row]], None] = lambda rows: None,
    ):
        self.config, self.manifest, self.checkpoint, self.on_epoch = config, manifest, checkpoint, on_epoch
        self.strategy = distribution.strategy(config.strategy)
        framework.reproducible(config.seed)
        with self.strategy.scope():
            self.model = self._build(config.precision)
            self.average = self._build(config.precision) if config.ema else None
        self.phases = [] if head_is_fitted else [Phase("train", config.epochs, config.patience)]
        if tuning := config.fine_tune:
            finetune.base_of(self.model)  # raises where there is none, before the head has learned
            self.phases.append(Phase("fine-tune", tuning.epochs, tuning.epochs, tuning))
        self.rows: list[Row] = []
        self.best, self.best_epoch, self.seconds = self.model.get_weights(), -1, 0.0
        self.phase = -1  # index of the one that has begun
        self.begun = 0  # rows before it

    def resume(self) -> None:
        """Take up the last checkpoint of the same training, if there is one, and see that all workers do."""
        state = self.checkpoint.read()
        if state:
            self.rows, self.best, self.best_epoch, self.seconds = (
                state.rows,
                state.best,
                state.best_epoch,
                state.seconds,
            )
            self._start_phase([phase.name for phase in self.phases].index(state.phase))
            self.begun = state.begun
            self.checkpoint.load_weights(self.model, self.average)
        distribution.check_same_state(self.strategy, {**self.checkpoint.identity, "rows": self.rows})
        self.checkpoint.clean()

    def start_from(self, rows: Sequence[Row], *, best_epoch: int, seconds: float) -> None:
        """Take the weights that the model has now as the best so far, and the rows that led to them."""
        self.rows, self.best_epoch, self.seconds = list(rows), best_epoch, seconds
        self.best = self.model.get_weights()
        self.on_epoch(self.rows)

    def run(self) -> None:
        """Train until the epochs or the patience of the last phase run out; an interrupt waits for a whole step."""
        with interrupt.held():
            for number in range(max(0, self.phase), len(self.phases)):
                if number != self.phase:
                    self._start_phase(number)
                self._run_phase(self.phases[number])

    def _run_phase(self, phase: Phase) -> None:
        name, epochs = f"{phase.name} {self.config.network}", range(len(self.rows) - self.begun, phase.epochs)
        total = len(epochs) * batches.steps(self.train, batch_size=self.config.batch_size)
        with parallel.progress(None, total=total, description=name, unit=" steps", form=BAR) as bar:

            def tell(loss: float) -> None:
                accuracy = f", val accuracy {self.rows[-1]['val_accuracy']:.1%}" if self.rows else ""
                bar.set_postfix_str(f"loss {loss:.3f}{accuracy}", refresh=False)
                bar.update()

            for number in epochs:
                if self._is_out_of_patience(phase):
                    break
                bar.set_description_str(f"{name} {number + 1}/{phase.epochs}", refresh=False)
                self._epoch(phase, len(self.rows), tell)
                if self.checkpoint.is_due:
                    self.checkpoint.write(self._state(phase), self.model, self.average)

    def best_model(self) -> keras.Model:
        """The network with its best weights, computing in float32 wherever it is used."""
        model = self._build("float32")
        model.set_weights(self.best)
        return model

    def answers(self, model: keras.Model) -> tuple[np.ndarray, np.ndarray]:
        """Probabilities for the val pictures, and the indices of their classes."""
        data = batches.evaluation(self.val, batch_size=self.config.batch_size)
        return model.predict(data, verbose=0), self.val.labels

    @cached_property
    def train(self) -> batches.Examples:
        """The pictures it learns from."""
        return self._examples("train")

    @cached_property
    def val(self) -> batches.Examples:
        """The pictures that choose the best epoch."""
        return self._examples("val")

    def _examples(self, split: str) -> batches.Examples:
        config = self.config
        return batches.examples(self.manifest, split=split, size=config.size, resize_mode=config.resize_mode)

    def _build(self, precision: str) -> keras.Model:
        config, classes = self.config, len(self.manifest.classes)
        with framework.compute_policy(precision):
            return networks.build(
                config.network, classes=classes, size=config.size, style=config.style, **config.options
            )

    def _start_phase(self, number: int) -> None:
        """From the best weights so far, with a fresh optimizer."""
        config, tuning = self.config, self.phases[number].tuning
        self.phase, self.begun = number, len(self.rows)
        with self.strategy.scope():
            if tuning:
                self.model.set_weights(self.best)
                finetune.unfreeze(self.model, share=tuning.share)
            self.model.compile(self._optimizer(tuning))
            self.model.optimizer.build(self.model.trainable_variables)
            if self.average:
                self.average.set_weights(self.model.get_weights())
            self.loop = Loop(
                self.model,
                self.strategy,
                label_smoothing=config.label_smoothing,
                clip_norm=config.clip,
                rates=finetune.rates(self.model, decay=tuning.decay) if tuning else None,
                average=self.average,
                momentum=config.ema,
            )

    def _optimizer(self, tuning: FineTune | None) -> keras.optimizers.Optimizer:
        config, steps = self.config, batches.steps(self.train, batch_size=self.config.batch_size)
        if tuning:
            return optimizers.make(
                "adamw",
                learning_rate=tuning.learning_rate,
                schedule="cosine",
                decay=tuning.weight_decay,
                epochs=tuning.epochs,
                steps=steps,
            )
        return optimizers.make(
            config.optimizer,
            learning_rate=config.learning_rate,
            schedule=config.schedule,
            warm_up=config.warm_up,
            momentum=config.momentum,
            decay=config.weight_decay,
            epochs=config.epochs,
            steps=steps,
        )

    def _epoch(self, phase: Phase, epoch: int, tell: Callable[[float], None]) -> None:
        config, started = self.config, time.monotonic()

        # the random state of this epoch, whatever came before: an interruption must change nothing
        framework.reseed(self.model, config.seed, epoch)

        # learn from every training picture once
        steps = batches.steps(self.train, batch_size=config.batch_size)
        shards = distribution.distribute(self.strategy, lambda shard: self._training_batches(epoch, shard))
        row = self.loop.train_epoch(shards, steps, tell)

        # validate the weights, and their moving average
        models = {"val": self.model} | ({"average_val": self.average} if self.average else {})
        for kind, model in models.items():
            row |= {f"{kind}_{name}": value for name, value in self._validate(model).items()}
        for name in ("loss", "val_loss"):
            if not np.isfinite(row[name]):
                raise BundleError(f"the {name} of {config.network} became {row[name]}; try a lower learning_rate")

        # keep the better of the two if they are the best so far
        self._keep_if_best(models, row, epoch)

        # record
        named: Row = {"phase": phase.name} if config.fine_tune else {}
        self.rows.append({"epoch": epoch + 1, **named, **row})
        self.seconds += time.monotonic() - started
        self.on_epoch(self.rows)

    def _training_batches(self, epoch: int, shard: distribution.Shard) -> tf.data.Dataset:
        config = self.config
        return batches.training(
            self.train,
            batch_size=config.batch_size,
            augmentation=config.augmentation,
            mixing=config.mixing,
            seed=config.seed,
            epoch=epoch,
            weighted=config.class_weights,
            shard=shard,
            dtype="uint8",
        )

    def _validate(self, model: keras.Model) -> dict[str, float]:
        size = self.config.batch_size
        shards = distribution.distribute(
            self.strategy, lambda shard: batches.evaluation(self.val, batch_size=size, shard=shard, dtype="uint8")
        )
        return self.loop.evaluate(model, shards, batches.steps(self.val, batch_size=size))

    def _keep_if_best(self, models: dict[str, keras.Model], row: Row, epoch: int) -> None:
        monitor = self.config.monitor
        score = epochs.better_weights(row, monitor=monitor)
        best = epochs.better_weights(self.rows[self.best_epoch], monitor=monitor) if self.best_epoch >= 0 else None
        if best is None or score.key(monitor) < best.key(monitor):
            self.best, self.best_epoch = models[score.kind].get_weights(), epoch

    def _is_out_of_patience(self, phase: Phase) -> bool:
        last, best = len(self.rows) - 1, max(self.best_epoch, self.begun - 1)
        return last - best >= phase.patience

    def _state(self, phase: Phase) -> State:
        return State(self.rows, self.best, self.best_epoch, self.seconds, phase.name, self.begun)

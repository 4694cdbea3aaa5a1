"""A training under way: the model, how far it is, and its checkpoints.

It has one phase, or two: first the head on a base that is kept as it is, then the last layers of the base as well. A
head that is one dense layer is found at once, from features that are computed once (`probe`).
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from toolkit import networks
from toolkit.core import framework, parallel, paths, runs
from toolkit.core.framework import keras, tf
from toolkit.dataset.manifest import Manifest
from toolkit.errors import BundleError
from toolkit.model import bundle
from toolkit.training import batches, distribution, finetune, optimizers, probe
from toolkit.training.config import Config
from toolkit.training.loop import Loop

STATE = "state.json"


@dataclass(frozen=True)
class Phase:
    """A part of a training with its own optimizer.

    Args:
        verb: what it is called in the progress bar and the history.
        epochs: passes over the training pictures, at most.
        patience: epochs without a better validation loss after which it stops.
    """

    verb: str
    epochs: int
    patience: int


class Training:
    """A training that goes on where it was killed.

    Args:
        config: resolved.
        manifest: a split manifest whose squares are there.
        folder: of the checkpoints.
        identity: what makes a checkpoint one of this training.
        checkpoint_seconds: see `train.fit`.
    """

    def __init__(self, config: Config, manifest: Manifest, folder: Path, identity: dict, checkpoint_seconds: float):
        self.config, self.folder, self.identity = config, folder, identity
        self.checkpoint_seconds, self.written = checkpoint_seconds, time.monotonic()
        self.strategy = distribution.strategy(config.strategy)
        self.manifest, self.probed = manifest, None
        framework.reproducible(config.seed)
        probing = probe.suits(config)
        self.phases = [Phase("probe", 0, 0) if probing else Phase("train", config.epochs, config.patience)]
        with self.strategy.scope():
            self.model = self._build(config.precision)
            self.average = self._build(config.precision) if config.ema else None
        if config.fine_tune:
            finetune.base_of(self.model)
            self.phases.append(Phase("fine-tune", config.fine_tune.epochs, config.fine_tune.epochs))
        self.rows: list[dict] = []
        self.best, self.best_epoch, self.seconds = self.model.get_weights(), -1, 0.0
        self.watch: Callable[[list[dict]], None] = lambda rows: None  # takes the rows after every epoch, or a probe
        self._enter(0)

    def finish(self) -> None:
        """Train until the epochs or the patience of the last phase run out."""
        if self.phases[0].verb == "probe" and not self.rows:
            self._probe()
        for number in range(self.phase, len(self.phases)):
            if number != self.phase:
                self._enter(number)
            phase = self.phases[number]
            done = range(len(self.rows) - self.begun, phase.epochs)
            bar = parallel.progress(done, description=f"{phase.verb} {self.config.network}")
            for _ in bar:
                if self._out_of_patience():
                    break
                self._epoch(len(self.rows))
                if isinstance(bar, tqdm):
                    bar.set_postfix(val_accuracy=f"{self.rows[-1]['val_accuracy']:.3f}")
                if time.monotonic() - self.written >= self.checkpoint_seconds:
                    self._write()

    def resume(self) -> None:
        """Take up the last checkpoint of the same training, if there is one, and see that all workers do."""
        state = self._state()
        if state:
            self.best = self._weights(state["best"])
            self.rows, self.best_epoch, self.seconds = state["rows"], state["best_epoch"], state["seconds"]
            self._enter(state["phase"])
            self.begun = state["begun"]
            self.model.load_weights(self.folder / state["last"])
            if self.average:
                self.average.set_weights(self._weights(state["average"]))
        distribution.agree(self.strategy, {**self.identity, "rows": self.rows})
        self._keep(*(state.get(name) for name in ("last", "best", "average")))  # the rest is half written, or another's

    def best_model(self) -> keras.Model:
        """The network with its best weights, computing in float32 wherever it is used."""
        model = self._build("float32")
        model.set_weights(self.best)
        return model

    @cached_property
    def train(self) -> batches.Examples:
        """The pictures it learns from."""
        return batches.examples(self.manifest, split="train", **self._squares())

    @cached_property
    def val(self) -> batches.Examples:
        """The pictures it is chosen by."""
        return batches.examples(self.manifest, split="val", **self._squares())

    def answers(self, model: keras.Model) -> tuple[np.ndarray, np.ndarray]:
        """Probabilities of the best model for the val pictures, and their labels as places."""
        if self.probed and self.best_epoch < len(self.probed.history):
            return self.probed.val, self.probed.val_labels
        data = batches.evaluation(self.val, batch_size=self.config.batch_size)
        return model.predict(data, verbose=0), self.val.labels

    def _squares(self) -> dict[str, object]:
        return {"size": self.config.size, "resize_mode": self.config.resize_mode}

    def history(self) -> pd.DataFrame:
        """A row per epoch."""
        return pd.DataFrame(self.rows)

    def _build(self, precision: str) -> keras.Model:
        config = self.config
        with framework.compute_policy(precision):
            return networks.build(
                config.network,
                classes=len(self.manifest.classes),
                size=config.size,
                style=config.style,
                **config.options,
            )

    def _enter(self, number: int) -> None:
        """Begin a phase: from the best weights so far, with a fresh optimizer."""
        config, self.phase, self.begun = self.config, number, len(self.rows)
        if self.phases[number].verb == "probe":
            return  # there is nothing to step through
        tuning = config.fine_tune if number else None
        with self.strategy.scope():
            if tuning:
                self.model.set_weights(self.best)
                finetune.unfreeze(self.model, share=tuning.share)
            self.model.compile(self._optimizer())
            self.model.optimizer.build(self.model.trainable_variables)
            if self.average:
                self.average.set_weights(self.model.get_weights())
            self.loop = Loop(
                self.model,
                self.strategy,
                label_smoothing=config.label_smoothing,
                clip=config.clip,
                rates=finetune.rates(self.model, decay=tuning.decay) if tuning else None,
                average=self.average,
                momentum=config.ema,
            )

    def _optimizer(self) -> keras.optimizers.Optimizer:
        config, steps = self.config, batches.steps(self.train, batch_size=self.config.batch_size)
        if self.phase:
            tuning = config.fine_tune
            how = {"learning_rate": tuning.learning_rate, "decay": tuning.weight_decay, "epochs": tuning.epochs}
            return optimizers.make("adamw", schedule="cosine", steps=steps, **how)
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

    def _probe(self) -> None:
        """The head in one go; a row of the history for every strength that was tried."""
        started = time.monotonic()
        self.probed = probe.learn(self.config, self.manifest)
        phase = {"phase": "probe"} if len(self.phases) > 1 else {}
        self.rows = [{**row, **phase} for row in self.probed.history.to_dict(orient="records")]
        self.probed.probe.put_into(self.model)
        self.best, self.best_epoch = self.model.get_weights(), self.probed.best
        self.seconds = time.monotonic() - started
        self.watch(self.rows)

    def _epoch(self, epoch: int) -> None:
        config, started = self.config, time.monotonic()
        framework.reseed(self.model, config.seed, epoch)
        steps = batches.steps(self.train, batch_size=config.batch_size)
        row = self.loop.learn(distribution.spread(self.strategy, lambda share: self._batches(epoch, share)), steps)
        candidates = {"val": self.model} | ({"average_val": self.average} if self.average else {})
        for name, model in candidates.items():
            row |= {f"{name}_{key}": value for key, value in self._look(model).items()}
        for name in ("loss", "val_loss"):
            if not np.isfinite(row[name]):
                raise BundleError(f"the {name} of {config.network} became {row[name]}; try a lower learning_rate")
        self._judge(candidates, row, epoch)
        phase = {"phase": self.phases[self.phase].verb} if len(self.phases) > 1 else {}
        self.rows.append({"epoch": epoch + 1, **phase, **row})
        self.seconds += time.monotonic() - started
        self.watch(self.rows)

    def _judge(self, candidates: dict[str, keras.Model], row: dict, epoch: int) -> None:
        """Keep the weights if they are the best so far: the model's, or those of its average."""
        monitor = self.config.monitor
        now = bundle.kept(row, monitor=monitor)
        best = bundle.kept(self.rows[self.best_epoch], monitor=monitor) if self.best_epoch >= 0 else None
        if best is None or now.mark(monitor) < best.mark(monitor):
            self.best, self.best_epoch = candidates[now.kind].get_weights(), epoch

    def _batches(self, epoch: int, share: distribution.Share) -> tf.data.Dataset:
        config = self.config
        return batches.training(
            self.train,
            batch_size=config.batch_size,
            augmentation=config.augmentation,
            mixing=config.mixing,
            seed=config.seed,
            epoch=epoch,
            weighted=config.class_weights,
            share=share,
        )

    def _look(self, model: keras.Model) -> dict[str, float]:
        size = self.config.batch_size
        data = distribution.spread(
            self.strategy, lambda share: batches.evaluation(self.val, batch_size=size, share=share)
        )
        return self.loop.look(model, data, batches.steps(self.val, batch_size=size))

    def _out_of_patience(self) -> bool:
        last, best = len(self.rows) - 1, max(self.best_epoch, self.begun - 1)
        return last - best >= self.phases[self.phase].patience

    def _state(self) -> dict:
        file = self.folder / STATE
        if not file.exists():
            return {}
        state = json.loads(file.read_text())
        return state if runs.is_same(state, {"identity": self.identity}) else {}

    def _write(self) -> None:
        """Weights under new names first, then the state that names them, then the old weights go."""
        self.written = time.monotonic()
        if not distribution.is_chief():
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        names = {"last": f"last-{len(self.rows)}.weights.h5", "best": f"best-{self.best_epoch + 1}.npz"}
        self.model.save_weights(self.folder / names["last"])
        if not (self.folder / names["best"]).exists():
            np.savez(self.folder / names["best"], *self.best)
        if self.average:
            names["average"] = f"average-{len(self.rows)}.npz"
            np.savez(self.folder / names["average"], *self.average.get_weights())
        state = {"identity": self.identity, "rows": self.rows, "best_epoch": self.best_epoch, "seconds": self.seconds}
        state |= {"phase": self.phase, "begun": self.begun}
        paths.write(self.folder / STATE, json.dumps({**state, **names}))
        self._keep(*names.values())

    def _weights(self, name: str) -> list[np.ndarray]:
        with np.load(self.folder / name, allow_pickle=False) as stored:
            return [stored[f"arr_{place}"] for place in range(len(stored.files))]

    def _keep(self, *names: str | None) -> None:
        if distribution.is_chief():
            for file in [*self.folder.glob("*.weights.h5"), *self.folder.glob("*.npz")]:
                if file.name not in names:
                    file.unlink()

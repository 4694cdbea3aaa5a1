"""Checkpoints: what a training needs to go on, to the last bit, after it was interrupted."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from toolkit.core import paths, records, runs
from toolkit.core.framework import keras
from toolkit.model.epochs import Row
from toolkit.training import distribution

STATE = "state.json"
COUNTS = ("rows", "best_epoch", "seconds", "phase", "begun")  # what it holds of a `State`, beside names of weights


@dataclass(frozen=True)
class State:
    """How far a training is.

    Args:
        rows: of the history, one per epoch.
        best: the best weights so far.
        best_epoch: index of their row; -1 before the first epoch.
        seconds: of training so far.
        phase: name of the phase it is in.
        begun: how many rows there were when that phase began.
    """

    rows: list[Row]
    best: list[np.ndarray]
    best_epoch: int
    seconds: float
    phase: str
    begun: int


class Checkpoint:
    """The folder in which a training keeps its state. Only the chief of several workers writes there.

    Args:
        folder: made when it is needed.
        identity: of the training, see `train.identity`; a checkpoint with another one is ignored.
        seconds: between two checkpoints; 0 writes one after every epoch.
    """

    def __init__(self, folder: Path, identity: Mapping[str, object], seconds: float):
        self.folder, self.identity, self.seconds = folder, identity, seconds
        self.written = time.monotonic()

    @property
    def is_due(self) -> bool:
        """Whether it is time for the next one."""
        return time.monotonic() - self.written >= self.seconds

    def read(self) -> State | None:
        """The state of the same training, if there is one."""
        stored = self._stored()
        if not stored:
            return None
        return State(best=self._weights(stored["best"]), **{name: stored[name] for name in COUNTS})

    def load_weights(self, model: keras.Model, average: keras.Model | None) -> None:
        """Give a model and its moving average the weights, and its optimizer the state, of the last epoch."""
        stored = self._stored()
        model.load_weights(self.folder / stored["last"])
        if average:
            average.set_weights(self._weights(stored["average"]))

    def write(self, state: State, model: keras.Model, average: keras.Model | None) -> None:
        """Weights under new names first, then the state that names them, then the old weights go."""
        self.written = time.monotonic()
        if not distribution.is_chief():
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        names = {"last": f"last-{len(state.rows)}.weights.h5", "best": f"best-{state.best_epoch + 1}.npz"}
        model.save_weights(self.folder / names["last"])
        if not (self.folder / names["best"]).exists():
            np.savez(self.folder / names["best"], *state.best)
        if average:
            names["average"] = f"average-{len(state.rows)}.npz"
            np.savez(self.folder / names["average"], *average.get_weights())
        counts = {name: getattr(state, name) for name in COUNTS}
        paths.write(self.folder / STATE, json.dumps({"identity": self.identity, **counts, **names}))
        self._remove_all_but(names)

    def clean(self) -> None:
        """Remove weights that the state does not name: half written ones, or another training's."""
        self._remove_all_but(self._stored())

    def _stored(self) -> dict:
        """The state as it is on disk; empty if there is none of this training."""
        file = self.folder / STATE
        stored = records.read(file) if file.exists() else {}
        same = stored.get("identity") == runs.as_stored(self.identity) and isinstance(stored["phase"], str)
        names = [stored.get(kind, "") for kind in ("last", "best", "average")]
        return stored if same and all(Path(name).name == name for name in names) else {}

    def _weights(self, name: str) -> list[np.ndarray]:
        with np.load(self.folder / name, allow_pickle=False) as stored:
            return [stored[f"arr_{index}"] for index in range(len(stored.files))]

    def _remove_all_but(self, names: Mapping[str, object]) -> None:
        if distribution.is_chief():
            for file in [*self.folder.glob("*.weights.h5"), *self.folder.glob("*.npz")]:
                if file.name not in [names.get(kind) for kind in ("last", "best", "average")]:
                    file.unlink()

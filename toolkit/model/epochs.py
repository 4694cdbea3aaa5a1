"""Epochs of a training: a row of its history for each, and the score by which the best is found."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import pandas as pd

Row = Mapping[str, Any]  # of a history: epoch, loss, accuracy, val_loss, …, and the name of the phase


class EpochScore(NamedTuple):
    """Validation score of the weights saved for an epoch.

    Args:
        kind: of the weights: "val", the network's own, or "average_val", their moving average (`ema`).
        loss, accuracy: on the val pictures.
    """

    kind: str
    loss: float
    accuracy: float

    def key(self, monitor: str) -> float:
        """Sort key of epochs: the lower, the better."""
        return self.loss if monitor == "val_loss" else -self.accuracy


def better_weights(row: Row, *, monitor: str) -> EpochScore:
    """The score of the better weights of an epoch: the network's own, or their average where the row has one.

    Args:
        row: of a history.
        monitor: "val_loss" or "val_accuracy", see `Config`.

    >>> better_weights({"val_loss": 0.4, "val_accuracy": 0.9}, monitor="val_loss")
    EpochScore(kind='val', loss=0.4, accuracy=0.9)
    """
    kinds = [kind for kind in ("val", "average_val") if pd.notna(row.get(f"{kind}_loss"))]
    scores = [EpochScore(kind, float(row[f"{kind}_loss"]), float(row[f"{kind}_accuracy"])) for kind in kinds]
    return min(scores, key=lambda score: score.key(monitor))

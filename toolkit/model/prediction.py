"""A model's answer for one picture: in words, and as a row of a table."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from toolkit.core import parallel
from toolkit.core.words import named
from toolkit.model.classifier import Classifier
from toolkit.model.familiarity import FAMILIAR

STRANGE, NOT_SURE = "unlike anything it learned", "not sure"  # in place of a label


@dataclass(frozen=True, eq=False, repr=False)
class Prediction:
    """A model's answer for one picture.

    Args:
        source: name of the picture.
        label: the most probable class.
        probability: of that class, 0 to 1.
        probabilities: of every class, in the order of the model.
        pixels: the picture as the network saw it, uint8 array of shape (size, size, 3).
        entropy: in bits; 0 if one class is certain, log2(classes) if all are as probable.
        disagreement: the part of it that comes from different answers to different views, in bits; 0 if asked once.
        abstained: whether the probability is below the threshold, and the answer "not sure".
        familiarity: how much the picture is like those the network learned from, 0 to 1, see `familiarity.Familiarity`;
            None where it is not known.
        set: the labels among which the truth is in 95 of 100 cases, the likeliest first, see `sets`; None where that is
            not known.
    """

    source: str
    label: str
    probability: float
    probabilities: dict[str, float]
    pixels: np.ndarray
    entropy: float = 0.0
    disagreement: float = 0.0
    abstained: bool = False
    familiarity: float | None = None
    set: tuple[str, ...] | None = None

    @property
    def familiar(self) -> bool | None:
        """Whether the picture is like those the network learned from; None where that is not known."""
        return None if self.familiarity is None else self.familiarity >= FAMILIAR

    @property
    def answer(self) -> str:
        """The label, unless the picture is unlike anything the network learned, or it is not sure."""
        return STRANGE if self.familiar is False else NOT_SURE if self.abstained else self.label

    def __repr__(self) -> str:
        shares = "  ".join(f"{named(name)} {share:.3f}" for name, share in self.probabilities.items())
        return f"{self.source}: {named(self.answer)}  ({shares})"


Answer = Prediction | parallel.Failure


def row(trained: Classifier, source: object, answer: Answer) -> dict[str, Any]:
    """An answer as a row of a table, with empty cells where there is no prediction.

    Args:
        trained: the model, for the names of the columns.
        source: of the row.
        answer: a `Prediction`, or the `Failure` of a picture that could not be opened.
    """
    columns = [f"p_{name}" for name in trained.classes]
    if isinstance(answer, parallel.Failure):
        names = (
            "label",
            "probability",
            "abstained",
            *columns,
            "entropy",
            "disagreement",
            "familiarity",
            "familiar",
            "set",
        )
        empty = dict.fromkeys(names, "")
        return {"picture": str(source), **empty, "status": answer.status, "reason": answer.reason}
    return {
        "picture": str(source),
        "label": answer.label,
        "probability": answer.probability,
        "abstained": answer.abstained,
        **{column: answer.probabilities[name] for column, name in zip(columns, trained.classes, strict=True)},
        "entropy": answer.entropy,
        "disagreement": answer.disagreement,
        "familiarity": "" if answer.familiarity is None else answer.familiarity,
        "familiar": "" if answer.familiar is None else answer.familiar,
        "set": "" if answer.set is None else "|".join(answer.set),
        "status": "ok",
        "reason": "",
    }


def counted_as(cells: Mapping[str, Any]) -> str:
    """Under which name a row is counted: its answer, see `Prediction.answer`, or why there is none."""
    if cells["status"] != "ok":
        return cells["status"]
    return STRANGE if cells["familiar"] is False else NOT_SURE if cells["abstained"] is True else cells["label"]

"""What is known of the pictures of a page at one moment, and a random sample of them that is being asked about."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from toolkit.review.active import NONE
from toolkit.review.journal import Journal

GONE: dict[str, Any] = {
    "status": "excluded",
    "label": "",
    "reviewed": "",
    "seen": "",
    "mark": 0,
}  # a row that was pruned
RIGHT = ("label", "keep")  # marks that say what a picture is


@dataclass(frozen=True)
class Labels:
    """What is known of the pictures at one moment, in arrays of shape (pictures,).

    Args:
        classes: names, in their order.
        index: of each label in `classes`, or `active.NONE`.
        open: whether a picture is still to be labelled.
        alone: whether a person has looked at it alone.
        mark: number of its last mark.
        settled: whether its last mark says what it is.
        kept: whether it says that the label it had is right.
    """

    classes: tuple[str, ...]
    index: np.ndarray
    open: np.ndarray
    alone: np.ndarray
    mark: np.ndarray
    settled: np.ndarray
    kept: np.ndarray

    def name(self, index: int) -> str:
        """The label of a picture, or ""."""
        return self.classes[self.index[index]] if self.index[index] != NONE else ""


def labels(journal: Journal, paths: Sequence[str]) -> Labels:
    """What is known now.

    Args:
        journal: the marks.
        paths: of the pictures, as in the manifest.
    """
    with journal.lock:
        classes = tuple(journal.classes)
        place = {label: number for number, label in enumerate(classes)} | {"": NONE}
        cells = [journal.cells.get(path, GONE) for path in paths]
        used = np.array([one["status"] in ("new", "ok") for one in cells], np.bool_)
        index = np.array([place[one["label"]] for one in cells], np.int64)
        reviewed = np.array([one["reviewed"] for one in cells], np.object_)
        alone = np.array([one["seen"] == "alone" for one in cells], np.bool_)
        mark = np.array([one["mark"] for one in cells], np.int64)
    index = np.where(used, index, NONE)
    is_open = used & (index == NONE) & (reviewed != "doubt")
    settled = used & (index != NONE) & np.isin(reviewed, RIGHT)
    return Labels(classes, index, is_open, alone & settled, mark, settled, settled & (reviewed == "keep"))


@dataclass(frozen=True)
class Sample:
    """A random sample that is being asked about.

    Args:
        indices: of its pictures.
        guesses: what each had, or was taken for, before it was asked about: a class name, or "".
        open: whether each had no label then.
        since: number of the last mark before.
        alone: pictures that were looked at alone before.
        candidates: pictures from which it was drawn.
    """

    indices: np.ndarray
    guesses: list[str]
    open: np.ndarray
    since: int
    alone: int
    candidates: int

    def answered(self, now: Labels) -> np.ndarray:
        """Which of them a person has said something of since: alone, or that it is none of the classes."""
        return (now.mark > self.since)[self.indices] & (now.alone | ~now.settled)[self.indices]

    def right(self, now: Labels) -> tuple[np.ndarray, np.ndarray]:
        """Of those that got a class: whether the guess was right, and whether there had been no label; both bool."""
        settled = now.settled[self.indices]
        said = [now.name(index) == guess for index, guess in zip(self.indices, self.guesses, strict=True)]
        return np.array(said, np.bool_)[settled], self.open[settled]

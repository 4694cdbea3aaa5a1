"""Classifier: what every trained model can do, whatever runs it: Keras, or a file exported for elsewhere."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from toolkit import images

if TYPE_CHECKING:
    from toolkit.core.arrays import Rows

MAX_SIZE, MOST_CLASSES = 2048, 100_000  # pixels of a side, and names, that a model may have
BATCH, CACHED = 32, 210_000  # pictures of a batch; and pixels, of which a processor's caches hold what becomes of them


class Outputs(NamedTuple):
    """What a network gives for pictures.

    Args:
        probabilities: float32 array of shape (n, classes); rows sum to 1.
        familiarity: float32 array of shape (n,), 0 to 1, see `familiarity.Familiarity`; None where it is not known, as
            of networks that were trained before it was stored.
    """

    probabilities: np.ndarray
    familiarity: np.ndarray | None = None

    def each(self) -> "list[Outputs]":
        """The outputs of each picture: its probabilities, shape (classes,), and its familiarity, no axes left."""
        known = [None] * len(self.probabilities) if self.familiarity is None else self.familiarity
        return [Outputs(*pair) for pair in zip(self.probabilities, known, strict=True)]


class Classifier(ABC):
    """A network, its classes, and the pictures it takes.

    Args:
        folder: of the run, or the file itself.
        classes: class names in the order of the outputs.
        size: side in pixels of the pictures it takes.
        resize_mode: how they are made square, see `images.square`.
        threshold: probability below which its answer is "not sure", 0 to 1; 0 always answers.
        facts: all else that is known of it.
    """

    folder: Path
    classes: tuple[str, ...]
    size: int
    resize_mode: str
    threshold: float = 0.0
    facts: Mapping[str, Any] = {}

    @property
    def name(self) -> str:
        """Name of the run or of the file."""
        return self.folder.name

    @property
    def set_limit(self) -> float | None:
        """The probability from which on a label is in the set of an answer, see `sets.limit`; None where not known."""
        return (self.facts.get("sets") or {}).get("limit")

    @property
    def tells_familiarity(self) -> bool:
        """Whether `ask` says how familiar pictures are."""
        return False

    @property
    def small_batch(self) -> int:
        """Pictures at a time that a processor gets through soonest, 1 to 32: with 32 large ones it waits for memory.

        Xception takes a quarter less time for pictures of 224 pixels by fours, MobileNet two fifths. The answers differ
        from those of other batches in their last digits.
        """
        return min(max(CACHED // self.size**2, 1), BATCH)

    def check(self) -> None:  # noqa: B027 - most have nothing left to check
        """Raise BundleError where it is not what it says of itself; an exported file is checked when it is opened."""

    def prepare(self, source: images.Picture) -> np.ndarray:
        """Preprocessing: a picture as the square that this model learned from.

        Args:
            source: a path, the bytes of a file, a PIL image, or an array, see `images.from_array`.

        Returns:
            uint8 array of shape (size, size, 3), RGB, 0 to 255.

        Raises:
            ImageError: it cannot be opened, with the reason in words.
        """
        return images.prepare(source, self.size, self.resize_mode)

    def prepare_frame(self, frame: np.ndarray) -> np.ndarray:
        """Preprocessing of a frame, an array as `images.from_array` takes it; see `prepare`.

        Raises:
            ValueError: its shape, type or numbers are others.
        """
        return self.prepare(images.from_array(frame))

    def probabilities(self, pictures: "np.ndarray | Rows", *, batch_size: int = BATCH) -> np.ndarray:
        """Class probabilities of pictures.

        Args:
            pictures: shape (n, size, size, 3), RGB, 0 to 255, as `prepare` gives them; in memory, or on disk.
            batch_size: pictures at a time, at least 1.

        Returns:
            float32 array of shape (n, classes); rows sum to 1.

        >>> trained.probabilities(trained.prepare("mine.jpg")[None])  # doctest: +SKIP
        array([[0.97, 0.03]], dtype=float32)
        """
        answers = [self._answers(part) for part in self._parts(pictures, batch_size)]
        return np.concatenate(answers) if answers else np.zeros((0, len(self.classes)), np.float32)

    def ask(self, pictures: "np.ndarray | Rows", *, batch_size: int = BATCH) -> Outputs:
        """Class probabilities of pictures, and how familiar each is; see `probabilities`.

        >>> trained.ask(trained.prepare("mine.jpg")[None]).familiarity  # doctest: +SKIP
        array([0.88], dtype=float32)
        """
        outputs = [self._outputs(part) for part in self._parts(pictures, batch_size)]
        if not outputs:
            return Outputs(np.zeros((0, len(self.classes)), np.float32))
        probabilities, familiarity = zip(*outputs, strict=True)
        known = [part for part in familiarity if part is not None]
        return Outputs(np.concatenate(probabilities), np.concatenate(known) if known else None)

    def _parts(self, pictures: "np.ndarray | Rows", batch_size: int) -> Iterator[np.ndarray]:
        """The pictures as float32, a batch at a time."""
        if batch_size < 1:
            raise ValueError(f"expected a batch_size of at least 1, got {batch_size}")
        expected = (self.size, self.size, 3)
        if pictures.ndim != 4 or pictures.shape[1:] != expected:
            raise ValueError(f"expected pictures of shape (n, {self.size}, {self.size}, 3), got {pictures.shape}")
        for start in range(0, len(pictures), batch_size):
            yield pictures[start : start + batch_size].astype(np.float32)

    @abstractmethod
    def _answers(self, pictures: np.ndarray) -> np.ndarray:
        """Probabilities, shape (n, classes), of float32 pictures, n at least 1."""

    def _outputs(self, pictures: np.ndarray) -> Outputs:
        """All outputs for float32 pictures, n at least 1."""
        return Outputs(self._answers(pictures))


def classes_and_size(facts: Mapping[str, Any]) -> tuple[tuple[str, ...], int]:
    """The classes of a model and the side of its pictures, as its metadata has them.

    Raises:
        ValueError, KeyError, TypeError: names that are none, or the same twice, or a side out of range.
    """
    classes, size = facts["classes"], facts["size"]
    if not isinstance(classes, list) or not classes or not all(isinstance(name, str) and name for name in classes):
        raise ValueError(f"expected a list of names as classes, got {str(classes)[:80]}")
    if len(set(classes)) < len(classes) or len(classes) > MOST_CLASSES:
        raise ValueError(f"expected at most {MOST_CLASSES:,} classes, each once, got {len(classes):,}")
    if type(size) is not int or not 1 <= size <= MAX_SIZE:
        raise ValueError(f"expected a size of 1 to {MAX_SIZE} pixels, got {str(size)[:80]}")
    return tuple(classes), size

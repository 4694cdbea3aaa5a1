"""Ask a trained model about new pictures."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from toolkit import images, parallel
from toolkit.bundle import Bundle
from toolkit.errors import ImageError


@dataclass(frozen=True, eq=False)
class Prediction:
    """A model's answer for one picture.

    Args:
        source: where the picture was.
        label: the likeliest class.
        probability: of that class, 0 to 1.
        probabilities: of every class, in the order of the model.
        pixels: the picture as the network saw it, uint8 array of shape (size, size, 3).
    """

    source: str
    label: str
    probability: float
    probabilities: dict[str, float]
    pixels: np.ndarray

    def __str__(self) -> str:
        shares = "  ".join(f"{name} {share:.3f}" for name, share in self.probabilities.items())
        return f"{self.source}: {self.label}  ({shares})"


def picture(trained: Bundle, source: images.Source) -> Prediction:
    """What a model sees in one picture.

    Args:
        trained: the model.
        source: a path, or the bytes of a file.

    Raises:
        ImageError: it cannot be opened, with the reason.

    >>> picture(bundle.load("cars_tanks/xception"), "mine.jpg").label  # doctest: +SKIP
    'tanks'
    """
    answer = pictures(trained, [source])[0]
    if isinstance(answer, parallel.Failure):
        raise ImageError(f"{_name(source)}: {answer.reason}")
    return answer


def pictures(
    trained: Bundle, sources: Sequence[images.Source], *, batch_size: int = 32
) -> list[Prediction | parallel.Failure]:
    """What a model sees in many pictures; one that cannot be opened becomes a `Failure` in its place."""
    answers: list[Prediction | parallel.Failure] = []
    for start in range(0, len(sources), batch_size):
        part = sources[start : start + batch_size]
        opened = list(parallel.map(trained.prepare, part))
        good = [pixels for pixels in opened if isinstance(pixels, np.ndarray)]
        rows = iter(trained.probabilities(np.stack(good)) if good else ())
        for source, pixels in zip(part, opened, strict=True):
            failed = isinstance(pixels, parallel.Failure)
            answers.append(pixels if failed else _prediction(trained, source, pixels, next(rows)))
    return answers


def _prediction(trained: Bundle, source: images.Source, pixels: np.ndarray, row: np.ndarray) -> Prediction:
    shares = {name: float(share) for name, share in zip(trained.classes, row, strict=True)}
    label = max(shares, key=shares.__getitem__)
    return Prediction(_name(source), label, shares[label], shares, pixels)


def _name(source: images.Source) -> str:
    return "picture" if isinstance(source, bytes) else Path(source).name

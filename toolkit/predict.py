"""Ask a trained model about new pictures."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from toolkit import images, parallel, uncertainty
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
        entropy: in bits, 0 if one class has it all, log2(classes) if all are as likely.
        disagreement: the part of it that comes from different answers to different views, in bits; 0 if asked once.
        abstained: whether the probability is too low to stand by the label.
    """

    source: str
    label: str
    probability: float
    probabilities: dict[str, float]
    pixels: np.ndarray
    entropy: float = 0.0
    disagreement: float = 0.0
    abstained: bool = False

    def __str__(self) -> str:
        shares = "  ".join(f"{name} {share:.3f}" for name, share in self.probabilities.items())
        return f"{self.source}: {'not sure' if self.abstained else self.label}  ({shares})"


def picture(trained: Bundle, source: images.Source, **how: object) -> Prediction:
    """What a model sees in one picture.

    Args:
        trained: the model.
        source: a path, or the bytes of a file.
        how: `abstain_below`, `views` and `passes`, see `pictures`.

    Raises:
        ImageError: it cannot be opened, with the reason.

    >>> picture(bundle.load("cars_tanks/xception"), "mine.jpg").label  # doctest: +SKIP
    'tanks'
    """
    answer = pictures(trained, [source], **how)[0]
    if isinstance(answer, parallel.Failure):
        raise ImageError(f"{_name(source)}: {answer.reason}")
    return answer


def pictures(
    trained: Bundle,
    sources: Sequence[images.Source],
    *,
    batch_size: int = 32,
    abstain_below: float = 0.0,
    views: bool = False,
    passes: int = 0,
) -> list[Prediction | parallel.Failure]:
    """What a model sees in many pictures; one that cannot be opened becomes a `Failure` in its place.

    Args:
        trained: the model.
        sources: paths, or the bytes of files.
        batch_size: pictures at a time, at least 1.
        abstain_below: probability below which an answer is "not sure", 0 to 1; 0 always answers.
        views: ask about several views of each picture and take the mean, see `uncertainty.views`.
        passes: ask as many times with dropout at work and take the mean, see `uncertainty.dropout`; 0 asks plainly.
    """
    if not 0 <= abstain_below <= 1 or passes < 0 or (views and passes):
        raise ValueError(
            "expected abstain_below from 0 to 1 and either views or passes of at least 0, got "
            f"{abstain_below}, {views} and {passes}"
        )
    answers: list[Prediction | parallel.Failure] = []
    for start in range(0, len(sources), batch_size):
        part = sources[start : start + batch_size]
        opened = list(parallel.map(trained.prepare, part))
        good = [pixels for pixels in opened if isinstance(pixels, np.ndarray)]
        asked = _asked(trained, np.stack(good), views, passes) if good else None
        places = iter(range(len(good)))
        for source, pixels in zip(part, opened, strict=True):
            failed = isinstance(pixels, parallel.Failure)
            answers.append(
                pixels if failed else _prediction(trained, source, pixels, asked, next(places), abstain_below)
            )
    return answers


def _asked(trained: Bundle, pixels: np.ndarray, views: bool, passes: int) -> uncertainty.Answers:
    if views:
        return uncertainty.views(trained, pixels)
    if passes:
        return uncertainty.dropout(trained, pixels, passes=passes)
    return uncertainty.Answers(trained.probabilities(pixels)[None])


def _prediction(
    trained: Bundle,
    source: images.Source,
    pixels: np.ndarray,
    asked: uncertainty.Answers,
    place: int,
    abstain_below: float,
) -> Prediction:
    row = asked.probabilities[place]
    shares = {name: float(share) for name, share in zip(trained.classes, row, strict=True)}
    label = max(shares, key=shares.__getitem__)
    doubt = {"entropy": float(asked.entropy[place]), "disagreement": float(asked.disagreement[place])}
    abstained = shares[label] < abstain_below
    return Prediction(_name(source), label, shares[label], shares, pixels, **doubt, abstained=abstained)


def _name(source: images.Source) -> str:
    return "picture" if isinstance(source, bytes) else Path(source).name

"""Ask a trained model about new pictures: one, many, or as many as there are."""

import csv
import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, Any, TypedDict, Unpack

import numpy as np

from toolkit import images
from toolkit.core import parallel, paths
from toolkit.core.words import named
from toolkit.errors import ImageError
from toolkit.model import runtime, uncertainty
from toolkit.model.classifier import Classifier
from toolkit.model.sources import Sources, full_name, several, short_name


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
    """

    source: str
    label: str
    probability: float
    probabilities: dict[str, float]
    pixels: np.ndarray
    entropy: float = 0.0
    disagreement: float = 0.0
    abstained: bool = False

    def __repr__(self) -> str:
        shares = "  ".join(f"{named(name)} {share:.3f}" for name, share in self.probabilities.items())
        return f"{self.source}: {'not sure' if self.abstained else named(self.label)}  ({shares})"


Answer = Prediction | parallel.Failure


class Options(TypedDict, total=False):
    """Options of `stream`."""

    batch_size: int
    abstain_below: float | None
    views: bool
    passes: int


def picture(trained: Classifier | str | Path, source: images.Picture, **options: Unpack[Options]) -> Prediction:
    """The prediction for one picture.

    Args:
        trained: the model, from `runtime.load` or `bundle.load`, or its name for those.
        source: a path, the bytes of a file, a PIL image, or an array of RGB or grey, see `images.from_array`.
        options: `abstain_below`, `views` and `passes`, see `stream`.

    Raises:
        ImageError: it cannot be opened, with the reason.

    >>> picture(runtime.load("cars_tanks/xception/export/float16.tflite"), "mine.jpg").label  # doctest: +SKIP
    'tanks'
    """
    answer = pictures(trained, [source], **options)[0]
    if isinstance(answer, parallel.Failure):
        raise ImageError(f"{short_name(source)}: {answer.reason}")
    return answer


def pictures(trained: Classifier | str | Path, sources: Sources, **options: Unpack[Options]) -> list[Answer]:
    """The predictions for many pictures, see `stream`."""
    return list(stream(trained, sources, **options))


def stream(
    trained: Classifier | str | Path,
    sources: Sources,
    *,
    batch_size: int = 32,
    abstain_below: float | None = None,
    views: bool = False,
    passes: int = 0,
) -> Iterator[Answer]:
    """The predictions for any number of pictures, one after the other; only a batch is in memory at a time.

    Args:
        trained: the model, or the name of a run or an exported file.
        sources: paths, the bytes of files, PIL images, or arrays, see `images.from_array`. One alone is one picture; an
            array of four axes is many.
        batch_size: pictures at a time, at least 1.
        abstain_below: probability below which an answer is "not sure", 0 to 1; 0 always answers, None takes the
            threshold of the model, see `classifier.Classifier`.
        views: ask about several views of each picture and take the mean, see `uncertainty.views`.
        passes: ask as many times with dropout at work and take the mean, see `uncertainty.dropout`; 0 asks plainly.

    Yields:
        A `Prediction` per source, or a `Failure` for one that cannot be opened.

    Raises:
        ValueError: an option is out of range, or the model cannot do what it asks for.
    """
    trained = trained if isinstance(trained, Classifier) else runtime.load(trained)
    threshold = trained.threshold if abstain_below is None else abstain_below
    _check(batch_size, threshold, views, passes)
    trained.check()
    if passes:
        uncertainty.model_of(trained)  # raises for an exported model, before any picture is opened
    return _stream(trained, iter(several(sources)), batch_size, threshold, views, passes)


def _check(batch_size: int, threshold: float, views: bool, passes: int) -> None:
    if batch_size < 1:
        raise ValueError(f"expected a batch_size of at least 1, got {batch_size}")
    if not 0 <= threshold <= 1:
        raise ValueError(f"expected abstain_below from 0 to 1, got {threshold}")
    if passes < 0:
        raise ValueError(f"expected passes of at least 0, got {passes}")
    if views and passes:
        raise ValueError(f"expected views or passes, got both, {passes} passes; leave one out")


def _stream(
    trained: Classifier, sources: Iterator[images.Picture], batch_size: int, threshold: float, views: bool, passes: int
) -> Iterator[Answer]:
    while batch := list(islice(sources, batch_size)):
        opened = list(parallel.map(trained.prepare, batch))
        readable = {index: pixels for index, pixels in enumerate(opened) if isinstance(pixels, np.ndarray)}
        names = [short_name(batch[index]) for index in readable]
        predictions = iter(_predict(trained, names, list(readable.values()), threshold, views, passes))
        for pixels in opened:
            yield next(predictions) if isinstance(pixels, np.ndarray) else pixels


def frame(
    trained: Classifier, pixels: np.ndarray, *, name: str = "frame", abstain_below: float | None = None
) -> Prediction:
    """The prediction for a frame of a camera or a video.

    Args:
        trained: the model.
        pixels: array of RGB or grey, usually uint8 of shape (height, width, 3), see `images.from_array`.
        name: `source` of the prediction.
        abstain_below: see `stream`.

    Raises:
        ValueError: an array of another shape or type, or a threshold out of range.
    """
    threshold = trained.threshold if abstain_below is None else abstain_below
    _check(1, threshold, views=False, passes=0)
    return _predict(trained, [name], [trained.prepare_frame(pixels)], threshold)[0]


def row(trained: Classifier, source: object, answer: Answer) -> dict[str, Any]:
    """An answer as a row of a table, with empty cells where there is no prediction.

    Args:
        trained: the model, for the names of the columns.
        source: of the row.
        answer: a `Prediction`, or the `Failure` of a picture that could not be opened.
    """
    columns = [f"p_{name}" for name in trained.classes]
    if isinstance(answer, parallel.Failure):
        empty = dict.fromkeys(("label", "probability", "abstained", *columns, "entropy", "disagreement"), "")
        return {"picture": str(source), **empty, "status": answer.status, "reason": answer.reason}
    return {
        "picture": str(source),
        "label": answer.label,
        "probability": answer.probability,
        "abstained": answer.abstained,
        **{column: answer.probabilities[name] for column, name in zip(columns, trained.classes, strict=True)},
        "entropy": answer.entropy,
        "disagreement": answer.disagreement,
        "status": "ok",
        "reason": "",
    }


def write(
    trained: Classifier,
    sources: images.Picture | Sequence[images.Picture],
    *,
    csv_file: Path | None = None,
    jsonl_file: Path | None = None,
    **options: Unpack[Options],
) -> Counter:
    """Predict many pictures, and write a row for each into a table; see `row`.

    Either file is whole or not there. No more than a batch of pictures is in memory, however many there are.

    Args:
        trained: the model.
        sources: see `stream`.
        csv_file: of the table with commas; None writes none, `-` is standard output.
        jsonl_file: of the table with a line of JSON per picture, empty cells as null; None writes none.
        options: see `stream`.

    Returns:
        How many pictures were given each label, "not sure", or could not be read and why ("unreadable", …).

    >>> write(trained, sorted(Path("photos").glob("*")), csv_file=Path("photos.csv"))  # doctest: +SKIP
    Counter({'tanks': 812, 'cars': 640, 'unreadable': 2})
    """
    pictures = list(several(sources))
    answers = parallel.progress(stream(trained, pictures, **options), total=len(pictures), description="predict")
    rows = (row(trained, full_name(source), answer) for source, answer in zip(pictures, answers, strict=True))
    return write_rows(rows, csv_file=csv_file, jsonl_file=jsonl_file)


def write_rows(
    rows: Iterable[dict[str, Any]], *, csv_file: Path | None = None, jsonl_file: Path | None = None
) -> Counter:
    """Write rows into the same tables, see `write`."""
    counted: Counter = Counter()
    with ExitStack() as open_files:
        table = _opened(open_files, csv_file) if csv_file else None
        lines = _opened(open_files, jsonl_file) if jsonl_file else None
        writer = None
        for cells in rows:
            if table and writer is None:
                writer = csv.DictWriter(table, fieldnames=list(cells), lineterminator="\n")
                writer.writeheader()
            if writer:
                writer.writerow(cells)
            if lines:
                empty = {name: None if cell == "" or cell != cell else cell for name, cell in cells.items()}
                lines.write(json.dumps(empty) + "\n")
            answer = "not sure" if cells["abstained"] is True else cells["label"]
            counted[answer if cells["status"] == "ok" else cells["status"]] += 1
    return counted


def _opened(open_files: ExitStack, file: Path) -> IO[str]:
    """A new file under a temporary name, which it loses when all is done; standard output for `-`."""
    if file == Path("-"):
        return sys.stdout
    temporary = open_files.enter_context(paths.atomic_write(file))
    # names of files may be bytes that are no text, and stay what they are
    return open_files.enter_context(temporary.open("w", encoding="utf-8", errors="surrogateescape", newline=""))


def _predict(
    trained: Classifier,
    names: list[str],
    pictures: list[np.ndarray],
    threshold: float,
    views: bool = False,
    passes: int = 0,
) -> list[Prediction]:
    """A prediction for each prepared picture."""
    if not pictures:
        return []
    answers = _ask(trained, np.stack(pictures), views, passes)
    predictions = []
    columns = zip(names, pictures, answers.probabilities, answers.entropy, answers.disagreement, strict=True)
    for name, pixels, row, entropy, disagreement in columns:
        probabilities = {label: float(value) for label, value in zip(trained.classes, row, strict=True)}
        label = max(probabilities, key=probabilities.__getitem__)
        predictions.append(
            Prediction(
                source=name,
                label=label,
                probability=probabilities[label],
                probabilities=probabilities,
                pixels=pixels,
                entropy=float(entropy),
                disagreement=float(disagreement),
                abstained=probabilities[label] < threshold,
            )
        )
    return predictions


def _ask(trained: Classifier, pictures: np.ndarray, views: bool, passes: int) -> uncertainty.Answers:
    if views:
        return uncertainty.views(trained, pictures)
    if passes:
        return uncertainty.dropout(trained, pictures, passes=passes)
    return uncertainty.Answers(trained.probabilities(pictures)[None])

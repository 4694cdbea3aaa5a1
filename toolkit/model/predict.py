"""Ask a trained model about new pictures: one, many, or as many as there are."""

import csv
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO

import numpy as np

from toolkit import images
from toolkit.core import parallel, paths
from toolkit.errors import ImageError
from toolkit.model import uncertainty
from toolkit.model.classifier import Classifier


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


Answer = Prediction | parallel.Failure


def picture(trained: Classifier, source: images.Source, **how: object) -> Prediction:
    """What a model sees in one picture.

    Args:
        trained: the model, from `runtime.load` or `bundle.load`.
        source: a path, or the bytes of a file.
        how: `abstain_below`, `views` and `passes`, see `stream`.

    Raises:
        ImageError: it cannot be opened, with the reason.

    >>> picture(runtime.load("cars_tanks/xception/export/float16.tflite"), "mine.jpg").label  # doctest: +SKIP
    'tanks'
    """
    answer = pictures(trained, [source], **how)[0]
    if isinstance(answer, parallel.Failure):
        raise ImageError(f"{_name(source)}: {answer.reason}")
    return answer


def pictures(trained: Classifier, sources: Iterable[images.Source], **how: object) -> list[Answer]:
    """What a model sees in many pictures, see `stream`."""
    return list(stream(trained, sources, **how))


def stream(
    trained: Classifier,
    sources: Iterable[images.Source],
    *,
    batch_size: int = 32,
    abstain_below: float | None = None,
    views: bool = False,
    passes: int = 0,
) -> Iterator[Answer]:
    """What a model sees in any number of pictures, one after the other; only a batch is in memory at a time.

    Args:
        trained: the model.
        sources: paths, or the bytes of files.
        batch_size: pictures at a time, at least 1.
        abstain_below: probability below which an answer is "not sure", 0 to 1; 0 always answers, None does as the model
            says, see `classifier.Classifier`.
        views: ask about several views of each picture and take the mean, see `uncertainty.views`.
        passes: ask as many times with dropout at work and take the mean, see `uncertainty.dropout`; 0 asks plainly.

    Yields:
        A `Prediction` per source, or a `Failure` for one that cannot be opened.

    Raises:
        ValueError: an option is out of range, or the model cannot do what it asks for.
    """
    limit = trained.threshold if abstain_below is None else abstain_below
    if not 0 <= limit <= 1 or passes < 0 or (views and passes):
        raise ValueError(
            "expected abstain_below from 0 to 1 and either views or passes of at least 0, got "
            f"{abstain_below}, {views} and {passes}"
        )
    if passes and not hasattr(trained, "model"):
        raise ValueError(f"expected a run to ask with dropout at work, got the exported {trained.name}; ask for views")
    return _stream(trained, iter(sources), batch_size, limit, views, passes)


def _stream(
    trained: Classifier, sources: Iterator[images.Source], batch_size: int, limit: float, views: bool, passes: int
) -> Iterator[Answer]:
    while part := list(islice(sources, batch_size)):
        opened = list(parallel.map(trained.prepare, part))
        good = [pixels for pixels in opened if isinstance(pixels, np.ndarray)]
        names = [_name(source) for source, pixels in zip(part, opened, strict=True) if isinstance(pixels, np.ndarray)]
        asked = _asked(trained, np.stack(good), views, passes) if good else None
        answers = iter(_predictions(trained, names, good, asked, limit) if good else [])
        for pixels in opened:
            yield next(answers) if isinstance(pixels, np.ndarray) else pixels


def frame(
    trained: Classifier, pixels: np.ndarray, *, name: str = "frame", abstain_below: float | None = None
) -> Prediction:
    """What a model sees in a frame of a camera or a video.

    Args:
        trained: the model.
        pixels: uint8 array of shape (height, width, 3), RGB.
        name: what the answer is called.
        abstain_below: see `stream`.
    """
    seen = trained.prepare_frame(pixels)
    limit = trained.threshold if abstain_below is None else abstain_below
    return _predictions(trained, [name], [seen], _asked(trained, seen[None], False, 0), limit)[0]


def row(trained: Classifier, source: object, answer: Answer) -> dict[str, object]:
    """An answer as a row of a table: what it is about, the answer, or why there is none.

    Args:
        trained: the model, for the names of the columns.
        source: what the row is called.
        answer: a `Prediction`, or the `Failure` of a picture that could not be opened.
    """
    known = isinstance(answer, Prediction)
    cells = {"picture": str(source), "label": answer.label if known else "", "probability": "", "abstained": ""}
    cells |= {f"p_{name}": answer.probabilities[name] if known else "" for name in trained.classes}
    if known:
        cells |= {"probability": answer.probability, "abstained": answer.abstained}
    cells["entropy"], cells["disagreement"] = (answer.entropy, answer.disagreement) if known else ("", "")
    return cells | {"status": "ok" if known else answer.status, "reason": "" if known else answer.reason}


def write(
    trained: Classifier,
    sources: Sequence[images.Source],
    *,
    csv_file: Path | None = None,
    jsonl_file: Path | None = None,
    **how: object,
) -> Counter:
    """Ask about many pictures, and write a row for each into a table; see `row`.

    Either file is whole or not there. No more than a batch of pictures is in memory, however many there are.

    Args:
        trained: the model.
        sources: paths, or the bytes of files.
        csv_file: of the table with commas; None writes none.
        jsonl_file: of the table with a line of JSON per picture, empty cells as null; None writes none.
        how: see `stream`.

    Returns:
        How many pictures were given each label, "not sure", or could not be read and why ("unreadable", …).

    >>> write(trained, sorted(Path("photos").glob("*")), csv_file=Path("photos.csv"))  # doctest: +SKIP
    Counter({'tanks': 812, 'cars': 640, 'unreadable': 2})
    """
    answers = parallel.progress(stream(trained, sources, **how), total=len(sources), description="predict")
    rows = (row(trained, _full_name(source), answer) for source, answer in zip(sources, answers, strict=True))
    return write_rows(rows, csv_file=csv_file, jsonl_file=jsonl_file)


def write_rows(
    rows: Iterable[dict[str, object]], *, csv_file: Path | None = None, jsonl_file: Path | None = None
) -> Counter:
    """The same for rows that are at hand."""
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
                empty = {name: None if cell == "" else cell for name, cell in cells.items()}
                lines.write(json.dumps(empty) + "\n")
            said = "not sure" if cells["abstained"] is True else cells["label"]
            counted[said if cells["status"] == "ok" else cells["status"]] += 1
    return counted


def _opened(open_files: ExitStack, file: Path) -> IO[str]:
    """A new file under a temporary name, which it loses when all is done."""
    temporary = open_files.enter_context(paths.atomic_write(file))
    # names of files may be bytes that are no text, and stay what they are
    return open_files.enter_context(temporary.open("w", encoding="utf-8", errors="surrogateescape", newline=""))


def _asked(trained: Classifier, pixels: np.ndarray, views: bool, passes: int) -> uncertainty.Answers:
    if views:
        return uncertainty.views(trained, pixels)
    if passes:
        return uncertainty.dropout(trained, pixels, passes=passes)
    return uncertainty.Answers(trained.probabilities(pixels)[None])


def _predictions(
    trained: Classifier, names: list[str], pixels: list[np.ndarray], asked: uncertainty.Answers, limit: float
) -> list[Prediction]:
    answers = []
    columns = zip(names, pixels, asked.probabilities, asked.entropy, asked.disagreement, strict=True)
    for name, seen, shares, entropy, disagreement in columns:
        known = {label: float(share) for label, share in zip(trained.classes, shares, strict=True)}
        label = max(known, key=known.__getitem__)
        doubt = {"entropy": float(entropy), "disagreement": float(disagreement), "abstained": known[label] < limit}
        answers.append(Prediction(name, label, known[label], known, seen, **doubt))
    return answers


def _name(source: images.Source) -> str:
    return "picture" if isinstance(source, bytes) else Path(source).name


def _full_name(source: images.Source) -> str:
    return "picture" if isinstance(source, bytes) else str(source)

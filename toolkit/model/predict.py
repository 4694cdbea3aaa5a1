"""Ask a trained model about new pictures: one, many, or as many as there are."""

import csv
import json
import shutil
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import cache, partial
from itertools import islice
from pathlib import Path
from typing import IO, Any, TypedDict, Unpack

import numpy as np

from toolkit import images
from toolkit.core import parallel, parts, paths
from toolkit.core.workers import cores
from toolkit.errors import ImageError
from toolkit.model import abstaining, prediction, runtime, sets, uncertainty
from toolkit.model.classifier import Classifier
from toolkit.model.prediction import Answer, Prediction, row
from toolkit.model.sources import Sources, full_name, several, short_name

__all__ = ["Answer", "Options", "Prediction", "frame", "picture", "pictures", "row", "stream", "write", "write_rows"]

Limits = Mapping[str, float]  # of each class, see `abstaining.limits`


class Options(TypedDict, total=False):
    """Options of `stream`."""

    batch_size: int
    abstain_below: float | None
    thresholds: Mapping[str, float] | None
    views: bool
    passes: int


def picture(trained: Classifier | str | Path, source: images.Picture, **options: Unpack[Options]) -> Prediction:
    """The prediction for one picture.

    Args:
        trained: the model, from `runtime.load` or `bundle.load`, or its name for those.
        source: a path, the bytes of a file, a PIL image, or an array of RGB or grey, see `images.from_array`.
        options: `abstain_below`, `thresholds`, `views` and `passes`, see `stream`.

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
    thresholds: Mapping[str, float] | None = None,
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
        thresholds: such probabilities of some classes, by their names, see `abstaining.limits`.
        views: ask about several views of each picture and take the mean, see `uncertainty.views`.
        passes: ask as many times with dropout at work and take the mean, see `uncertainty.dropout`; 0 asks plainly.

    Yields:
        A `Prediction` per source, or a `Failure` for one that cannot be opened.

    Raises:
        ValueError: an option is out of range, or the model cannot do what it asks for.
    """
    trained = trained if isinstance(trained, Classifier) else runtime.load(trained)
    _check(batch_size, views, passes)
    limits = abstaining.limits(trained, abstain_below, thresholds)
    trained.check()
    if passes:
        uncertainty.model_of(trained)  # raises for an exported model, before any picture is opened
    return _stream(trained, iter(several(sources)), batch_size, limits, views, passes)


def _check(batch_size: int, views: bool, passes: int) -> None:
    if batch_size < 1:
        raise ValueError(f"expected a batch_size of at least 1, got {batch_size}")
    if passes < 0:
        raise ValueError(f"expected passes of at least 0, got {passes}")
    if views and passes:
        raise ValueError(f"expected views or passes, got both, {passes} passes; leave one out")


def _stream(
    trained: Classifier, sources: Iterator[images.Picture], batch_size: int, limits: Limits, views: bool, passes: int
) -> Iterator[Answer]:
    while batch := list(islice(sources, batch_size)):
        opened = list(parallel.map(trained.prepare, batch))
        readable = {index: pixels for index, pixels in enumerate(opened) if isinstance(pixels, np.ndarray)}
        names = [short_name(batch[index]) for index in readable]
        predictions = iter(_predict(trained, names, list(readable.values()), limits, views, passes))
        for pixels in opened:
            yield next(predictions) if isinstance(pixels, np.ndarray) else pixels


def frame(
    trained: Classifier,
    pixels: np.ndarray,
    *,
    name: str = "frame",
    abstain_below: float | None = None,
    thresholds: Mapping[str, float] | None = None,
) -> Prediction:
    """The prediction for a frame of a camera or a video.

    Args:
        trained: the model.
        pixels: array of RGB or grey, usually uint8 of shape (height, width, 3), see `images.from_array`.
        name: `source` of the prediction.
        abstain_below, thresholds: see `stream`.

    Raises:
        ValueError: an array of another shape or type, or a threshold out of range.
    """
    limits = abstaining.limits(trained, abstain_below, thresholds)
    return _predict(trained, [name], [trained.prepare_frame(pixels)], limits)[0]


def write(
    trained: Classifier,
    sources: images.Picture | Sequence[images.Picture],
    *,
    csv_file: Path | None = None,
    jsonl_file: Path | None = None,
    jobs: int = 1,
    **options: Unpack[Options],
) -> Counter:
    """Predict many pictures, and write a row for each into a table; see `row`.

    Either file is whole or not there. No more than a batch of pictures is in memory, however many there are. Of many
    files the answers are kept in parts in a hidden folder beside the table until it is written, so the same call goes
    on where one was stopped.

    Args:
        trained: the model.
        sources: see `stream`.
        csv_file: of the table with commas; None writes none, `-` is standard output.
        jsonl_file: of the table with a line of JSON per picture, empty cells as null; None writes none.
        jobs: processes that share the work, -1 for one per core; within `parallel.cluster`, its workers.
        options: see `stream`.

    Returns:
        How many pictures were given each label, "not sure", "unlike anything it learned", or could not be read and why
        ("unreadable", …).

    >>> write(trained, sorted(Path("photos").glob("*")), csv_file=Path("photos.csv"))  # doctest: +SKIP
    Counter({'tanks': 812, 'cars': 640, 'unreadable': 2})
    """
    pictures = list(several(sources))
    beside = [file for file in (csv_file, jsonl_file) if file and file != Path("-")]
    is_named = all(isinstance(source, str | Path) for source in pictures)
    folder = beside[0].with_name(f".{beside[0].name}.parts") if beside and is_named else None
    if folder is None or (jobs == 1 and len(pictures) <= parts.PART and not parallel.is_distributed()):
        return write_rows(_told(_rows(trained, options, pictures), pictures), csv_file=csv_file, jsonl_file=jsonl_file)
    rows = _in_parts(trained, options, list(map(str, pictures)), folder, jobs)
    counted = write_rows(_told(rows, pictures), csv_file=csv_file, jsonl_file=jsonl_file)
    shutil.rmtree(folder, ignore_errors=True)
    return counted


def _told(rows: Iterable[dict[str, Any]], pictures: Sequence[images.Picture]) -> Iterable[dict[str, Any]]:
    return parallel.progress(rows, total=len(pictures), description="predict")


def _rows(trained: Classifier, options: Options, sources: Sequence[images.Picture]) -> Iterator[dict[str, Any]]:
    answers = stream(trained, sources, **options)
    return (row(trained, full_name(source), answer) for source, answer in zip(sources, answers, strict=True))


def _in_parts(
    trained: Classifier, options: Options, names: list[str], folder: Path, jobs: int
) -> Iterator[dict[str, Any]]:
    """The same rows, from several processes, and from parts that were kept."""
    stream(trained, [], **options)  # raises where it cannot be asked so, before any process begins
    file = trained.folder / "bundle.json" if trained.folder.is_dir() else trained.folder
    made_with = [trained.folder, *parts.stamp(file), sorted(options.items(), key=str)]
    function: parts.Rows = partial(_rows, trained, options)
    if jobs != 1 or parallel.is_distributed():
        function = partial(_rows_of, str(trained.folder), max(1, cores() // parallel.n_parallel(jobs)), options)
    batch = options.get("batch_size", 32)
    size = -(-parts.PART // batch) * batch  # whole batches, so that no answer depends on where a part begins
    return parts.rows(function, names, folder=folder, made_with=made_with, size=size, jobs=jobs)


def _rows_of(model: str, threads: int, options: Options, names: Sequence[str]) -> Iterator[dict[str, Any]]:
    """The rows in another process, which opens the model once."""
    return _rows(_loaded(model, threads), options, names)


@cache
def _loaded(model: str, threads: int) -> Classifier:
    return runtime.load(model, threads=threads)


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
            counted[prediction.counted_as(cells)] += 1
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
    limits: Limits,
    views: bool = False,
    passes: int = 0,
) -> list[Prediction]:
    """A prediction for each prepared picture."""
    if not pictures:
        return []
    shown = np.stack(pictures)
    answers, familiarity = _ask(trained, shown, views, passes)
    known = [None] * len(names) if familiarity is None else [float(value) for value in familiarity]
    predictions = []
    columns = zip(names, pictures, answers.probabilities, answers.entropy, answers.disagreement, known, strict=True)
    for name, pixels, shares, entropy, disagreement, familiar in columns:
        probabilities = {label: float(value) for label, value in zip(trained.classes, shares, strict=True)}
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
                abstained=probabilities[label] < limits[label],
                familiarity=familiar,
                set=None if trained.set_limit is None else sets.holding(probabilities, trained.set_limit),
            )
        )
    return predictions


def _ask(
    trained: Classifier, pictures: np.ndarray, views: bool, passes: int
) -> tuple[uncertainty.Answers, np.ndarray | None]:
    """The answers, and how familiar the pictures are as they are."""
    outputs = trained.ask(pictures)
    if views:
        return uncertainty.views(trained, pictures), outputs.familiarity
    if passes:
        return uncertainty.dropout(trained, pictures, passes=passes), outputs.familiarity
    return uncertainty.Answers(outputs.probabilities[None]), outputs.familiarity

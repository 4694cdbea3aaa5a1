"""Verbs that put a trained network to use."""

import warnings
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit.cli import common, options, pictures, runs, terminal
from toolkit.cli.verb import Verb
from toolkit.core import headings
from toolkit.core.words import counted, named
from toolkit.errors import BundleError, ImageError

if TYPE_CHECKING:
    from toolkit.export import Export
    from toolkit.model.classifier import Classifier
    from toolkit.model.live import Seen
    from toolkit.model.predict import Answer, Prediction

STANDARD_OUTPUT = "-"
VIDEOS = (".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm")
MANY = 10  # classes, from which on a line shows the first few alone
FEW = 5


def _predict_options(parser: ArgumentParser) -> None:
    which = "DATASET/RUN, DATASET RUN, a folder, or a .tflite, .onnx or .keras file"
    parser.add_argument("run", metavar="MODEL", help=which)
    what = "files, folders, patterns such as 'photos/**/*.jpg', addresses; - for the bytes of one on standard input"
    parser.add_argument("pictures", nargs="*", metavar="PICTURE", help=what)
    listed = "also the pictures this file names, one per line; - for standard input"
    options.add(parser, "--list", listed, metavar="FILE")
    options.add(
        parser,
        "--camera",
        "the frames of this camera, 0, 1, …; in a window where OpenCV has one, else printed",
        type=int,
        metavar="N",
    )
    options.add(parser, "--video", "the frames of a video", metavar="FILE")
    options.add(parser, "--abstain-below", "say 'not sure' where the probability is lower (0.9, say)", type=float)
    options.operating_points(parser)
    options.add(parser, "--views", "average over mirrored and cropped views of each picture", action="store_true")
    options.add(parser, "--passes", "average over so many passes with dropout on (Monte Carlo dropout)", type=int)
    options.add(parser, "--top", "classes that are shown of each (default: all, or 5 of more than 10)", type=int)
    table = "write the answers as a table, and print how many there are of each; - for standard output"
    options.add(parser, "--csv", table, metavar="FILE")
    options.add(parser, "--jsonl", "the same as a line of JSON per picture", metavar="FILE")
    shared = "processes that share the work, with --csv or --jsonl (default: 1; -1 is one per core)"
    options.add(parser, "--jobs", shared, type=int)
    options.cluster(parser)
    options.file(parser, "--show", "draw the first picture as the network saw it into this file", metavar="PNG")


def _predict(arguments: Namespace) -> list[dict] | dict:
    from toolkit.model import runtime

    run, arguments.pictures = runs.one([arguments.run, *arguments.pictures])
    if len(arguments.pictures) == 1 and arguments.pictures[0].lower().endswith(VIDEOS):
        arguments.video = arguments.pictures.pop()
    live = [name for name in ("camera", "video") if name in arguments]
    listed = [*arguments.pictures, *(["--list"] if "list" in arguments else [])]
    if len(live) + bool(listed) != 1:
        raise ValueError("expected pictures, --camera or --video, one of them; see `toolkit predict --help`")
    trained = runtime.load(run if run.exists() else arguments.run)  # which then says where it looked
    if ("jobs" in arguments or arguments.cluster) and (live or not _files(arguments)):
        option = "--jobs" if "jobs" in arguments else "--cluster"
        raise ValueError(f"expected {option} with pictures and --csv or --jsonl; name a table, or leave it out")
    if live:
        return _watch(trained, getattr(arguments, live[0]), arguments)
    sources = list(pictures.named(arguments))
    if not sources:
        raise ImageError(f"expected pictures, found no file in {', '.join(listed)}")
    return _write(trained, sources, arguments) if _files(arguments) else _print(trained, sources, arguments)


PREDICT = Verb(
    "predict",
    "say what is on new pictures, in a video, or before a camera",
    _predict_options,
    _predict,
    (
        "toolkit predict pets/efficientnet_lite0 photo.jpg",
        "toolkit predict float16.tflite 'photos/**/*.jpg' --csv answers.csv --jobs 4",
        "toolkit predict float16.tflite --video drive.mp4",
    ),
)


def _write(trained: "Classifier", sources: Sequence[str | bytes], arguments: Namespace) -> dict:
    """Write the answers into files, and say how many there are of each."""
    from toolkit.core import parallel
    from toolkit.model import predict

    if arguments.show:
        raise ValueError("expected --show, or --csv and --jsonl; not both")
    shared = common.provided(arguments, "jobs")
    with parallel.cluster(arguments.cluster, needs=trained.folder):
        counts = predict.write(trained, sources, **_files(arguments), **shared, **_asking(arguments))
    return _counted(counts, arguments)


def _counted(counts: dict[str, int], arguments: Namespace) -> dict:
    written = [str(file) for file in _files(arguments).values()]
    summary = ", ".join(f"{count:,} {named(name)}" for name, count in sorted(counts.items()))
    total = sum(counts.values())
    if STANDARD_OUTPUT not in written:  # which then is the table and nothing else
        common.log(arguments)("\n".join([*written, f"{counted(total)}: {summary or 'none'}"]))
    return {"written": written, "pictures": total, "answers": dict(sorted(counts.items()))}


def _print(trained: "Classifier", sources: Sequence[str | bytes], arguments: Namespace) -> list[dict]:
    """Print a line per picture."""
    from toolkit.model import predict

    results, first, log = [], None, common.log(arguments)
    if len(sources) == 1:
        answers: Iterable[Answer] = [predict.picture(trained, sources[0], **_asking(arguments))]
    else:
        answers = predict.stream(trained, sources, **_asking(arguments))
    for source, answer in zip(sources, answers, strict=True):
        name = "standard input" if isinstance(source, bytes) else source
        if isinstance(answer, predict.Prediction):
            first = first or answer
            log(_line(replace(answer, source=name), arguments))
            facts = _facts(answer)
        else:
            log(f"{name}: {answer.status}, {answer.reason}")
            facts = {"error": answer.reason}
        if arguments.json:  # else nothing is kept of it, however many there are
            results.append({"picture": name, **facts})
    if not first:
        raise ImageError(f"expected pictures, none of the {len(sources)} files could be read")
    common.draw(arguments.show, lambda plot: plot.prediction(first))
    return results


def _line(answer: "Prediction", arguments: Namespace) -> str:
    """The answer, with its uncertainty where several were averaged."""
    several = getattr(arguments, "views", False) or getattr(arguments, "passes", 0)
    uncertainty = f"  entropy {answer.entropy:.3f}, disagreement {answer.disagreement:.3f} bits"
    classes = len(answer.probabilities)
    top = getattr(arguments, "top", FEW if classes > MANY else classes)
    if top < classes:
        first = sorted(answer.probabilities.items(), key=lambda pair: -pair[1])[:top]
        answer = replace(answer, probabilities=dict(first))
    return f"{answer}{uncertainty if several else ''}"


def _facts(answer: "Prediction") -> dict[str, object]:
    facts = {"label": answer.label, "probabilities": answer.probabilities, "entropy": answer.entropy}
    facts |= {"disagreement": answer.disagreement, "abstained": answer.abstained}
    return {**facts, "familiarity": answer.familiarity, "familiar": answer.familiar, "set": answer.set}


def _watch(trained: "Classifier", source: int | str, arguments: Namespace) -> dict:
    """Follow a camera or a video until it ends."""
    from toolkit.model import live, predict

    refused = [name for name in ("views", "passes") if name in arguments] + ["show"] * bool(arguments.show)
    if refused:
        raise ValueError(f"expected --{refused[0]} with pictures, not with a camera or a video")
    camera = isinstance(source, int)
    window = camera and live.has_window()
    if camera and not window:
        warnings.warn("this OpenCV has no window (opencv-python has one): the answers are printed", stacklevel=2)
    told: list[dict] = []
    with live.opened(source) as frames:
        answered = live.watch(trained, frames, **_asking(arguments))
        answered = (
            live.show(answered, title=f"{trained.name}: q ends") if window else _logged(answered, arguments, told)
        )
        rows = (
            predict.row(trained, frame.answer.source, frame.answer) | {"seconds": frame.seconds}
            for frame in _until_interrupted(answered)
        )
        return _counted(predict.write_rows(rows, **_files(arguments)), arguments) | {"seconds": told}


def _logged(frames: Iterable["Seen"], arguments: Namespace, told: list[dict]) -> Iterator["Seen"]:
    """Print an answer per second, or keep it for programs."""
    second, log = -1, common.log(arguments)
    for frame in frames:
        if int(frame.seconds) > second:
            log(str(frame))
            if arguments.json:
                told.append({"seconds": frame.seconds, **_facts(frame.answer)})
        second = max(second, int(frame.seconds))
        yield frame


def _until_interrupted(frames: Iterable["Seen"]) -> Iterator["Seen"]:
    try:
        yield from frames
    except KeyboardInterrupt:
        return


def _asking(arguments: Namespace) -> dict[str, Any]:
    return common.provided(arguments, "abstain_below", "thresholds", "views", "passes")


def _files(arguments: Namespace) -> dict[str, Any]:
    return {f"{name}_file": Path(file) for name, file in common.provided(arguments, "csv", "jsonl").items()}


def _export_options(parser: ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", nargs="+", help="DATASET/RUN, DATASET RUN, or a folder")
    formats = "litert-float32, litert-float16 (default), litert-dynamic, litert-int8, onnx, savedmodel, browser"
    options.add(parser, "--format", f"{formats}; may be repeated", action="append", dest="to", metavar="FORMAT")
    parser.add_argument("--all", action="store_true", help="write all formats but browser, which is fetched in part")
    options.add(parser, "--max-loss", "accuracy that a format may lose, 0 to 1 (default: 0.005)", type=float)
    options.add(parser, "--runtime", "for browser: the package of ONNX Runtime, fetched by hand", metavar="FILE.tgz")
    options.add(parser, "--abstain-below", "whoever uses it should say 'not sure' below this probability", type=float)
    options.operating_points(parser)


def _export(arguments: Namespace) -> dict:
    from toolkit import export
    from toolkit.evaluation import stored
    from toolkit.model import bundle

    if "runtime" in arguments:
        export.package.adopt(Path(arguments.runtime))
    trained = bundle.load(runs.only(arguments.run))
    if arguments.all and "to" in arguments:
        raise ValueError("expected --format or --all, got both")
    settings = common.provided(arguments, "to", "max_loss", "abstain_below", "thresholds")
    settings |= {"to": export.OFFLINE} if arguments.all else {}
    done = export.write(trained, stored.dataset_of(trained), **settings)
    log = common.log(arguments)
    refused = [f"{result.format} is refused: {result.reason}" for result in done.outcomes if not result.file]
    if len(refused) == len(done.outcomes):
        raise BundleError("; ".join(refused))
    log("\n".join([_comparison(done), *refused]))
    log(f"\n{trained.folder / export.FOLDER}")
    return export.load(trained)


EXPORT = Verb(
    "export",
    "write a trained network for phones, browsers and servers",
    _export_options,
    _export,
    (
        "toolkit export pets/efficientnet_lite0 --all",
        "toolkit export pets/efficientnet_lite0 --format browser",
    ),
)


def _comparison(done: "Export") -> str:
    """The table of all formats that could be opened."""
    opened = [result for result in (done.original, *done.outcomes) if result.figures]
    columns = {name: [form.format(value(result)) for result in opened] for name, (form, value) in FIGURES.items()}
    numbers = [terminal.Column(name, cells, headings.COUNT) for name, cells in columns.items()]
    files = terminal.Column("file", [result.file.name if result.file else "refused" for result in opened])
    table = terminal.table([terminal.Column("format", [result.format for result in opened]), *numbers, files])
    return f"on {done.pictures:,} test pictures\n{table}"


FIGURES: dict[str, tuple[str, Callable[[Any], float]]] = {  # columns of the comparison: how they are written, and what
    "right": ("{:.1%}", lambda result: result.figures.accuracy),
    "same": ("{:.1%}", lambda result: result.figures.agreement),
    "difference": ("{:.1e}", lambda result: result.figures.difference),
    "ms": ("{:,.1f}", lambda result: result.figures.milliseconds),
    "MB": ("{:,.1f}", lambda result: result.megabytes),
}

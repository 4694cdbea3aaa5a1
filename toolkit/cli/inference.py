"""Verbs that put a trained network to use."""

import glob
import sys
import warnings
from argparse import ArgumentParser, Namespace
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from toolkit.cli import common, options
from toolkit.core import paths
from toolkit.errors import BundleError, ImageError

if TYPE_CHECKING:
    from toolkit.export import Export, Outcome
    from toolkit.model.classifier import Classifier
    from toolkit.model.live import Seen
    from toolkit.model.predict import Answer, Prediction

STANDARD_INPUT = "-"
STREAM = 65536  # bytes


def predict_options(parser: ArgumentParser) -> None:
    """What can be said after the verb."""
    parser.add_argument("run", metavar="MODEL", help="DATASET/RUN, a folder, or a .tflite, .onnx or .keras file")
    what = "files, folders, patterns such as 'photos/**/*.jpg'; - for the bytes of one on standard input"
    parser.add_argument("pictures", nargs="*", metavar="PICTURE", help=what)
    options.add(
        parser, "--list", "also the pictures this file names, one per line; - for standard input", metavar="FILE"
    )
    options.add(parser, "--camera", "the frames of this camera, shown in a window: 0, 1, …", type=int, metavar="N")
    options.add(parser, "--video", "the frames of a video", metavar="FILE")
    options.add(parser, "--abstain-below", "say 'not sure' where the probability is lower (0.9, say)", type=float)
    options.add(parser, "--views", "ask about it mirrored and cropped too, and take the mean", action="store_true")
    options.add(parser, "--passes", "ask that often with dropout at work, and take the mean", type=int)
    options.add(parser, "--csv", "write the answers as a table, and print how many there are of each", metavar="FILE")
    options.add(parser, "--jsonl", "the same as a line of JSON per picture", metavar="FILE")
    parser.add_argument("--show", metavar="PNG", help="draw the first picture as the network saw it into this file")


def predict(arguments: Namespace) -> list[dict] | dict:
    """Say what is on pictures."""
    from toolkit.model import runtime

    live = [name for name in ("camera", "video") if name in arguments]
    listed = [*arguments.pictures, *(["--list"] if "list" in arguments else [])]
    if len(live) + bool(listed) != 1:
        raise ValueError("expected pictures, --camera or --video, one of them; see `toolkit predict --help`")
    trained = runtime.load(arguments.run)
    if live:
        return _watch(trained, getattr(arguments, live[0]), arguments)
    sources = list(_sources(arguments))
    if not sources:
        raise ImageError(f"expected pictures, found no file in {', '.join(listed)}")
    return _table(trained, sources, arguments) if _files(arguments) else _lines(trained, sources, arguments)


def _table(trained: "Classifier", sources: list, arguments: Namespace) -> dict:
    """Write the answers into files, and say how many there are of each."""
    from toolkit.model import predict

    if arguments.show:
        raise ValueError("expected --show, or --csv and --jsonl; not both")
    counted = predict.write(trained, sources, **_files(arguments), **_how(arguments))
    return _counted(counted, arguments)


def _counted(counted: dict, arguments: Namespace) -> dict:
    written = [str(file) for file in _files(arguments).values()]
    words = ", ".join(f"{number:,} {name}" for name, number in sorted(counted.items()))
    common.say(arguments)("\n".join([*written, f"{sum(counted.values()):,} pictures: {words or 'none'}"]))
    return {"written": written, "pictures": sum(counted.values()), "answers": dict(sorted(counted.items()))}


def _lines(trained: "Classifier", sources: list, arguments: Namespace) -> list[dict]:
    """Print a line per picture."""
    from toolkit.model import predict

    results, shown, say = [], None, common.say(arguments)
    if len(sources) == 1:
        answers: Iterable[Answer] = [predict.picture(trained, sources[0], **_how(arguments))]
    else:
        answers = predict.stream(trained, sources, **_how(arguments))
    for source, answer in zip(sources, answers, strict=True):
        known, name = isinstance(answer, predict.Prediction), _named(source)
        say(_told(answer, arguments) if known else f"{Path(name).name}: {answer.status}, {answer.reason}")
        if arguments.json:  # else nothing is kept of it, however many there are
            results.append({"picture": name, **(_facts(answer) if known else {"error": answer.reason})})
        shown = shown or (answer if known else None)
    if not shown:
        raise ImageError(f"expected pictures, none of the {len(sources)} files could be read")
    if arguments.show:
        from toolkit import plot

        paths.write(Path(arguments.show), plot.png(plot.prediction(shown)))
    return results


def _watch(trained: "Classifier", source: int | str, arguments: Namespace) -> dict:
    """Follow a camera or a video until it ends."""
    from toolkit.model import live, predict

    given = [name for name in ("views", "passes") if name in arguments] + ["show"] * bool(arguments.show)
    if given:
        raise ValueError(f"expected --{given[0]} with pictures, not with a camera or a video")
    camera = isinstance(source, int)
    window = camera and live.has_window()
    if camera and not window:
        warnings.warn("this OpenCV has no window (opencv-python has one): the answers are printed", stacklevel=2)
    with live.opened(source) as frames:
        seen = live.watch(trained, frames, **_how(arguments))
        seen = live.show(seen, title=f"{trained.name}: q ends") if window else _said(seen, arguments)
        rows = (predict.row(trained, one.answer.source, one.answer) | {"seconds": one.seconds} for one in _until(seen))
        return _counted(predict.write_rows(rows, **_files(arguments)), arguments)


def _said(seen: Iterable["Seen"], arguments: Namespace) -> Iterator["Seen"]:
    """Print an answer per second."""
    second, say = -1, common.say(arguments)
    for one in seen:
        if int(one.seconds) > second:
            say(str(one))
        second = max(second, int(one.seconds))
        yield one


def _until(seen: Iterable["Seen"]) -> Iterator["Seen"]:
    """All of it, until somebody presses Ctrl-C."""
    try:
        yield from seen
    except KeyboardInterrupt:
        return


def _how(arguments: Namespace) -> dict[str, object]:
    return common.given(arguments, "abstain_below", "views", "passes")


def _files(arguments: Namespace) -> dict[str, Path]:
    return {f"{name}_file": Path(file) for name, file in common.given(arguments, "csv", "jsonl").items()}


def _told(answer: "Prediction", arguments: Namespace) -> str:
    """The answer; how much doubt there is in it, too, if it was asked for several times."""
    several = getattr(arguments, "views", False) or getattr(arguments, "passes", 0)
    doubt = f"  entropy {answer.entropy:.3f}, disagreement {answer.disagreement:.3f} bits"
    return f"{answer}{doubt if several else ''}"


def _facts(answer: "Prediction") -> dict:
    facts = {"label": answer.label, "probabilities": answer.probabilities, "entropy": answer.entropy}
    return {**facts, "disagreement": answer.disagreement, "abstained": answer.abstained}


def _named(source: str | bytes) -> str:
    return "standard input" if isinstance(source, bytes) else source


def _sources(arguments: Namespace) -> Iterator[str | bytes]:
    """The pictures that were named, as paths in text, which are small, or the bytes of the one that came in."""
    if getattr(arguments, "list", "") == STANDARD_INPUT and STANDARD_INPUT in arguments.pictures:
        raise ValueError("expected standard input once, got it as a picture and as a list")
    for name in dict.fromkeys(arguments.pictures):
        yield from [sys.stdin.buffer.read()] if name == STANDARD_INPUT else _found(name)
    if "list" in arguments:
        yield from _listed(arguments.list)


def _listed(name: str) -> Iterator[str]:
    with open(0 if name == STANDARD_INPUT else name, errors="surrogateescape", closefd=name != STANDARD_INPUT) as lines:
        yield from (line.rstrip("\r\n") for line in lines if line.strip())


def _found(name: str) -> Iterator[str]:
    path = Path(name)
    if path.is_dir():
        yield from _inside([path])
    elif glob.has_magic(name) and not path.exists():
        yield from _inside(map(Path, sorted(glob.glob(name, recursive=True))))  # noqa: PTH207 - a pattern may be absolute
    else:
        yield name


def _inside(found: Iterable[Path]) -> Iterator[str]:
    """Files, and what is in folders, but for what is hidden."""
    for path in found:
        if path.is_dir():
            yield from _inside(sorted(inner for inner in path.iterdir() if not inner.name.startswith(".")))
        elif path.is_file():
            yield str(path)


def export_options(parser: ArgumentParser) -> None:
    """What can be said after the verb."""
    parser.add_argument("run", metavar="RUN", help="DATASET/RUN, or a folder")
    known = "litert-float32, litert-float16 (default), litert-dynamic, litert-int8, onnx, savedmodel, browser"
    options.add(parser, "--format", f"{known}; may be repeated", action="append", dest="to", metavar="FORMAT")
    parser.add_argument("--all", action="store_true", help="write all formats but browser, which is fetched in part")
    options.add(parser, "--max-loss", "share of the test pictures that may go wrong by it (default: 0.005)", type=float)
    options.add(parser, "--runtime", "for browser: the package of ONNX Runtime, fetched by hand", metavar="FILE.tgz")
    options.add(parser, "--abstain-below", "whoever uses it should say 'not sure' below this probability", type=float)


def export(arguments: Namespace) -> dict:
    """Write a trained network for elsewhere."""
    from toolkit import export
    from toolkit.dataset import manifest
    from toolkit.model import bundle

    if "runtime" in arguments:
        export.package.adopt(Path(arguments.runtime))
    trained = bundle.load(arguments.run)
    if arguments.all and "to" in arguments:
        raise ValueError("expected --format or --all, got both")
    how = common.given(arguments, "to", "max_loss", "abstain_below") | ({"to": export.OFFLINE} if arguments.all else {})
    done = export.write(trained, manifest.load(paths.dataset_of(trained.folder)), **how)
    say = common.say(arguments)
    kept = [outcome for outcome in done.outcomes if outcome.file]
    if not kept:
        raise BundleError("; ".join(f"{outcome.format} is refused: {outcome.reason}" for outcome in done.outcomes))
    say(_compared(done))
    for outcome in done.outcomes:
        if not outcome.file:
            say(f"{outcome.format} is refused: {outcome.reason}")
    say(f"\n{trained.folder / export.FOLDER}")
    return export.load(trained)


def _compared(done: "Export") -> str:
    """The table of all formats that could be opened."""
    lines = [
        f"{'format':<16}{'right':>8}{'same':>8}{'difference':>12}{'ms':>8}{'MB':>8}  on {done.pictures} test pictures"
    ]
    lines += [_line(outcome) for outcome in (done.original, *done.outcomes) if outcome.figures]
    return "\n".join(lines)


def _line(outcome: "Outcome") -> str:
    figures = outcome.figures
    shares = f"{figures.accuracy:>8.1%}{figures.agreement:>8.1%}{figures.difference:>12.1e}"
    return f"{outcome.format:<16}{shares}{figures.milliseconds:>8.1f}{outcome.megabytes:>8.1f}  " + (
        outcome.file.name if outcome.file else "refused"
    )

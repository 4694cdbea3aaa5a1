"""The command line: the same verbs as the modules.

    toolkit run practice: --into practice          all of it, on drawn pictures
    toolkit predict practice/xception photo.jpg    what is on a picture

What a verb needs is loaded when it is asked for, so `toolkit --help` answers at once.
"""

import argparse
import json
import os
import sys
import warnings
from collections.abc import Sequence
from typing import NoReturn

import toolkit
from toolkit.cli import app, copies, dataset, evaluation, inference, pipeline, serving, sources, training
from toolkit.cli.verb import Verb
from toolkit.errors import ToolkitError

IN_ORDER = (  # of the work, and of `toolkit --help`
    pipeline.LEARN,
    pipeline.RUN,
    sources.SCRAPE,
    sources.SHOW,
    dataset.VERIFY,
    dataset.DEDUP,
    copies.COPIES,
    dataset.RESIZE,
    dataset.QUALITY,
    dataset.EXCLUDE,
    dataset.REVIEW,
    dataset.RELABEL,
    dataset.SPLIT,
    training.TRAIN,
    training.CROSSVAL,
    training.LABELS,
    training.TUNE,
    evaluation.EVALUATE,
    evaluation.COMPARE,
    evaluation.EXPLAIN,
    evaluation.FAILURES,
    evaluation.ROBUSTNESS,
    inference.PREDICT,
    inference.EXPORT,
    serving.SERVE,
    app.APP,
    sources.CREDITS,
    evaluation.REPORT,
    sources.PRUNE,
    pipeline.DEMO,
)
VERBS = {verb.name: verb for verb in IN_ORDER}
EXTRAS = {  # of pyproject.toml, by what is imported from them alone
    "ai_edge_litert": "predict",
    "cv2": "predict",
    "onnxruntime": "predict",
    "onnx": "export",
    "tf2onnx": "export",
    "kagglehub": "kaggle",
    "protego": "page",
    "selenium": "page",
    "streamlit": "app",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and give its exit code.

    Args:
        argv: what follows `toolkit`; None takes it from the command line.

    Returns:
        0, 2 for what the caller can mend, 130 when interrupted.
    """
    argv = list(sys.argv[1:] if argv is None else argv)
    try:
        return _answer(argv)
    except KeyboardInterrupt:
        return _complain("interrupted; the same command goes on where this one stopped", code=130)
    except BrokenPipeError:  # `toolkit … | head` has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except ModuleNotFoundError as error:
        if "--debug" in argv or _package(error) in ("", "toolkit"):
            raise
        return _complain(f"expected the package {error.name}, which is not installed; {_remedy(error)}")
    except (ToolkitError, ValueError, OSError) as error:
        if "--debug" in argv:
            raise
        return _complain(str(error))


def _package(error: ModuleNotFoundError) -> str:
    return (error.name or "").partition(".")[0]


def _remedy(error: ModuleNotFoundError) -> str:
    """What to install: the extra that alone brings a package, or else the one that brings most."""
    extra = EXTRAS.get(_package(error), "train")
    return f'install it with `pip install "image-classifier-toolkit[{extra}]"`'


def _answer(argv: list[str]) -> int:
    if not argv or argv[0] in ("-h", "--help", "--version"):
        print(toolkit.__version__ if argv[:1] == ["--version"] else _help(), flush=True)
        return 0
    if argv[0] not in VERBS:
        raise ValueError(f"expected one of {', '.join(VERBS)}, got {argv[0]!r}; see `toolkit --help`")
    verb = VERBS[argv[0]]
    arguments = _parser(verb).parse_args(argv[1:])
    with warnings.catch_warnings():
        warnings.showwarning = lambda message, *_, **__: print(f"warning: {message}", file=sys.stderr)
        result = verb.act(arguments)
    if arguments.json:
        print(json.dumps(result, indent=2, default=str))
    sys.stdout.flush()
    return 0


class _Parser(argparse.ArgumentParser):
    """A parser whose complaints are one line too."""

    def error(self, message: str) -> NoReturn:
        raise ValueError(f"{message}; see `{self.prog} --help`")


def _help() -> str:
    verbs = "\n".join(f"  {verb.name:<10} {verb.summary}" for verb in IN_ORDER)
    return (
        "usage: toolkit VERB [options]      toolkit VERB --help says more\n\n"
        "From labelled pictures to a trained, measured image classifier.\n\n"
        f"{verbs}\n\nTo begin with: toolkit learn PICTURES, a folder with a folder of pictures per class"
    )


def _parser(verb: Verb) -> argparse.ArgumentParser:
    parser = _Parser(f"toolkit {verb.name}", description=verb.summary)
    verb.options(parser)
    parser.add_argument("--json", action="store_true", help="print the result as JSON, for programs")
    parser.add_argument("--debug", action="store_true", help="show where an error came from")
    return parser


def _complain(message: str, *, code: int = 2) -> int:
    print(f"toolkit: {' '.join(message.split())}", file=sys.stderr)
    return code

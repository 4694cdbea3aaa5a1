"""The command line: the same verbs as the modules.

    toolkit run practice: --into practice          all of it, on drawn pictures
    toolkit predict practice/xception photo.jpg    what is on a picture

Only what a verb needs is loaded, and only when it is asked for, so `toolkit --help` answers at once.
"""

import argparse
import importlib
import json
import os
import sys
import warnings
from collections.abc import Sequence
from types import ModuleType
from typing import NoReturn

import toolkit
from toolkit.errors import ToolkitError

VERBS = {  # name: the module it is in, and what it does
    "scrape": ("sources", "bring labelled pictures into a dataset"),
    "show": ("sources", "what a dataset holds, where from, and what was left out; a contact sheet per label"),
    "verify": ("dataset", "open every file once; say which cannot be used, and why"),
    "dedup": ("dataset", "find the pictures that are there more than once"),
    "copies": ("copies", "find copies in any folder, without a dataset; changes nothing"),
    "resize": ("dataset", "make square copies of one size"),
    "quality": ("dataset", "how balanced, large, light and sharp it is, as numbers, a page and a picture"),
    "exclude": ("dataset", "take pictures out of use, with a reason"),
    "review": ("dataset", "go through what is suspicious, on a page in the browser, with the keyboard"),
    "relabel": ("dataset", "give pictures another label, or take back the last mark of them"),
    "split": ("dataset", "divide into train, val and test"),
    "train": ("training", "train a network"),
    "crossval": ("training", "judge a network on every picture, in folds"),
    "labels": ("training", "find labels that are likely wrong, for a person to look at"),
    "tune": ("training", "look for better settings, on train and val"),
    "evaluate": ("evaluation", "measure trained networks on the test pictures"),
    "compare": ("evaluation", "put evaluated networks side by side"),
    "explain": ("evaluation", "draw where a network looked when it answered"),
    "failures": ("evaluation", "list the surest mistakes, the most hesitant answers, and disagreements"),
    "robustness": ("evaluation", "measure networks on worse pictures, and on pictures of nothing"),
    "predict": ("inference", "say what is on new pictures, in a video, or before a camera"),
    "export": ("inference", "write a trained network for phones, browsers and servers"),
    "serve": ("serving", "let others ask a trained network over HTTP"),
    "app": ("app", "show a model to people: predict, camera, a game of test pictures, review"),
    "credits": ("sources", "write the page that names whoever made the pictures"),
    "report": ("evaluation", "write one page with all of it"),
    "run": ("pipeline", "all of the above in one go"),
    "prune": ("sources", "remove pictures whose posts were removed on Reddit"),
    "demo": ("pipeline", "run the notebooks in order, on drawn pictures or your own"),
}
EXTRAS = {  # of pyproject.toml, by what is imported from them alone
    "ai_edge_litert": "predict",
    "cv2": "predict",
    "onnxruntime": "predict",
    "onnx": "export",
    "tf2onnx": "export",
    "kagglehub": "kaggle",
    "selenium": "page",
    "streamlit": "app",
}


def main(words: Sequence[str] | None = None) -> int:
    """Run the command line and give its exit code.

    Args:
        words: what follows `toolkit`; None takes it from the command line.

    Returns:
        0, 2 for what the caller can mend, 130 when interrupted.
    """
    words = list(sys.argv[1:] if words is None else words)
    try:
        return _answer(words)
    except KeyboardInterrupt:
        return _complain("interrupted; the same command goes on where this one stopped", code=130)
    except BrokenPipeError:  # `toolkit … | head` has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except ModuleNotFoundError as error:
        if "--debug" in words or _ours(error):
            raise
        return _complain(f"expected the package {error.name}, which is not installed; {_remedy(error)}")
    except (ToolkitError, ValueError, OSError) as error:
        if "--debug" in words:
            raise
        return _complain(str(error))


def _ours(error: ModuleNotFoundError) -> bool:
    return not error.name or error.name.partition(".")[0] == "toolkit"


def _remedy(error: ModuleNotFoundError) -> str:
    """What to install: the packages that only one extra brings, or else the one that brings most."""
    extra = EXTRAS.get(error.name.partition(".")[0], "train")
    return f'install it with `pip install "image-classifier-toolkit[{extra}]"`'


def _answer(words: list[str]) -> int:
    if not words or words[0] in ("-h", "--help", "--version"):
        print(toolkit.__version__ if words[:1] == ["--version"] else _help(), flush=True)
        return 0
    if words[0] not in VERBS:
        raise ValueError(f"expected one of {', '.join(VERBS)}, got {words[0]!r}; see `toolkit --help`")
    arguments = _parser(words[0]).parse_args(words[1:])
    with warnings.catch_warnings():
        warnings.showwarning = lambda message, *_, **__: print(f"warning: {message}", file=sys.stderr)
        result = _act(words[0], arguments)
    if arguments.json:
        print(json.dumps(result, indent=2, default=str))
    sys.stdout.flush()
    return 0


def _act(verb: str, arguments: argparse.Namespace) -> object:
    return getattr(_module(verb), verb)(arguments)


def _module(verb: str) -> ModuleType:
    return importlib.import_module(f"toolkit.cli.{VERBS[verb][0]}")


class _Parser(argparse.ArgumentParser):
    """A parser whose complaints are one line too."""

    def error(self, message: str) -> NoReturn:
        raise ValueError(f"{message}; see `{self.prog} --help`")


def _help() -> str:
    verbs = "\n".join(f"  {name:<10} {summary}" for name, (_, summary) in VERBS.items())
    return (
        "usage: toolkit VERB [options]      toolkit VERB --help says more\n\n"
        "From labelled pictures to a trained, measured image classifier.\n\n"
        f"{verbs}\n\nTo begin with: toolkit run practice: --into practice"
    )


def _parser(verb: str) -> argparse.ArgumentParser:
    parser = _Parser(f"toolkit {verb}", description=VERBS[verb][1])
    getattr(_module(verb), f"{verb}_options")(parser)
    parser.add_argument("--json", action="store_true", help="print the result as JSON, for programs")
    parser.add_argument("--debug", action="store_true", help="show where an error came from")
    return parser


def _complain(message: str, *, code: int = 2) -> int:
    print(f"toolkit: {' '.join(message.split())}", file=sys.stderr)
    return code

"""The command line: the same verbs as the modules.

    toolkit run practice: --into practice          all of it, on drawn pictures
    toolkit predict practice/xception photo.jpg    what is on a picture

What a verb needs is loaded when it is asked for, so `toolkit --help` answers at once.
"""

import argparse
import os
import re
import sys
import warnings
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from difflib import get_close_matches
from typing import NoReturn

import toolkit
from toolkit.cli import (
    app,
    by_hand,
    completion,
    copies,
    dataset,
    evaluation,
    inference,
    loop,
    output,
    pipeline,
    serving,
    sources,
    terminal,
    training,
)
from toolkit.cli.verb import Verb
from toolkit.core import extras
from toolkit.core.words import printable
from toolkit.errors import ToolkitError, is_of_the_machine

STORY = {  # the verbs in the order of the work, as `toolkit --help` tells them
    "all of it": (pipeline.LEARN, pipeline.RUN, pipeline.DEMO, pipeline.NOTEBOOKS),
    "data": (
        sources.SCRAPE,
        sources.SHOW,
        dataset.VERIFY,
        dataset.DEDUP,
        copies.COPIES,
        dataset.RESIZE,
        dataset.QUALITY,
        by_hand.LABEL,
        by_hand.EXCLUDE,
        by_hand.REVIEW,
        by_hand.RELABEL,
        dataset.SPLIT,
        sources.CREDITS,
        sources.PRUNE,
    ),
    "learn": (training.TRAIN, training.CROSSVAL, training.LABELS, training.TUNE),
    "judge": (
        evaluation.EVALUATE,
        evaluation.COMPARE,
        evaluation.EXPLAIN,
        evaluation.FAILURES,
        evaluation.ROBUSTNESS,
        evaluation.REPORT,
    ),
    "go on": (loop.ENOUGH, loop.BLAME, loop.DRIFT),
    "use": (inference.PREDICT, inference.EXPORT, serving.SERVE, app.APP),
    "the command line": (completion.COMPLETION,),
}
VERBS = {verb.name: verb for verbs in STORY.values() for verb in verbs}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and give its exit code.

    With `--json` a failure is a document on standard output, too: {"error": message}.

    Args:
        argv: what follows `toolkit`; None takes it from the command line.

    Returns:
        0, 2 for what the caller can mend, 130 when interrupted.
    """
    argv = list(sys.argv[1:] if argv is None else argv)
    try:
        return _answer(argv)
    except KeyboardInterrupt:
        return _complain("interrupted; the same command goes on where this one stopped", argv, code=130)
    except BrokenPipeError:  # `toolkit … | head` has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except ModuleNotFoundError as error:
        if "--debug" in argv or _package(error) in ("", "toolkit"):
            raise
        message = f"expected the package {error.name}, which is not installed; {extras.remedy(error.name or '')}"
        return _complain(message, argv)
    except (ToolkitError, ValueError, OSError, RecursionError, MemoryError) as error:
        if "--debug" in argv:
            raise
        return _complain(_in_words(error), argv)


def _package(error: ModuleNotFoundError) -> str:
    return (error.name or "").partition(".")[0]


def _answer(argv: list[str]) -> int:
    if argv[:1] == ["help"]:
        argv = [*argv[1:2], "--help"]
    if not argv or argv[0] in ("-h", "--help", "--version"):
        print(toolkit.__version__ if argv[:1] == ["--version"] else _help(), flush=True)
        return 0
    if argv[0] not in VERBS:
        raise ValueError(f"expected a verb, got {argv[0]!r}; {_meant(argv[0], VERBS)}see `toolkit --help`")
    verb = VERBS[argv[0]]
    arguments = parser(verb).parse_intermixed_args(argv[1:])  # options may stand between names
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*decompression bomb")  # such a picture is refused in plain words
        warnings.showwarning = lambda message, *_, **__: terminal.say(f"warning: {message}", error=True)
        with output.reserved() if arguments.json else nullcontext():
            result = verb.act(arguments)
            if arguments.json and result is not None:  # what runs long has said all it has to say
                output.write(result)
    sys.stdout.flush()
    return 0


def _meant(word: str, known: Iterable[str]) -> str:
    """What somebody may have meant by a word that is not known, as a question; "" if nothing is near."""
    near = get_close_matches(word, known, n=2, cutoff=0.6)
    return f"did you mean {' or '.join(near)}? " if near else ""


class _Parser(argparse.ArgumentParser):
    """A parser whose complaints are one line too."""

    def error(self, message: str) -> NoReturn:
        unknown = re.match(r"unrecognized arguments: (--[\w-]+)", message)
        meant = _meant(unknown[1], self._option_string_actions) if unknown else ""
        raise ValueError(f"{message}; {meant}see `{self.prog} --help`")


def _help() -> str:
    width = max(map(len, VERBS))
    parts = [
        "\n".join([f"{title}:", *(f"  {verb.name:<{width}}  {verb.summary}" for verb in verbs)])
        for title, verbs in STORY.items()
    ]
    return "\n\n".join(
        [
            "usage: toolkit VERB [options]      toolkit VERB --help says more",
            "From labelled pictures to a trained, measured image classifier.",
            *parts,
            "To begin with: toolkit learn PICTURES, a folder with a folder of pictures per class",
        ]
    )


def parser(verb: Verb, made: argparse.ArgumentParser | None = None) -> argparse.ArgumentParser:
    """The parser of a verb, with the options that all verbs have.

    Args:
        verb: one of `VERBS`.
        made: an empty one to add them to, such as a part of a larger parser; None makes one.
    """
    made = made or _Parser(f"toolkit {verb.name}")
    made.formatter_class = argparse.RawDescriptionHelpFormatter  # whose examples keep their lines
    made.description = verb.summary
    verb.options(made)
    examples = "\n".join(["examples:", *(f"  {example}" for example in verb.examples)])
    made.epilog = "\n\n".join(filter(None, (made.epilog, examples)))
    made.add_argument("--json", action="store_true", help="print the result as JSON, for programs")
    made.add_argument("--debug", action="store_true", help="show where an error came from")
    return made


def _complain(message: str, argv: Sequence[str], *, code: int = 2) -> int:
    line = " ".join(message.split())
    if "--json" in argv:
        output.write({"error": line}, indent=None)
    print(printable(f"toolkit: {line}"), file=sys.stderr)
    return code


def _in_words(error: BaseException) -> str:
    """What is said of an error; of one of the machine, such as a full disk, that nothing is lost by it."""
    if isinstance(error, RecursionError | MemoryError):  # of a file that is nested, or as large, as none is
        return f"expected files of a usual size, got one that takes too much ({error or 'memory'})"
    if not isinstance(error, OSError) or not is_of_the_machine(error):
        return str(error)
    where = f"{error.filename}: " if error.filename else ""
    return f"{where}{error.strerror}; nothing was lost: put that right, and the same command goes on"

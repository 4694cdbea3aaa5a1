"""The runs that were named: found in every way people name them, and used as far as each can be."""

from argparse import Namespace
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, TypeVar

from toolkit.cli import common, terminal
from toolkit.errors import BundleError, ToolkitError

if TYPE_CHECKING:
    from toolkit.dataset.manifest import Manifest
    from toolkit.model.bundle import Bundle

Result = TypeVar("Result")


class LeftOut(TypedDict):
    """A run that could not be used, and why."""

    run: str
    reason: str


class Used(TypedDict):
    """What became of the runs that were named: of each that could be used itself and a result, and the others."""

    runs: "list[Bundle]"
    results: list
    left_out: list[LeftOut]


def warn(message: str) -> None:
    """Say something on standard error that stops nothing."""
    terminal.say(f"warning: {message}", error=True)


def folders(words: Sequence[str]) -> list[Path]:
    """The folders of runs: of DATASET/RUN, DATASET RUN, a path, or DATASET or a folder of runs for all in it.

    Raises:
        BundleError: a dataset has no run, or a word names a run and a dataset.
    """
    found: list[Path] = []
    rest = list(words)
    while rest:
        word = rest.pop(0)
        inside = _inside(word)
        if inside is None:
            found.append(_run(word))
            continue
        named = []
        while rest and rest[0] in inside:
            named.append(inside[_unambiguous(word, rest.pop(0), is_file=False)])
        if not inside:
            raise BundleError(f"expected trained runs of {word}, found none; run `toolkit train {word}` first")
        found += named or inside.values()
    return list(dict.fromkeys(found))


def one(words: Sequence[str]) -> tuple[Path, list[str]]:
    """The run or file that the first word or two name, and the other words.

    Raises:
        BundleError: the first is a dataset with several runs, and the second is none of them.
    """
    word, *rest = words
    inside = _inside(word)
    if not inside:
        return _run(word), rest
    if rest and rest[0] in inside:
        return inside[_unambiguous(word, rest[0], is_file=Path(rest[0]).exists())], rest[1:]
    if len(inside) > 1:
        raise BundleError(f"expected one run of {word}, got {', '.join(inside)}; name it: {word}/{next(iter(inside))}")
    return next(iter(inside.values())), rest


def only(words: Sequence[str]) -> Path:
    """The same where nothing else may follow."""
    folder, rest = one(words)
    if rest:
        raise ValueError(f"expected one run, got {', '.join(words)}")
    return folder


def _run(word: str) -> Path:
    from toolkit.core import paths

    return paths.run(word)


def _inside(word: str) -> dict[str, Path] | None:
    """The runs of a dataset, or in a folder of them, by name; None for what is a run, a file or nothing."""
    from toolkit.core import paths

    folder = paths.run(word)
    if paths.is_run(folder):  # before anything is loaded that is slow
        return None
    from toolkit.dataset import manifest
    from toolkit.model import bundle

    root = paths.dataset(word)
    if manifest.base(root).exists():
        return {run.name: run for run in bundle.runs(root)}
    within = sorted(file.parent for file in folder.glob(f"*/{bundle.FACTS}"))
    return {run.name: run for run in within} or None


def _unambiguous(dataset: str, word: str, *, is_file: bool) -> str:
    """The name of a run, unless it could be meant as a dataset or a file, too."""
    from toolkit.core import paths
    from toolkit.dataset import manifest

    if is_file or manifest.base(paths.dataset(word)).exists():
        other = "file" if is_file else "dataset"
        raise BundleError(
            f"expected one meaning of {word!r}, got a run of {dataset} and a {other}: write {dataset}/{word}"
        )
    return word


def each(words: Sequence[str], act: "Callable[[Bundle, Manifest], Result]") -> Used:
    """Do something with each run that was named and its dataset; one that cannot be used does not stop the others.

    Args:
        words: see `folders`.
        act: takes a run and the dataset it was trained on.

    Raises:
        ToolkitError: none of them can be used; the reason of the first.
    """
    from toolkit.core import paths
    from toolkit.evaluation import stored
    from toolkit.model import bundle

    used, first = Used(runs=[], results=[], left_out=[]), None
    for folder in folders(words):
        try:
            run = bundle.load(folder)
            result = act(run, stored.dataset_of(run))
        except ToolkitError as error:
            first = first or error
            used["left_out"].append({"run": paths.run_name(folder), "reason": str(error)})
        else:
            used["runs"].append(run)
            used["results"].append(result)
    if first and not used["runs"]:
        raise first
    for left in used["left_out"]:
        warn(f"left out {left['run']}: {left['reason']}")
    return used


def evaluated(words: Sequence[str], arguments: Namespace) -> Used:
    """The runs that were named and their datasets; those whose stored answers are not about today are asked again."""
    from toolkit.evaluation import evaluate, stored

    told: set[str] = set()

    def ask(run: "Bundle", table: "Manifest") -> "Manifest":
        reason = stored.outdated(run, table)
        if reason:
            common.log(arguments)(f"{run.name}: {reason}")
            common.log(arguments)(str(evaluate.measure(run, table)))
        for note in (stored.added(run, table), stored.unjudged(table)):
            if note and note not in told:
                warn(note)
                told.add(note)
        return table

    return each(words, ask)

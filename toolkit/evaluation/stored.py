"""Stored answers of a run: which dataset they are about, and whether they are about it as it is today."""

from collections.abc import Iterator
from pathlib import Path

from toolkit.core import paths
from toolkit.dataset import manifest
from toolkit.dataset.manifest import Manifest
from toolkit.errors import DatasetError
from toolkit.evaluation import evaluate
from toolkit.evaluation.evaluate import Report
from toolkit.model import bundle
from toolkit.model.bundle import Bundle


def dataset_of(run: Bundle) -> Manifest:
    """The dataset that a run was trained on, wherever either of them was moved.

    That is the one beside its folder, or the one that its bundle names, or another in `data/`: the first that has
    pictures the run has seen.

    Args:
        run: a run.

    Raises:
        DatasetError: there is none; names the one that it was trained on.

    >>> dataset_of(bundle.load("cars_tanks/vgg")).name  # doctest: +SKIP
    'cars_tanks'
    """
    if not run.folder.is_dir():
        raise DatasetError(f"expected a run that was trained here, got the file {run.name}, which tells of no dataset")
    first: Manifest | None = None
    for root in _candidates(run):
        table = manifest.load(root)
        if not run.seen or run.seen & set(table.table["sha256"]):
            return table
        first = first or table
    named = run.facts.get("dataset") or paths.dataset_of(run.folder).name
    if first is None or first.name != named:
        raise DatasetError(
            f"expected the dataset {named!r} that {run.name} was trained on, found none with its pictures in "
            f"{paths.home() / 'data'}; put it back there"
        )
    return first


def _candidates(run: Bundle) -> Iterator[Path]:
    """The datasets that are there, the likeliest first."""
    named = str(run.facts.get("dataset") or "")
    roots = [paths.dataset_of(run.folder), *([paths.home() / "data" / named] if Path(named).name == named else [])]
    roots += manifest.datasets()
    yield from (root for root in dict.fromkeys(roots) if manifest.base(root).is_file())


def outdated(run: Bundle, table: Manifest) -> str:
    """Why the stored answers of a run are not about today, in words; "" if they are.

    Args:
        run: the model.
        table: its dataset.
    """
    metrics = run.metrics
    if "test" not in metrics or not (run.folder / bundle.PREDICTIONS).exists():
        return "it was not evaluated yet"
    if metrics["test"] != evaluate.test_fingerprint(table.where(split="test", status="ok")):
        return "test pictures, their labels or the split have changed since it was evaluated"
    if metrics.get("model", run.facts.get("sha256")) != run.facts.get("sha256"):
        return "it was trained again since it was evaluated"
    return "" if _is_readable(run) else "its answers are damaged"


def _is_readable(run: Bundle) -> bool:
    try:
        return {"path", "label", "predicted", "probability", *(f"p_{name}" for name in run.classes)} <= set(
            run.predictions
        )
    except ValueError:
        return False


def report(run: Bundle, table: Manifest) -> Report:
    """The stored answers, or new ones where those are not about today.

    Args:
        run: the model.
        table: its dataset.

    Raises:
        BundleError: it cannot be evaluated, see `evaluate.measure`.
    """
    return evaluate.measure(run, table) if outdated(run, table) else evaluate.load(run)


def added(run: Bundle, table: Manifest) -> str:
    """What was added to a dataset that a run and its figures do not know of, in words; "" for nothing.

    Args:
        run: the model.
        table: its dataset.
    """
    used = table.table[table.table["status"].isin(["new", "ok"])]
    unsplit = int((used["split"] == "").sum())
    learned = used[used["split"].isin(["train", "val"])]["sha256"]
    unseen = int((~learned.isin(run.seen)).sum()) if run.seen else 0
    parts = [f"{_pictures(unsplit)} of {table.name} {_are(unsplit)} in no split yet"] * bool(unsplit)
    parts += [f"{run.name} has not learned from {unseen} that {_are(unseen)} to learn from now"] * bool(unseen)
    return "; ".join(parts)


def unjudged(table: Manifest) -> str:
    """The classes of which no test picture is left, in words; "" if all have some."""
    there = set(table.where(split="test", status="ok").table["label"])
    missing = [label for label in table.classes if label not in there]
    return f"no test picture of {', '.join(missing)}: nothing is known of how well it is recognized" if missing else ""


def _pictures(count: int) -> str:
    return f"{count} picture{'' if count == 1 else 's'}"


def _are(count: int) -> str:
    return "is" if count == 1 else "are"

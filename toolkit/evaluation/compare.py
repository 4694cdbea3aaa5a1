"""Comparison of trained models, all evaluated on exactly the same pictures."""

import math
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from toolkit import networks
from toolkit.core import paths
from toolkit.core.words import counted, listed
from toolkit.errors import BundleError
from toolkit.evaluation import evaluate, memory, names, significance
from toolkit.model import bundle
from toolkit.model.bundle import Bundle

FEW = 30  # test pictures, below which the interval of an accuracy is wider than most differences
MEASURES = ("balanced_accuracy", "macro_f1", "log_loss", "ece")


def table(runs: Sequence[Bundle]) -> pd.DataFrame:
    """Comparison table: accuracy and cost of each evaluated run, the most accurate first.

    Args:
        runs: at least one bundle; all evaluated on the same test pictures.

    Returns:
        A row per run, by its name, or by DATASET/RUN if they are of several datasets: accuracy with its 95 % interval
        (`low`, `high`), `balanced_accuracy`, `macro_f1`, `log_loss`, `ece` (expected calibration error), number of test
        `pictures`, `size` in pixels, `start` (the weights it began with), `parameters`, `train_seconds`, `milliseconds`
        per picture (median; 95 of 100 stay below `milliseconds_p95`), `memory` in megabytes (see `memory.measure`) and
        `megabytes` on disk. What was not measured is NaN.

    Raises:
        BundleError: a run was not evaluated, or on other pictures than the first.

    >>> table([bundle.load("cars_tanks/vgg"), bundle.load("cars_tanks/xception")])  # doctest: +SKIP
    """
    if not runs:
        raise BundleError("expected at least one trained run, got none; run `toolkit train` first")
    _check(runs)
    columns = pd.DataFrame([_row(run) for run in runs], index=pd.Index(names.short(runs), name="run"))
    return columns.sort_values(["accuracy", "parameters"], ascending=[False, True])


def pairs(runs: Sequence[Bundle]) -> pd.DataFrame:
    """McNemar tests of every two runs on the same test pictures, see `significance.pairs`.

    Args:
        runs: bundles; all evaluated on the same test pictures.

    Raises:
        BundleError: a run was not evaluated, or on other pictures than the first.
    """
    _check(runs)
    named = sorted(zip(names.short(runs), runs, strict=True), key=lambda pair: pair[0])
    return significance.pairs({name: evaluate.load(run).right.sort_index() for name, run in named})


def in_words(comparison: pd.DataFrame, pairs: pd.DataFrame) -> str:
    """The comparison in sentences that do not claim more than a test of significance allows.

    Args:
        comparison: as `table` gives it.
        pairs: as `pairs` gives it, for the same runs.
    """
    first = comparison.iloc[0]
    best = list(comparison.index[comparison["accuracy"] == first["accuracy"]])
    pictures = int(first["pictures"])
    share = f"{first['accuracy']:.1%} of {counted(pictures, 'test picture')}"
    most = " most often" if len(comparison) > 1 else ""
    often = f"{best[0]} is right{most}" if len(best) == 1 else f"{listed(best)} are right equally often"
    words = f"{often} ({share}). {significance.in_words(pairs, pictures)}".strip()
    return f"{words} So few pictures say little." if pictures < FEW else words


def untrained(comparison: pd.DataFrame) -> str:
    """A sentence on the Xception of a comparison if it does not have the weights of ImageNet; "" if it has."""
    words = {
        "nothing": "xception began without pretrained weights, and so is only a small network of its kind.",
        "CIFAR-10": "xception stands on the small backbone that comes with the toolkit, in place of Xception's own.",
    }
    starts = [start for name, start in comparison["start"].items() if str(name).rpartition("/")[2] == "xception"]
    return next((words[start] for start in starts if start in words), "")


def _start(run: Bundle) -> str:
    """The weights before training: "ImageNet", "CIFAR-10", the name of a file, or "nothing"."""
    config = run.facts.get("config", {})
    network = config.get("network", "")
    if network.startswith(networks.HUB):
        return "keras-hub"
    usual = "imagenet" if network in networks.pretrained() else "none"
    weights = str(config.get("options", {}).get("weights", usual))
    return {"none": "nothing", "imagenet": "ImageNet", "cifar10": "CIFAR-10"}.get(weights, Path(weights).name)


def _check(runs: Sequence[Bundle]) -> None:
    """Raise BundleError unless all were evaluated on the same pictures under the same labels."""
    for run, name in zip(runs, names.short(runs), strict=True):
        if "test" not in run.metrics:
            advice = f"run `toolkit evaluate {paths.run_name(run.folder)}` first"
            raise BundleError(f"expected evaluated runs, {name} is not; {advice}")
        if run.metrics["test"] != runs[0].metrics["test"]:
            raise BundleError(
                f"expected all runs judged on the same pictures, {name} and {names.short(runs)[0]} were not; evaluate "
                "both on one dataset as it is today"
            )


def _row(run: Bundle) -> dict[str, object]:
    metrics = run.metrics
    size = (run.folder / bundle.MODEL).stat().st_size
    return {
        "accuracy": metrics["accuracy"],
        "low": metrics["low"],
        "high": metrics["high"],
        **{name: metrics.get(name, math.nan) for name in MEASURES},
        "pictures": metrics["pictures"],
        "size": run.size,
        "start": _start(run),
        "parameters": run.facts.get("parameters", 0),
        "train_seconds": run.facts.get("train_seconds", float("nan")),
        "milliseconds": metrics.get("milliseconds", math.nan),
        "milliseconds_p95": metrics.get("milliseconds_p95", math.nan),
        "memory": memory.stored(run),
        "megabytes": size / 1e6,
    }

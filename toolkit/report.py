"""One HTML page with all of it: the dataset, the cleaning, the networks, the comparison, and where they fail."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

import toolkit
from toolkit import card, compare, evaluate, explain, failures, page, paths, plot, quality, robustness
from toolkit.bundle import Bundle
from toolkit.manifest import Manifest

FILE = "report.html"
DISTURBED = 40  # pictures that are made worse in every way; `toolkit robustness` takes all
EXPLAINED = 6  # right and wrong answers of each run


def write(manifest: Manifest, runs: Sequence[Bundle], *, into: Path | None = None) -> Path:
    """Write the report on a dataset and the networks trained on it.

    The page needs nothing besides itself: pictures are inside, there are no scripts and no addresses to load from.

    Args:
        manifest: the dataset.
        runs: evaluated runs; all on the same test pictures.
        into: path of the page; None is `models/<dataset>/report.html`.

    Returns:
        The path.

    Raises:
        BundleError: the runs cannot be compared.
    """
    target = into or paths.models(manifest.root) / FILE
    table, pairs = compare.table(runs), compare.pairs(runs)
    ordered = sorted(runs, key=lambda run: list(table.index).index(run.name))
    reports = [evaluate.load(run) for run in ordered]
    for run in ordered:
        robustness.measure(run, manifest, count=DISTURBED)
        card.write(run, manifest)
    return page.write(
        target,
        "report.html",
        name=manifest.name,
        made=datetime.now(UTC).strftime("%d %B %Y"),
        version=toolkit.__version__,
        classes=manifest.classes,
        pictures=len(manifest),
        used=int((manifest.table["status"] == "ok").sum()),
        words=" ".join([compare.in_words(table, pairs), compare.untrained(table)]).strip(),
        pairs=pairs.to_dict(orient="records"),
        looks=len(evaluate.openings(manifest)),
        comparison=_comparison(table),
        charts=_charts(manifest, table, ordered),
        left_out=_left_out(manifest),
        resizing=page.rows(quality.resizing(manifest)),
        sources=list(manifest.provenance()[["source", "license", "pictures"]].itertuples(index=False, name=None)),
        differ=len(failures.disagreements(reports)) if len(reports) > 1 else 0,
        runs=[_run(run, manifest) for run in ordered],
    )


def _charts(manifest: Manifest, table: pd.DataFrame, runs: Sequence[Bundle]) -> dict[str, str]:
    used = manifest.where(status="ok")
    drawn: dict[str, Callable[[], Figure]] = {
        "comparison": lambda: plot.comparison(table),
        "samples": lambda: plot.sample_grid(used, per_class=8),
        "status": lambda: plot.counts(manifest.counts()),
        "splits": lambda: plot.counts(used.counts("split")),
        "duplicates": lambda: plot.duplicate_groups(manifest),
        "left_out": lambda: plot.left_out(manifest),
        "measures": lambda: plot.quality(manifest, panels=("sides", "brightness", "sharpness")),
        "curves": lambda: plot.curves(*runs),
        "trade_off": lambda: plot.trade_off(table),
        "robustness": lambda: plot.robustness({run.name: robustness.measure(run, manifest)["curves"] for run in runs}),
    }
    if len(runs) > 1:
        differ = failures.disagreements([evaluate.load(run) for run in runs])
        drawn["disagreements"] = lambda: plot.disagreements(differ, manifest)
    return {name: page.embedded(draw()) for name, draw in drawn.items()}


def _run(run: Bundle, manifest: Manifest) -> dict[str, object]:
    report = evaluate.load(run)
    low, high = report.interval
    return {
        "name": run.name,
        "facts": run.facts,
        "size": run.size,
        "epochs": len(run.history),
        "accuracy": report.accuracy,
        "low": low,
        "high": high,
        "pictures": len(report.predictions),
        "wrong": len(report.mistakes),
        "per_class": [{"name": name, **row} for name, row in report.per_class.to_dict(orient="index").items()],
        "confusion": page.embedded(plot.confusion(report)),
        "mistakes": page.embedded(plot.mistakes(report, manifest)) if len(report.mistakes) else "",
        "hesitant": page.embedded(plot.hesitant(report, manifest)),
        "heat": _heat(run, report, manifest),
        "nonsense": robustness.measure(run, manifest)["nonsense"],
    }


def _heat(run: Bundle, report: evaluate.Report, manifest: Manifest) -> str:
    """Where it looked: some right answers, then its surest mistakes."""
    answers = report.predictions
    right = answers[answers["label"] == answers["predicted"]].sample(frac=1, random_state=7)
    shown = pd.concat([right.head(EXPLAINED), report.mistakes.head(EXPLAINED)])
    pixels = np.stack([run.prepare(manifest.root / path) for path in shown["path"]])
    said = shown[["predicted", "label"]].itertuples(index=False, name=None)
    captions = [named if named == label else f"{named}, is {label}" for named, label in said]
    heat = explain.grad_cam(run, pixels, labels=list(shown["predicted"]))
    return page.embedded(plot.heat(pixels, heat, captions=captions))


def _comparison(table: pd.DataFrame) -> list[dict]:
    return [{"run": name, **row} for name, row in table.to_dict(orient="index").items()]


def _left_out(manifest: Manifest) -> list[tuple[str, int]]:
    reasons = manifest.left_out()["status"].value_counts()
    return [(str(status), int(count)) for status, count in reasons.items()]

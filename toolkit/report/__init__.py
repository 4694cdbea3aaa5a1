"""One HTML page with all of it: the dataset, the cleaning, the networks, the comparison, and where they fail."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
from markupsafe import Markup

import toolkit
from toolkit import plot
from toolkit.core import paths
from toolkit.dataset import quality
from toolkit.dataset.manifest import Manifest
from toolkit.errors import BundleError
from toolkit.evaluation import compare, evaluate, explain, failures, memory, robustness
from toolkit.evaluation.evaluate import Report
from toolkit.model.bundle import Bundle
from toolkit.report import card, html

FILE = "report.html"
DISTURBED = 50  # pictures that are made worse in every way; `toolkit robustness` takes all
EXPLAINED = 6  # right and wrong answers of each run
CHECKED = 2  # of these, the first right and the first wrong ones, are covered piece by piece too
STEP = 0.125  # of the square that covers, as a share of the side: coarser than usual, and four times as fast
USEFUL = 0.5  # of the right answers, that a threshold must leave to be of use
TRACED = 4  # mistakes of each run that are shown with the training pictures nearest to them


@dataclass(frozen=True, eq=False)
class Judged:
    """A run and all that was found out about it."""

    run: Bundle
    report: Report
    bears: dict


def write(manifest: Manifest, runs: Sequence[Bundle], *, into: Path | None = None) -> Path:
    """Write the report on a dataset and the networks trained on it.

    The page needs nothing besides itself: pictures are inside, there are no scripts and no addresses to load from. What
    is missing in the bundles, memory and curves, is measured first.

    Args:
        manifest: the dataset.
        runs: evaluated runs; all on the test pictures of today.
        into: path of the page; None is `models/<dataset>/report.html`.

    Returns:
        The path.

    Raises:
        BundleError: the runs cannot be compared, or were asked about other test pictures than the dataset has now.
    """
    target = into or paths.models(manifest.root) / FILE
    pairs = compare.pairs(runs)
    _check_today(manifest, runs)
    memory.measure(runs)
    table = compare.table(runs)
    ordered = sorted(runs, key=lambda run: list(table.index).index(run.name))
    judged = [Judged(run, evaluate.load(run), robustness.measure(run, manifest, count=DISTURBED)) for run in ordered]
    for run in ordered:
        card.write(run, manifest)
    differ = failures.disagreements([one.report for one in judged]) if len(judged) > 1 else pd.DataFrame()
    return html.write(
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
        looks=_looks(manifest),
        comparison=[{"run": name, **row} for name, row in table.to_dict(orient="index").items()],
        charts=_charts(manifest, table, judged),
        panels=_panels(judged),
        disturbed=_disturbed(judged),
        left_out=_left_out(manifest),
        resizing=html.rows(quality.resizing(manifest)),
        sources=list(manifest.provenance()[["source", "license", "pictures"]].itertuples(index=False, name=None)),
        differ=len(differ),
        disagreements=_gallery(plot.disagreements(differ, manifest), "Pictures that networks name differently", differ),
        runs=[_run(one, manifest) for one in judged],
    )


def _check_today(manifest: Manifest, runs: Sequence[Bundle]) -> None:
    """See that what the runs were asked about is what the dataset holds for the test now."""
    today = evaluate.test_fingerprint(manifest.where(split="test", status="ok"))
    if runs[0].metrics["test"] != today:
        raise BundleError(
            f"expected runs judged on today's test pictures of {manifest.name}, these were asked about others (its "
            f"pictures, labels or split changed since); run `toolkit evaluate {manifest.name}`"
        )


def _charts(manifest: Manifest, table: pd.DataFrame, judged: Sequence[Judged]) -> dict[str, Markup]:
    used = manifest.where(status="ok")
    drawn = {
        "comparison": (plot.comparison(table), "Accuracy of each network with its interval"),
        "trade_off": (plot.trade_off(table), "Accuracy against milliseconds per picture"),
        "samples": (plot.sample_grid(used, per_class=8), "Some pictures of each class"),
        "status": (plot.counts(manifest.counts()), "Pictures per class by status"),
        "splits": (plot.counts(used.counts("split")), "Pictures per class by split"),
        "duplicates": (plot.duplicate_groups(manifest), "Groups of near-duplicates"),
        "left_out": (plot.left_out(manifest), "Pictures that are not used, with reasons"),
        "curves": (plot.curves(*(one.run for one in judged)), "Loss and accuracy by epoch"),
    }
    for panel in ("sides", "brightness", "sharpness"):
        drawn[panel] = plot.quality(manifest, panels=(panel,)), html.PANELS[panel]
    return {name: html.shown(figure, words) for name, (figure, words) in drawn.items()}


def _panels(judged: Sequence[Judged]) -> list[Markup]:
    """A chart per disturbance, which flow with the page."""
    curves = {one.run.name: one.bears["curves"] for one in judged}
    names = dict.fromkeys(name for table in curves.values() for name in table["disturbance"])
    parts = {name: {run: part[part["disturbance"] == name] for run, part in curves.items()} for name in names}
    lowest = min(table["low"].min() for table in curves.values())
    return [html.shown(plot.robustness(part, lowest=lowest), f"Accuracy under {name}") for name, part in parts.items()]


def _disturbed(judged: Sequence[Judged]) -> str:
    """How many pictures the curves are about, which is more for a network that was measured on all of them before."""
    counts = {one.run.name: int(one.bears["curves"]["pictures"].min()) for one in judged}
    if len(set(counts.values())) == 1:
        return (
            f"{next(iter(counts.values()))} of the {len(judged[0].report.predictions)} test pictures, drawn by chance"
        )
    return f"Test pictures ({', '.join(f'{count} for {name}' for name, count in counts.items())})"


def _run(judged: Judged, manifest: Manifest) -> dict[str, object]:
    run, report = judged.run, judged.report
    low, high = report.interval
    mistakes, hesitant = failures.surest_mistakes(report), failures.most_hesitant(report, count=6)
    return {
        "name": run.name,
        "facts": run.facts,
        "settings": card.settings(run),
        "size": run.size,
        "epochs": len(run.history),
        "probe": "C" in run.history,
        "accuracy": report.accuracy,
        "low": low,
        "high": high,
        "ece": report.ece,
        "pictures": len(report.predictions),
        "wrong": len(report.mistakes),
        "per_class": [{"name": name, **row} for name, row in report.per_class.to_dict(orient="index").items()],
        "confusion": html.shown(plot.confusion(report), f"Confusion matrix of {run.name}"),
        "reliability": html.shown(plot.reliability(report.probabilities, report.truth), f"How sure {run.name} was"),
        "mistakes": _gallery(plot.mistakes(report, manifest), f"Pictures that {run.name} named wrong", mistakes),
        "hesitant": _gallery(plot.hesitant(report, manifest, count=6), f"Hesitant answers of {run.name}", hesitant),
        "because": _because(run, report, manifest),
        **_looked(run, report, manifest),
        "nonsense": judged.bears["nonsense"],
        "abstains": judged.bears["nonsense"].get("kept", 0) >= USEFUL,
    }


def _gallery(figure: plot.Gallery, words: str, shown: pd.DataFrame) -> Markup:
    return html.shown(figure, words) if len(shown) else Markup("")


def _because(run: Bundle, report: Report, manifest: Manifest) -> Markup:
    """Its surest mistakes, each with the training pictures that are most alike to the network."""
    wrong = list(report.mistakes["path"].head(TRACED))
    if not wrong:
        return Markup("")
    near = failures.nearest(run, manifest, wrong)
    return html.shown(
        plot.neighbours(near, manifest), f"Mistakes of {run.name} and the training pictures nearest to them"
    )


def _looked(run: Bundle, report: Report, manifest: Manifest) -> dict[str, Markup]:
    """Where it looked: for some right answers, and for its surest mistakes; and for a few, by covering them too."""
    answers = report.predictions
    right = answers[answers["label"] == answers["predicted"]].sample(frac=1, random_state=7).head(EXPLAINED)
    shown = pd.concat([right, report.mistakes.head(EXPLAINED)], ignore_index=True)
    pixels = np.stack([run.prepare(manifest.root / path) for path in shown["path"]])
    heat = explain.grad_cam(run, pixels, labels=list(shown["predicted"]))
    places = {"right": range(len(right)), "wrong": range(len(right), len(shown))}
    found = {}
    for kind, some in places.items():
        checked, rest = list(some[:CHECKED]), list(some[CHECKED:])
        covered = [
            explain.occlusion(run, pixels[place], label=shown["predicted"][place], step=STEP) for place in checked
        ]
        found[f"checked_{kind}"] = _heat(run, shown.loc[checked], pixels[checked], heat[checked], covered)
        found[f"heat_{kind}"] = _heat(run, shown.loc[rest], pixels[rest], heat[rest], None)
    return found


def _heat(run: Bundle, shown: pd.DataFrame, pixels: np.ndarray, heat: np.ndarray, covered: list | None) -> Markup:
    if not len(shown):
        return Markup("")
    said = shown[["predicted", "label", "probability"]].itertuples(index=False, name=None)
    captions = [
        f"{named}, {sure:.0%}" if named == label else f"{named}, {sure:.0%}; is {label}" for named, label, sure in said
    ]
    return html.shown(plot.heat(pixels, heat, checks=covered, captions=captions), f"Where {run.name} looked")


def _looks(manifest: Manifest) -> dict[str, object]:
    """How often the test pictures were looked at, and when."""
    looks = evaluate.openings(manifest)
    days = [str(when)[:10] for when in (looks["when"].min(), looks["when"].max())] if len(looks) else ["", ""]
    return {"count": len(looks), "first": days[0], "last": days[1]}


def _left_out(manifest: Manifest) -> list[tuple[str, int]]:
    reasons = manifest.left_out()["status"].value_counts()
    return [(str(status), int(count)) for status, count in reasons.items()]

"""One HTML page with all of it: the dataset, the cleaning, the networks, the comparison, and where they fail."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
from markupsafe import Markup

import toolkit
from toolkit import plot
from toolkit.core import paths
from toolkit.dataset import quality
from toolkit.dataset.manifest import Manifest
from toolkit.errors import BundleError
from toolkit.evaluation import compare, embedding, evaluate, failures, memory, robustness
from toolkit.model.bundle import Bundle
from toolkit.report import card, html, run_section
from toolkit.report.run_section import EvaluatedRun

FILE = "report.html"
DISTURBED = 50  # pictures that are corrupted in every way; `toolkit robustness` takes all
PLACED = 1000  # pictures on the map


def write(manifest: Manifest, runs: Sequence[Bundle], *, into: Path | None = None) -> Path:
    """Write the report on a dataset and the networks trained on it.

    The page needs nothing besides itself: pictures are inside, there are no scripts and no addresses to load from.
    Memory and robustness are measured first where the bundles lack them.

    Args:
        manifest: the dataset.
        runs: evaluated runs; all on today's test pictures.
        into: path of the page; None is `models/<dataset>/report.html`.

    Returns:
        The path.

    Raises:
        BundleError: the runs cannot be compared, or were asked about other test pictures than the dataset has now.

    >>> write(manifest.load("cars_tanks"), [bundle.load("cars_tanks/vgg")])  # doctest: +SKIP
    """
    pairs = compare.pairs(runs)
    _check_today(manifest, runs)
    memory.measure(runs)
    table = compare.table(runs)
    evaluated = _evaluated(manifest, sorted(runs, key=lambda run: list(table.index).index(run.name)))
    differ = failures.disagreements([each.report for each in evaluated]) if len(runs) > 1 else pd.DataFrame()
    return html.write(
        into or paths.models(manifest.root) / FILE,
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
        charts=_charts(manifest, table, evaluated),
        panels=_robustness(evaluated),
        disturbed=_disturbed(evaluated),
        left_out=_left_out(manifest),
        resizing=html.rows(quality.resizing(manifest)),
        sources=list(manifest.provenance()[["source", "license", "pictures"]].itertuples(index=False, name=None)),
        differ=len(differ),
        disagreements=html.shown(plot.disagreements(differ, manifest), "Pictures that networks name differently"),
        runs=[run_section.values(each, manifest) for each in evaluated],
    )


def _evaluated(manifest: Manifest, runs: Sequence[Bundle]) -> list[EvaluatedRun]:
    """The runs with all that was measured of them; their cards are written again, as more is known now."""
    evaluated = [
        EvaluatedRun(run, evaluate.load(run), robustness.measure(run, manifest, count=DISTURBED)) for run in runs
    ]
    for run in runs:
        card.write(run, manifest)
    return evaluated


def _check_today(manifest: Manifest, runs: Sequence[Bundle]) -> None:
    """Raise BundleError unless the runs were evaluated on the test pictures that the dataset has now."""
    today = evaluate.test_fingerprint(manifest.where(split="test", status="ok"))
    if runs[0].metrics["test"] != today:
        raise BundleError(
            f"expected runs judged on today's test pictures of {manifest.name}, these were asked about others (its "
            f"pictures, labels or split changed since); run `toolkit evaluate {manifest.name}`"
        )


def _charts(manifest: Manifest, table: pd.DataFrame, evaluated: Sequence[EvaluatedRun]) -> dict[str, Markup]:
    used, best = manifest.where(status="ok"), evaluated[0]
    places = embedding.tsne(best.run, manifest, most=PLACED)
    drawn: dict[str, tuple[plot.Figure, str]] = {
        "comparison": (plot.comparison(table), "Accuracy of each network with its interval"),
        "trade_off": (plot.trade_off(table), "Accuracy against milliseconds per picture"),
        "embedding": (plot.embedding(places, manifest, report=best.report), "Map of the pictures, by what is alike"),
        "samples": (plot.sample_grid(used, per_class=8), "Some pictures of each class"),
        "status": (plot.counts(manifest.counts()), "Pictures per class by status"),
        "splits": (plot.counts(used.counts("split")), "Pictures per class by split"),
        "duplicates": (plot.duplicate_groups(manifest), "Groups of near-duplicates"),
        "left_out": (plot.left_out(manifest), "Pictures that are not used, with reasons"),
        "curves": (plot.curves(*(each.run for each in evaluated)), "Loss and accuracy by epoch"),
    }
    for panel in ("sides", "brightness", "sharpness"):
        drawn[panel] = plot.quality(manifest, panels=(panel,)), html.PANELS[panel]
    return {name: html.shown(figure, words) for name, (figure, words) in drawn.items()}


def _robustness(evaluated: Sequence[EvaluatedRun]) -> list[Markup]:
    """A chart per corruption, which flow with the page."""
    curves = {each.run.name: each.robustness.curves for each in evaluated}
    names = dict.fromkeys(name for table in curves.values() for name in table["disturbance"])
    lowest = min(table["low"].min() for table in curves.values())
    charts = []
    for name in names:
        part = {run: table[table["disturbance"] == name] for run, table in curves.items()}
        charts.append(html.shown(plot.robustness(part, lowest=lowest), f"Accuracy under {name}"))
    return charts


def _disturbed(evaluated: Sequence[EvaluatedRun]) -> str:
    """How many pictures the curves are about, which is more for a network that was measured on all of them before."""
    counts = {each.run.name: int(each.robustness.curves["pictures"].min()) for each in evaluated}
    if len(set(counts.values())) == 1:
        count, total = next(iter(counts.values())), len(evaluated[0].report.predictions)
        return f"{count} of the {total} test pictures, drawn by chance"
    return f"Test pictures ({', '.join(f'{count} for {name}' for name, count in counts.items())})"


def _looks(manifest: Manifest) -> dict[str, object]:
    """How often the test pictures were looked at, and when."""
    looks = evaluate.test_looks(manifest)
    days = [str(when)[:10] for when in (looks["when"].min(), looks["when"].max())] if len(looks) else ["", ""]
    return {"count": len(looks), "first": days[0], "last": days[1]}


def _left_out(manifest: Manifest) -> list[tuple[str, int]]:
    reasons = manifest.left_out()["status"].value_counts()
    return [(str(status), int(count)) for status, count in reasons.items()]

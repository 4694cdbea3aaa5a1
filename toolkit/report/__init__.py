"""One HTML page with all of it: the dataset, the cleaning, the networks, the comparison, and where they fail."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import pandas as pd
from markupsafe import Markup

import toolkit
from toolkit import plot
from toolkit.core import paths
from toolkit.dataset import quality
from toolkit.dataset.manifest import Manifest
from toolkit.errors import BundleError
from toolkit.evaluation import compare, corruptions, embedding, evaluate, failures, memory, names, robustness, stored
from toolkit.model.bundle import Bundle
from toolkit.report import card, html, place_section, run_section, trust_section
from toolkit.report.run_section import EvaluatedRun

FILE = "report.html"
DISTURBED = 40  # pictures that are corrupted in every way, and how much; `toolkit robustness` takes all of both
LEVELS = corruptions.COARSE
NAMED = 3  # networks, and classes, that have room in the title
PLACED = 1000  # pictures on the map


def write(manifest: Manifest, runs: Sequence[Bundle], *, into: Path | None = None, notes: Sequence[str] = ()) -> Path:
    """Write the report on a dataset and the networks trained on it.

    The page needs nothing besides itself: pictures are inside, there are no scripts and no addresses to load from.
    Memory and robustness are measured first where the bundles lack them.

    Args:
        manifest: the dataset.
        runs: evaluated runs; all on today's test pictures.
        into: path of the page; None is `models/<dataset>/report.html`.
        notes: sentences on what is not on the page, such as runs that were left out.

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
    named = sorted(zip(names.short(runs), runs, strict=True), key=lambda pair: list(table.index).index(pair[0]))
    evaluated = _evaluated(manifest, [run for _, run in named])
    differ = failures.disagreements([each.report for each in evaluated]) if len(runs) > 1 else pd.DataFrame()
    return html.write(
        into or paths.models(manifest.root) / FILE,
        "report.html",
        title=_title(manifest.name, list(manifest.classes), [name for name, _ in named]),
        name=manifest.name,
        made=datetime.now().astimezone().strftime("%d %B %Y"),
        version=toolkit.__version__,
        classes=manifest.classes,
        pictures=len(manifest),
        used=int((manifest.table["status"] == "ok").sum()),
        words=" ".join([compare.in_words(table, pairs), compare.untrained(table)]).strip(),
        notes=_notes(manifest, runs, notes),
        pairs=pairs.to_dict(orient="records"),
        looks=_looks(manifest),
        comparison=[{"run": name, **row} for name, row in table.to_dict(orient="index").items()],
        charts=_charts(manifest, table, evaluated),
        panels=_robustness(evaluated),
        colours={name: mark.colour for name, mark in plot.marks(name for name, _ in named).items()},
        disturbed=_disturbed(evaluated),
        left_out=_left_out(manifest),
        resizing=html.rows(quality.resizing(manifest)),
        sources=list(manifest.provenance()[["source", "license", "pictures"]].itertuples(index=False, name=None)),
        place=place_section.values(manifest, [each.run for each in evaluated]),
        trust=trust_section.values(manifest, [each.run for each in evaluated]),
        differ=len(differ),
        disagreements=html.shown(plot.disagreements(differ, manifest), "Pictures that networks name differently"),
        runs=[run_section.values(each, manifest) for each in evaluated],
    )


def _evaluated(manifest: Manifest, runs: Sequence[Bundle]) -> list[EvaluatedRun]:
    """The runs with all that was measured of them; their cards are written again, as more is known now."""
    evaluated = [
        EvaluatedRun(run, evaluate.load(run), robustness.measure(run, manifest, count=DISTURBED, levels=LEVELS))
        for run in runs
    ]
    for run in runs:
        card.write(run, manifest)
    return evaluated


def _check_today(manifest: Manifest, runs: Sequence[Bundle]) -> None:
    """Raise BundleError unless the stored answers of all runs are about the dataset as it is now."""
    for run in runs:
        reason = stored.outdated(run, manifest)
        if reason:
            raise BundleError(
                f"expected runs judged on today's test pictures of {manifest.name}, {run.name} was not: {reason}; run "
                f"`toolkit evaluate {paths.run_name(run.folder)}`"
            )


def _notes(manifest: Manifest, runs: Sequence[Bundle], notes: Sequence[str]) -> list[str]:
    """What a reader of the page must know besides: what is not on it, and what it cannot tell."""
    own = [stored.unjudged(manifest), *(stored.added(run, manifest) for run in runs)]
    return [f"{note[:1].upper()}{note[1:]}." for note in dict.fromkeys([*notes, *own]) if note]


def _charts(manifest: Manifest, table: pd.DataFrame, evaluated: Sequence[EvaluatedRun]) -> dict[str, Markup]:
    used, best = manifest.where(status="ok"), evaluated[0]
    places = embedding.tsne(best.run, manifest, most=PLACED)
    drawn: dict[str, tuple[plot.Figure, str]] = {
        "comparison": (plot.comparison(table), "Accuracy of each network with its interval"),
        "trade_off": (plot.trade_off(table), "Accuracy against milliseconds per picture"),
        "embedding": (plot.embedding(places, manifest, report=best.report), "Map of the pictures, by what is alike"),
        "status": (plot.counts(manifest.counts(), most=html.CLASSES), "Pictures per class by status"),
        "splits": (plot.counts(used.counts("split"), most=html.CLASSES), "Pictures per class by split"),
        "duplicates": (plot.duplicate_groups(manifest), "Groups of near-duplicates"),
        "left_out": (plot.left_out(manifest), "Pictures that are not used, with reasons"),
        "curves": (plot.curves(*(each.run for each in evaluated)), "Loss and accuracy by epoch"),
    }
    for panel in ("sides", "aspect", "brightness", "sharpness"):
        drawn[panel] = plot.quality(manifest, panels=(panel,)), html.PANELS[panel]
    charts = {name: html.shown(figure, words) for name, (figure, words) in drawn.items()}
    return charts | {"samples": html.samples(manifest, per_class=8)}


def _robustness(evaluated: Sequence[EvaluatedRun]) -> list[Markup]:
    """A chart per corruption, which flow with the page."""
    named = names.short([each.run for each in evaluated])
    curves = {name: each.robustness.curves for name, each in zip(named, evaluated, strict=True)}
    disturbances = dict.fromkeys(name for table in curves.values() for name in table["disturbance"])
    lowest = min(table["low"].min() for table in curves.values())
    charts = []
    for name in disturbances:
        part = {run: table[table["disturbance"] == name] for run, table in curves.items()}
        charts.append(html.shown(plot.robustness(part, lowest=lowest, legend=False), f"Accuracy under {name}"))
    return charts


def _disturbed(evaluated: Sequence[EvaluatedRun]) -> str:
    """How many pictures the curves are about, which is more for a network that was measured on all of them before."""
    named = names.short([each.run for each in evaluated])
    counts = {name: int(each.robustness.curves["pictures"].min()) for name, each in zip(named, evaluated, strict=True)}
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
    """How many pictures are not used, by status, in the order of all pages and figures."""
    counts = manifest.counts().drop(columns=["total", "ok", "new"], errors="ignore").loc["total"]
    return [(str(status), int(count)) for status, count in counts.items() if count]


def _title(dataset: str, classes: Sequence[str], networks: Sequence[str]) -> str:
    """What the page is about, in words.

    >>> _title("practice", ["cars", "tanks"], ["vgg", "xception"])
    'practice: vgg and xception on cars and tanks'
    """
    who = _joined(networks) if len(networks) <= NAMED else f"{len(networks)} networks"
    what = _joined(classes) if len(classes) <= NAMED else f"{len(classes)} classes"
    return f"{dataset}: {who} on {what}"


def _joined(names: Sequence[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last

"""The section of the report on one network: its figures, its mistakes, and where it looked."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from markupsafe import Markup

from toolkit import plot
from toolkit.dataset.manifest import Manifest
from toolkit.evaluation import explain, failures, operating_points
from toolkit.evaluation.evaluate import Report
from toolkit.evaluation.robustness import Robustness
from toolkit.model import abstaining
from toolkit.model.bundle import Bundle
from toolkit.report import card, html

EXPLAINED = 6  # right and wrong answers of each run
CHECKED = 2  # of these, the first right and the first wrong ones, are covered piece by piece too
STEP = 0.125  # of the square that covers, as a share of the side: coarser than usual, and four times as fast
USEFUL = 0.5  # of the right answers, that a threshold must leave to be of use
TRACED = 4  # mistakes of each run that are shown with the training pictures nearest to them
EXAMPLES = 3  # mistakes that stand at the top of the page
POINTS = 12  # classes whose operating point is told
HESITANT = 6  # right answers of each run, the least confident ones


class EvaluatedRun(NamedTuple):
    """A run and all that was measured of it."""

    run: Bundle
    report: Report
    robustness: Robustness


def values(evaluated: EvaluatedRun, manifest: Manifest) -> dict[str, object]:
    """What the template of the report tells of a run."""
    run, report, robustness = evaluated
    low, high = report.interval
    worst_first = report.per_class.sort_values(["f1", "recall"], kind="stable")
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
        "shown": len(failures.most_confident_wrong(report)),
        "per_class": [{"name": name, **row} for name, row in worst_first.to_dict(orient="index").items()],
        **_operating_points(report),
        "abstention": robustness.abstention,
        "abstains": robustness.abstention.get("kept", 0) >= USEFUL,
        **_charts(run, report, manifest),
        **_heat_maps(run, report, manifest),
    }


def _operating_points(report: Report) -> dict[str, object]:
    """From which probability on enough of the answers of a class are right, those first that lose most by it."""
    points = report.operating_points().sort_values("recall", kind="stable", na_position="first").head(POINTS)
    return {"points": points.reset_index().to_dict(orient="records"), "wanted": operating_points.PRECISION}


def _charts(run: Bundle, report: Report, manifest: Manifest) -> dict[str, Markup]:
    hesitant = failures.least_confident_right(report, count=HESITANT)
    mistakes = plot.mistakes(report, manifest, count=len(failures.most_confident_wrong(report)))
    examples = plot.mistakes(report, manifest, count=EXAMPLES)
    drawn: dict[str, tuple[plot.Figure, str]] = {
        "examples": (examples, f"The most confident mistakes of {run.name}"),
        "confusion": (plot.confusion(report), f"Confusion matrix of {run.name}"),
        "confused": (_confused(report, manifest), f"Pictures of classes that {run.name} takes for one another"),
        "precision_recall": (
            plot.precision_recall(report, thresholds=abstaining.limits(run)),
            f"Precision against recall of each class for {run.name}",
        ),
        "reliability": (plot.reliability(report.probabilities, report.truth), f"How sure {run.name} was"),
        "mistakes": (mistakes, f"Pictures that {run.name} named wrong"),
        "hesitant": (plot.least_confident_right(hesitant, manifest), f"Hesitant answers of {run.name}"),
        "because": (
            _neighbours(run, report, manifest),
            f"Mistakes of {run.name} and the training pictures nearest to them",
        ),
    }
    return {name: html.shown(figure, words) for name, (figure, words) in drawn.items()}


def _confused(report: Report, manifest: Manifest) -> plot.Gallery:
    """The pairs of classes that are confused most, where a matrix has no room for numbers."""
    return plot.most_confused(report, manifest) if len(report.classes) > plot.NUMBERED else plot.Gallery(figsize=(1, 1))


def _neighbours(run: Bundle, report: Report, manifest: Manifest) -> plot.Gallery:
    """The most confident mistakes, each with the training pictures most similar to it for the network."""
    wrong = list(report.mistakes["path"].head(TRACED))
    return plot.neighbours(failures.nearest(run, manifest, wrong), manifest)


def _heat_maps(run: Bundle, report: Report, manifest: Manifest) -> dict[str, Markup]:
    """Heat maps of some right answers and of the most confident mistakes; a few are checked by occlusion."""
    right = report.predictions[report.predictions["label"] == report.predictions["predicted"]]
    drawn = right.sample(frac=1, random_state=7).head(EXPLAINED)
    rows = pd.concat([drawn, report.mistakes.head(EXPLAINED)], ignore_index=True)
    pixels = np.stack([run.prepare(manifest.root / path) for path in rows["path"]])
    explained = _Explained(rows, pixels, explain.grad_cam(run, pixels, labels=list(rows["predicted"])))
    maps = {}
    for kind, indices in {"right": np.arange(len(drawn)), "wrong": np.arange(len(drawn), len(rows))}.items():
        checked, rest = explained.at(indices[:CHECKED]), explained.at(indices[CHECKED:])
        maps[f"checked_{kind}"] = _heat_map(run, checked, checks=_occlusions(run, checked))
        maps[f"heat_{kind}"] = _heat_map(run, rest)
    return maps


class _Explained(NamedTuple):
    """Rows of predictions, their pictures, and the heat over these."""

    rows: pd.DataFrame
    pixels: np.ndarray
    heat: np.ndarray

    def at(self, indices: np.ndarray) -> "_Explained":
        return _Explained(self.rows.iloc[indices], self.pixels[indices], self.heat[indices])


def _occlusions(run: Bundle, explained: _Explained) -> list[np.ndarray]:
    labels = explained.rows["predicted"]
    return [
        explain.occlusion(run, picture, label=label, step=STEP)
        for picture, label in zip(explained.pixels, labels, strict=True)
    ]


def _heat_map(run: Bundle, explained: _Explained, *, checks: Sequence[np.ndarray] | None = None) -> Markup:
    figure = plot.heat(explained.pixels, explained.heat, checks=checks, captions=_captions(explained.rows))
    return html.shown(figure, f"Where {run.name} looked")


def _captions(rows: pd.DataFrame) -> list[str]:
    captions = []
    for row in rows.itertuples():
        is_wrong = row.predicted != row.label
        captions.append(f"{row.predicted}, {row.probability:.0%}" + (f"; is {row.label}" if is_wrong else ""))
    return captions

"""How far to trust answers: familiarity of several kinds of pictures, and precision against recall by class."""

from collections.abc import Mapping
from itertools import cycle
from typing import TYPE_CHECKING

import numpy as np

from toolkit.model.familiarity import FAMILIAR
from toolkit.plot.figure import Figure, figure_with_axes
from toolkit.plot.style import COLOURS, INK, as_percent, end_at_one, marks, shortened

if TYPE_CHECKING:
    from toolkit.evaluation.evaluate import Report

BINS = 20
MOST = 10  # classes with a curve of their own: nobody can follow more


def familiarity(kinds: Mapping[str, np.ndarray]) -> Figure:
    """Histogram of familiarity: the share of pictures of each kind by how like they are to what was learned.

    What lies left of the line is called unlike anything that was learned; the legend tells how much that is.

    Args:
        kinds: by what they are called, the familiarity of pictures, shape (n,), 0 to 1, see `Classifier.ask`.

    >>> familiarity({"test": run.ask(pixels).familiarity})  # doctest: +SKIP
    """
    figure, axes = figure_with_axes(6.4, 3.0)
    for colour, (name, values) in zip(cycle(COLOURS), kinds.items(), strict=False):
        strange = f"{(np.asarray(values) < FAMILIAR).mean():.1%}" if len(values) else "none"
        label = f"{shortened(name, 24)}: {strange} of {len(values):,} are strangers"
        shares = np.full(len(values), 1 / max(1, len(values)))
        axes.hist(values, np.linspace(0, 1, BINS + 1).tolist(), weights=shares, color=colour, alpha=0.6, label=label)
    axes.axvline(FAMILIAR, color=INK, linewidth=1)
    axes.set(xlabel="familiarity", ylabel="share of the pictures", xlim=(0, 1))
    as_percent(axes.yaxis)
    figure.legend(loc="outside upper left", frameon=False, fontsize=9)
    return figure


def precision_recall(report: "Report", *, thresholds: Mapping[str, float] | None = None) -> Figure:
    """Precision-recall curves: for every limit of a class's probability, how much is found, and how much right.

    The mark on a curve is the operating point: what the network answers, where those answers are "not sure" whose
    probability is below the threshold of their class. Of many classes, those with the lowest average precision.

    Args:
        report: as `evaluate.load` gives it.
        thresholds: by class, 0 to 1, as `--threshold` takes them; None marks what is answered without any.

    >>> precision_recall(evaluate.load(run), thresholds={"tanks": 0.8})  # doctest: +SKIP
    """
    from sklearn.metrics import average_precision_score, precision_recall_curve

    from toolkit.evaluation import operating_points

    figure, axes = figure_with_axes(6.4, 3.6)
    points = operating_points.at(report, thresholds or {})
    true, shares = report.truth, report.probabilities  # each of which is made of the whole table
    truth = {name: (true == place, shares[:, place]) for place, name in enumerate(report.classes)}
    scores = {name: average_precision_score(*both) for name, both in truth.items() if both[0].any()}
    looks = marks(report.classes)
    for name in sorted(scores, key=lambda name: scores[name])[:MOST]:
        precision, recall, _ = precision_recall_curve(*truth[name])
        colour, marker, dash = looks[name]
        label = f"{shortened(name)}: {scores[name]:.3f}"
        axes.step(recall, precision, where="post", color=colour, linestyle=dash, label=label)
        axes.plot(points.loc[name, "recall"], points.loc[name, "precision"], marker, color=colour, markersize=8)
    axes.set(xlabel="recall: found, of the class", ylabel="precision: right, of what is called so", xlim=(0, 1.02))
    for axis in (axes.xaxis, axes.yaxis):
        as_percent(axis)
    end_at_one(axes)
    figure.legend(loc="outside right center", frameon=False, fontsize=9, title="average precision")
    return figure

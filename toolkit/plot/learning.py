"""Whether there are pictures enough: the learning curve with its forecast, and the thin regions."""

from typing import TYPE_CHECKING

import numpy as np

from toolkit.core.words import named
from toolkit.dataset.manifest import Manifest
from toolkit.plot.figure import Figure, figure_with_axes
from toolkit.plot.style import COLOURS, FAINT, INK, as_percent, end_at_one, logarithmic, shortened
from toolkit.plot.tiles import Gallery, gallery

if TYPE_CHECKING:
    from toolkit.selection.enough import Enough

SHOWN = 6  # pictures of a region


def learning_curve(result: "Enough") -> Figure:
    """Learning curve: what is right against pictures learned from, and what is expected with more, as a dotted line.

    Args:
        result: of `enough.forecast`.
    """
    curve, row = result.curve, result.forecast.iloc[0]
    figure, axes = figure_with_axes(6.5, 3.8)
    around = [curve["accuracy"] - curve["low"], curve["high"] - curve["accuracy"]]
    axes.errorbar(curve["pictures"], curve["accuracy"], around, color=COLOURS[0], marker="o", capsize=3)
    last, then = (curve["pictures"].iloc[-1], result.learned), (curve["accuracy"].iloc[-1], row["then"])
    axes.plot(last, then, ":", color=COLOURS[0])
    ends = np.array([[row["then"] - row["low"]], [row["high"] - row["then"]]])
    axes.errorbar([result.learned], [row["then"]], ends, color=COLOURS[1], marker="D", capsize=5)
    axes.set(xlabel="pictures learned from", ylabel="right, in cross-validation")
    told = f"{row['then']:.1%} expected, 90 % interval {row['low']:.1%} to {row['high']:.1%}"
    axes.set_title(f"{result.times:g} times the pictures, of the same kind: {told}")
    axes.title.set(fontsize=9, color=INK)
    logarithmic(axes.xaxis, float(curve["pictures"].iloc[0]), result.learned * 1.05)
    axes.grid(axis="y", color=FAINT)
    as_percent(axes.yaxis)
    end_at_one(axes)
    return figure


def regions(result: "Enough", manifest: Manifest, *, count: int = 8) -> Gallery:
    """Thin regions: what to photograph next, a row of pictures for each, those where it helps most first.

    Args:
        result: of `enough.forecast`.
        manifest: the dataset.
        count: regions, at most.
    """
    rows, titles = [], []
    for region in result.regions.head(count).itertuples():
        rows.append([(manifest.root / path, "") for path in region.paths[:SHOWN]])
        titles.append(f"{shortened(named(region.label), 14)}\n{region.wrong} of {region.pictures}\nwrong")
    return gallery(rows, titles=titles, columns=SHOWN)

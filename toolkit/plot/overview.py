"""A dataset at a glance: balance, sizes, shapes, light, sharpness and bytes, each a panel of one figure."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from toolkit.dataset import quality as measures
from toolkit.dataset.manifest import Manifest
from toolkit.dataset.schema import UNLABELLED
from toolkit.plot.charts import MOST_COLOURS
from toolkit.plot.figure import Figure, plain, snapped
from toolkit.plot.style import COLOURS, FAINT, INK, WRONG, logarithmic, marks, shortened

BINS = 40


class Histogram(NamedTuple):
    """A panel of one measure.

    Args:
        column: of the table of measures.
        label: of the horizontal axis.
        shows: range that the axis has at least; None for that of the values.
        logarithmic: whether the axis is.
    """

    column: str
    label: str
    shows: tuple[float, float] | None = None
    logarithmic: bool = False


HISTOGRAMS = {
    "sides": Histogram("side", "shortest side in pixels", logarithmic=True),
    "aspect": Histogram("aspect", "width over height", (0.5, 2)),
    "brightness": Histogram("brightness", "brightness, 0 to 255", (0, 255)),
    "sharpness": Histogram("sharpness", "sharpness (variance of the Laplacian)", logarithmic=True),
    "entropy": Histogram("entropy", "entropy, 0 to 8 bits", (0, 8)),
}
BARS = ("balance", "left_out", "bytes")
PANELS = (*BARS, *HISTOGRAMS)


def quality(manifest: Manifest, *, panels: Sequence[str] = PANELS) -> Figure:
    """How balanced, large, light and sharp a dataset is.

    Args:
        manifest: a verified manifest.
        panels: which of `PANELS`, in this order: "balance", "left_out", "bytes", "sides", "aspect", "brightness",
            "sharpness", "entropy".

    Raises:
        ValueError: there is no such panel, or none is asked for.

    >>> quality(manifest, panels=("brightness", "sharpness"))  # doctest: +SKIP
    """
    unknown = [name for name in panels if name not in PANELS]
    if unknown or not panels:
        raise ValueError(f"expected panels out of {', '.join(PANELS)}, got {', '.join(unknown) or 'none'}")
    counts = manifest.counts()
    columns = min(len(panels), 3 if len(panels) <= 3 else 2)
    rows = math.ceil(len(panels) / columns)
    heights = [_height(panels[row * columns : (row + 1) * columns], len(counts)) for row in range(rows)]
    figure = Figure(figsize=(snapped(4.4 * columns), sum(heights)), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False, height_ratios=heights).ravel()
    for axes in grid[len(panels) :]:
        axes.axis("off")
    _draw(dict(zip(panels, grid, strict=False)), manifest, counts)
    _legend(figure, [axes for axes, name in zip(grid, panels, strict=False) if name in HISTOGRAMS])
    return figure


def _height(panels: Sequence[str], classes: int) -> float:
    """Inches of a row of panels, so that every class has its line."""
    least = 1.2 if all(name in BARS for name in panels) else 2.5
    return max(least, (0.4 if classes <= 10 else 0.22) * classes + 0.7 if "balance" in panels else least)


def _draw(panels: Mapping[str, Axes], manifest: Manifest, counts: pd.DataFrame) -> None:
    measured = measures.measured(manifest)
    for name, axes in panels.items():
        plain(axes)
        if name == "balance":
            _balance(axes, counts)
        elif name == "left_out":
            _left_out(axes, counts)
        elif name == "bytes":
            _bytes(axes, measures.resizing(manifest))
        else:
            _histogram(axes, measured, manifest.labels, HISTOGRAMS[name])


def _legend(figure: Figure, histograms: Sequence[Axes]) -> None:
    """The classes, once, in the first histogram, for all of them."""
    for axes in histograms[:1]:
        handles, labels = axes.get_legend_handles_labels()
        if len(handles) > 1:
            axes.legend(handles, labels, frameon=False, fontsize=8)


def _balance(axes: Axes, counts: pd.DataFrame) -> None:
    counts = counts.drop(index="total", columns="total")
    left_out = counts.drop(columns="ok", errors="ignore").sum(axis=1)
    used = counts["ok"] if "ok" in counts else 0 * left_out
    lines = range(len(counts))
    axes.barh(lines, used, color=COLOURS[0], label="in use")
    bars = axes.barh(lines, left_out, left=used, color=FAINT, label="left out")
    labels = [
        f"{kept:,} + {lost:,} left out" if lost else f"{kept:,}" for kept, lost in zip(used, left_out, strict=True)
    ]
    small = 9 if len(counts) <= 10 else 7
    axes.bar_label(bars, labels, padding=4, fontsize=small, color=INK)
    axes.set_yticks(lines, [shortened(name) for name in counts.index], fontsize=small)
    axes.set_xlim(0, 1.7 * max(1, (used + left_out).max()))
    axes.set_ylim(len(counts) - 0.4, -0.6)
    axes.set_xlabel("pictures")


def _left_out(axes: Axes, counts: pd.DataFrame) -> None:
    lost = counts.drop(columns=["total", "ok", "new"], errors="ignore").loc["total"]
    lost = lost[lost > 0]  # in the order of all pages
    axes.set_xlabel("pictures left out")
    if lost.empty:
        axes.text(0.5, 0.5, "none was left out", transform=axes.transAxes, ha="center", color=INK)
        axes.set(xticks=[], yticks=[])
        return
    bars = axes.barh(lost.index, lost, color=WRONG)
    axes.bar_label(bars, [f"{count:,}" for count in lost], padding=4, fontsize=9, color=INK)
    axes.set_xlim(0, 1.2 * lost.max())
    axes.invert_yaxis()
    axes.locator_params(axis="x", integer=True, nbins=5)


def _bytes(axes: Axes, table: pd.DataFrame) -> None:
    bars = axes.barh(table.index, table["KB each"], color=[FAINT, *[COLOURS[0]] * (len(table) - 1)])
    labels = [f"{row['KB each']:g} KB, {row['MB']:,.1f} MB in all" for _, row in table.iterrows()]
    axes.bar_label(bars, labels, padding=4, fontsize=9, color=INK)
    axes.margins(x=0.75)
    axes.invert_yaxis()
    axes.set_xlabel("kilobytes per picture")


def _histogram(axes: Axes, table: pd.DataFrame, classes: Sequence[str], histogram: Histogram) -> None:
    values = table[histogram.column].dropna()
    axes.set(xlabel=histogram.label, ylabel="pictures")
    if values.empty:
        axes.text(0.5, 0.5, "not measured", transform=axes.transAxes, ha="center", color=INK)
        axes.set(xticks=[], yticks=[])
        return
    least, most = histogram.shows or (values.min(), values.max())
    low, high = min(least, values.min()), max(most, values.max())
    if histogram.logarithmic:
        edges = _logarithmic(axes, max(low, 1), max(high, 2))
        values = values.clip(lower=edges[0])
    else:
        edges = np.linspace(low, high, BINS + 1)
    by_class = 1 < len(classes) <= MOST_COLOURS
    groups = [values[table["label"] == label] for label in classes] if by_class else [values]
    looks = marks(filter(None, classes))
    colours = [looks[label].colour if label else FAINT for label in classes] if by_class else [COLOURS[0]]
    labels = [shortened(label or UNLABELLED) for label in classes] if by_class else ["all"]
    axes.hist(groups, edges.tolist(), stacked=True, color=colours, label=labels)
    for limit in _limits(histogram.column):
        if edges[0] < limit < edges[-1]:
            axes.axvline(limit, color=INK, linewidth=1, linestyle=":")


def _logarithmic(axes: Axes, low: float, high: float) -> np.ndarray:
    """Give an axis a logarithmic scale with a few round numbers on it; the edges of the bins."""
    logarithmic(axes.xaxis, low, high, most=5)
    return np.geomspace(*axes.get_xlim(), BINS + 1)


def _limits(column: str) -> list[float]:
    """The values beyond which a picture is worth a look."""
    ranges = [(low, high) for name, low, high in measures.LIMITS.values() if name == column]
    return [limit for low_high in ranges for limit in low_high if np.isfinite(limit)]

"""A dataset at a glance: balance, sizes, shapes, light, sharpness and bytes, each a panel of one figure."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from toolkit.dataset import quality as measures
from toolkit.dataset.manifest import Manifest
from toolkit.plot.figure import COLOURS, FAINT, INK, WRONG, Figure, plain

MOST_CLASSES = 6  # more are one colour: nobody can tell so many apart
HISTOGRAMS = {  # panel: column, what its axis says, and what its axis holds at least
    "sides": ("side", "shortest side in pixels", None),
    "aspect": ("aspect", "width over height", (0.5, 2)),
    "brightness": ("brightness", "brightness, 0 to 255", (0, 255)),
    "sharpness": ("sharpness", "sharpness (variance of the Laplacian)", None),
    "entropy": ("entropy", "entropy, 0 to 8 bits", (0, 8)),
}
LOGARITHMIC = ("side", "sharpness")
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
    columns = min(len(panels), 3 if len(panels) <= 3 else 2)
    rows = -(-len(panels) // columns)
    counts = manifest.counts()
    height = 0.4 * len(counts) + 0.7 if len(panels) == 1 and panels[0] in BARS else 2.5 * rows
    figure = Figure(figsize=(max(4.6, 3.7 * columns), height), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    table, classes = measures.measured(manifest), manifest.classes
    for axes, name in zip(grid, panels, strict=False):
        plain(axes)
        if name == "balance":
            _balance(axes, counts)
        elif name == "left_out":
            _left_out(axes, counts)
        elif name == "bytes":
            _bytes(axes, measures.resizing(manifest))
        else:
            _histogram(axes, table, classes, *HISTOGRAMS[name])
    for axes in grid[len(panels) :]:
        axes.axis("off")
    named = [axes.get_legend_handles_labels() for axes, name in zip(grid, panels, strict=False) if name in HISTOGRAMS]
    handles = max(named, key=lambda pair: len(pair[0]), default=((), ()))
    if len(handles[0]) > 1:
        figure.legend(*handles, loc="outside upper right", ncols=MOST_CLASSES, frameon=False)
    return figure


def _balance(axes: object, counts: pd.DataFrame) -> None:
    counts = counts.drop(index="total", columns="total")
    left_out = counts.drop(columns="ok", errors="ignore").sum(axis=1)
    used = counts["ok"] if "ok" in counts else 0 * left_out
    axes.barh(counts.index, used, color=COLOURS[0], label="in use")
    bars = axes.barh(counts.index, left_out, left=used, color=FAINT, label="left out")
    words = [f"{kept:,}" + (f" + {lost:,} left out" if lost else "") for kept, lost in zip(used, left_out, strict=True)]
    axes.bar_label(bars, words, padding=4, fontsize=9, color=INK)
    axes.margins(x=0.3)
    axes.invert_yaxis()
    axes.set_xlabel("pictures")


def _left_out(axes: object, counts: pd.DataFrame) -> None:
    lost = counts.drop(columns=["total", "ok", "new"], errors="ignore").loc["total"]
    lost = lost[lost > 0].sort_values(ascending=False)
    axes.set_xlabel("pictures left out")
    if lost.empty:
        axes.text(0.5, 0.5, "none was left out", transform=axes.transAxes, ha="center", color=INK)
        axes.set(xticks=[], yticks=[])
        return
    bars = axes.barh(lost.index, lost, color=WRONG)
    axes.bar_label(bars, [f"{count:,}" for count in lost], padding=4, fontsize=9, color=INK)
    axes.margins(x=0.15)
    axes.invert_yaxis()
    axes.xaxis.get_major_locator().set_params(integer=True)


def _bytes(axes: object, table: pd.DataFrame) -> None:
    bars = axes.barh(table.index, table["KB each"], color=[FAINT, *[COLOURS[0]] * (len(table) - 1)])
    words = [f"{row['KB each']:g} KB, {row['MB']:,.1f} MB in all" for _, row in table.iterrows()]
    axes.bar_label(bars, words, padding=4, fontsize=9, color=INK)
    axes.margins(x=0.75)
    axes.invert_yaxis()
    axes.set_xlabel("kilobytes per picture")


def _histogram(
    axes: object, table: pd.DataFrame, classes: Sequence[str], column: str, words: str, ends: tuple[float, float] | None
) -> None:
    values = table[column].dropna()
    axes.set(xlabel=words, ylabel="pictures")
    if values.empty:
        axes.text(0.5, 0.5, "not measured", transform=axes.transAxes, ha="center", color=INK)
        axes.set(xticks=[], yticks=[])
        return
    least, most = ends or (values.min(), values.max())
    low, high = min(least, values.min()), max(most, values.max())
    if column in LOGARITHMIC:
        ticks = _ticks(max(low, 1), max(high, 2))
        edges, values = np.geomspace(ticks[0], ticks[-1], 41), values.clip(lower=ticks[0])
        axes.set_xscale("log")
        shown = ticks[:: -(-len(ticks) // 5)]
        axes.set_xticks(shown, [f"{tick:,}" for tick in shown])
        axes.set_xticks([], minor=True)
    else:
        edges = np.linspace(low, high, 41)
    divided = 1 < len(classes) <= MOST_CLASSES
    groups = [values[table["label"] == label] for label in classes] if divided else [values]
    axes.hist(
        groups, edges, stacked=True, color=list(COLOURS[: len(groups)]), label=list(classes) if divided else ["all"]
    )
    for limit in _limits(column):
        if edges[0] < limit < edges[-1]:
            axes.axvline(limit, color=INK, linewidth=1, linestyle=":")


def _ticks(low: float, high: float) -> list[int]:
    """1, 2, 5, 10, 20, … from the last that is not above `low` to the first that is above `high`."""
    steps = [step * 10**power for power in range(16) for step in (1, 2, 5)]
    first = max(place for place, step in enumerate(steps) if step <= low)
    last = min(place for place, step in enumerate(steps) if step > high)
    return steps[first : last + 1]


def _limits(column: str) -> list[float]:
    """Beyond which a picture is worth a look."""
    ends = [end for name, *both in measures.LIMITS.values() if name == column for end in both]
    return [end for end in ends if np.isfinite(end)]

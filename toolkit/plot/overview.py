"""A dataset at a glance: balance, sizes, shapes, light, sharpness and bytes, each a panel of one figure."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from toolkit import quality as measures
from toolkit.manifest import Manifest
from toolkit.plot.figure import COLOURS, FAINT, INK, Figure, plain

MOST_CLASSES = 6  # more are one colour: nobody can tell so many apart
HISTOGRAMS = {  # panel: column, what its axis says, and where the axis ends
    "sides": ("side", "shortest side in pixels", None),
    "aspect": ("aspect", "width over height", None),
    "brightness": ("brightness", "brightness, 0 to 255", (0, 255)),
    "sharpness": ("sharpness", "sharpness (variance of the Laplacian)", None),
    "entropy": ("entropy", "entropy, 0 to 8 bits", (0, 8)),
}
LOGARITHMIC = ("side", "aspect", "sharpness")
PANELS = ("balance", "bytes", *HISTOGRAMS)


def quality(manifest: Manifest, *, panels: Sequence[str] = PANELS) -> Figure:
    """How balanced, large, light and sharp a dataset is.

    Args:
        manifest: a verified manifest.
        panels: which of "balance", "bytes", "sides", "aspect", "brightness", "sharpness" and "entropy", in this order.

    Raises:
        ValueError: there is no such panel, or none is asked for.

    >>> quality(manifest, panels=("brightness", "sharpness"))  # doctest: +SKIP
    """
    unknown = [name for name in panels if name not in PANELS]
    if unknown or not panels:
        raise ValueError(f"expected panels out of {', '.join(PANELS)}, got {', '.join(unknown) or 'none'}")
    columns = min(len(panels), 3 if len(panels) <= 3 else 2)
    rows = -(-len(panels) // columns)
    figure = Figure(figsize=(max(5, 3.6 * columns), 2.5 * rows), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    table, classes = measures.measured(manifest), manifest.classes
    for axes, name in zip(grid, panels, strict=False):
        plain(axes)
        if name == "balance":
            _balance(axes, manifest.counts())
        elif name == "bytes":
            _bytes(axes, measures.resizing(manifest))
        else:
            _histogram(axes, table, classes, *HISTOGRAMS[name])
    for axes in grid[len(panels) :]:
        axes.axis("off")
    if set(panels) & set(HISTOGRAMS) and 1 < len(classes) <= MOST_CLASSES:
        handles = [axes for axes, name in zip(grid, panels, strict=False) if name in HISTOGRAMS][0]
        figure.legend(*handles.get_legend_handles_labels(), loc="outside upper right", ncols=6, frameon=False)
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
    low, high = ends or (values.min(), values.max())
    if column in LOGARITHMIC:
        low = max(low, 1e-2)
        low, high = (low, high) if high > 1.3 * low else (low / 1.5, high * 1.5)
        edges = np.geomspace(low, high, 41)
        axes.set_xscale("log")
        _plain_ticks(axes, low, high)
        values = values.clip(lower=low)
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


def _plain_ticks(axes: object, low: float, high: float) -> None:
    """A few numbers as people write them, in place of powers of ten."""
    steps = [step * 10.0**power for power in range(-2, 8) for step in (1, 2, 5)]
    ticks = [step for step in steps if low <= step <= high]
    ticks = ticks[:: -(-len(ticks) // 6)] if len(ticks) >= 2 else [low * (high / low) ** share for share in (0, 0.5, 1)]
    axes.set_xticks(ticks, [f"{tick:,.4g}" for tick in ticks])
    axes.set_xticks([], minor=True)


def _limits(column: str) -> list[float]:
    """Beyond which a picture is worth a look."""
    ends = [end for name, *both in measures.LIMITS.values() if name == column for end in both]
    return [end for end in ends if np.isfinite(end)]

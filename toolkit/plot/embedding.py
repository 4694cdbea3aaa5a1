"""The map of a dataset, with some of its pictures in their places."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.offsetbox import AnnotationBbox, OffsetImage

from toolkit.dataset.manifest import Manifest
from toolkit.plot.charts import MOST_COLOURS
from toolkit.plot.figure import WIDE, Figure
from toolkit.plot.style import COLOURS, INK, PAPER, WRONG, marks, shortened
from toolkit.plot.tiles import thumbnail

if TYPE_CHECKING:
    from toolkit.evaluation.evaluate import Report

CELLS = 13  # along each side, with at most one picture in each
NAMED = 60  # classes, at most, that have a name: more would hide the pictures and one another


def embedding(table: pd.DataFrame, manifest: Manifest, *, report: Report | None = None) -> Figure:
    """Map of a dataset: a dot per picture, coloured by class, with some pictures in their places and mistakes ringed.

    With more than six classes the dots are of one colour, and each class has its name where most of it lies; of more
    than sixty, the largest ones have.

    Args:
        table: as `embedding.tsne` gives it.
        manifest: the dataset.
        report: of `evaluate`; what it tells as wrong is ringed.
    """
    figure = Figure(figsize=(WIDE, WIDE + 0.5), layout="constrained")
    axes = figure.subplots()
    axes.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.03), xticks=[], yticks=[], aspect="equal")
    axes.spines[:].set_visible(False)
    looks = marks(manifest.classes)
    many = len(looks) > MOST_COLOURS
    colours = table["label"].map(lambda label: COLOURS[0] if many else looks[label].colour)
    _pictures(axes, table, manifest, colours)
    axes.scatter(table["x"], table["y"], s=16, c=colours, linewidths=0.5, edgecolors="white", zorder=3)
    handles = [] if many else [_dot(mark.colour, shortened(label)) for label, mark in looks.items()]
    if many:
        _names(axes, table)
    wrong = table[table["path"].isin(report.mistakes["path"])] if report else table[:0]
    if len(wrong):
        axes.scatter(wrong["x"], wrong["y"], s=110, facecolors="none", edgecolors=WRONG, linewidths=2, zorder=4)
        ring = {"markerfacecolor": "none", "markersize": 10, "markeredgewidth": 2}
        handles.append(_dot(WRONG, f"called something else by {shortened(report.run)}" if report else "", **ring))
    if handles:
        figure.legend(handles=handles, loc="outside upper left", ncols=4, frameon=False)
    return figure


def _dot(colour: str, label: str, **more: object) -> Line2D:
    return Line2D([], [], linestyle="", marker="o", color=colour, label=label, **more)  # type: ignore[arg-type]


def _pictures(axes: Axes, table: pd.DataFrame, manifest: Manifest, colours: pd.Series) -> None:
    """In every cell of a grid the picture that lies nearest to its middle, in a frame of its class."""
    cells = (table[["x", "y"]].to_numpy() * CELLS).clip(0, CELLS - 1e-6)
    off_middle = np.abs(cells - np.floor(cells) - 0.5).max(axis=1)
    nearest = pd.Series(off_middle).groupby(list(np.floor(cells).T)).idxmin()
    zoom = WIDE * 72 / CELLS / 160 * 0.8  # of a thumbnail's 160 pixels, which are points on the figure
    for row in nearest:
        picture = OffsetImage(thumbnail(manifest.root / table["path"].iloc[row]), zoom=zoom)
        middle = (np.floor(cells[row]) + 0.5) / CELLS
        frame = {"edgecolor": colours.iloc[row], "facecolor": PAPER, "linewidth": 1.5}
        axes.add_artist(AnnotationBbox(picture, tuple(middle), pad=0.1, bboxprops=frame, zorder=1))


def _names(axes: Axes, table: pd.DataFrame) -> None:
    largest = table["label"].value_counts().index[:NAMED]
    middles = table[table["label"].isin(largest)].groupby("label")[["x", "y"]].median()
    for label, middle in middles.iterrows():
        box = {"facecolor": PAPER, "alpha": 0.85, "edgecolor": "none", "pad": 1.5}
        axes.text(middle["x"], middle["y"], shortened(label), ha="center", fontsize=9, color=INK, bbox=box, zorder=5)

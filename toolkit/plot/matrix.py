"""Which classes are taken for which: confusion matrices, and the pairs that are confused most."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_rgb

from toolkit.dataset.manifest import Manifest
from toolkit.plot.figure import Figure
from toolkit.plot.style import FAINT, INK, LIGHT, shortened
from toolkit.plot.tiles import Cell, Gallery, gallery

if TYPE_CHECKING:  # so that looking at counts does not wait for TensorFlow
    from toolkit.evaluation.evaluate import Report

BESIDE = 6  # classes, at most, for matrices side by side and rates in the cells
NUMBERED = 15  # classes, at most, for numbers in the cells
MOST = 100  # classes, at most, whose names have room beside a matrix as wide as a page
LETTER, LINE = 0.085, 0.2  # width of a letter and height of a line of 10 points, in inches
FULL_PAGE = 9.0  # inches
CORNERS = np.array([(-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5)])  # of a cell
DEEP, TURN = "#08306b", 0.66  # colour of a whole row, and the share from which white is read better on it than black


def confusion(*reports: Report) -> Figure:
    """Confusion matrix: pictures of each true class (rows) by predicted class (columns).

    Up to six classes matrices stand side by side, with the share of each row; from seven on each has a row of its own;
    beyond fifteen there are no numbers, see `most_confused` for those that matter. Of more than a hundred classes,
    those that are confused most often.

    Args:
        reports: of `evaluate`, at least one, about the same classes.

    >>> confusion(evaluate.load(vgg), evaluate.load(xception))  # doctest: +SKIP
    """
    tables = [report.confusion for report in reports]
    chosen = _confused_most(tables)
    names = [shortened(reports[0].classes[place]) for place in chosen]
    count, longest = len(names), max(map(len, names))
    turned = longest > 5
    side = count * (0.75 if count <= BESIDE else 0.42 if count <= NUMBERED else min(0.2, FULL_PAGE / count))
    width = side + longest * LETTER + 0.7
    height = side + (longest * LETTER if turned else LINE) + 0.9
    beside = len(reports) if count <= BESIDE else 1
    below = len(reports) // beside
    figure = Figure(figsize=(max(width, 2.6) * beside, height * below), layout="constrained")
    grid = figure.subplots(below, beside, squeeze=False).flat
    for axes, report, table in zip(grid, reports, tables, strict=True):
        _matrix(axes, table, chosen, names, turned=turned)
        axes.set_title(shortened(report.run, 28), fontsize=11, color=INK)
    return figure


def _confused_most(tables: Sequence[pd.DataFrame]) -> np.ndarray:
    """The places of the classes that are drawn, in their order: all, or those with most mistakes in and of them."""
    counts = np.sum([table.to_numpy() for table in tables], axis=0)
    mistakes = counts.sum(axis=0) + counts.sum(axis=1) - 2 * counts.diagonal()
    return np.sort(np.argsort(-mistakes, kind="stable")[:MOST])


def _matrix(axes: Axes, table: pd.DataFrame, chosen: np.ndarray, names: list[str], *, turned: bool) -> None:
    pictures = table.to_numpy().sum(axis=1, keepdims=True)
    counts, size = table.to_numpy()[np.ix_(chosen, chosen)], len(chosen)
    shares = counts / pictures[chosen].clip(1)
    cells = np.argwhere(counts)
    grounds = [(*to_rgb(DEEP), shares[row, column]) for row, column in cells]  # what is behind shows through
    axes.add_collection(PolyCollection(cells[:, None, ::-1] + CORNERS, facecolors=grounds, linewidths=0))
    axes.set(xlim=(-0.5, size - 0.5), ylim=(size - 0.5, -0.5), aspect="equal")
    if size <= NUMBERED:
        for row, column in cells:
            text = f"{counts[row, column]:,}" + (f"\n{shares[row, column]:.0%}" if size <= BESIDE else "")
            colour = LIGHT if shares[row, column] > TURN else "black"
            axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=10 if size <= BESIDE else 9)
    small = 10 if size <= 30 else max(3, 300 / size)
    axes.set_xticks(range(size), names, fontsize=small, rotation=90 if turned else 0)
    axes.set_yticks(range(size), names, fontsize=small)
    beyond = f", of the {size} of {len(table):,} that are confused most" if len(table) > size else ""
    axes.set(xlabel=f"predicted class{beyond}", ylabel="true class")
    axes.spines[:].set_color(FAINT)
    axes.tick_params(length=0)


def most_confused(report: Report, manifest: Manifest, *, count: int = 8, examples: int = 2) -> Gallery:
    """The pairs of classes that are confused most, a row each: how often, and some of the pictures.

    Args:
        report: of `evaluate`.
        manifest: the dataset.
        count: pairs at most.
        examples: pictures per pair, the most confident answers first.
    """
    mistakes = report.mistakes
    cells: list[Cell] = []
    for label, predicted, pictures, of in report.most_confused().head(count).itertuples(index=False):
        words = f"{shortened(label)} taken for {shortened(predicted)}\n{pictures} of {of}"
        of_pair = mistakes[(mistakes["label"] == label) & (mistakes["predicted"] == predicted)]
        cells += [(manifest.root / path, words) for path in of_pair["path"].head(examples)]
    rows = [cells[start : start + 2 * examples] for start in range(0, len(cells), 2 * examples)]
    return gallery(rows, columns=2 * examples, side=1.7)

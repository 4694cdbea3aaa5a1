"""Many trainings in one picture: the folds of a cross-validation, the trials of a search."""

import math
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from toolkit.plot.charts import steps_of
from toolkit.plot.figure import WIDE, Figure, plain, snapped
from toolkit.plot.style import COLOURS, FAINT, INK, as_percent

if TYPE_CHECKING:
    from toolkit.selection.crossval import CrossValidation
    from toolkit.selection.search_space import Choice
    from toolkit.selection.tune import Search

PANELS = 4  # in a row


def folds(result: "CrossValidation") -> Figure:
    """Cross-validation: left, the loss of every fold, train dashed and val solid; right, the accuracies.

    Args:
        result: of `crossval.run`.
    """
    figure = Figure(figsize=(WIDE, 3.4), layout="constrained")
    loss, accuracy = figure.subplots(1, 2, width_ratios=(1.3, 1))
    _fold_losses(loss, result.history)
    _fold_accuracies(accuracy, result)
    for axes in (loss, accuracy):
        plain(axes)
    return figure


def _fold_losses(axes: Axes, histories: pd.DataFrame) -> None:
    for colour, (number, history) in zip(_colours(), histories.groupby("fold"), strict=False):
        steps = steps_of(axes, history)
        axes.plot(history[steps], history["loss"], "--", color=colour, alpha=0.5)
        axes.plot(history[steps], history["val_loss"], color=colour, label=f"fold {number}")
    axes.set(ylabel="loss (train dashed, val solid)")
    axes.legend(frameon=False, fontsize=9)


def _fold_accuracies(axes: Axes, result: "CrossValidation") -> None:
    report, table = result.report, result.folds
    low, high = report.interval
    axes.axvspan(low, high, color=FAINT, alpha=0.6, linewidth=0)
    axes.axvline(report.accuracy, color=INK, linewidth=1)
    axes.scatter(table["accuracy"], table.index, s=60, color=_colours()[: len(table)], zorder=3)
    axes.set(xlabel=f"right; all {len(report.predictions)}: {report.accuracy:.1%}", ylabel="fold")
    axes.set_title("the band is the 95 % interval of all together", fontsize=9, color=INK)
    axes.set_ylim(len(table) + 0.5, 0.5)
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.xaxis.set_major_locator(MaxNLocator(nbins=5, steps=[1, 2, 5, 10]))
    as_percent(axes.xaxis)


def trials(search: "Search") -> Figure:
    """Search: accuracy by trial, then against each setting that was varied; the best trial is ringed.

    Args:
        search: of `tune.search`.
    """
    complete = search.trials[search.trials["state"] == "complete"]
    count = 1 + len(search.space)
    rows, columns = math.ceil(count / PANELS), min(PANELS, count)
    figure = Figure(figsize=(snapped(2.9 * columns), 2.9 * rows), layout="constrained")
    panels = list(np.atleast_1d(figure.subplots(rows, columns, sharey=True)).flat)
    for panel in panels[count:]:
        panel.set_visible(False)
    _progress(panels[0], complete, search.best)
    for panel, (name, choice) in zip(panels[1:], search.space.items(), strict=False):
        _setting(panel, name, choice, complete, search.best)
    for panel in panels[::columns]:
        as_percent(panel.yaxis)
    return figure


def _progress(axes: Axes, complete: pd.DataFrame, best: pd.Series) -> None:
    axes.step(complete["number"], complete["accuracy"].cummax(), where="post", color=COLOURS[1], label="best so far")
    axes.legend(frameon=False, fontsize=9, loc="lower right")
    _dots(axes, complete["number"], complete, best)
    axes.set(xlabel="trial", ylabel="accuracy on train and val")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def _setting(axes: Axes, name: str, choice: "Choice", complete: pd.DataFrame, best: pd.Series) -> None:
    """Accuracy against one setting: a range, or choices side by side."""
    from toolkit.selection import search_space

    axes.set_xlabel(name)
    if search_space.is_range(choice):
        _dots(axes, complete[name].astype(float), complete, best)
        axes.set_xscale("log" if search_space.is_logarithmic(choice) else "linear")
        return
    labels = [str(value) for value in choice]
    positions = complete[name].astype(str).map({label: position for position, label in enumerate(labels)})
    jitter = complete["number"].rank(pct=True) * 0.3 - 0.15  # so that equal ones can be told apart
    _dots(axes, positions + jitter, complete, best)
    axes.set_xticks(range(len(labels)), labels)
    axes.set_xlim(-0.5, len(labels) - 0.5)


def _dots(axes: Axes, along: pd.Series, complete: pd.DataFrame, best: pd.Series) -> None:
    axes.plot(along, complete["accuracy"], "o", color=COLOURS[0], alpha=0.6, markersize=5)
    axes.plot(along[best.name], best["accuracy"], "o", markersize=12, markerfacecolor="none", color=COLOURS[1])
    plain(axes)


def _colours() -> list[str]:
    return list(COLOURS) * 10

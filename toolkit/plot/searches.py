"""Many trainings in one picture: the folds of a cross-validation, the trials of a search."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator

from toolkit.plot.charts import steps_of
from toolkit.plot.figure import COLOURS, FAINT, INK, Figure, plain

if TYPE_CHECKING:
    from toolkit.selection import crossval, tune

PANELS = 4  # in a row


def folds(outcome: "crossval.Outcome") -> Figure:
    """Left, the loss of every fold, train dashed and val solid; right, what each got right, and all together."""
    figure = Figure(figsize=(9, 3.4), layout="constrained")
    loss, accuracy = figure.subplots(1, 2, width_ratios=(1.3, 1))
    for colour, (number, history) in zip(_colours(), outcome.history.groupby("fold"), strict=False):
        steps = steps_of(loss, history)
        loss.plot(history[steps], history["loss"], "--", color=colour, alpha=0.5)
        loss.plot(history[steps], history["val_loss"], color=colour, label=f"fold {number}")
    loss.set(ylabel="loss (train dashed, val solid)")
    loss.legend(frameon=False, fontsize=9)
    low, high = outcome.report.interval
    accuracy.axvspan(low, high, color=FAINT, alpha=0.6, linewidth=0)
    accuracy.axvline(outcome.report.accuracy, color=INK, linewidth=1)
    table = outcome.folds
    accuracy.scatter(table["accuracy"], table.index, s=60, color=_colours()[: len(table)], zorder=3)
    accuracy.set(xlabel=f"right; all {len(outcome.report.predictions)}: {outcome.report.accuracy:.1%}", ylabel="fold")
    accuracy.set_title("the band is the 95 % interval of all together", fontsize=9, color=INK)
    accuracy.set_ylim(len(table) + 0.5, 0.5)
    accuracy.yaxis.set_major_locator(MaxNLocator(integer=True))
    accuracy.xaxis.set_major_locator(MaxNLocator(nbins=5, steps=[1, 2, 5, 10]))
    accuracy.xaxis.set_major_formatter(lambda value, _: f"{100 * value:.3g}%")
    for axes in (loss, accuracy):
        plain(axes)
    return figure


def trials(outcome: "tune.Outcome") -> Figure:
    """How the search went, then each setting that was varied against the accuracy; the best trial is ringed."""
    done = outcome.trials[outcome.trials["state"] == "complete"]
    count = 1 + len(outcome.space)
    rows, columns = -(-count // PANELS), min(PANELS, count)
    figure = Figure(figsize=(2.9 * columns, 2.9 * rows), layout="constrained")
    panels = list(np.atleast_1d(figure.subplots(rows, columns, sharey=True)).flat)
    for panel in panels[count:]:
        panel.set_visible(False)
    panels[0].step(done["number"], done["accuracy"].cummax(), where="post", color=COLOURS[1], label="best so far")
    panels[0].legend(frameon=False, fontsize=9, loc="lower right")
    _dots(panels[0], done["number"], done, outcome.best)
    panels[0].set(xlabel="trial", ylabel="accuracy on train and val")
    panels[0].xaxis.set_major_locator(MaxNLocator(integer=True))
    for panel, (name, choice) in zip(panels[1:], outcome.space.items(), strict=False):
        if isinstance(choice, tuple):
            _dots(panel, done[name].astype(float), done, outcome.best)
            panel.set_xscale("log" if choice[0] > 0 and choice[1] / choice[0] >= 10 else "linear")
        else:
            places = {str(value): place for place, value in enumerate(choice)}
            shaken = done["number"].rank(pct=True) * 0.3 - 0.15  # so that equal ones can be told apart
            _dots(panel, done[name].astype(str).map(places) + shaken, done, outcome.best)
            panel.set_xticks(range(len(choice)), [str(value) for value in choice])
            panel.set_xlim(-0.5, len(choice) - 0.5)
        panel.set_xlabel(name)
    for panel in panels[::columns]:
        panel.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.3g}%")
    return figure


def _dots(axes: object, along: pd.Series, done: pd.DataFrame, best: pd.Series) -> None:
    axes.plot(along, done["accuracy"], "o", color=COLOURS[0], alpha=0.6, markersize=5)
    axes.plot(along[best.name], best["accuracy"], "o", markersize=12, markerfacecolor="none", color=COLOURS[1])
    plain(axes)


def _colours() -> list[str]:
    return list(COLOURS) * 10

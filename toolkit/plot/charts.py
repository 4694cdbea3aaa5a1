"""Charts: counts, sizes, learning curves, confusion matrices, comparisons, calibration."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from toolkit.dataset.manifest import Manifest
from toolkit.model import calibrate
from toolkit.plot.figure import COLOURS, FAINT, INK, WRONG, Figure, as_percent, figure_with_axes, plain, show

if TYPE_CHECKING:  # so that looking at counts does not wait for TensorFlow
    from toolkit.evaluation.evaluate import Report
    from toolkit.model.bundle import Bundle
    from toolkit.model.predict import Prediction


def counts(table: pd.DataFrame) -> Figure:
    """Stacked bars of counts: one bar per class, divided by column.

    Args:
        table: as `Manifest.counts` gives it; its totals are left out.
    """
    table = table.drop(index="total", columns="total", errors="ignore")
    figure, axes = figure_with_axes(7, 0.55 * len(table) + 1)
    start = np.zeros(len(table))
    readable = table.to_numpy().sum(axis=1).max() / 25  # the number in a shorter bar would not be
    for colour, column in zip(COLOURS, table, strict=False):
        bars = axes.barh(table.index, table[column], left=start, color=colour, label=column)
        labels = [str(count) if count > readable else "" for count in table[column]]
        axes.bar_label(bars, labels, label_type="center", color="white", fontsize=9)
        start += table[column].to_numpy()
    axes.invert_yaxis()
    axes.set_xlabel("pictures")
    axes.legend(ncols=4, loc="lower left", bbox_to_anchor=(0, 1), frameon=False)
    return figure


def sizes(manifest: Manifest) -> Figure:
    """Scatter plot of width and height: a dot per picture, coloured by class; on the line are square ones.

    Args:
        manifest: a verified manifest.
    """
    figure, axes = figure_with_axes(5.5, 4.5)
    for colour, label in zip(COLOURS, manifest.classes, strict=False):
        table = manifest.where(label=label).table
        axes.scatter(table["width"], table["height"], s=14, alpha=0.5, color=colour, label=label, linewidths=0)
    most = max(manifest.table["width"].max(), manifest.table["height"].max(), 1)
    axes.plot([0, most], [0, most], color=FAINT, zorder=0)
    axes.set(xlabel="width in pixels", ylabel="height in pixels")
    axes.legend(frameon=False)
    return figure


def threshold_curve(table: pd.DataFrame, *, chosen: int | None = None) -> Figure:
    """Number of pairs that each distance finds (`dedup.curve`): by the hash alone, and after the second look.

    Where the two lines part, the hash begins to propose pictures that are only similar; pairs under two labels, which a
    copy should not be, show where that hurts.

    Args:
        table: as `dedup.curve` gives it.
        chosen: the distance in use, drawn as a line.
    """
    figure, axes = figure_with_axes(6.5, 3.6)
    lines = (
        ("by_hash", "-", COLOURS[0], "by the hash alone"),
        ("accepted", "-", COLOURS[1], "accepted by the second look"),
        ("labels_differ", ":", COLOURS[0], "by the hash, under two labels"),
        ("accepted_labels_differ", ":", COLOURS[1], "accepted, under two labels"),
    )
    for column, style, colour, label in lines:
        axes.plot(table["distance"], table[column], style, color=colour, label=label)
    axes.set_yscale("symlog", linthresh=10)
    axes.set_ylim(bottom=0)
    if chosen is not None:
        axes.axvline(chosen, color=FAINT, zorder=0)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set(xlabel="bits of the hash that may differ", ylabel="pairs of pictures")
    axes.legend(frameon=False, fontsize=8, loc="upper left")
    return figure


def curves(*runs: "Bundle") -> Figure:
    """Learning curves: loss and accuracy per epoch, train dashed and validation solid; the epoch kept is marked.

    Where the average of the weights was kept (`ema`), the mark is at the average's own figures, beside the line.
    A linear probe has no epochs: beside runs that have, it is a dotted line.

    Args:
        runs: at least one.

    >>> curves(bundle.load("cars_tanks/vgg"), bundle.load("cars_tanks/xception"))  # doctest: +SKIP
    """
    figure = Figure(figsize=(9, 3.4), layout="constrained")
    loss, accuracy = figure.subplots(1, 2)
    beside_epochs = not all(is_probe(run.history) for run in runs)
    for axes, name in ((loss, "loss"), (accuracy, "accuracy")):
        axes.set(ylabel=name)
        plain(axes)
        for colour, run in zip(COLOURS, runs, strict=False):
            _curve(axes, name, run, colour, beside_epochs=beside_epochs)
    as_percent(accuracy.yaxis)
    figure.legend(*loss.get_legend_handles_labels(), loc="outside right center", frameon=False, fontsize=9)
    return figure


def _curve(axes: Axes, name: str, run: "Bundle", colour: str, *, beside_epochs: bool) -> None:
    """The loss or the accuracy of one run."""
    history, (row, best) = run.history, run.best
    if is_probe(history) and beside_epochs:
        axes.axhline(getattr(best, name), linestyle=":", color=colour, label=f"{run.name}, val")
        return
    steps = steps_of(axes, history)
    axes.plot(history[steps], history[name], "--", color=colour, alpha=0.6, label=f"{run.name}, train")
    axes.plot(history[steps], history[f"val_{name}"], color=colour, label=f"{run.name}, val")
    axes.plot(row[steps], getattr(best, name), "o", color=colour)


def is_probe(history: pd.DataFrame) -> bool:
    """Whether this is the history of a linear probe, which has a row per C instead of per epoch."""
    return "C" in history and bool(history["C"].notna().all())


def steps_of(axes: Axes, history: pd.DataFrame) -> str:
    """The column that a history runs along, "epoch" or "C"; it labels the axis too."""
    if is_probe(history):
        axes.set(xlabel="C: inverse regularization strength", xscale="log")
        return "C"
    axes.set(xlabel="epoch")
    axes.locator_params(axis="x", integer=True)
    return "epoch"


def confusion(*reports: "Report") -> Figure:
    """Confusion matrix: pictures of each true class (rows) by predicted class (columns).

    Args:
        reports: of `evaluate`, at least one; several are drawn side by side.
    """
    count = len(reports[0].classes)
    side = max(3.2, 0.55 * count + 1.6)
    figure = Figure(figsize=(side * len(reports), side), layout="constrained")
    for axes, report in zip(figure.subplots(1, len(reports), squeeze=False).flat, reports, strict=True):
        _matrix(axes, report.confusion, report.run)
    return figure


def _matrix(axes: Axes, table: pd.DataFrame, title: str) -> None:
    shares = table.to_numpy() / table.to_numpy().sum(axis=1, keepdims=True).clip(1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (row, column), share in np.ndenumerate(shares):
        count = f"{table.iloc[row, column]}"
        text = f"{count}\n{share:.0%}" if len(table) <= 6 else count
        axes.text(column, row, text, ha="center", va="center", color="white" if share > 0.5 else INK)
    axes.set_xticks(range(len(table)), table.columns, rotation=0 if len(table) <= 4 else 60)
    axes.set_yticks(range(len(table)), table.index)
    axes.set(xlabel="named", ylabel="true", title=title)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)


def comparison(table: pd.DataFrame) -> Figure:
    """Accuracy of every run with its 95 % confidence interval; its label tells the time a picture takes.

    Args:
        table: as `compare.table` gives it.
    """
    figure, axes = figure_with_axes(5.6, 0.6 * len(table) + 1.1)
    for row, (_, run) in enumerate(table.iterrows()):
        colour = COLOURS[row % len(COLOURS)]
        axes.plot([run["low"], run["high"]], [row, row], color=colour, linewidth=5, alpha=0.35, solid_capstyle="round")
        axes.plot(run["accuracy"], row, "o", color=colour, markersize=9)
        text, point = f"{run['accuracy']:.1%}", (run["accuracy"], row)
        axes.annotate(text, point, (0, 9), textcoords="offset points", ha="center", fontsize=9)
    labels = [f"{name}\n{run['milliseconds']:.0f} ms" for name, run in table.iterrows()]
    axes.set_yticks(range(len(table)), labels)
    axes.set_ylim(len(table) - 0.5, -0.6)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 5, 10]))
    as_percent(axes.xaxis, form="g")
    axes.set_xlabel(f"right on {int(table['pictures'].iloc[0])} test pictures, with the 95 % interval")
    return figure


def reliability(probabilities: np.ndarray, labels: np.ndarray, *, bins: int = 10) -> Figure:
    """Reliability diagram: accuracy against confidence, and a histogram of the confidences.

    Args:
        probabilities: shape (n, classes).
        labels: shape (n,), class indices.
        bins: of equal mass, at least 1.
    """
    table = calibrate.reliability(probabilities, labels, bins=bins, equal="mass")
    figure = Figure(figsize=(4.4, 4.4), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(4, 1))
    above.plot([0, 1], [0, 1], color=FAINT, zorder=0)
    above.vlines(table["confidence"], table["confidence"], table["accuracy"], color=WRONG, alpha=0.5, linewidth=3)
    above.plot(table["confidence"], table["accuracy"], "o-", color=COLOURS[0], markersize=6)
    low = 1 / probabilities.shape[1]
    above.set(ylabel="right", xlim=(low - 0.02, 1.02), ylim=(min(low, table["accuracy"].min()) - 0.04, 1.04))
    gap = calibrate.expected_calibration_error(probabilities, labels, bins=bins, equal="mass")
    above.set_title(f"on average {gap:.1%} off", fontsize=10, color=INK, loc="left")
    below.hist(probabilities.max(axis=1), bins=np.linspace(low, 1, 21), color=COLOURS[0], alpha=0.6)
    below.set(xlabel="sure", ylabel="answers")
    for axes in (above, below):
        plain(axes)
        as_percent(axes.xaxis)
    as_percent(above.yaxis)
    return figure


def prediction(answer: "Prediction") -> Figure:
    """A picture as the network saw it, and the probabilities of its ten likeliest classes.

    Args:
        answer: as `predict.picture` gives it.
    """
    likeliest = sorted(answer.probabilities.items(), key=lambda item: -item[1])[:10]
    names, shares = [name for name, _ in likeliest], [share for _, share in likeliest]
    figure = Figure(figsize=(6.5, 2.6), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1, 1.6))
    show(left, answer.pixels, "as the network saw it")
    bars = right.barh(names, shares, color=[COLOURS[0], *[FAINT] * (len(names) - 1)])
    right.bar_label(bars, [f"{share:.1%}" for share in shares], padding=4)
    right.set_xlim(0, 1.18)
    right.set_xticks([])
    right.invert_yaxis()
    right.set_title(f"{answer.label}, {answer.probability:.1%} sure")
    plain(right)
    right.spines["bottom"].set_visible(False)
    return figure

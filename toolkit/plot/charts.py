"""Charts: counts, sizes, learning curves, comparisons, calibration, the probabilities of an answer."""

from collections.abc import Mapping
from itertools import cycle
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.path import Path
from matplotlib.ticker import MaxNLocator

from toolkit.dataset.manifest import Manifest
from toolkit.dataset.schema import UNLABELLED
from toolkit.model import calibrate
from toolkit.plot.figure import MIDDLE, WIDE, Figure, figure_with_axes, plain, show
from toolkit.plot.style import COLOURS, FAINT, INK, as_percent, end_at_one, ink_on, logarithmic, marks, shortened

if TYPE_CHECKING:  # so that looking at counts does not wait for TensorFlow
    from toolkit.model.bundle import Bundle
    from toolkit.model.predict import Prediction

MOST_COLOURS = 6  # classes with a colour of their own: nobody can tell more apart
MOST_DISCS = 60  # sizes that are drawn as discs with a number


def counts(table: pd.DataFrame, *, most: int | None = None) -> Figure:
    """Stacked bars of counts: one bar per class, divided by column.

    Args:
        table: as `Manifest.counts` gives it; its totals are left out.
        most: classes that are drawn, of more the smallest and the largest; None draws all.
    """
    table = table.drop(index="total", columns="total", errors="ignore")
    totals, classes = table.sum(), len(table)
    if most and classes > most:
        order = np.argsort(table.sum(axis=1).to_numpy(), kind="stable")
        table = table.iloc[np.sort(np.append(order[: most // 2], order[classes - (most + 1) // 2 :]))]
    figure, axes = figure_with_axes(7, (0.55 if len(table) <= 10 else 0.28) * len(table) + 1)
    start = np.zeros(len(table))
    readable = table.to_numpy().sum(axis=1).max() / 22  # the number in a shorter bar would not be
    names = [shortened(name) for name in table.index]
    for colour, column in zip(cycle(COLOURS), table, strict=False):
        bars = axes.barh(
            range(len(table)),
            table[column],
            left=start,
            color=colour,
            label=f"{shortened(column)}: {totals[column]:,}",
        )
        labels = [f"{count:,}" if count > readable else "" for count in table[column]]
        axes.bar_label(bars, labels, label_type="center", color=ink_on(colour), fontsize=9)
        start += table[column].to_numpy()
    axes.set_yticks(range(len(table)), names)
    axes.set_ylim(len(table) - 0.5, -0.5)
    beyond = f" of the {len(table)} smallest and largest of {classes:,} classes" if classes > len(table) else ""
    axes.set_xlabel(f"pictures{beyond}")
    figure.legend(ncols=4, loc="outside upper left", frameon=False)
    return figure


def sizes(manifest: Manifest) -> Figure:
    """Width and height of the pictures: a disc per size, its area their number, divided by class; square ones lie on
    the line.

    With more than six classes a disc is of one colour; with more than 60 sizes every picture is a dot.

    Args:
        manifest: a verified manifest.
    """
    figure, axes = figure_with_axes(5.5, 4.5)
    table = manifest.table[manifest.table["width"] > 0]
    colours = {label: mark.colour for label, mark in marks(manifest.classes).items()}
    if len(manifest.labels) > len(colours):
        table = table.replace({"label": {"": UNLABELLED}})
        colours[UNLABELLED] = FAINT
    if len(colours) > MOST_COLOURS:
        colours = {f"all {len(colours)} classes": COLOURS[0]}
        table = table.assign(label=next(iter(colours)))
    if table.groupby(["width", "height"]).ngroups > MOST_DISCS:
        mixed = table.sample(frac=1, random_state=0)  # so that no class hides another
        axes.scatter(mixed["width"], mixed["height"], s=14, c=mixed["label"].map(colours), alpha=0.6, linewidths=0)
    else:
        _discs(axes, table, colours)
    _equal_sides(axes, table)
    handles = [Line2D([], [], marker="o", linestyle="", color=colour) for colour in colours.values()]
    figure.legend(handles, list(map(shortened, colours)), loc="outside upper left", ncols=3, frameon=False)
    return figure


def _discs(axes: Axes, table: pd.DataFrame, colours: Mapping[str, str]) -> None:
    """A disc for each size, cut into wedges by class, with the number of pictures beside it."""
    most = table.groupby(["width", "height"]).size().max()
    for (width, height), same in table.groupby(["width", "height"]):
        area, start = 40 + 500 * len(same) / most, 0.0
        for label, colour in colours.items():
            share = (same["label"] == label).mean()
            angles = 2 * np.pi * np.linspace(start, start + share, 40)
            wedge = np.column_stack([[0, *np.sin(angles)], [0, *np.cos(angles)]])[int(share == 1) :]
            reach = np.abs(wedge).max() ** 2
            if share:
                axes.scatter(width, height, marker=Path(wedge), s=area * reach, color=colour, linewidths=0)
            start += share
        offset = (area**0.5 / 2 + 3, 0)
        axes.annotate(f"{len(same):,}", (width, height), offset, textcoords="offset points", va="center", fontsize=9)


def _equal_sides(axes: Axes, table: pd.DataFrame) -> None:
    """The line of squares, and logarithmic axes where sizes differ more than five times."""
    sides = table[["width", "height"]].to_numpy() if len(table) else np.array([[1, 1]])
    least, most = sides.min(), sides.max()
    axes.set(xlabel="width in pixels", ylabel="height in pixels")
    if most > 5 * least:
        for axis in (axes.xaxis, axes.yaxis):
            logarithmic(axis, least * 0.9, most * 1.1)
    else:
        axes.set(xlim=(0, 1.2 * most), ylim=(0, 1.2 * most))
    axes.plot([1, 2 * most], [1, 2 * most], color=FAINT, zorder=0, scalex=False, scaley=False)


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
    figure = Figure(figsize=(WIDE, 3.4), layout="constrained")
    loss, accuracy = figure.subplots(1, 2)
    beside_epochs = not all(is_probe(run.history) for run in runs)
    looks = marks(run.name for run in runs)
    for axes, name in ((loss, "loss"), (accuracy, "accuracy")):
        axes.set(ylabel=name)
        plain(axes)
        for run in runs:
            _curve(axes, name, run, looks[run.name].colour, beside_epochs=beside_epochs)
    as_percent(accuracy.yaxis)
    end_at_one(accuracy)
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


def comparison(table: pd.DataFrame) -> Figure:
    """Accuracy of every run with its 95 % confidence interval; its label tells the time a picture takes.

    Args:
        table: as `compare.table` gives it.
    """
    figure, axes = figure_with_axes(5.6, 0.6 * len(table) + 1.1)
    looks = marks(table.index)
    for row, (name, run) in enumerate(table.iterrows()):
        colour, marker, _ = looks[name]
        axes.plot([run["low"], run["high"]], [row, row], color=colour, linewidth=5, alpha=0.35, solid_capstyle="round")
        axes.plot(run["accuracy"], row, marker, color=colour, markersize=9)
        text, point = f"{run['accuracy']:.1%}", (run["accuracy"], row)
        axes.annotate(text, point, (0, 9), textcoords="offset points", ha="center", fontsize=9)
    labels = [f"{shortened(name)}\n{run['milliseconds']:.0f} ms" for name, run in table.iterrows()]
    axes.set_yticks(range(len(table)), labels)
    axes.set_ylim(len(table) - 0.5, -0.6)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 5, 10]))
    as_percent(axes.xaxis)
    end_at_one(axes, "x")
    axes.set_xlabel(f"right on {int(table['pictures'].iloc[0])} test pictures, with the 95 % interval")
    return figure


def reliability(probabilities: np.ndarray, labels: np.ndarray, *, bins: int = 10) -> Figure:
    """Reliability diagram: accuracy against confidence, and a histogram of the confidences.

    Args:
        probabilities: shape (n, classes).
        labels: shape (n,), class indices.
        bins: of equal mass, at least 1.
    """
    from toolkit.evaluation.significance import wilson  # scipy.stats, a second

    table = calibrate.reliability(probabilities, labels, bins=bins, equal="mass")
    figure = Figure(figsize=(4.6, 4.6), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(4, 1))
    above.plot([0, 1], [0, 1], color=FAINT, zorder=0)
    right = (table["accuracy"] * table["answers"]).round().astype(int)
    low, high = np.transpose([wilson(*pair) for pair in zip(right, table["answers"], strict=True)])
    above.vlines(table["confidence"], low, high, color=COLOURS[0], alpha=0.35, linewidth=3)
    above.plot(table["confidence"], table["accuracy"], "o", color=COLOURS[0], markersize=6)
    least = 1 / probabilities.shape[1]
    above.set(
        ylabel="right, with the 95 % interval", xlim=(least - 0.02, 1.02), ylim=(min(least, low.min()) - 0.04, 1.04)
    )
    gap = calibrate.expected_calibration_error(probabilities, labels, bins=bins, equal="mass")
    above.set_title(f"on average {gap:.1%} off", fontsize=10, color=INK, loc="left")
    below.hist(probabilities.max(axis=1), bins=np.linspace(least, 1, 21).tolist(), color=COLOURS[0], alpha=0.6)
    below.set(xlabel="probability of the answer", ylabel="answers")
    for axes in (above, below):
        plain(axes)
        as_percent(axes.xaxis)
    as_percent(above.yaxis)
    return figure


def prediction(answer: "Prediction") -> Figure:
    """A picture as the network saw it, its answer, and the probabilities of the ten likeliest classes.

    The answer may be "not sure" or "unlike anything it learned"; the bars then say what it would have been called.

    Args:
        answer: as `predict.picture` gives it.
    """
    likeliest = sorted(answer.probabilities.items(), key=lambda item: -item[1])[:10]
    names, shares = [name for name, _ in likeliest], [share for _, share in likeliest]
    figure = Figure(figsize=(MIDDLE, max(2.6, 0.28 * len(names) + 0.8)), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1, 1.6))
    show(left, answer.pixels, "as the network saw it")
    bars = right.barh(range(len(names)), shares, color=[COLOURS[0], *[FAINT] * (len(names) - 1)])
    right.bar_label(bars, [f"{share:.1%}" if share >= 5e-4 else "below 0.1%" for share in shares], padding=4)
    right.set_yticks(range(len(names)), [shortened(name) for name in names])
    right.set_xlim(0, 1.3)
    right.set_xticks([0, 1], ["0%", "100%"])
    right.axvline(1, color=FAINT, linewidth=1, zorder=0)
    right.set_ylim(len(names) - 0.4, -0.6)
    named = f"{shortened(answer.label, 24)}, {answer.probability:.1%} sure"
    right.set_title(named if answer.answer == answer.label else answer.answer)
    plain(right)
    right.spines["bottom"].set_visible(False)
    return figure

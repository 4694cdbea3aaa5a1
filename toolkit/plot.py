"""Pictures of datasets, trainings and results. Every function takes a result and gives a matplotlib `Figure`."""

import io
import math
import re
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.figure import Figure as _Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from toolkit import dedup, images
from toolkit.errors import ImageError
from toolkit.manifest import Manifest

if TYPE_CHECKING:  # so that looking at pictures does not wait for TensorFlow
    from toolkit.bundle import Bundle
    from toolkit.evaluate import Report
    from toolkit.predict import Prediction

COLOURS = ("#2f6db3", "#e08a2e", "#4c9a5f", "#b3477d", "#7a68b8", "#8a6d4b", "#3aa3a8", "#8c8c8c", "#c9b037", "#c0504d")
RIGHT, WRONG, INK, FAINT = "#4c9a5f", "#c0504d", "#333333", "#d9d9d9"
SHEET_SIDE = 120  # pixels of a picture on a contact sheet, with the gap around it


class Figure(_Figure):
    """A matplotlib figure that shows itself in any notebook, with no global state and nothing to close."""

    def _repr_png_(self) -> bytes:
        return png(self)


def png(figure: _Figure, *, dots_per_inch: int = 110) -> bytes:
    """The figure as the bytes of a PNG."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dots_per_inch, bbox_inches="tight", pad_inches=0.08, facecolor="white")
    return buffer.getvalue()


def sample_grid(manifest: Manifest, *, per_class: int = 8, seed: int = 0) -> Figure:
    """Some pictures of every class, a row each.

    Args:
        manifest: what to look at; `manifest.where(status="ok")` for what is in use.
        per_class: pictures per row, at least 1.
        seed: another one shows other pictures.
    """
    rows = []
    for label in manifest.classes:
        some = manifest.where(label=label)
        take = np.random.default_rng(seed).permutation(len(some))[:per_class]
        rows.append([(some.files[place], "") for place in sorted(take)])
    return gallery(rows, titles=manifest.classes, columns=per_class)


def contact_sheet(manifest: Manifest, label: str, *, page: int = 1, columns: int = 10, rows: int = 8) -> Figure:
    """All pictures of one label, a sheet at a time; what is not used has a frame and its status.

    Args:
        manifest: what to look at.
        label: one of its classes.
        page: number of the sheet, from 1 to `sheets(manifest, label)`.
        columns, rows: pictures per sheet.

    Raises:
        ValueError: there is no such label or sheet.

    >>> contact_sheet(manifest, "cars", page=2)  # doctest: +SKIP
    """
    last = sheets(manifest, label, per_sheet=columns * rows)
    if not 1 <= page <= last:
        raise ValueError(f"expected a sheet from 1 to {last} of {label!r}, got {page}")
    some = manifest.where(label=label)
    shown = some.table["status"].to_numpy()[(page - 1) * columns * rows : page * columns * rows]
    files = some.files[(page - 1) * columns * rows : page * columns * rows]
    figure, axes = _figure(0.9 * columns, 0.9 * -(-len(files) // columns) + 0.3)
    axes.imshow(_montage(files, columns))
    for place, status in enumerate(shown):
        if status not in ("new", "ok"):
            _mark(axes, place % columns * SHEET_SIDE, place // columns * SHEET_SIDE, status)
    axes.set_title(f"{label}, sheet {page} of {last}", fontsize=9, color=INK, loc="left")
    axes.axis("off")
    return figure


def sheets(manifest: Manifest, label: str, *, per_sheet: int = 80) -> int:
    """On how many sheets all pictures of a label fit, at least 1."""
    if label not in manifest.classes:
        raise ValueError(f"expected a label of {', '.join(manifest.classes)}, got {label!r}")
    return max(1, math.ceil(len(manifest.where(label=label)) / per_sheet))


def left_out(manifest: Manifest, *, per_status: int = 5) -> Figure:
    """Some pictures that are not used, of every status, with the reason under each."""
    table = manifest.left_out().groupby("status").head(per_status).sort_values(["status", "path"])
    shown = [(manifest.root / row.path, f"{row.status}: {_hidden_names(row.reason)}") for row in table.itertuples()]
    return gallery(_lines(shown, 7), columns=7, side=1.45)


def duplicate_groups(manifest: Manifest, *, count: int = 8) -> Figure:
    """Groups of pictures that were found to be the same picture, set apart by a gap; the kept copy comes first."""
    copies = manifest.table[manifest.table["status"].isin(dedup.COMPARED) & (manifest.table["group"] != "")]
    sizes = copies["group"].value_counts()
    names = sorted(sizes[sizes > 1].index, key=lambda name: (-sizes[name], name))[:count]
    rows: list[list] = [[]]
    for name in names:
        members = copies[copies["group"] == name].sort_values(["status", "path"], ascending=[False, True]).head(6)
        if len(rows[-1]) + 1 + len(members) > 8:
            rows.append([])
        rows[-1] += [(None, "")] if rows[-1] else []
        for row in members.itertuples():
            fate = "kept" if row.status == "ok" else row.status
            rows[-1].append((manifest.root / row.path, f"{row.label}, {fate}\n{row.width}×{row.height}"))
    return gallery(rows, columns=8, side=1.3)


def counts(table: pd.DataFrame) -> Figure:
    """A table of counts (`Manifest.counts`) as bars, one per class, divided by column."""
    table = table.drop(index="total", columns="total", errors="ignore")
    figure, axes = _figure(7, 0.55 * len(table) + 1)
    start = np.zeros(len(table))
    for colour, column in zip(COLOURS, table, strict=False):
        bars = axes.barh(table.index, table[column], left=start, color=colour, label=column)
        wide = table.to_numpy().sum(axis=1).max() / 25
        axes.bar_label(
            bars, [n if n > wide else "" for n in table[column]], label_type="center", color="white", fontsize=9
        )
        start += table[column].to_numpy()
    axes.invert_yaxis()
    axes.set_xlabel("pictures")
    axes.legend(ncols=4, loc="lower left", bbox_to_anchor=(0, 1), frameon=False)
    return figure


def sizes(manifest: Manifest) -> Figure:
    """Width and height of every picture, and where the shortest side is too small to be scaled down."""
    figure, axes = _figure(5.5, 4.5)
    for colour, label in zip(COLOURS, manifest.classes, strict=False):
        some = manifest.where(label=label).table
        axes.scatter(some["width"], some["height"], s=14, alpha=0.5, color=colour, label=label, linewidths=0)
    most = max(manifest.table["width"].max(), manifest.table["height"].max(), 1)
    axes.plot([0, most], [0, most], color=FAINT, zorder=0)
    axes.set(xlabel="width in pixels", ylabel="height in pixels")
    axes.legend(frameon=False)
    return figure


def before_after(sources: Sequence[images.Source], *, size: int) -> Figure:
    """Pictures as they came with the square that is kept drawn in, above what the network sees."""
    figure = Figure(figsize=(1.7 * len(sources), 3.6), layout="constrained")
    grid = figure.subplots(2, len(sources), squeeze=False)
    for column, source in enumerate(sources):
        picture = images.read(source)
        side = min(picture.size)
        corner = ((picture.width - side) / 2 - 0.5, (picture.height - side) / 2 - 0.5)
        _show(grid[0, column], np.asarray(picture), f"{picture.width}×{picture.height}")
        grid[0, column].add_patch(_rectangle(corner, side))
        _show(grid[1, column], images.prepare(source, size), f"{size}×{size}")
    return figure


def sizes_of(source: images.Source, sizes: Sequence[int]) -> Figure:
    """One picture as squares of several sizes, all drawn equally large."""
    return gallery([[(images.prepare(source, size), f"{size}×{size}") for size in sizes]], columns=len(sizes), side=2)


def augmentations(original: np.ndarray, changed: np.ndarray) -> Figure:
    """One picture and several random changes of it.

    Args:
        original: uint8 array of shape (side, side, 3).
        changed: uint8 array of shape (n, side, side, 3), from `augment.examples`.
    """
    shown = [(original, "original"), *((picture, "") for picture in changed)]
    columns = math.ceil(len(shown) / 2)
    return gallery([shown[:columns], shown[columns:]], columns=columns, side=1.5)


def curves(*runs: "Bundle") -> Figure:
    """Loss and accuracy per epoch, train dashed and validation solid; the epoch that was kept is marked."""
    figure = Figure(figsize=(9, 3.4), layout="constrained")
    loss, accuracy = figure.subplots(1, 2)
    for colour, run in zip(COLOURS, runs, strict=False):
        history = run.history
        kept = history.loc[history["val_loss"].idxmin()]
        for axes, name in ((loss, "loss"), (accuracy, "accuracy")):
            axes.plot(history["epoch"], history[name], "--", color=colour, alpha=0.6, label=f"{run.name}, train")
            axes.plot(history["epoch"], history[f"val_{name}"], color=colour, label=f"{run.name}, val")
            axes.plot(kept["epoch"], kept[f"val_{name}"], "o", color=colour)
            axes.set(xlabel="epoch", ylabel=name)
            axes.xaxis.get_major_locator().set_params(integer=True)
            _plain(axes)
    accuracy.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    figure.legend(*loss.get_legend_handles_labels(), loc="outside right center", frameon=False, fontsize=9)
    return figure


def confusion(report: "Report") -> Figure:
    """How many pictures of each class were named what."""
    table = report.confusion
    side = max(3.2, 0.55 * len(table) + 1.6)
    figure, axes = _figure(side, side)
    shares = table.to_numpy() / table.to_numpy().sum(axis=1, keepdims=True).clip(1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (row, column), share in np.ndenumerate(shares):
        text = f"{table.iloc[row, column]}\n{share:.0%}" if len(table) <= 6 else f"{table.iloc[row, column]}"
        axes.text(column, row, text, ha="center", va="center", color="white" if share > 0.5 else INK)
    axes.set_xticks(range(len(table)), table.columns, rotation=0 if len(table) <= 4 else 60)
    axes.set_yticks(range(len(table)), table.index)
    axes.set(xlabel="named", ylabel="true", title=report.run)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    return figure


def mistakes(report: "Report", manifest: Manifest, *, count: int = 12) -> Figure:
    """The pictures named wrong, the surest first, each with its true class and what it was called."""
    shown = [
        (manifest.root / row.path, f"{row.label}, called\n{row.predicted} ({row.probability:.0%})")
        for row in report.mistakes.head(count).itertuples()
    ]
    return gallery(_lines(shown, 6), columns=6, side=1.5)


def comparison(table: pd.DataFrame) -> Figure:
    """The accuracy of every run with its 95 % interval, beside the time a picture takes."""
    figure, axes = _figure(7.5, 0.6 * len(table) + 1.1)
    for row, (_, run) in enumerate(table.iterrows()):
        colour = COLOURS[row % len(COLOURS)]
        axes.plot([run["low"], run["high"]], [row, row], color=colour, linewidth=5, alpha=0.35, solid_capstyle="round")
        axes.plot(run["accuracy"], row, "o", color=colour, markersize=9)
        axes.annotate(
            f"{run['accuracy']:.1%}",
            (run["accuracy"], row),
            (0, 9),
            textcoords="offset points",
            ha="center",
            fontsize=9,
        )
    labels = [f"{name}\n{run['milliseconds']:.0f} ms" for name, run in table.iterrows()]
    axes.set_yticks(range(len(table)), labels)
    axes.set_ylim(len(table) - 0.5, -0.6)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 5, 10]))
    axes.xaxis.set_major_formatter(lambda value, _: f"{100 * value:g}%")
    axes.set_xlabel(f"right on {int(table['pictures'].iloc[0])} test pictures, with the 95 % interval")
    return figure


def prediction(answer: "Prediction") -> Figure:
    """A picture as the network saw it, and its probability for every class."""
    names, shares = zip(*sorted(answer.probabilities.items(), key=lambda item: -item[1])[:10], strict=True)
    figure = Figure(figsize=(6.5, 2.6), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1, 1.6))
    _show(left, answer.pixels, "as the network saw it")
    bars = right.barh(names, shares, color=[COLOURS[0], *[FAINT] * (len(names) - 1)])
    right.bar_label(bars, [f"{share:.1%}" for share in shares], padding=4)
    right.set_xlim(0, 1.18)
    right.set_xticks([])
    right.invert_yaxis()
    right.set_title(f"{answer.label}, {answer.probability:.1%} sure")
    _plain(right)
    right.spines["bottom"].set_visible(False)
    return figure


def gallery(
    rows: Sequence[Sequence[tuple[images.Source | np.ndarray | None, str]]],
    *,
    titles: Sequence[str] = (),
    columns: int,
    side: float = 1.3,
) -> Figure:
    """Rows of captioned pictures.

    Args:
        rows: pairs of a picture and its caption. A picture is a path, the bytes of a file or a uint8 array; None leaves
            a gap, and one that cannot be opened is an empty frame.
        titles: words to the left of each row.
        columns: pictures that fit into a row.
        side: of each picture, in inches.
    """
    rows = [row for row in rows if row]
    if not rows:
        return _nothing()
    captions = [[_wrapped(caption, side) for _, caption in row] for row in rows]
    lines = max(caption.count("\n") + bool(caption) for row in captions for caption in row)
    height = side + 0.04 + 0.13 * lines
    figure = Figure(figsize=(side * columns + (0.8 if titles else 0), height * len(rows)), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.03, h_pad=0.03)
    grid = figure.subplots(len(rows), columns, squeeze=False)
    for axes in grid.flat:
        axes.axis("off")
    for line, row, words in zip(grid, rows, captions, strict=True):
        for axes, (source, _), caption in zip(line, row, words, strict=False):
            if source is not None:
                _show(axes, source if isinstance(source, np.ndarray) else _thumbnail(source), caption, fontsize=7)
    for line, title in zip(grid, titles, strict=False):
        line[0].text(-0.08, 0.5, title, transform=line[0].transAxes, ha="right", va="center", fontsize=11)
    return figure


def _lines(cells: list, length: int) -> list[list]:
    return [cells[start : start + length] for start in range(0, len(cells), length)]


def _wrapped(caption: str, side: float) -> str:
    """A caption broken into lines as wide as its picture."""
    return "\n".join(part for line in caption.splitlines() for part in textwrap.wrap(line, int(side * 17)))


def _hidden_names(reason: str) -> str:
    """A reason without the long file names in it, which nobody reads on a picture."""
    return re.sub(r"raw/([^/]+)/\S+", r"one in \1", reason)


def _montage(files: Sequence[images.Source], columns: int) -> np.ndarray:
    """Small squares side by side as one picture, which draws many times faster than each on its own."""
    side, inner = SHEET_SIDE, SHEET_SIDE - 6
    sheet = np.full((side * max(1, -(-len(files) // columns)), side * columns, 3), 255, np.uint8)
    for place, file in enumerate(files):
        top, left = place // columns * side + 3, place % columns * side + 3
        sheet[top : top + inner, left : left + inner] = _thumbnail(file, inner)
    return sheet


def _mark(axes: object, left: int, top: int, status: str) -> None:
    """A frame and a word on a picture of a sheet."""
    side = SHEET_SIDE - 4
    axes.add_patch(Rectangle((left + 1.5, top + 1.5), side, side, fill=False, edgecolor=WRONG, linewidth=2))
    place = (left + SHEET_SIDE / 2, top + SHEET_SIDE - 8)
    box = {"facecolor": WRONG, "edgecolor": "none", "pad": 1.5}
    axes.text(*place, status, ha="center", va="bottom", fontsize=6, color="white", bbox=box)


def _thumbnail(source: images.Source, side: int = 160) -> np.ndarray:
    try:
        return np.asarray(images.square(images.read(source, min_side=side), side))
    except ImageError:
        return np.full((side, side, 3), 225, np.uint8)


def _show(axes: object, pixels: np.ndarray, caption: str, *, fontsize: int = 9) -> None:
    """A picture with its caption below, for which the layout keeps room."""
    axes.imshow(pixels)
    axes.axis("on")
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    axes.set_xlabel(caption, fontsize=fontsize, color=INK, labelpad=3)


def _rectangle(corner: tuple[float, float], side: int) -> Rectangle:
    return Rectangle(corner, side, side, fill=False, edgecolor="white", linewidth=2)


def _nothing() -> Figure:
    figure = Figure(figsize=(3, 0.5))
    figure.text(0.5, 0.5, "nothing to show", ha="center", va="center", color=INK)
    return figure


def _figure(width: float, height: float) -> tuple[Figure, object]:
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots()
    _plain(axes)
    return figure, axes


def _plain(axes: object) -> None:
    axes.spines[["top", "right"]].set_visible(False)

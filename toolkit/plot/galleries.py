"""Pictures side by side: samples, duplicates, what was left out, what was named wrong."""

import math
import re
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.patches import Rectangle

from toolkit import images
from toolkit.dataset.manifest import Manifest
from toolkit.dataset.schema import COMPARED
from toolkit.errors import ImageError
from toolkit.plot.figure import INK, WRONG, Figure, Gallery, figure_with_axes, nothing, show

if TYPE_CHECKING:  # so that looking at pictures does not wait for TensorFlow
    from toolkit.evaluation.evaluate import Report

SHEET_SIDE = 120  # pixels of a picture on a contact sheet, with the gap around it


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
    figure, axes = figure_with_axes(0.9 * columns, 0.9 * -(-len(files) // columns) + 0.3)
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


def duplicate_groups(manifest: Manifest, *, count: int = 8, pairs: pd.DataFrame | None = None) -> Figure:
    """Groups of pictures that were found to be the same picture, set apart by a gap; the kept copy comes first.

    Args:
        manifest: what `dedup.group` gave.
        count: groups, at most; the largest ones.
        pairs: what `dedup.pairs` gave; then every copy also says how far it is from the first of its group: bits of the
            hash, and what the second look found.
    """
    copies = manifest.table[manifest.table["status"].isin(COMPARED) & (manifest.table["group"] != "")]
    sizes = copies["group"].value_counts()
    names = sorted(sizes[sizes > 1].index, key=lambda name: (-sizes[name], name))[:count]
    measured = {} if pairs is None else _measured(pairs)
    rows: list[list] = [[]]
    for name in names:
        members = copies[copies["group"] == name].sort_values(["status", "path"], ascending=[False, True]).head(6)
        if len(rows[-1]) + 1 + len(members) > 8:
            rows.append([])
        rows[-1] += [(None, "")] if rows[-1] else []
        for row in members.itertuples():
            fate = "kept" if row.status == "ok" else row.status
            apart = measured.get(frozenset((row.path, members["path"].iloc[0])), "")
            rows[-1].append((manifest.root / row.path, f"{row.label}, {fate}\n{row.width}×{row.height}{apart}"))
    return gallery(rows, columns=8, side=1.3)


def oddest(manifest: Manifest, *, count: int = 7) -> Figure:
    """The darkest, brightest, blurriest, emptiest and most elongated pictures, a row each, the oddest first.

    Args:
        manifest: what `verify.check` gave; `manifest.where(status="ok")` for what is in use.
        count: pictures per row, at least 1.

    >>> oddest(manifest.where(status="ok"))  # doctest: +SKIP
    """
    table = manifest.table[manifest.table["width"] > 0]
    longer = np.maximum(table["aspect"], 1 / table["aspect"])
    orders = {
        "darkest": (table["brightness"], "brightness {:.0f}"),
        "brightest": (-table["brightness"], "brightness {:.0f}"),
        "blurriest": (table["sharpness"], "sharpness {:.0f}"),
        "emptiest": (table["entropy"], "entropy {:.1f}"),
        "longest": (-longer, "{:.1f} : 1"),
    }
    rows = []
    for values, words in orders.values():
        chosen = values.sort_values(kind="stable").head(count)
        rows.append([(manifest.root / table["path"][row], words.format(abs(value))) for row, value in chosen.items()])
    return gallery(rows, titles=list(orders), columns=count)


def before_after(sources: Sequence[images.Source], *, size: int) -> Figure:
    """Pictures as they came with the square that is kept drawn in, above what the network sees."""
    figure = Figure(figsize=(1.7 * len(sources), 3.6), layout="constrained")
    grid = figure.subplots(2, len(sources), squeeze=False)
    for column, source in enumerate(sources):
        picture = images.read(source)
        side = min(picture.size)
        corner = ((picture.width - side) / 2 - 0.5, (picture.height - side) / 2 - 0.5)
        show(grid[0, column], np.asarray(picture), f"{picture.width}×{picture.height}")
        grid[0, column].add_patch(_rectangle(corner, side))
        show(grid[1, column], images.prepare(source, size), f"{size}×{size}")
    return figure


def sizes_of(source: images.Source, sizes: Sequence[int]) -> Figure:
    """One picture as squares of several sizes, all drawn equally large."""
    return gallery([[(images.prepare(source, size), f"{size}×{size}") for size in sizes]], columns=len(sizes), side=2)


def resize_modes(sources: Sequence[images.Source], *, size: int) -> Figure:
    """Pictures as they came, and as squares made in each of the ways there are: a row per picture."""
    rows = []
    for source in sources:
        picture = images.read(source)
        squares = [(images.prepare(source, size, mode), mode) for mode in images.MODES]
        rows.append([(np.asarray(picture), f"as it came, {picture.width}×{picture.height}"), *squares])
    return gallery(rows, columns=1 + len(images.MODES), side=1.8)


def enlarged(manifest: Manifest, *, size: int, count: int = 6) -> Figure:
    """The pictures that were enlarged most, as squares, each with its size and the factor; they hold no more detail."""
    table = manifest.table[manifest.table["enlarged"] > 1].sort_values("enlarged", ascending=False, kind="stable")
    shown = [
        (images.prepare(manifest.root / row.path, size), f"{row.width}×{row.height}\nenlarged {row.enlarged:g} times")
        for row in table.head(count).itertuples()
    ]
    return gallery(_lines(shown, 6), columns=6, side=1.5)


def augmentations(original: np.ndarray, changed: np.ndarray) -> Figure:
    """One picture and several random changes of it.

    Args:
        original: uint8 array of shape (side, side, 3).
        changed: uint8 array of shape (n, side, side, 3), from `augment.examples`.
    """
    shown = [(original, "original"), *((picture, "") for picture in changed)]
    columns = math.ceil(len(shown) / 2)
    return gallery([shown[:columns], shown[columns:]], columns=columns, side=1.5)


def mixed(
    before: np.ndarray, after: np.ndarray, *, labels: np.ndarray, classes: Sequence[str], columns: int = 8
) -> Figure:
    """A batch before it is mixed, and below what the network sees, with what the label has become.

    Args:
        before, after: uint8 arrays of shape (n, side, side, 3), the second from `mixing.examples`.
        labels: shape (n, classes), the shares that came with it.
        classes: names of the classes.
        columns: pictures to show, from the first.
    """
    shares = [
        "\n".join(f"{name} {share:.0%}" for name, share in zip(classes, row, strict=True) if share >= 0.005)
        for row in labels[:columns]
    ]
    rows = [[(picture, "") for picture in before[:columns]], list(zip(after[:columns], shares, strict=True))]
    return gallery(rows, titles=("before", "after"), columns=columns)


def mistakes(report: "Report", manifest: Manifest, *, count: int = 12) -> Figure:
    """The pictures named wrong, the surest first, each with its true class and what it was called."""
    shown = [
        (manifest.root / row.path, f"{row.label}, called\n{row.predicted} ({row.probability:.0%})")
        for row in report.mistakes.head(count).itertuples()
    ]
    return gallery(_lines(shown, 6), columns=6, side=1.5)


def suspects(table: pd.DataFrame, manifest: Manifest, *, count: int = 24) -> Figure:
    """A contact sheet of the likeliest wrong labels: the probability of the given one, and of what it may be instead.

    Args:
        table: what `labels.check` gives.
        manifest: the dataset.
        count: pictures that are shown, the most suspicious first.
    """
    shown = [(manifest.root / row.path, row.reason.replace(", ", "\n")) for row in table.head(count).itertuples()]
    return gallery(_lines(shown, 6), columns=6, side=1.5)


def gallery(
    rows: Sequence[Sequence[tuple[images.Source | np.ndarray | None, str]]],
    *,
    titles: Sequence[str] = (),
    columns: int,
    side: float = 1.3,
    aspect: float = 1.0,
    flows: bool = True,
) -> Gallery:
    """Rows of captioned pictures.

    Args:
        rows: pairs of a picture and its caption. A picture is a path, the bytes of a file or a uint8 array; None leaves
            a gap, and one that cannot be opened is an empty frame.
        titles: words to the left of each row.
        columns: pictures that fit into a row.
        side: width of each picture, in inches.
        aspect: height of each picture over its width; files are shown as squares.
        flows: whether a page may divide the rows in another way; one with titles never does.
    """
    rows = [row for row in rows if row]
    if not rows:
        return nothing()
    captions = [[_wrapped(caption, side) for _, caption in row] for row in rows]
    lines = max(caption.count("\n") + bool(caption) for row in captions for caption in row)
    height = side * aspect + 0.04 + 0.13 * lines
    size = (side * columns + (0.8 if titles else 0), height * len(rows))
    figure = Gallery(rows, titles, aspect, flows, figsize=size, layout="constrained")
    figure.get_layout_engine().set(w_pad=0.03, h_pad=0.03)
    grid = figure.subplots(len(rows), columns, squeeze=False)
    for axes in grid.flat:
        axes.axis("off")
    for line, row, words in zip(grid, rows, captions, strict=True):
        for axes, (source, _), caption in zip(line, row, words, strict=False):
            if source is not None:
                show(axes, thumbnail(source), caption, fontsize=7)
    for line, title in zip(grid, titles, strict=False):
        line[0].text(-0.08, 0.5, title, transform=line[0].transAxes, ha="right", va="center", fontsize=11)
    return figure


def _measured(pairs: pd.DataFrame) -> dict[frozenset, str]:
    """How far the two pictures of each pair are from each other, in words."""
    return {
        frozenset((row.path, row.other)): f"\n{row.distance} bits, {row.difference:.3f}" for row in pairs.itertuples()
    }


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
        sheet[top : top + inner, left : left + inner] = thumbnail(file, inner)
    return sheet


def _mark(axes: object, left: int, top: int, status: str) -> None:
    """A frame and a word on a picture of a sheet."""
    side = SHEET_SIDE - 4
    axes.add_patch(Rectangle((left + 1.5, top + 1.5), side, side, fill=False, edgecolor=WRONG, linewidth=2))
    place = (left + SHEET_SIDE / 2, top + SHEET_SIDE - 8)
    box = {"facecolor": WRONG, "edgecolor": "none", "pad": 1.5}
    axes.text(*place, status, ha="center", va="bottom", fontsize=6, color="white", bbox=box)


def thumbnail(source: images.Source | np.ndarray, side: int = 160) -> np.ndarray:
    """The middle square of a picture, small: uint8 array; an array is given back as it is, what is damaged is grey."""
    if isinstance(source, np.ndarray):
        return source
    try:
        return np.asarray(images.square(images.read(source, min_side=side), side))
    except ImageError:
        return np.full((side, side, 3), 225, np.uint8)


def _rectangle(corner: tuple[float, float], side: int) -> Rectangle:
    return Rectangle(corner, side, side, fill=False, edgecolor="white", linewidth=2)

"""Contact sheets: all pictures of a label, small, a sheet at a time."""

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from toolkit import images
from toolkit.dataset.manifest import Manifest
from toolkit.plot.figure import Figure, figure_with_axes
from toolkit.plot.style import INK, WRONG
from toolkit.plot.tiles import thumbnail

SIDE = 120  # pixels of a picture on a sheet, with the gap around it


def contact_sheet(manifest: Manifest, label: str, *, page: int = 1, columns: int = 10, rows: int = 8) -> Figure:
    """All pictures of one label, a sheet at a time; what is not used has a frame and its status.

    Columns have letters and rows numbers, so that people can speak of C2.

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
    of_label = manifest.where(label=label)
    part = slice((page - 1) * columns * rows, page * columns * rows)
    files, statuses = of_label.files[part], of_label.table["status"].to_numpy()[part]
    figure, axes = figure_with_axes(0.9 * columns, 0.9 * math.ceil(len(files) / columns) + 0.3)
    axes.imshow(_montage(files, columns))
    for index, status in enumerate(statuses):
        if status not in ("new", "ok"):
            _mark(axes, index % columns * SIDE, index // columns * SIDE, status)
    axes.set_title(f"{label}, sheet {page} of {last}", fontsize=9, color=INK, loc="left")
    _numbered(axes, len(files), columns)
    return figure


def sheets(manifest: Manifest, label: str, *, per_sheet: int = 80) -> int:
    """Number of contact sheets that all pictures of a label fill, at least 1.

    Args:
        manifest: what to look at.
        label: one of its classes.
        per_sheet: pictures on a sheet, at least 1.

    Raises:
        ValueError: there is no such label.
    """
    if label not in manifest.classes:
        raise ValueError(f"expected a label of {', '.join(manifest.classes)}, got {label!r}")
    return max(1, math.ceil(len(manifest.where(label=label)) / per_sheet))


def _montage(files: Sequence[images.Source], columns: int) -> np.ndarray:
    """Small squares side by side as one picture, which draws many times faster than each on its own."""
    side, inner = SIDE, SIDE - 6
    sheet = np.full((side * max(1, math.ceil(len(files) / columns)), side * columns, 3), 255, np.uint8)
    for index, file in enumerate(files):
        top, left = index // columns * side + 3, index % columns * side + 3
        sheet[top : top + inner, left : left + inner] = thumbnail(file, inner)
    return sheet


def _numbered(axes: Axes, count: int, columns: int) -> None:
    """Name the columns A, B, … and the rows 1, 2, …, as a spreadsheet does."""
    across, down = range(min(count, columns)), range(math.ceil(count / columns))
    letters = [f"{chr(64 + place // 26) if place >= 26 else ''}{chr(65 + place % 26)}" for place in across]
    axes.set_xticks([(place + 0.5) * SIDE for place in across], letters, fontsize=7, color=INK)
    axes.set_yticks([(place + 0.5) * SIDE for place in down], [str(place + 1) for place in down], fontsize=7, color=INK)
    axes.tick_params(length=0, pad=1)
    axes.spines[:].set_visible(False)


def _mark(axes: Axes, left: int, top: int, status: str) -> None:
    """A frame and a word on a picture of a sheet."""
    side = SIDE - 4
    axes.add_patch(Rectangle((left + 1.5, top + 1.5), side, side, fill=False, edgecolor=WRONG, linewidth=2))
    box = {"facecolor": WRONG, "edgecolor": "none", "pad": 1.5}
    axes.text(left + SIDE / 2, top + SIDE - 8, status, ha="center", va="bottom", fontsize=6, color="white", bbox=box)

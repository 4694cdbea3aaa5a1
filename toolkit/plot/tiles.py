"""Rows of captioned pictures, which all galleries are made of."""

import textwrap
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.layout_engine import ConstrainedLayoutEngine

from toolkit import images
from toolkit.errors import ImageError
from toolkit.plot.figure import Figure, show, snapped
from toolkit.plot.style import INK

BESIDE = 0.8  # inches for titles to the left of rows

Cell = tuple[images.Source | np.ndarray | None, str]  # a picture, or None for a gap, and its caption


class Gallery(Figure):
    """A figure that keeps its pictures and captions, so that a page can lay them out by its own width.

    Args:
        rows: of pairs of a picture and its caption, as in `gallery`.
        titles: words to the left of each row.
        aspect: height of a picture over its width.
        flows: whether rows only end where there was no more room; False if each row is something of its own.
        figsize: width and height in inches.

    Its `groups` are pictures that belong together, by title, for pages that can set them apart; none by default.
    """

    def __init__(
        self,
        rows: Sequence[Sequence[Cell]] = (),
        titles: Sequence[str] = (),
        aspect: float = 1.0,
        flows: bool = True,
        *,
        figsize: tuple[float, float],
    ) -> None:
        super().__init__(figsize=figsize, layout=ConstrainedLayoutEngine(w_pad=0.03, h_pad=0.03) if rows else None)
        self.rows, self.titles, self.aspect, self.flows = rows, titles, aspect, flows and not titles
        self.groups: Mapping[str, Sequence[Cell]] = {}


def gallery(
    rows: Sequence[Sequence[Cell]],
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
        side: width of each picture in inches, about: a full row is as wide as other figures.
        aspect: height of each picture over its width; files are shown as squares.
        flows: whether a page may divide the rows in another way; one with titles never does.
    """
    rows = [row for row in rows if row]
    if not rows:
        return nothing()
    beside = BESIDE if titles else 0
    width = snapped(side * columns + beside)
    side = (width - beside) / columns
    captions = [[_wrapped(caption, side) for _, caption in row] for row in rows]
    lines = max(caption.count("\n") + bool(caption) for row in captions for caption in row)
    height = side * aspect + 0.04 + 0.13 * lines
    figure = Gallery(rows, titles, aspect, flows, figsize=(width, height * len(rows)))
    grid = figure.subplots(len(rows), columns, squeeze=False)
    for axes in grid.flat:
        axes.axis("off")
    for axes_row, row, row_captions in zip(grid, rows, captions, strict=True):
        for axes, (source, _), caption in zip(axes_row, row, row_captions, strict=False):
            if source is not None:
                show(axes, thumbnail(source), caption, fontsize=7)
    for axes_row, title in zip(grid, titles, strict=False):
        first = axes_row[0]
        first.text(-0.08, 0.5, title, transform=first.transAxes, ha="right", va="center", fontsize=11)
    return figure


def flowing(cells: Sequence[Cell], *, columns: int, side: float = 1.3, aspect: float = 1.0) -> Gallery:
    """A gallery of cells in rows of equal length, which a page may divide in another way."""
    rows = [cells[start : start + columns] for start in range(0, len(cells), columns)]
    return gallery(rows, columns=columns, side=side, aspect=aspect)


def nothing() -> Gallery:
    """A figure that says there is nothing to show."""
    figure = Gallery(figsize=(3, 0.5))
    figure.text(0.5, 0.5, "nothing to show", ha="center", va="center", color=INK)
    return figure


def thumbnail(source: images.Source | np.ndarray, side: int = 160) -> np.ndarray:
    """The middle square of a picture, small: uint8 array; an array is given back as it is, what is damaged is grey."""
    if isinstance(source, np.ndarray):
        return source
    try:
        return np.asarray(images.square(images.read(source, min_side=side), side))
    except ImageError:
        return np.full((side, side, 3), 225, np.uint8)


def _wrapped(caption: str, side: float) -> str:
    """A caption broken into lines as wide as its picture."""
    return "\n".join(part for line in caption.splitlines() for part in textwrap.wrap(line, int(side * 17)))

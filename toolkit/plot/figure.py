"""What all plots share: a figure that shows itself, colours, and how a picture is put into it."""

import io
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure as _Figure

COLOURS = ("#2f6db3", "#e08a2e", "#4c9a5f", "#b3477d", "#7a68b8", "#8a6d4b", "#3aa3a8", "#8c8c8c", "#c9b037", "#c0504d")
INK, FAINT, WRONG = "#333333", "#d9d9d9", "#c0504d"


class Figure(_Figure):
    """A matplotlib figure that shows itself in any notebook, with no global state and nothing to close."""

    def _repr_png_(self) -> bytes:
        return png(self)


class Gallery(Figure):
    """A figure of captioned pictures that still knows them, so that a page can lay them out by its own width.

    Args:
        rows: of pairs, what `gallery` was given: a path, bytes, an array or None, and a caption.
        titles: words to the left of each row.
        aspect: height of a picture over its width.
        flows: whether rows only end where there was no more room; False if each row is something of its own.
    """

    def __init__(
        self,
        rows: Sequence = (),
        titles: Sequence[str] = (),
        aspect: float = 1.0,
        flows: bool = True,
        **options: object,
    ) -> None:
        super().__init__(**options)
        self.rows, self.titles, self.aspect, self.flows = rows, titles, aspect, flows and not titles


def png(figure: _Figure, *, dots_per_inch: int = 110) -> bytes:
    """The figure as the bytes of a PNG."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dots_per_inch, bbox_inches="tight", pad_inches=0.08, facecolor="white")
    return buffer.getvalue()


def figure_with_axes(width: float, height: float) -> tuple[Figure, object]:
    """A figure of this size in inches with one plain pair of axes."""
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots()
    plain(axes)
    return figure, axes


def plain(axes: object) -> None:
    """Take away the lines that frame nothing."""
    axes.spines[["top", "right"]].set_visible(False)


def show(axes: object, pixels: np.ndarray, caption: str, *, fontsize: int = 9) -> None:
    """A picture with its caption below, for which the layout keeps room."""
    axes.imshow(pixels)
    axes.axis("on")
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    axes.set_xlabel(caption, fontsize=fontsize, color=INK, labelpad=3)


def nothing() -> Figure:
    """A figure that says there is nothing to show."""
    figure = Gallery(figsize=(3, 0.5))
    figure.text(0.5, 0.5, "nothing to show", ha="center", va="center", color=INK)
    return figure

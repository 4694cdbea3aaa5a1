"""What all plots share: a figure that shows itself, colours, and how axes and pictures are drawn."""

import io
import struct
import warnings
from functools import cache

import numpy as np
from matplotlib import font_manager, rcParams
from matplotlib.axes import Axes
from matplotlib.backend_bases import RendererBase
from matplotlib.figure import Figure as _Figure
from matplotlib.text import Text
from matplotlib.ticker import LogFormatter
from matplotlib.transforms import Bbox

from toolkit.plot.style import INK

SHOWN = 110  # dots per inch on a page
MIDDLE, WIDE = 6.4, 9.0  # inches: figures on a page have one of two widths, so that they line up
MARGIN = 0.08  # inches around what is drawn
LONGEST = 20  # parts of a description, of which a gallery has one for each picture
LAST_OF_USUAL_FONT = "\u058f"  # Latin, Greek, Cyrillic, Armenian
FALLBACKS = (  # fonts with other scripts and signs, as systems have them
    *("Noto Sans CJK SC", "Noto Sans CJK JP", "WenQuanYi Zen Hei", "PingFang SC", "Hiragino Sans", "Microsoft YaHei"),
    *("Malgun Gothic", "Arial Unicode MS", "Noto Sans Arabic", "Noto Sans Devanagari", "Nirmala UI"),
    *("Noto Emoji", "Segoe UI Emoji", "Symbola"),
)


class Figure(_Figure):
    """A matplotlib figure that shows itself in any notebook, with no global state and nothing to close.

    Its texts are texts: a class called "$5 or $10" is no formula, as matplotlib would read it.
    """

    def draw(self, renderer: RendererBase) -> None:
        """Draw all of it, with formulas on logarithmic axes alone, which write their numbers as such."""
        axes = [axis for one in self.axes for axis in (one.xaxis, one.yaxis)]
        labels = {axis: axis.get_ticklabels() + axis.get_ticklabels(minor=True) for axis in axes}  # makes them, too
        for text in self.findobj(Text):
            text.set_parse_math(False)
        for axis in axes:
            for label in labels[axis] if isinstance(axis.get_major_formatter(), LogFormatter) else ():
                label.set_parse_math(True)
        super().draw(renderer)

    def _repr_png_(self) -> tuple[bytes, dict[str, object]]:
        content = png(self, dots_per_inch=2 * SHOWN)  # twice as fine as it is shown, for the screens of today
        width, height = (number // 2 for number in struct.unpack(">II", content[16:24]))
        return content, {"width": width, "height": height, "alt": description(self)}


def png(figure: _Figure, *, dots_per_inch: int = SHOWN) -> bytes:
    """The figure as the bytes of a PNG.

    Args:
        figure: any of matplotlib's.
        dots_per_inch: at least 1.
    """
    choose_fonts(figure)
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")  # what no font has is a box, and seen as one
        bounds, layout = _bounds(figure), figure.get_layout_engine()
        try:
            figure.set_layout_engine("none")  # it is laid out, which takes as long as to draw it
            figure.savefig(buffer, format="png", dpi=dots_per_inch, bbox_inches=bounds, facecolor="white")
        finally:
            figure.set_layout_engine(layout)
    return buffer.getvalue()


def _bounds(figure: _Figure) -> Bbox:
    """The box of all that is drawn, in inches, and never narrower than the figure, so that figures line up."""
    figure.draw_without_rendering()  # lays it out
    drawn = figure.get_tightbbox().padded(MARGIN)
    width = figure.get_figwidth()
    return Bbox.from_extents(min(drawn.x0, 0), drawn.y0, max(drawn.x1, width), drawn.y1)


def snapped(width: float) -> float:
    """The nearest width that figures have, from which only small ones differ; in inches.

    >>> snapped(7), snapped(10.2), snapped(3)
    (6.4, 9.0, 3)
    """
    return width if width < 0.8 * MIDDLE else MIDDLE if width < (MIDDLE + WIDE) / 2 else WIDE


def description(figure: _Figure) -> str:
    """The text alternative of a figure: its titles, and what its axes and pictures are called.

    >>> figure, axes = figure_with_axes(3, 2)
    >>> description(figure), axes.set(title="Right", xlabel="epoch") and description(figure)
    ('a figure', 'Right; epoch')
    """
    parts = [figure.get_suptitle()]
    for one in figure.axes:
        parts += [one.get_title("left"), one.get_title(), one.get_ylabel(), one.get_xlabel()]
    named = list(dict.fromkeys(" ".join(part.split()) for part in parts if part.strip()))
    return "; ".join(named[:LONGEST] + ["…"] * (len(named) > LONGEST)) or "a figure"


def choose_fonts(figure: _Figure) -> None:
    """Let text beyond Latin, Greek and Cyrillic, such as names of classes, be drawn in a font of this system."""
    for text in figure.findobj(Text):
        if max(text.get_text(), default="") > LAST_OF_USUAL_FONT:
            text.set_fontfamily([*rcParams["font.family"], *_installed()])


@cache
def _installed() -> tuple[str, ...]:
    """The fonts of this system that have what the usual one lacks."""
    names = font_manager.get_font_names()
    return tuple(name for name in FALLBACKS if name in names)


def figure_with_axes(width: float, height: float) -> tuple[Figure, Axes]:
    """A figure of about this size in inches, see `snapped`, with one plain pair of axes."""
    figure = Figure(figsize=(snapped(width), height), layout="constrained")
    axes = figure.subplots()
    plain(axes)
    return figure, axes


def plain(axes: Axes) -> None:
    """Remove the top and right frame lines."""
    axes.spines[["top", "right"]].set_visible(False)


def show(axes: Axes, pixels: np.ndarray, caption: str, *, fontsize: int = 9) -> None:
    """A picture with its caption below, for which the layout keeps room."""
    axes.imshow(pixels)
    axes.axis("on")
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    axes.set_xlabel(caption, fontsize=fontsize, color=INK, labelpad=3)

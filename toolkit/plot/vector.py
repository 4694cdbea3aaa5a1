"""Figures as SVG within a page: text is text, and ink and ground are the page's, in the light and in the dark."""

import base64
import io
import re

from markupsafe import escape
from matplotlib import rc_context
from matplotlib.figure import Figure
from PIL import Image

from toolkit.plot.figure import choose_fonts
from toolkit.plot.matrix import DEEP
from toolkit.plot.style import FAINT, INK, PAPER

POINT = 96 / 72  # pixels of a page
READABLE = 0.75  # of its width, at which a figure of 10 points can still be read: a narrower page moves it sideways
PICTURE = 90  # pixels along the side of a picture in a figure
DIM = {"#332288": "--indigo", "#882255": "--wine"}  # colours that are not seen in the dark
OF_THE_PAGE = {"#000000": "--type", INK: "--ink", FAINT: "--line", PAPER: "--card", DEEP: "--deep"} | DIM
UNUSED = (  # comments, names that nothing refers to, fonts, and what stands between tags and numbers
    (re.compile(r"<!--.*?-->|<style.*?</style>", re.DOTALL), ""),
    (re.compile(r' id="(?:[A-Za-z]+\d?d?|matplotlib\.axis)_\d+"'), ""),
    (re.compile(r"font-family: [^;\"]*;? ?"), ""),
    (re.compile(r"(font: [^;\"]*?[\d.]+px) [^;\"]*"), r"\1 system-ui, sans-serif"),
    (re.compile(r"\s*\n\s*(?=[<\"]|[A-Za-z])"), " "),
)
EMBEDDED = re.compile(r'"data:image/png;base64,([^"]*)"')

ALONE = (  # the colours of `style.html`
    "svg{fill:var(--type);font-family:system-ui,sans-serif;--type:#000;--ink:#24292f;--line:#d8dee4;--card:#fff;"
    "--deep:#08306b;--indigo:#332288;--wine:#882255}@media(prefers-color-scheme:dark){svg{--type:#e6edf3;"
    "--ink:#e6edf3;--line:#3d444d;--card:#151b23;--deep:#2f6fbf;--indigo:#6f5fd0;--wine:#b3407c}}"
)


def svg(figure: Figure, *, words: str, alone: bool = False) -> str:
    """A figure as an SVG element that takes the ink of the page around it, see `OF_THE_PAGE`.

    Args:
        figure: any of matplotlib's.
        words: the text alternative.
        alone: whether it is a file of its own, which has its colours within, for the light and for the dark.

    Returns:
        HTML without scripts and addresses; it is as wide as the figure is meant to be, or as the page, but never so
        narrow that its text cannot be read.
    """
    choose_fonts(figure)
    buffer = io.StringIO()
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": words}):
        unsigned = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure.savefig(buffer, format="svg", bbox_inches="tight", pad_inches=0.04, transparent=True, metadata=unsigned)
    drawn = buffer.getvalue().partition("<svg ")[2]
    for pattern, instead in UNUSED:
        drawn = pattern.sub(instead, drawn)
    head, _, body = drawn.partition(">")
    width, height = (float(value) for value in re.findall(r'(?:width|height)="([\d.]+)pt"', head))
    for colour, name in OF_THE_PAGE.items():
        body = body.replace(colour.lower(), f"var({name})")
    style = f"width: {POINT * width:.0f}px; min-width: {POINT * READABLE * width:.0f}px"
    body = body.replace("xlink:href", "href")
    if alone:
        style, body = f'{style}" xmlns="http://www.w3.org/2000/svg', f"<style>{ALONE}</style>{body}"
    return (
        f'<svg class="chart" role="img" aria-label="{escape(words)}" viewBox="0 0 {width:g} {height:g}" '
        f'style="{style}">{EMBEDDED.sub(_smaller, body)}'
    )


def _smaller(found: re.Match) -> str:
    """A picture of a figure as a small JPEG, but for one that is transparent."""
    picture: Image.Image = Image.open(io.BytesIO(base64.b64decode(found[1])))
    if picture.has_transparency_data and picture.convert("RGBA").getchannel("A").getextrema() != (255, 255):
        return found[0]
    picture = picture.convert("RGB")
    picture.thumbnail((PICTURE, PICTURE))
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=80)
    return f'"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"'

"""Figures within a page: their text, their colours, and their pictures."""

import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from helpers import textured

from toolkit import credits, plot
from toolkit.plot.figure import figure_with_axes
from toolkit.plot.style import DARK, FAINT, INK, LIGHT, PAPER


def drawn(*texts, colour="black", size=(5.0, 3.0)):
    """A figure with these texts, a line of a colour of data, and pictures."""
    figure, axes = figure_with_axes(*size)
    for place, text in enumerate(texts):
        axes.text(0.1, 0.1 + 0.2 * place, text, color=colour)
    axes.plot([0, 1], color="#0072B2")
    return figure


def texts(element):
    return ["".join(found.itertext()) for found in element.iter() if found.tag.endswith("text")]


@pytest.mark.parametrize("name", ["cars & <b>tanks</b>", "$5 or $10", "戦車", 'a "quoted" one', "--> x <!--"])
def test_names_are_text_that_can_be_read_and_never_markup(name):
    text = plot.svg(drawn(name), words=name)
    element = ElementTree.fromstring(text)
    assert name in texts(element) and element.get("aria-label") == name
    assert "<b>" not in text and "<!--" not in text and "font-family" not in text


@pytest.mark.parametrize(
    ("colour", "expected"),
    [
        ("black", None),
        (INK, "var(--ink)"),
        (FAINT, "var(--line)"),
        (PAPER, "var(--card)"),
        ("#332288", "var(--indigo)"),
    ],
)
def test_ink_and_ground_are_those_of_the_page(colour, expected):
    text = plot.svg(drawn("word", colour=colour), words="a chart")
    style = re.search(r"(<text [^>]*>)\s*word", text)[1]
    assert ("fill" not in style) if expected is None else (f"fill: {expected}" in style)  # black is the page's own
    assert "#0072b2" in text and "#000000" not in text


@pytest.mark.parametrize("colour", [LIGHT, DARK])
def test_text_on_a_colour_stays_as_it_is_in_the_dark(colour):
    hexadecimal = {"white": "#ffffff"}.get(colour, colour)
    assert f"fill: {hexadecimal}" in plot.svg(drawn("word", colour=colour), words="a chart")


def test_a_figure_is_as_wide_as_it_was_drawn_and_stays_readable():
    width, least = re.search(r"width: (\d+)px; min-width: (\d+)px", plot.svg(drawn(size=(5, 3)), words="x")).groups()
    assert 440 < int(width) < 500 and int(least) == pytest.approx(0.75 * int(width), abs=1)


def test_pictures_in_a_figure_are_small_jpegs():
    figure, axes = figure_with_axes(3, 3)
    axes.imshow(np.asarray(textured(1, width=400, height=400)))
    text = plot.svg(figure, words="pictures")
    assert text.count("data:image/jpeg;base64,") == 1 and "image/png" not in text
    assert len(text) < 20_000


def test_two_figures_of_a_page_share_no_names_that_mean_different_things():
    one, other = plot.svg(drawn(size=(5, 3)), words="one"), plot.svg(drawn(size=(2, 2)), words="other")
    names = [set(re.findall(r' id="([^"]+)"', text)) for text in (one, other)]
    assert names[0] and not names[0] & names[1]


def test_a_figure_of_its_own_has_the_colours_of_the_pages():
    alone = plot.svg(drawn("word"), words="a chart", alone=True)
    assert ElementTree.fromstring(alone).tag == "{http://www.w3.org/2000/svg}svg"
    page = (Path(credits.__file__).parent / "style.html").read_text()
    for half, own in zip(page.split("prefers-color-scheme")[:2], alone.split("prefers-color-scheme")[:2], strict=True):
        told = dict(re.findall(r"--(\w+): ?(#[0-9a-f]{3,6})[;} ]", half))
        for name, colour in re.findall(r"--(\w+):(#[0-9a-f]{3,6})", own.partition("</style>")[0]):
            assert told[name] == (colour if len(colour) == 7 else "#" + "".join(2 * letter for letter in colour[1:])), (
                name
            )

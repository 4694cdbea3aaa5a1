"""Pieces of HTML for the pages of the app, from `templates/app.html`, in which all text is escaped."""

import base64
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import numpy as np
import streamlit as st

from toolkit import images
from toolkit.core import templates
from toolkit.model.predict import Prediction

MOST = 5  # classes that get a bar
SURE, LIKELY = 0.9, 0.7  # probabilities, from which an answer is called so


def answer(name: str, prediction: Prediction, *, below: float, heat: np.ndarray | None = None) -> None:
    """Show an answer: the prepared picture, its heat map, and the probabilities as bars.

    Args:
        name: of the picture.
        prediction: the answer.
        below: the probability below which it is "not sure".
        heat: heat map, see `explain.grad_cam`; None for none.
    """
    shares = sorted(prediction.probabilities.items(), key=lambda pair: -pair[1])
    glowing = None
    if heat is not None and heat.any():
        from toolkit import plot

        glowing = embedded(plot.glowing(prediction.pixels, heat))
    prepared = embedded(prediction.pixels)
    _show(
        "answer", name, prediction, shares[:MOST], len(shares) - MOST, below, prepared, glowing, _how_sure(prediction)
    )


def _how_sure(prediction: Prediction) -> str:
    """A probability in words, since a name alone looks sure."""
    share = prediction.probability
    return "sure" if share >= SURE else "fairly sure" if share >= LIKELY else "hardly more than a guess"


def unreadable(name: str, reason: str) -> None:
    """Show that a picture could not be read, and why."""
    _show("unreadable", name, reason)


def table(rows: Sequence[Mapping[str, object]], *, best: bool = False) -> None:
    """Show rows as a table.

    Args:
        rows: cells by column; those that begin with a digit are aligned to the right.
        best: highlight the first row.
    """
    if rows:
        of_text = [column for column, cell in rows[0].items() if not str(cell)[:1].isdigit()]
        _show("table", rows, of_text, best)


def figures(facts: Mapping[str, str]) -> None:
    """Show a few figures, each large above what it means."""
    _show("figures", facts)


def chart(svg: str, words: str) -> None:
    """Show a figure, in the light or in the dark, see `plot.svg(…, alone=True)`."""
    _show("chart", f"data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}", words)


def score(rows: Mapping[str, Sequence[str]], *, count: int) -> None:
    """Show who was right so far.

    Args:
        rows: by who it is, a word per picture so far: "right", "wrong" or "not sure", and "" for one not asked about.
        count: pictures in all.
    """
    _show("score", rows, count)


def picture(pixels: np.ndarray, caption: str) -> None:
    """Show a picture with a caption, as large as the page allows."""
    _show("picture", embedded(pixels), caption)


def thumbnails(cells: Sequence[Mapping[str, object]]) -> None:
    """Show small pictures, each with words below and whether they were right."""
    _show("thumbnails", cells)


def embedded(pixels: np.ndarray) -> str:
    """A picture as a data URL."""
    return "data:image/jpeg;base64," + base64.b64encode(images.to_jpeg(pixels, quality=90)).decode()


def _show(macro: str, *values: object) -> None:
    st.html(getattr(_macros(), macro)(*values))


@cache
def _macros() -> object:
    return templates.environment(Path(__file__).parent / "templates").get_template("app.html").module

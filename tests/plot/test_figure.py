"""Figures that name things in any script."""

import warnings

import pytest

from toolkit import plot
from toolkit.plot import figure


def drawn(words):
    made = plot.Figure(figsize=(2, 1))
    text = made.text(0.1, 0.5, words)
    return made, text


def test_names_that_no_font_has_are_boxes_without_a_warning():
    made, _ = drawn("八 ✋ \U000e0fff")
    with warnings.catch_warnings(action="error"):
        assert plot.png(made).startswith(b"\x89PNG")


@pytest.mark.parametrize(("words", "changed"), [("Ärger, чай, ναί", False), ("八", True)])
def test_only_what_the_usual_font_lacks_is_looked_for_in_others(monkeypatch, words, changed):
    monkeypatch.setattr(figure, "_installed", lambda: ("DejaVu Serif",))
    made, text = drawn(words)
    plot.png(made)
    assert ("DejaVu Serif" in text.get_fontfamily()) == changed


def test_fonts_that_are_not_installed_are_not_asked_for():
    assert set(figure._installed()) <= set(figure.FALLBACKS)

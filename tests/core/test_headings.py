"""Tables of a notebook: headings in words, values with units, the best in bold, and no name of a stranger as HTML."""

import re

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.core import headings

RUNS = pd.DataFrame(
    {"accuracy": [0.98765, 0.9], "log_loss": [0.5, 0.25], "parameters": [1234567, 8], "milliseconds": [2.5, None]},
    index=pd.Index(["vgg", "mine"], name="run"),
)


def cells(rows, **how):
    """Rows of a table as a browser shows them, each a list of texts."""
    page = headings.styled(rows, **how).to_html()
    found = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL) for row in re.split("<tr>", page)[1:]]
    return [[cell.replace("&nbsp;", "").strip() for cell in row] for row in found]


def test_columns_have_words_and_values_their_units():
    assert cells(RUNS) == [
        ["", "accuracy", "log loss, nats", "weights", "a picture, ms"],
        ["vgg", "98.8%", "0.500", "1,234,567", "2.5"],
        ["mine", "90.0%", "0.250", "8", ""],
    ]


def test_across_there_is_a_column_for_each_row():
    across = cells(RUNS, across=True)
    assert across == [list(row) for row in zip(*cells(RUNS), strict=True)]


def test_rows_that_are_only_numbered_have_no_numbers():
    assert cells(pd.DataFrame({"label": ["cars"], "bytes": [2048]})) == [["label", "file, bytes"], ["cars", "2,048"]]


def test_a_series_is_a_table_of_one_column():
    reasons = pd.Series([3, 1], index=["gone", "no picture"], name="count")
    assert cells(reasons)[1:] == [
        ["gone", "3"],
        ["no picture", "1"],
    ]


def test_unknown_columns_keep_their_names_and_figures_that_can_be_read():
    rows = cells(pd.DataFrame({"my_column": [0.123456], "many": [12345], "yes": [True], "word": ["a"]}, index=["x"]))
    assert rows == [["", "my column", "many", "yes", "word"], ["x", "0.123", "12,345", "yes", "a"]]


@pytest.mark.parametrize("across", [False, True])
def test_the_best_of_each_measure_is_bold_be_it_high_or_low(across):
    style = headings.styled(RUNS, across=across, best=True)
    bold = {
        tuple(style.data.index[[row]]) + tuple(style.data.columns[[column]])
        for (row, column), properties in style._compute().ctx.items()
        if ("font-weight", "bold") in properties
    }
    expected = {("vgg", "accuracy"), ("mine", "log loss, nats"), ("vgg", "a picture, ms")}
    assert bold == ({(measure, run) for run, measure in expected} if across else expected)


def test_two_rows_of_one_name_are_both_shown():
    counts = pd.DataFrame({"ok": [3, 4, 7]}, index=["cars", "total", "total"])
    assert cells(counts) == [["", "in use"], ["cars", "3"], ["total", "4"], ["total", "7"]]


def test_words_stand_at_the_left_and_numbers_at_the_right():
    placed = headings.styled(pd.DataFrame({"label": ["cars"], "bytes": [1]}))._compute().ctx
    assert [dict(placed[0, column])["text-align"] for column in (0, 1)] == ["left", "right"]


def test_of_one_row_none_is_the_best():
    assert "bold" not in headings.styled(RUNS[:1], best=True).to_html()


@pytest.mark.slow
@given(st.text(min_size=1))
def test_a_name_of_a_stranger_is_text(name):
    rows = pd.DataFrame({"label": [f"<b>{name}"], f"<i>{name}": [1]}, index=[f"<u>{name}"])
    page = headings.styled(rows).to_html()
    assert not re.search("<[biu]>", page)

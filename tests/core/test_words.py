"""Foreign words are text, in a terminal and in Markdown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.core.words import counted, listed, markdown, named, printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("cars\x1b[2J", "cars\\x1b[2J"),
        ("a\rb\x07\x9b31m", "a\\rb\\x07\\x9b31m"),
        ("abc\u202egpj.exe", "abc\\u202egpj.exe"),
        ("half \ud83d", "half \\ud83d"),
        ("two\nlines\tand é 戦 🚗", "two\nlines\tand é 戦 🚗"),
    ],
)
def test_what_would_move_the_cursor_is_seen_and_all_else_stays(text, shown):
    assert printable(text) == shown
    printable(text).encode()


@pytest.mark.parametrize(
    "text",
    [
        "![x](http://example.org/beacon.png)",
        "[x](javascript:alert(1))",
        "<img src=x>",
        "`code` **bold** __bold__ ~~gone~~",
        "# head",
        "| a | b |",
        "$x^2$ :red[x] :smile: :material/home:",
        "http://example.org www.example.org a@example.org",
        "a\n\n# head\n- item",
        "\\[x\\]",
    ],
)
def test_markdown_shows_the_text_and_nothing_else(text):
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    (opening, inline, closing) = parser.parse(markdown(text))
    assert (opening.type, closing.type) == ("paragraph_open", "paragraph_close")
    assert {child.type for child in inline.children} <= {"text", "text_special"}
    assert "".join(child.content for child in inline.children) == " ".join(text.split())


@pytest.mark.parametrize(
    "text", ["cars", "main_battle_tank", "98.6 %", "C: 0.1", "12:30", "EfficientNet-Lite0, 224×224 (3)"]
)
def test_ordinary_names_and_figures_stay_as_they_are(text):
    assert markdown(text) == text


@given(st.text())
def test_any_text_becomes_one_line_that_can_be_written(text):
    markdown(text).encode()
    assert "\n" not in markdown(text)


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        ([], ""),
        (["cars"], "cars"),
        (["cars", "tanks"], "cars and tanks"),
        (["cars", "tanks", "buses"], "cars, tanks and buses"),
        ("abcdefghijklm", "a, b, c, d, e, f, g, h, i, j, k, l and m"),
        (map(str, range(1012)), "0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 and 1,000 more"),
    ],
)
def test_names_are_joined_as_in_a_sentence(names, sentence):
    assert listed(names) == sentence


@pytest.mark.parametrize(
    ("count", "noun", "words"),
    [
        (1, "picture", "1 picture"),
        (0, "test picture", "0 test pictures"),
        (12345, "file", "12,345 files"),
        (44, "duplicate", "44 duplicates"),
        (1, "label conflict", "1 label conflict"),
        (1, "ok", "1 in use"),
        (2, "too small", "2 too small"),
    ],
)
def test_how_many_are_told_with_their_plural(count, noun, words):
    assert counted(count, noun) == words


@pytest.mark.parametrize(
    ("label", "shown"), [("cars", "cars"), ("6", "“6”"), ("1.5", "“1.5”"), ("3D", "3D"), ("戦車", "戦車"), ("-", "“-”")]
)
def test_a_label_that_could_be_read_as_a_number_stands_in_quotes(label, shown):
    assert named(label) == shown

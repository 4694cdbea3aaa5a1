"""Pages of notebooks: every link leads somewhere, and the first page shows question, time and figure of each."""

import html
import re

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from toolkit.pipeline import lesson_pages
from toolkit.pipeline.lesson_pages import Lesson

PICTURE = "iVBORw0KGgo="


def lesson(number, name, *, seconds=0.0, following="", figure=False):
    text = f"# {number} · {name}\n\n**Is {name}\n<so>?**\n\nNext: [on]({following})"
    outputs = [new_output("display_data", {"image/png": PICTURE})] if figure else []
    cells = [new_markdown_cell(text), new_code_cell("1", outputs=outputs)]
    return Lesson(f"{number:02}_{name.lower()}", new_notebook(cells=cells), seconds)


@pytest.fixture
def lessons():
    return [
        lesson(1, "Collect", seconds=31.4, following="02_clean.ipynb", figure=True),
        lesson(2, "Clean", seconds=2.6, following="03_resize.ipynb"),
        lesson(3, "Resize"),
    ]


def links(file):
    return set(re.findall(r'href="([0-9][^"]+|index\.html)"', file.read_text()))


@pytest.mark.slow
def test_a_page_leads_to_the_one_before_the_one_after_and_the_contents(lessons, tmp_path):
    for done in (1, 2, 3):
        lesson_pages.write(lessons, done, tmp_path)
    assert links(tmp_path / "01_collect.html") == {"index.html", "02_clean.html"}
    assert links(tmp_path / "02_clean.html") == {"index.html", "01_collect.html", "03_resize.html"}
    assert links(tmp_path / "03_resize.html") == {"index.html", "02_clean.html"}
    text = (tmp_path / "02_clean.html").read_text()
    assert text.count("<body") == text.count("</body>") == 1 and "&lt;body" not in text


@pytest.mark.slow
def test_a_figure_is_described_by_its_own_words(tmp_path):
    words = new_output("display_data", {"image/png": PICTURE}, metadata={"image/png": {"alt": 'Right & "left"'}})
    silent = new_output("display_data", {"image/png": PICTURE})
    notebook = new_notebook(cells=[new_code_cell("1", outputs=[words, silent])])
    lesson_pages.write([Lesson("01_odd", notebook)], 1, tmp_path)
    found = re.findall(r"<img[^>]*>", (tmp_path / "01_odd.html").read_text())
    described = [re.search("alt=\"([^\"]*)\"|alt='([^']*)'", picture) for picture in found]
    assert html.unescape(described[0][1] or described[0][2]) == 'Right & "left"'
    assert len(found) == 2 and PICTURE in found[0] and PICTURE in found[1]


def test_the_contents_show_what_is_done_so_far(lessons, tmp_path):
    page = lesson_pages.write(lessons, 2, tmp_path)
    text = page.read_text()
    assert links(page) == {"01_collect.html", "02_clean.html"}
    assert "1 · Collect" in text and "Is Collect &lt;so&gt;?" in text
    assert re.findall(r"(\d+) s<", text) == ["31", "3"]
    assert text.count(PICTURE) == 1


def test_a_notebook_without_words_has_its_name():
    empty = Lesson("07_odd", nbformat.v4.new_notebook())
    assert (empty.title, empty.question, empty.thumbnail, empty.page) == ("07_odd", "", "", "07_odd.html")


def test_a_question_is_told_without_its_marks():
    words = nbformat.v4.new_markdown_cell("# 7 · Odd\n\n**Whose is *my* picture?** Mine.")
    assert Lesson("07_odd", nbformat.v4.new_notebook(cells=[words])).question == "Whose is my picture?"

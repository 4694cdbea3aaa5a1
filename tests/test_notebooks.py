"""The numbered notebooks: written to be read, and run in order from one dataset."""

import re
from pathlib import Path

import nbformat
import psutil
import pytest

from toolkit import demo
from toolkit.errors import ToolkitError

FOLDER = Path(__file__).parents[1] / "notebooks"
FILES = sorted(FOLDER.glob("[0-9][0-9]_*.ipynb"))


def cells(file, kind):
    return [cell for cell in nbformat.read(file, as_version=4).cells if cell.cell_type == kind]


@pytest.fixture(params=FILES, ids=lambda file: file.stem)
def file(request):
    return request.param


def test_they_are_numbered_from_1_on_without_a_gap():
    assert [int(file.name[:2]) for file in FILES] == list(range(1, len(FILES) + 1))


def test_a_notebook_is_stored_without_outputs(file):
    assert not any(cell.outputs or cell.execution_count for cell in cells(file, "code"))


def test_a_notebook_has_one_parameters_cell_in_which_every_value_is_explained(file):
    tagged = [cell for cell in cells(file, "code") if "parameters" in cell.metadata.get("tags", [])]
    assert len(tagged) == 1
    assert all(re.match(r"[\w, ]+ = [^#]+  # \S", line) for line in tagged[0].source.splitlines())


def test_the_first_cell_is_the_same_in_all_and_does_nothing_where_the_toolkit_is(file, monkeypatch):
    first = cells(file, "code")[0].source
    assert first == cells(FILES[0], "code")[0].source
    monkeypatch.setattr("subprocess.run", None)
    exec(first, {})


def test_code_cells_are_short_and_define_nothing(file):
    lengths = [len(cell.source.splitlines()) for cell in cells(file, "code")]
    assert max(lengths) <= 9
    assert sorted(lengths)[len(lengths) // 2] <= 5
    assert not any(
        re.search(r"^\s*(def|class) |^\s*[%!]|sys\.path|pyplot", c.source, re.M) for c in cells(file, "code")
    )


def test_there_is_about_as_much_prose_as_code(file):
    assert len(cells(file, "markdown")) >= 0.6 * len(cells(file, "code"))


def test_a_notebook_leads_to_the_next_one(file):
    number = int(file.name[:2])
    if number < len(FILES):
        assert f"]({FILES[number].name})" in cells(file, "markdown")[-1].source


def test_the_training_notebooks_differ_by_a_few_lines():
    sources = [[line for cell in cells(file, "code") for line in cell.source.splitlines()] for file in FILES[5:8]]
    for other in sources[1:]:
        assert len(set(other) - set(sources[0])) <= 6


def test_new_values_follow_the_parameters_that_they_change():
    cell = nbformat.v4.new_code_cell('dataset = "practice"  # folder\nepochs = 25  # at most\nsize = 48  # pixels')
    cell.metadata["tags"] = ["parameters"]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("Why"), cell])
    demo._set(notebook, {"epochs": "2", "size": 48, "folds": 3})
    assert [each.source for each in notebook.cells[2:]] == ["epochs = 2"]


def test_the_line_that_is_told_of_a_notebook_is_the_last_it_printed():
    stream, shown = (nbformat.v4.new_output(kind) for kind in ("stream", "display_data"))
    stream.text = "one\ntwo  \n"
    silent = nbformat.v4.new_output("stream", name="stderr", text="a warning\n")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("", outputs=[stream, silent, shown])])
    assert demo._last_line(notebook) == "two"
    assert demo._last_line(nbformat.v4.new_notebook()) == ""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("1 / 0", "01_short.ipynb stopped: ZeroDivisionError"),
        ("import os; os.kill(os.getpid(), 9)", "ended from outside"),
    ],
    ids=["an error", "a kill"],
)
def test_a_notebook_that_does_not_end_is_said(tmp_path, monkeypatch, source, words):
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)]), tmp_path / "01_short.ipynb")
    monkeypatch.setattr("toolkit.core.paths.notebooks", lambda: tmp_path)
    with pytest.raises(ToolkitError, match=words):
        demo.execute(pages=tmp_path / "pages")


@pytest.mark.notebook
def test_they_run_in_order_and_end_with_a_comparison_a_prediction_and_a_report(tmp_path):
    values = {"epochs": 2, "width": 0.1, "size": 32, "folds": 2, "trials": 3}
    said = []
    outcome = demo.execute("practice:40", values=values, pages=tmp_path / "pages", log=said.append)
    assert not psutil.Process().children(), "a kernel was left running"
    assert len(said) == len(FILES)
    assert sorted(run.name for run in outcome.bundles) == ["dual_stack", "efficientnet_lite0", "vgg"]
    assert "new_picture.jpg: " in outcome.prediction
    assert outcome.report.stat().st_size > 100_000
    pages = sorted(tmp_path.glob("pages/*.html"))
    assert [page.stem for page in pages] == [*(file.stem for file in FILES), "index"]
    for page in pages[:-1]:
        assert f'href="{page.name}"' in pages[-1].read_text()
        text = page.read_text()
        assert 'data-mime-type="application/vnd.jupyter.stderr"' not in text, f"{page.name} shows warnings"
        assert "Traceback" not in text

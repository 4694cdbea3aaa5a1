from pathlib import Path

import nbformat

from toolkit import paths
from toolkit.cli import main


def test_the_notebooks_are_copied_and_what_a_person_has_changed_is_kept(tmp_path, capsys):
    lessons = tmp_path / "lessons"
    lessons.mkdir()
    (lessons / "02_clean.ipynb").write_text("mine")
    assert main(["notebooks", str(lessons)]) == 0
    printed = capsys.readouterr().out
    assert f"next: jupyter lab {lessons}" in printed
    originals = sorted(Path(paths.notebooks()).glob("[0-9]*.ipynb"))
    assert [file.name for file in sorted(lessons.iterdir())] == [file.name for file in originals]
    assert (lessons / "01_collect.ipynb").read_bytes() == originals[0].read_bytes()
    assert (lessons / "02_clean.ipynb").read_text() == "mine"


def test_all_notebooks_work_on_the_dataset_that_was_named(tmp_path):
    assert main(["notebooks", str(tmp_path / "lessons"), "--dataset", 'my "pets" 🐈']) == 0
    for file in (tmp_path / "lessons").iterdir():
        (cell,) = [c for c in nbformat.read(file, as_version=4).cells if "parameters" in c.metadata.get("tags", ())]
        values = {}
        exec(cell.source, values)
        assert values["dataset"] == 'my "pets" 🐈'

"""Work in parts: the same rows however it is shared out, and nothing done twice after a stop."""

from pathlib import Path

import pytest

from toolkit.core import parts
from toolkit.errors import ToolkitError


def measured(names):
    return [{"name": name, "length": len(name) / 3} for name in names]


def counting(asked, stop=None):
    def rows(names):
        if stop in names:
            raise KeyboardInterrupt
        asked.extend(names)
        return measured(names)

    return rows


@pytest.fixture
def names(tmp_path):
    files = [tmp_path / f"{'x' * number}.txt" for number in range(1, 9)]
    for file in files:
        file.write_text(file.name)
    return list(map(str, files))


def told(function, names, folder, made_with=("model", 1)):
    return list(parts.rows(function, names, folder=folder, made_with=made_with, size=3))


def test_rows_come_in_the_order_of_the_names(names, tmp_path):
    assert told(measured, names[::-1], tmp_path / "parts") == measured(names[::-1])
    assert len(list((tmp_path / "parts").iterdir())) == 3


def test_work_that_was_stopped_goes_on_at_the_first_part_that_is_not_there(names, tmp_path):
    asked = []
    with pytest.raises(KeyboardInterrupt):
        told(counting(asked, stop=names[4]), names, tmp_path / "parts")
    assert asked == names[:3]
    assert told(counting(asked), names, tmp_path / "parts") == measured(names)
    assert asked == names


def test_a_name_whose_file_has_changed_is_asked_about_anew(names, tmp_path):
    told(measured, names, tmp_path / "parts")
    Path(names[7]).write_text("more than before")
    asked = []
    assert told(counting(asked), names, tmp_path / "parts") == measured(names)
    assert asked == names[6:]


def test_what_was_made_otherwise_is_left_aside(names, tmp_path):
    told(measured, names, tmp_path / "parts")
    asked = []
    told(counting(asked), names, tmp_path / "parts", made_with=("model", 2))
    assert asked == names


def test_a_name_that_is_no_text_and_one_without_a_file_have_rows_too(tmp_path):
    names = ["http://pictures.example/1.jpg", "\udcff.jpg", "a\0b"]
    assert told(measured, names, tmp_path / "parts") == measured(names)


def test_a_function_that_fails_is_said(names, tmp_path):
    with pytest.raises(ToolkitError, match="a part of the work stopped: ZeroDivisionError"):
        told(lambda names: [{"share": 1 / 0}], names, tmp_path / "parts")


@pytest.mark.slow
def test_two_processes_give_the_rows_of_one(tmp_path):
    names = [f"{number}.jpg" for number in range(4 * parts.PART)]
    rows = parts.rows(slowly, names, folder=tmp_path / "parts", made_with=(), jobs=2)
    assert [row["name"] for row in rows] == names


def slowly(names):
    """In a module that a process of its own can load: this one."""
    import time

    time.sleep(0.6)
    return measured(names)

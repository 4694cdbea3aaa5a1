"""Who writes a file waits for whoever writes it now, or is told of them."""

import subprocess
import sys
import threading

import pytest

from toolkit.core import locking
from toolkit.errors import ToolkitError


def test_in_a_folder_one_works_at_a_time(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "other").mkdir()
    with locking.alone(tmp_path / "run", kind="training"):
        second = locking.alone(tmp_path / "run", kind="training")
        with pytest.raises(ToolkitError, match="expected one training in .*run at a time, found another"), second:
            pytest.fail("expected to be refused")
        with locking.alone(tmp_path / "other", kind="training"):
            pass
    with locking.alone(tmp_path / "run", kind="training"):
        pass


def test_whoever_was_killed_holds_nothing(tmp_path):
    program = "import os, sys; from pathlib import Path; from toolkit.core import locking\n"
    program += "with locking.alone(Path(sys.argv[1]), kind='x'): os._exit(9)"
    (tmp_path / "run").mkdir()
    subprocess.run([sys.executable, "-c", program, tmp_path / "run"], check=False)
    with locking.alone(tmp_path / "run", kind="training"):
        pass


def test_a_folder_whose_files_are_replaced_is_held_by_one_after_the_other(tmp_path):
    file, held, most = tmp_path / "table", [], []
    file.write_text("0")

    def add():
        for _ in range(20):
            with locking.locked(tmp_path):
                held.append(1)
                most.append(len(held))
                number = int(file.read_text())
                (tmp_path / "new").write_text(str(number + 1))
                (tmp_path / "new").rename(file)
                held.pop()

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert file.read_text() == "80" and max(most) == 1


def test_a_folder_that_is_not_there_cannot_be_held_and_stops_nobody(tmp_path):
    with locking.locked(tmp_path / "nothing"):
        pass

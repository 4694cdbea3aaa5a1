"""Mapping a function over many items: in order, and without dying of one bad item."""

import sys
import threading
import time
from types import ModuleType, SimpleNamespace

import joblib
import pytest
import tqdm.auto
import tqdm.std

from toolkit import parallel
from toolkit.core import workers
from toolkit.errors import ImageError


def doubled(number):
    if number == 3:
        raise ImageError("no picture", status="too small")
    if number == 5:
        raise ZeroDivisionError("five")
    return 2 * number


EXPECTED = [
    0,
    2,
    4,
    parallel.Failure("too small", "no picture"),
    8,
    parallel.Failure("failed", "ZeroDivisionError: five"),
]


@pytest.mark.parametrize("jobs", [1, 2, -1])
def test_results_come_in_order_and_failures_in_their_place(jobs):
    assert list(parallel.map(doubled, range(6), jobs=jobs)) == EXPECTED


def test_the_order_is_that_of_the_items_not_of_the_finish():
    def slow_at_first(number):
        time.sleep(0.05 if number == 0 else 0)
        return number

    assert list(parallel.map(slow_at_first, range(20), jobs=4)) == list(range(20))


def test_nothing_to_do_gives_nothing():
    assert list(parallel.map(doubled, [])) == []


def test_items_are_worked_on_at_the_same_time():
    meeting = threading.Barrier(2, timeout=20)
    assert sorted(parallel.map(lambda _: meeting.wait(), range(2), jobs=2)) == [0, 1]


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["loky", "threading", "sequential"])
def test_a_backend_chosen_outside_is_used(backend):
    with joblib.parallel_config(backend=backend, n_jobs=2):
        assert list(parallel.map(doubled, range(6), jobs=2)) == EXPECTED


@pytest.mark.parametrize("kind", ["threads", "processes", "trainings"])
def test_every_kind_of_work_gives_the_same_results(kind):
    assert list(parallel.map(doubled, range(6), jobs=2, kind=kind)) == EXPECTED


@pytest.mark.parametrize(
    ("kind", "started"), [("threads", []), ("processes", [(3, False)]), ("trainings", [(3, True)])]
)
def test_each_kind_of_work_is_done_where_it_says(monkeypatch, kind, started):
    asked, in_processes = [], workers.map_in_processes

    def watched(function, items, *, most, at_once=False):
        asked.append((most, at_once))
        return in_processes(function, items, most=1)

    monkeypatch.setattr(workers, "map_in_processes", watched)
    assert list(parallel.map(doubled, range(6), jobs=3, kind=kind)) == EXPECTED
    assert asked == started


@pytest.mark.parametrize("description", ["", "work"])
def test_stopping_early_gives_no_warning_and_stops_the_work(description):
    begun = []

    def note(number):
        begun.append(number)
        time.sleep(0.005)
        return number

    results = parallel.map(note, range(1000), jobs=2, description=description)
    assert next(results) == 0
    results.close()
    count = len(begun)
    time.sleep(0.05)
    assert len(begun) <= count + 4 < 1000


def test_a_key_press_is_not_taken_for_a_bad_item():
    def interrupted(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(parallel.map(interrupted, range(3), jobs=1))


# The bar


class Screen:
    """A standard error that claims to be a screen."""

    def __init__(self):
        self.shown = ""

    def isatty(self):
        return True

    def write(self, text):
        self.shown += text

    def flush(self):
        pass


@pytest.mark.parametrize(("setting", "visible"), [("0", False), ("1", True), (None, True)])
def test_the_bar_shows_on_a_screen_unless_it_is_switched_off(monkeypatch, setting, visible):
    screen = Screen()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("TOOLKIT_PROGRESS", setting) if setting else monkeypatch.delenv("TOOLKIT_PROGRESS")
    assert list(parallel.progress([1, 2], description="verify")) == [1, 2]
    assert ("verify" in screen.shown) == visible


def test_no_bar_is_written_into_a_log_or_without_a_description(monkeypatch, capfd):
    monkeypatch.delenv("TOOLKIT_PROGRESS")
    assert list(parallel.progress([1, 2], description="verify")) == [1, 2]
    assert capfd.readouterr().err == ""
    screen = Screen()
    monkeypatch.setattr(sys, "stderr", screen)
    assert list(parallel.progress([1, 2])) == [1, 2]
    assert screen.shown == ""


@pytest.mark.parametrize(("shell", "visible"), [(None, False), (object(), False), (SimpleNamespace(kernel=1), True)])
def test_a_bar_shows_without_a_screen_only_where_a_kernel_runs_this(monkeypatch, capfd, shell, visible):
    monkeypatch.delenv("TOOLKIT_PROGRESS")
    monkeypatch.setitem(sys.modules, "ipykernel", ModuleType("ipykernel"))  # imported by somebody, but not running
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    monkeypatch.setattr(tqdm.auto, "tqdm", tqdm.std.tqdm)
    assert list(parallel.progress([1, 2], description="verify")) == [1, 2]
    assert ("verify" in capfd.readouterr().err) == visible


def test_a_bar_can_be_moved_by_hand(monkeypatch):
    screen = Screen()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.delenv("TOOLKIT_PROGRESS")
    with parallel.progress(None, description="collect", unit=" pictures") as bar:
        bar.set_postfix({"posts": 3}, refresh=False)
        bar.update(2)
        bar.refresh()
    assert "collect: 2 pictures" in screen.shown and "posts=3" in screen.shown

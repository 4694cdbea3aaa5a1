"""Processes that share the work: the same results in the same order, whatever becomes of them."""

import os
import signal
import time

import pytest

from toolkit.core import workers
from toolkit.errors import ToolkitError


def slowly(item):
    time.sleep(0.01)
    return item, os.getpid()


def deadly(item):
    """Works here; a worker ends itself over it."""
    time.sleep(0.01)
    if os.getppid() == int(os.environ["TOOLKIT_TEST_PARENT"]):
        os.kill(os.getpid(), signal.SIGKILL)
    return item


def killed(item):
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize(("quota", "expected"), [("200000 100000", 2), ("150000 100000", 2), ("50000 100000", 1)])
def test_a_cpu_quota_of_a_container_limits_the_cores(quota, expected, monkeypatch, tmp_path):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)))
    monkeypatch.setattr(workers, "QUOTA", tmp_path / "cpu.max")
    workers.QUOTA.write_text(f"{quota}\n")
    assert workers.cores() == expected


def test_without_a_quota_the_cores_are_those_the_process_is_bound_to(monkeypatch, tmp_path):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)))
    monkeypatch.setattr(workers, "QUOTA", tmp_path / "cpu.max")
    assert workers.cores() == 64
    workers.QUOTA.write_text("max 100000\n")
    assert workers.cores() == 64


@pytest.mark.slow
def test_results_come_in_order_and_workers_share_the_work(monkeypatch):
    monkeypatch.setattr(workers, "WORTH", 0.1)
    found = list(workers.map_in_processes(slowly, range(250), most=3))
    assert [item for item, _ in found] == list(range(250))
    assert len({process for _, process in found}) > 1


def test_little_work_starts_no_worker(monkeypatch):
    monkeypatch.setattr(workers._SharedWork, "start_workers", lambda *_: pytest.fail("started one"))
    assert list(workers.map_in_processes(str, range(100), most=8)) == [str(number) for number in range(100)]


@pytest.mark.slow
def test_what_a_worker_that_dies_had_in_hand_is_done_here(monkeypatch):
    monkeypatch.setenv("TOOLKIT_TEST_PARENT", str(os.getpid()))
    monkeypatch.setattr(workers, "WORTH", 0.1)
    assert list(workers.map_in_processes(deadly, range(150), most=3)) == list(range(150))


def test_stopping_early_leaves_no_process_behind(monkeypatch):
    monkeypatch.setattr(workers, "WORTH", 0.1)
    started, call = [], workers._SharedWork.start_workers

    def watched(share, many):
        call(share, many)
        started.extend(worker for worker, _ in share._workers)

    monkeypatch.setattr(workers._SharedWork, "start_workers", watched)
    results = workers.map_in_processes(slowly, range(400), most=2)
    for _ in range(60):
        next(results)
    results.close()
    assert started
    assert all(worker.poll() is not None for worker in started)


def test_a_process_of_its_own_answers_and_that_it_died_is_said():
    item, process = workers.in_new_process(slowly, 3)
    assert item == 3 and process != os.getpid()
    with pytest.raises(ToolkitError, match="ended with -9"):
        workers.in_new_process(killed, 3)

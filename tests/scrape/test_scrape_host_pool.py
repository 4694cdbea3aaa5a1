"""Sharing out work among hosts."""

import threading
import time

import pytest

from toolkit.scrape.host_pool import AHEAD, HostPool


def test_all_work_is_done_before_the_block_is_left():
    done = []
    with HostPool(3, per_host=2) as pool:
        for number in range(50):
            pool.add(f"host {number % 5}", lambda number=number: done.append(number))
    assert sorted(done) == list(range(50))


def test_a_slow_host_takes_its_own_places_only():
    release, fast = threading.Event(), []
    with HostPool(4, per_host=2) as pool:
        for _ in range(20):
            pool.add("slow", lambda: release.wait(5))
        for number in range(20):
            pool.add("fast", lambda number=number: fast.append(number))
        started = time.monotonic()
        while len(fast) < 20 and time.monotonic() - started < 5:
            time.sleep(0.005)
        assert len(fast) == 20 and not release.is_set()
        release.set()


def test_whoever_adds_too_much_waits():
    release, added = threading.Event(), []

    def fill():
        with HostPool(1, per_host=1) as pool:
            for number in range(AHEAD + 5):
                pool.add("host", lambda: release.wait(5))
                added.append(number)

    thread = threading.Thread(target=fill)
    thread.start()
    while len(added) < AHEAD:
        time.sleep(0.005)
    time.sleep(0.05)
    assert len(added) == AHEAD
    release.set()
    thread.join()
    assert len(added) == AHEAD + 5


def test_work_that_fails_stops_the_rest_and_is_told():
    done = []

    def fail():
        raise OSError("No space left on device")

    with pytest.raises(OSError, match="No space"), HostPool(1, per_host=1) as pool:
        pool.add("host", fail)
        for number in range(3 * AHEAD):
            pool.add("host", lambda number=number: done.append(number))
            time.sleep(0.0001)
    assert len(done) < 3 * AHEAD


def test_an_interruption_drops_what_was_not_begun():
    done = []
    with pytest.raises(KeyboardInterrupt), HostPool(2, per_host=1) as pool:
        for number in range(100):
            pool.add(f"host {number % 10}", lambda number=number: done.append(number) or time.sleep(0.02))
        raise KeyboardInterrupt
    assert len(done) < 50

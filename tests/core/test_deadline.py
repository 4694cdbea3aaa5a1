"""Work in other processes, which are ended when it takes too long; then others take their place."""

import os
import threading
import time
from functools import partial

import pytest
from helpers import coloured, encoded

from toolkit.core.deadline import Deadline, TooLate
from toolkit.errors import ImageError, ToolkitError
from toolkit.images import opening

pytestmark = pytest.mark.slow  # each starts processes


@pytest.fixture
def pool():
    made = []

    def start(function, *, most=1, seconds=20.0):
        made.append(Deadline(function, most=most, seconds=seconds))
        return made[-1]

    yield start
    for one in made:
        one.close()


def test_results_come_back_and_a_process_is_used_again(pool):
    ids = pool(os.getpgid)
    assert ids.run(0) == ids.run(0) == os.getpgid(0)
    processes = pool(eval)
    assert processes.run("__import__('os').getpid()") == processes.run("__import__('os').getpid()") != os.getpid()


def test_a_process_that_was_begun_beforehand_does_the_first_item_and_none_is_begun_after_the_end(pool):
    one = pool(eval, most=2)
    one.begin()
    one.begin()
    begun = [worker.pid for worker in one._idle.queue if worker]
    assert len(begun) == 1 and begun == [one.run("__import__('os').getpid()")]
    one.close()
    one.begin()
    assert [*one._idle.queue] == [None, None]


def test_what_the_function_raises_is_raised_here_and_the_process_stays(pool):
    one = pool(opening.prepared)
    with pytest.raises(ImageError, match="empty file") as caught:
        one.run((b"", 32, "crop", 100))
    assert caught.value.status == "unreadable"
    with pytest.raises(ImageError, match="expected at most 1 pixels, got") as caught:
        one.run((encoded(coloured(0, 1, side=2)), 32, "crop", 1))
    assert caught.value.status == opening.TOO_MANY_PIXELS


def test_an_item_that_takes_too_long_ends_its_process_and_the_next_one_is_done(pool):
    one = pool(time.sleep, seconds=1.5)
    one.run(0)
    with pytest.raises(TooLate, match="expected it done within 1.5 s"):
        one.run(600)
    assert one.run(0) is None


def test_a_process_that_dies_is_said_and_replaced(pool):
    one = pool(eval)
    with pytest.raises(ToolkitError, match="it died"):
        one.run("__import__('os')._exit(3)")
    assert one.run("1 + 1") == 2
    (idle,) = one._idle.queue
    idle.kill()  # while nobody asks
    idle.wait()
    assert one.run("1 + 1") == 2


def test_whoever_waits_too_long_for_a_process_is_told(pool):
    one = pool(time.sleep, seconds=2.0)
    one.run(0)
    busy = threading.Thread(target=partial(pytest.raises, TooLate, one.run, 600))
    late = threading.Thread(target=partial(pytest.raises, TooLate, one.run, 600))
    busy.start()
    late.start()
    with pytest.raises(TooLate):
        one.run(600)
    busy.join()
    late.join()


def test_the_end_ends_whatever_is_under_way_at_once(pool):
    one = pool(time.sleep, seconds=600)
    one.run(0)
    outcome = []

    def ask():
        with pytest.raises(ToolkitError):
            one.run(600)
        outcome.append("ended")

    asking = threading.Thread(target=ask)
    asking.start()
    while not one._busy:
        time.sleep(0.01)
    one.close()
    asking.join(10)
    assert outcome == ["ended"]
    with pytest.raises(ToolkitError):
        one.run(0)

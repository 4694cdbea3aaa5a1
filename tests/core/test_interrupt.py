import signal
import threading

import pytest

from toolkit.core import interrupt


def interrupted():
    signal.raise_signal(signal.SIGINT)


def test_an_interrupt_waits_until_it_is_asked_for():
    done = []
    with pytest.raises(KeyboardInterrupt), interrupt.held():
        interrupted()
        done.append("the step went on")
        interrupt.check()
        done.append("not this")
    assert done == ["the step went on"]
    interrupt.check()  # it came once


def test_an_interrupt_that_nobody_asked_for_comes_at_the_end():
    done = []
    with pytest.raises(KeyboardInterrupt), interrupt.held():
        interrupted()
        done.append(1)
    assert done == [1]


def test_a_second_interrupt_comes_through_at_once():
    done = []
    with pytest.raises(KeyboardInterrupt), interrupt.held():
        interrupted()
        interrupted()
        done.append(1)
    assert done == []


def test_afterwards_an_interrupt_is_what_it_was_before():
    before = signal.getsignal(signal.SIGINT)
    with interrupt.held():
        assert signal.getsignal(signal.SIGINT) is not before
    assert signal.getsignal(signal.SIGINT) is before


def test_whoever_ignores_interrupts_goes_on_ignoring_them_and_other_threads_hold_none():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with interrupt.held():
            interrupted()
            interrupt.check()
    finally:
        signal.signal(signal.SIGINT, before)
    seen = []

    def work():
        with interrupt.held():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [before]

"""Locks whose ``with`` statements a signal handler ends: nobody else may find them taken."""

from __future__ import annotations

import signal

import pytest

from nbvars.locks import ForkSafeLock

pytestmark = pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs signal.setitimer")


def take_and_give_back_until_interrupted(lock):
    signal.setitimer(signal.ITIMER_REAL, 0.0005)
    while True:
        with lock:
            pass


def test_an_exception_of_a_signal_handler_leaves_the_lock_free_wherever_it_comes():
    lock, num_left_taken = ForkSafeLock(), 0

    def interrupt(signum, frame):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        for _ in range(200):  # Python 3.14's own lock stays taken in every second one
            with pytest.raises(KeyboardInterrupt):
                take_and_give_back_until_interrupted(lock)
            num_left_taken += lock._is_owned()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert num_left_taken == 0

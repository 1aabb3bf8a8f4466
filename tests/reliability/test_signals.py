"""Signal handlers that update arrays while the thread they interrupt does, too."""

from __future__ import annotations

import signal
import time

import numpy as np
import pytest

from nbvars import kernels
from nbvars.kernels.cpu import compiled, threads

pytestmark = pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs signal.setitimer")


def test_large_updates_of_a_signal_handler_neither_hang_nor_disturb_others(restored_num_threads):
    kernels.set_num_threads(4)
    ours, handlers, one = (np.full(5_000_000, start, np.float32) for start in (0, 0, 1))
    kernels.assign_add(ours, one)  # compiled before the signals come
    busy, counts = [], {"ours": 1, "handlers": 0}

    def update(signum, frame):
        if not busy:
            busy.append(True)
            kernels.assign_add(handlers, one)
            counts["handlers"] += 1
            busy.pop()

    before = signal.signal(signal.SIGALRM, update)
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.003)
    try:
        end = time.monotonic() + 0.7
        while time.monotonic() < end or counts["handlers"] < 3:
            kernels.assign_add(ours, one)
            counts["ours"] += 1
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert np.all(ours == counts["ours"])
    assert np.all(handlers == counts["handlers"])


def test_a_call_that_interrupts_the_start_of_threads_does_its_work_alone(restored_num_threads):
    kernels.set_num_threads(4)
    ref = np.zeros(5_000_000, np.float32)
    with threads._Current.pool._starting:
        kernels.assign_add(ref, np.ones_like(ref))
    assert np.all(ref == 1)
    assert not threads._Current.pool._threads


def test_a_call_that_interrupts_a_compilation_says_what_to_do(monkeypatch):
    monkeypatch.setattr(compiled._thread, "is_compiling", True)
    with pytest.raises(RuntimeError, match=r"got no such kernel yet, expected nbvars.warmup\(\) before signals come"):
        compiled.compile_kernel("nothing", lambda x: x, None)

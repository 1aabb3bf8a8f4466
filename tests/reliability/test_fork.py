from __future__ import annotations

import os
import select
import signal
import threading
import time
import traceback
import warnings

import numpy as np
import pytest

from nbvars import kernels
from nbvars.kernels.cpu import assign, threads
from tests.conftest import run_python

TIMEOUT_S = 60

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="runs where there is os.fork"),
    pytest.mark.usefixtures("restored_num_threads"),
]


def in_forked_child(function):
    """Return what ``function`` returns, as text, in a forked child; fail if it raises or hangs there."""
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        # Since Python 3.12 a fork is warned of where there are threads; being safe with it is what is tested.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        try:
            answer = f"returned {function()}"
        except BaseException:
            answer = traceback.format_exc()
        os.write(writing, answer.encode())
        os._exit(0)
    os.close(writing)
    try:
        ready, _, _ = select.select([reading], [], [], TIMEOUT_S)
        answer = os.read(reading, 1 << 16).decode() if ready else "the child hangs"
    finally:
        os.close(reading)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    assert answer.startswith("returned "), answer
    return answer.removeprefix("returned ")


def large_updates():
    """Return what is True if large updates of each kind are right."""
    ref = np.zeros(4 * assign.PART_BYTES // 4, np.float32)
    kernels.assign_add(ref, np.ones_like(ref))
    table = np.zeros((10, 64), np.float32)
    indices = np.arange(20_000) % 10
    kernels.scatter_add(table, indices, np.ones((20_000, 64), np.float32))
    as_half = kernels.cast(np.ones(1 << 21, np.float64), np.dtype(np.float16))
    return bool(np.all(ref == 1) and np.all(table == 2000) and np.all(as_half == 1))


def test_a_forked_child_makes_large_updates_though_its_parent_has_a_pool():
    kernels.set_num_threads(4)
    assert large_updates()
    assert in_forked_child(large_updates) == "True"
    assert large_updates()


def test_a_child_of_a_forked_child_makes_large_updates():
    kernels.set_num_threads(3)
    assert large_updates()
    assert in_forked_child(lambda: large_updates() and in_forked_child(large_updates)) == "True"


def test_a_forked_child_keeps_the_number_of_threads():
    kernels.set_num_threads(3)
    assert in_forked_child(kernels.get_num_threads) == "3"


def test_a_child_forked_while_its_parent_starts_threads_makes_large_updates():
    kernels.set_num_threads(2)
    with threads._Current.pool._starting:
        assert in_forked_child(lambda: large_updates() and len(threads._Current.pool._threads)) == "1"


def test_a_child_forked_in_the_middle_of_an_update_waits_for_no_helper():
    started, go = threading.Event(), threading.Event()

    def part():
        started.set()
        go.wait(TIMEOUT_S)

    update = threads._Update(part, [()])
    helper = threading.Thread(target=update.new_helper())
    helper.start()
    started.wait(TIMEOUT_S)
    assert in_forked_child(update.finish) == "None"
    go.set()
    update.finish()
    helper.join()


def test_a_child_forked_during_large_updates_of_other_threads_makes_its_own():
    kernels.set_num_threads(2)
    assert large_updates()  # compiled before the fork
    finished = threading.Event()

    def update_often():
        ref = np.zeros(4 * assign.PART_BYTES // 4, np.float32)
        one = np.ones_like(ref)
        while not finished.is_set():
            kernels.assign_add(ref, one)

    others = [threading.Thread(target=update_often, daemon=True) for _ in range(2)]
    for other in others:
        other.start()
    try:
        for _ in range(3):
            time.sleep(0.01)
            assert in_forked_child(large_updates) == "True"
    finally:
        finished.set()
        for other in others:
            other.join(TIMEOUT_S)


IMPORT_AND_FORK = """
import os, signal, sys, threading, types, warnings
from nbvars.train.checksum import optional_module
sys.path.append(FOLDER)
events = sys.modules["events"] = types.SimpleNamespace(began=threading.Event(), may_end=threading.Event())
thread = threading.Thread(target=optional_module, args=("slow_library", "test"))
thread.start()
assert events.began.wait(60)
os.register_at_fork(before=events.may_end.set)  # the last that is registered is the first that is called
warnings.simplefilter("ignore", DeprecationWarning)
child = os.fork()
if not child:
    signal.alarm(20)
    os._exit(optional_module("slow_library", "test").answer)
thread.join()
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 42
"""


def test_a_fork_waits_until_another_thread_has_imported_a_library(tmp_path):
    library = "import events; events.began.set(); events.may_end.wait(); answer = 42"
    (tmp_path / "slow_library.py").write_text(library)
    run_python(IMPORT_AND_FORK.replace("FOLDER", repr(str(tmp_path))))

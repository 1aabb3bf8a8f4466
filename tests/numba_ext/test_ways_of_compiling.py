"""Variables in functions compiled with ``parallel=True``, ``nogil=True`` and ``cache=True``."""

from __future__ import annotations

import os
import signal

import pytest

from tests.conftest import run_python

IN_PARALLEL = """
import numpy as np
from numba import njit, prange
import nbvars

@njit(parallel=True)
def update(table, row, counter, seen, num_times):
    for i in prange(num_times):
        table.assign_add(1, use_locking=True)
        seen[counter.count_up_to(2 * num_times)] += 1
        nbvars.atomic.sub(row, i % row.size, 1.0)
    return table.value().sum(), row.value().sum()

for size in (2, 70_000):
    table, row = nbvars.Variable(np.zeros(size, np.float64)), nbvars.Variable(np.zeros(3, np.float64))
    counter, seen = nbvars.Variable(0, dtype=nbvars.int64), np.zeros(400, np.int64)
    print(update(table, row, counter, seen, 400) == (400 * size, -400), seen.min(), seen.max())
"""


def test_a_prange_updates_under_the_lock_and_counts():
    assert run_python(IN_PARALLEL, NUMBA_NUM_THREADS="4") == "True 1 1\nTrue 1 1"


CACHED = """
import numpy as np
from numba import njit
import nbvars

@njit(cache=True, nogil=True)
def train(table, rows, deltas, counter):
    table.scatter_sub(rows, deltas, use_locking=True)
    table.assign_add(1.0)
    nbvars.atomic.add(table, (0, 0), 5.0)
    return table, counter.count_up_to(9), table[0, 0]
"""
USE_CACHED = """
import sys
sys.path.insert(0, sys.argv[1])
import numpy as np
import nbvars
from cached import train

for dtype in sys.argv[2:]:
    table, counter = nbvars.Variable(np.zeros((2, 2), dtype)), nbvars.Variable(3)
    same, count, item = train(table, np.array([1, 1]), np.ones((2, 2)), counter)
    print(same is table, count, item, table.numpy().tolist(), end=" ")
print("loaded", sum(train.stats.cache_hits.values()))
"""


def test_functions_in_numbas_cache_take_variables_in_other_processes(tmp_path):
    (tmp_path / "cached.py").write_text(CACHED)

    def use(*dtypes):
        code = f"import sys; sys.argv = {['', str(tmp_path), *dtypes]!r}\n{USE_CACHED}"
        return run_python(code, NUMBA_CACHE_DIR=str(tmp_path / "cache"))

    one = "True 3 6.0 [[6.0, 1.0], [-1.0, -1.0]]"
    # Of two processes each leaves one compiled function, which meet in the third.
    assert use("float32") == f"{one} loaded 0"
    assert use("float64") == f"{one} loaded 0"
    assert use("float32", "float64") == f"{one} {one} loaded 2"


INTERRUPTED = """
import os, signal, threading, time
import numpy as np
from numba import njit
import nbvars

@njit(nogil=True)
def add(variable, delta):
    variable.assign_add(delta, use_locking=True)

variable = nbvars.Variable(0)
add(variable, 0)
holds, done = threading.Event(), threading.Event()

def hold():
    with variable._locked():
        holds.set()
        done.wait()

threading.Thread(target=hold).start()
holds.wait()
threading.Timer(0.2, os.kill, [os.getpid(), signal.SIGINT]).start()
try:
    add(variable, 1)
except KeyboardInterrupt:
    print("interrupted", end=" ")
done.set()
add(variable, 10)
variable.assign_add(100, use_locking=True)
print(variable.numpy())
"""


@pytest.mark.skipif(not hasattr(signal, "SIGINT") or os.name != "posix", reason="runs where signals are POSIX's")
def test_ctrl_c_ends_the_wait_for_the_lock():
    assert run_python(INTERRUPTED) == "interrupted 110"


FORKED = """
import os, threading, warnings
import numpy as np
from numba import njit
import nbvars

warnings.simplefilter("ignore", DeprecationWarning)  # of forks while other threads run

@njit(nogil=True)
def add_often(variable, num_times):
    for _ in range(num_times):
        variable.assign_add(1, use_locking=True)

variable = nbvars.Variable(np.zeros(2, np.int64))
add_often(variable, 1)
worker = threading.Thread(target=add_often, args=(variable, 10**6))
worker.start()
codes = []
for _ in range(10):
    child = os.fork()
    if child == 0:
        before = variable.numpy()
        add_often(variable, 100)
        os._exit(int((variable.numpy() != before + 100).any()))
    codes.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
worker.join()
print(codes == [0] * 10, variable.numpy().tolist() == [10**6 + 1] * 2)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="runs where there is os.fork")
def test_a_child_forked_while_a_thread_updates_goes_on_by_itself():
    assert run_python(FORKED) == "True True"

"""What an update of a variable on a GPU costs the host, without a GPU: ``python benchmarks/gpu_host_cost.py``.

The driver is the stand-in of the tests, whose launch takes note of its arguments; a true one adds about 2 us.
Prints microseconds of CPU time per call, the least of several rounds. Needs the extra ``test-cuda``.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

NUM_CALLS, NUM_ROUNDS = 2000, 15


def main() -> None:
    """Measure and print."""
    sys.path.insert(0, str(Path(__file__).parent.parent))
    from tests.cuda import driver_stub

    driver_stub.install()
    import nbvars as tf  # after the stand-in

    with tf.device("/gpu:0"):
        array = np.ones(1024, np.float32)
        variable, delta = tf.Variable(np.zeros(1024, np.float32)), tf.constant(array)
    cases: dict[str, Callable[[], object]] = {
        "assign_add(tensor)": lambda: variable.assign_add(delta),
        "assign_add(1.0)": lambda: variable.assign_add(1.0),
        "assign_add(tensor, use_locking=True)": lambda: variable.assign_add(delta, use_locking=True),
        "assign_add(array)": lambda: variable.assign_add(array),
    }
    for name, call in cases.items():
        call()
        times = [_microseconds(call, driver_stub.calls) for _ in range(NUM_ROUNDS)]
        print(f"{name:40}{min(times):8.2f} us")


def _microseconds(call: Callable[[], object], calls: list[object]) -> float:
    """Return the CPU time of one call; ``calls`` is what the stand-in notes."""
    calls.clear()
    start = time.process_time()
    for _ in range(NUM_CALLS):
        call()
    return (time.process_time() - start) / NUM_CALLS * 1e6


if __name__ == "__main__":
    main()

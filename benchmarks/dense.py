"""Updates of whole variables of float32: from those where the call costs most to those beyond every cache."""

from __future__ import annotations

from benchmarks.common import Timed, checked_case, skip
from nbvars.bench.dense import SERIES, dense

OPERATIONS = ["assign", "assign_add", "assign_sub"]


class Dispatch(Timed):
    """A thousand updates, so that microseconds are nanoseconds a call, and --quick tells, too."""

    params = (OPERATIONS, ["number", "array"], [1, 16, 1024], list(SERIES))
    param_names = ("operation", "by", "num_elements", "library")

    def setup(self, operation, by, num_elements, library):
        self.case = checked_case(dense, library, operation, by, num_elements)

    def time_thousand_updates(self, operation, by, num_elements, library):
        self.case.run(1000)


class Locked(Timed):
    """A thousand updates with ``use_locking=True``; the others behind a ``threading.Lock``."""

    params = (OPERATIONS, ["number", "array"], list(SERIES))
    param_names = ("operation", "by", "library")

    def setup(self, operation, by, library):
        self.case = checked_case(dense, library, operation, by, 16, True)

    def time_thousand_updates(self, operation, by, library):
        self.case.run(1000)


class Dense(Timed):
    """One update, one thread."""

    params = (OPERATIONS, ["number", "array"], [10**3, 10**4, 10**5, 10**6, 10**7, 10**8], list(SERIES))
    param_names = ("operation", "by", "num_elements", "library")

    def setup(self, operation, by, num_elements, library):
        skip(
            operation == "assign_sub" and library not in ("nbvars", "numpy"),
            "is to others what assign_add is",
        )
        skip(num_elements in (10**4, 10**6) and library in ("tensorflow", "jax"), "their neighbours tell enough")
        self.case = checked_case(dense, library, operation, by, num_elements)

    def time_update(self, operation, by, num_elements, library):
        self.case.run()

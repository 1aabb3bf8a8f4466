"""The atomic counter, against a Python int behind a lock."""

from __future__ import annotations

from benchmarks.common import Timed, checked_case, skip
from nbvars.bench.counter import COMPILES, SERIES, SERIES_OF_COMPILED, counter


class Counter(Timed):
    """10,000 counts in all, by 1 to 8 Python threads."""

    params = ([1, 2, 4, 8], list(SERIES))
    param_names = ("num_threads", "library")

    def setup(self, num_threads, library):
        self.case = checked_case(counter, library, num_threads, reference="python Lock")

    def time_counts(self, num_threads, library):
        self.case.run()


class CompiledCounter(Timed):
    """A million counts in all, by 1 to 8 Python threads; ours in a function that Numba compiles."""

    params = ([1, 2, 4, 8], list(SERIES_OF_COMPILED))
    param_names = ("num_threads", "library")

    def setup(self, num_threads, library):
        skip(not COMPILES, "this nbvars does not count in compiled functions")
        self.case = checked_case(counter, library, num_threads, True, reference="python Lock")

    def time_counts(self, num_threads, library):
        self.case.run()

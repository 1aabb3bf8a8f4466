"""New processes that import a library, and make one update."""

from __future__ import annotations

from benchmarks.common import checked_case
from nbvars.bench.start_up import SERIES, WORK, start_up


class StartUp:
    """With kernels in the cache on disk, and without."""

    params = (list(WORK), list(SERIES))
    param_names = ("work", "library")
    number = 1
    rounds = 1
    repeat = (5, 9, 20.0)
    warmup_time = 0
    timeout = 120

    def setup(self, work, library):
        self.case = checked_case(start_up, library, work)

    def time_process(self, work, library):
        self.case.run()

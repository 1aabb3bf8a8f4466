"""Small updates, where the call costs more than the work."""

from __future__ import annotations

from benchmarks.cases import LIBRARIES, dense
from benchmarks.common import checked_case


class Dispatch:
    """A thousand updates of 1 to 1024 float32, so that microseconds are nanoseconds a call, and --quick tells, too."""

    params = (["assign", "assign_add", "assign_sub"], ["number", "array"], [1, 16, 1024], LIBRARIES)
    param_names = ("operation", "update", "num_elements", "library")

    def setup(self, operation, update, num_elements, library):
        self.run = checked_case(dense, library, operation, update, num_elements).run

    def time_thousand_updates(self, operation, update, num_elements, library):
        run = self.run
        for _ in range(1000):
            run()

"""Large dense updates, where memory sets the pace."""

from __future__ import annotations

from benchmarks.cases import LIBRARIES, dense
from benchmarks.common import checked_case


class Assign:
    """One update of float32, one thread."""

    params = (["assign", "assign_add"], ["number", "array"], [100_000, 10_000_000], LIBRARIES)
    param_names = ("operation", "update", "num_elements", "library")

    def setup(self, operation, update, num_elements, library):
        self.run = checked_case(dense, library, operation, update, num_elements).run

    def time_update(self, operation, update, num_elements, library):
        self.run()

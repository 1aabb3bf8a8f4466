"""Steps of optimizers by a gradient that is given."""

from __future__ import annotations

from benchmarks.common import TRAINS, Timed, checked_case, skip
from nbvars.bench.optimizer import DENSE, SERIES, SPARSE_SERIES, dense, sparse


class SmallStep(Timed):
    """A thousand steps of a thousand elements, where the call is what they cost."""

    params = (list(DENSE), list(SERIES))
    param_names = ("optimizer", "library")

    def setup(self, optimizer, library):
        skip(not TRAINS, "this nbvars has no optimizers")
        self.case = checked_case(dense, library, optimizer, 1000)

    def time_thousand_steps(self, optimizer, library):
        self.case.run(1000)


class Step(Timed):
    """One step of a whole parameter of float32, one thread."""

    params = (list(DENSE), [10**5, 10**6, 10**7], list(SERIES))
    param_names = ("optimizer", "num_elements", "library")

    def setup(self, optimizer, num_elements, library):
        skip(not TRAINS, "this nbvars has no optimizers")
        self.case = checked_case(dense, library, optimizer, num_elements)

    def time_step(self, optimizer, num_elements, library):
        self.case.run()


class StepOfRows(Timed):
    """One step of uniformly distributed rows of a table of a million rows of 64 float32, one thread."""

    params = (list(SPARSE_SERIES), [10**3, 10**5], list(SPARSE_SERIES["Adagrad"]))
    param_names = ("optimizer", "num_slices", "library")

    def setup(self, optimizer, num_slices, library):
        skip(not TRAINS, "this nbvars has no optimizers")
        skip(library not in SPARSE_SERIES[optimizer], "it has no such optimizer")
        self.case = checked_case(sparse, library, optimizer, 1_000_000, 64, num_slices)

    def time_step(self, optimizer, num_slices, library):
        self.case.run()

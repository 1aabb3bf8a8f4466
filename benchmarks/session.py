"""Runs of a session: what graph mode adds to an update, and what TensorFlow 1's adds."""

from __future__ import annotations

from benchmarks.common import TRAINS, Timed, checked_case, skip
from nbvars.bench.session import GRAPH_SERIES, RUNS, SERIES, TRAINING_SERIES, build_graph, session, training_step


class SessionRun(Timed):
    """A thousand runs, so that microseconds are nanoseconds a run."""

    params = (list(RUNS), list(SERIES))
    param_names = ("work", "library")

    def setup(self, work, library):
        self.case = checked_case(session, library, work, reference="nbvars eager")

    def time_thousand_runs(self, work, library):
        self.case.run(1000)


class TrainingStep(Timed):
    """A thousand steps of a softmax regression by gradient descent: batches of 64 rows of 64, ten classes."""

    params = (list(TRAINING_SERIES),)
    param_names = ("library",)

    def setup(self, library):
        skip(not TRAINS, "this nbvars has no optimizers")
        self.case = checked_case(training_step, library)

    def time_thousand_steps(self, library):
        self.case.run(1000)


class GraphBuilding(Timed):
    """A graph of 1,000 additions."""

    params = (list(GRAPH_SERIES),)
    param_names = ("library",)

    def setup(self, library):
        self.case = checked_case(build_graph, library, 1000, reference="nbvars")

    def time_thousand_ops(self, library):
        self.case.run()

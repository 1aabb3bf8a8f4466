"""The atomic counter, against a Python int behind a lock."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from benchmarks.cases import counter

COUNTS = 10_000


class Counter:
    """10,000 counts in all, from 1 to 8 Python threads."""

    params = ([1, 2, 8], ["nbvars", "python"])
    param_names = ("num_threads", "library")

    def setup(self, num_threads, library):
        self.counter = counter(library)
        first = [self.counter.count_up_to(2**60) for _ in range(3)]
        assert first == [0, 1, 2], first
        self.pool = ThreadPoolExecutor(num_threads)

    def teardown(self, num_threads, library):
        self.pool.shutdown()

    def time_count_up_to(self, num_threads, library):
        list(self.pool.map(self.count, [COUNTS // num_threads] * num_threads))

    def count(self, counts):
        count_up_to = self.counter.count_up_to
        for _ in range(counts):
            count_up_to(2**60)

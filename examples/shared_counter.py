"""Share work out to threads by a counter: every number is handed out once, and none beyond the limit."""

from __future__ import annotations

from threading import Thread

import numpy as np

import nbvars

NUM_TASKS, NUM_THREADS = 100_000, 8

next_task = nbvars.Variable(np.int64(0), name="next_task", trainable=False)
done: list[list[int]] = [[] for _ in range(NUM_THREADS)]


def work(mine: list[int]) -> None:
    try:
        while True:
            mine.append(next_task.count_up_to(NUM_TASKS))
    except nbvars.errors.OutOfRangeError:
        return  # all tasks are taken


threads = [Thread(target=work, args=[mine]) for mine in done]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()

tasks = sorted(task for mine in done for task in mine)
print(f"{len(tasks)} tasks by {NUM_THREADS} threads; each exactly once: {tasks == list(range(NUM_TASKS))}")

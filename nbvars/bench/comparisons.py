"""What ``python -m nbvars bench`` compares: the table of workloads, in panels. A new panel is a function more."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, NamedTuple

from nbvars.bench import cast, counter, dense, optimizer, saver, scatter, session, start_up
from nbvars.bench.case import Case


class Comparison(NamedTuple):
    """One workload: a row of the table. All must agree with the first of ``series`` after nbvars that is installed."""

    panel: str
    name: str
    make: Callable[[str], Case]
    series: tuple[str, ...]
    remarks: Mapping[str, str] = {}
    """By series: what should be known of its number."""
    uses_all_processors: bool = False


PANELS = {
    "dispatch": "updates so small that the call is all they cost; float32",
    "dense": "updates of whole variables; float32",
    "scatter": "updates of rows of tables (rows x width)",
    "casts": "of large arrays, to a new array unless said",
    "optimizer": "steps by a gradient that is given, of whole parameters or of rows; float32",
    "counter": "10,000 counts by Python threads, or as many as said",
    "session": "runs of a graph that adds an array to a variable of 16 float32, unless said",
    "saver": "a variable, to the disk, and from the system's cache: into itself, or as an array; by all processors",
    "start-up": "new processes",
}
"""Panels in order, and what they show."""


def comparisons(quick: bool = False) -> list[Comparison]:
    """Return all comparisons; ``quick`` ones are a hundred times smaller, and start no processes."""
    shrink = 100 if quick else 1
    found = [*_dispatch(), *_dense(shrink), *_scatter(shrink), *_casts(shrink), *_optimizer(shrink), *_counter()]
    found += [*_session(shrink), *_saver(quick)]
    return found if quick else [*found, *_start_up()]


def _count(number: int) -> str:
    """Return ``1e7`` for 10,000,000, and small numbers as they are."""
    return str(number) if number < 10_000 else f"{number:.0e}".replace("e+0", "e")


def _one_dense(panel: str, operation: str, by: str, size: int, use_locking: bool = False) -> Comparison:
    remarks = {}
    if operation == "assign" and size >= 10_000:
        remarks["tensorflow"] = "copies nothing: the variable shares the memory of the tensor that it is given"
    locked = ", locked" if use_locking else ""
    name = f"{operation}({by}){locked}, {_count(size)}"
    make = partial(dense.dense, operation=operation, by=by, num_elements=size, use_locking=use_locking)
    return Comparison(panel, name, make, dense.SERIES, remarks)


def _dispatch() -> Iterator[Comparison]:
    for operation, by, sizes in [
        ("assign", "number", (16,)),
        ("assign", "array", (16, 1024)),
        ("assign_add", "number", (1, 16, 1024)),
        ("assign_add", "array", (1, 16, 1024)),
        ("assign_sub", "array", (16,)),
    ]:
        yield from (_one_dense("dispatch", operation, by, size) for size in sizes)
    yield _one_dense("dispatch", "assign_add", "array", 16, use_locking=True)


def _dense(shrink: int) -> Iterator[Comparison]:
    for operation, by, sizes in [
        ("assign", "number", (100_000, 10_000_000)),
        ("assign", "array", (100_000, 10_000_000)),
        ("assign_add", "number", (100_000, 10_000_000)),
        ("assign_add", "array", (10_000, 100_000, 1_000_000, 10_000_000)),
        ("assign_sub", "array", (10_000_000,)),
    ]:
        yield from (_one_dense("dense", operation, by, size // shrink) for size in sizes)


def _scatter(shrink: int) -> Iterator[Comparison]:
    for operation, rows, width, slices, distribution, dtype, index_dtype in [
        ("sub", 1_000_000, 64, 1_000, "uniform", "float32", "int64"),
        ("sub", 1_000_000, 64, 100_000, "uniform", "float32", "int64"),
        ("sub", 1_000_000, 64, 100_000, "uniform", "float32", "int32"),
        ("sub", 1_000_000, 64, 100_000, "unique", "float32", "int64"),
        ("sub", 1_000_000, 64, 100_000, "zipf", "float32", "int64"),
        ("sub", 1_000_000, 64, 100_000, "uniform", "float16", "int64"),
        ("sub", 1_000_000, 64, 100_000, "uniform", "bfloat16", "int64"),
        ("sub", 100_000, 256, 10_000, "uniform", "float32", "int64"),
        ("sub", 100_000, 16, 100_000, "zipf", "float32", "int64"),
        ("sub", 10_000_000, 1, 1_000_000, "uniform", "float32", "int64"),
        ("update", 1_000_000, 64, 100_000, "unique", "float32", "int64"),
        ("max", 1_000_000, 64, 100_000, "uniform", "float32", "int64"),
    ]:
        sizes = (rows // shrink, width, slices // shrink)
        types = "".join(f", {name}" for name in (dtype, index_dtype) if name not in ("float32", "int64"))
        what = f"{operation} {_count(sizes[0])}x{width}, {_count(sizes[2])} {distribution}{types}"

        def make(series: str, a: Any = (operation, *sizes, distribution, dtype, index_dtype)) -> Case:
            return scatter.scatter(series, *a)

        series = [name for name in scatter.SERIES if operation == "sub" or name != "torch index_put_"]
        yield Comparison("scatter", what, make, tuple(series))


def _casts(shrink: int) -> Iterator[Comparison]:
    for source, target, into in [
        ("float16", "float32", False),
        ("float16", "float32", True),
        ("bfloat16", "float32", False),
        ("bfloat16", "float32", True),
        ("float32", "float16", False),
        ("float32", "float16", True),
        ("float32", "bfloat16", False),
        ("float32", "bfloat16", True),
        ("float32", "float64", False),
        ("float64", "float32", False),
        ("float32", "int32", False),
        ("int32", "float32", False),
        ("int64", "int32", False),
        ("float32", "uint8", False),
        ("uint8", "float32", False),
    ]:
        size = 10_000_000 // shrink
        make = partial(cast.cast, source=source, target=target, num_elements=size, into=into)
        name = f"{source} to {target}{', into out' if into else ''}, {_count(size)}"
        yield Comparison("casts", name, make, cast.SERIES_WITH_OUT if into else cast.SERIES)


def _optimizer(shrink: int) -> Iterator[Comparison]:
    for name in optimizer.DENSE:
        for size in (1_000, 100_000, 10_000_000):
            make = partial(optimizer.dense, optimizer=name, num_elements=size // shrink)
            yield Comparison("optimizer", f"{name}, {_count(size // shrink)}", make, optimizer.SERIES)
    rows, width, slices = 1_000_000 // shrink, 64, 100_000 // shrink
    for name, series in optimizer.SPARSE_SERIES.items():
        make = partial(optimizer.sparse, optimizer=name, num_rows=rows, width=width, num_slices=slices)
        what = f"{name}, {_count(slices)} rows of {_count(rows)}x{width}"
        yield Comparison("optimizer", what, make, series)


def _counter() -> Iterator[Comparison]:
    remarks = {"python itertools": "itertools.count, which knows no limit"}
    for threads in (1, 2, 8):
        name = f"count_up_to, {threads} thread{'s' if threads > 1 else ''}"
        make = partial(counter.counter, num_threads=threads)
        yield Comparison("counter", name, make, counter.SERIES, remarks, uses_all_processors=True)
    for threads in (1, 8) if counter.COMPILES else ():
        name = f"in @njit, {threads} thread{'s' if threads > 1 else ''}, 1e6"
        make = partial(counter.counter, num_threads=threads, compiled=True)
        yield Comparison("counter", name, make, counter.SERIES_OF_COMPILED, uses_all_processors=True)


def _session(shrink: int) -> Iterator[Comparison]:
    for work in session.RUNS:
        yield Comparison("session", work, partial(session.session, work=work), session.SERIES)
    what = f"training step, {session.BATCH}x{session.FEATURES} by {session.CLASSES}"
    yield Comparison("session", what, session.training_step, session.TRAINING_SERIES)
    num_ops = 1000 // shrink
    build = partial(session.build_graph, num_ops=num_ops)
    yield Comparison("session", f"building {num_ops} ops", build, session.GRAPH_SERIES)


def _saver(quick: bool) -> Iterator[Comparison]:
    remarks = {"python file": "the bytes alone: no names, no checksums"}
    mebibytes = 8 if quick else 256
    for work in (saver.save, saver.restore, saver.load) if saver.SAVES else ():
        make = partial(work, num_bytes=mebibytes << 20)
        yield Comparison(
            "saver", f"{work.__name__}, {mebibytes} MiB", make, saver.SERIES, remarks, uses_all_processors=True
        )


def _start_up() -> Iterator[Comparison]:
    for work in start_up.WORK:
        yield Comparison("start-up", work, partial(start_up.start_up, work=work), start_up.SERIES)

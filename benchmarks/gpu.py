"""Kernels on a GPU against a copy of the same bytes, and against torch, CuPy and JAX where they are installed.

    python benchmarks/gpu.py --json benchmarks/results/h200.json

Every workload is compared with NumPy's result on a small size before it is timed. All times come from one run: rounds
in which each library has its turn, and of those the medians. Rates count the bytes that an update has to move.
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import importlib
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import ml_dtypes
import numpy as np

import nbvars as tf
from nbvars.kernels import find_kernel

try:
    from nbvars.kernels.cuda.backend import backend
    from nbvars.kernels.cuda.groups import group_update
    from nbvars.kernels.cuda.memory import DeviceArray, to_device
    from nbvars.kernels.cuda.toolkit import IS_SIMULATED

    MISSING = ""
except ImportError as error:  # asv imports every file of this folder
    MISSING = str(error)

ROUNDS = 9
BFLOAT16 = np.dtype(ml_dtypes.bfloat16)
Run = Callable[[], object]


class Workload(NamedTuple):
    """What is timed, by library; ``bytes`` is what one run has to move."""

    name: str
    bytes: int
    runs: dict[str, Run]
    goal: str


def main() -> int:
    """Measure, print a table, and write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="where the results go")
    parser.add_argument("--quick", action="store_true", help="small sizes: shows that everything runs")
    parser.add_argument("--only", default="", help="part of the names of the workloads to run")
    options = parser.parse_args()
    if MISSING or not backend.count_devices():
        print(MISSING or "no GPU, and no simulator: NUMBA_ENABLE_CUDASIM=1", file=sys.stderr)
        return 1
    peers = {name: module for name in ("torch", "cupy", "jax") if (module := _optional(name)) is not None}
    items = 1 << 10 if options.quick or IS_SIMULATED else 1 << 26
    found = []
    for workload in workloads(items, peers):
        if options.only in workload.name:
            found.append(measured(workload))
            print(_line(found[-1]), flush=True)
    result = {**_machine(peers), "items": items, "results": found}
    if not options.only:
        result["host"] = host_cost(peers)
        result["deterministic"] = digests(2 if items < 1 << 20 else 1000, items)
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")
    return 0


def _optional(name: str) -> Any:
    """Return a library that can use the GPU, ``None`` if it is not there."""
    try:
        module = importlib.import_module(name)
        is_there = {
            "torch": lambda: bool(module.cuda.is_available()),
            "cupy": lambda: module.cuda.runtime.getDeviceCount() > 0,
            "jax": lambda: any(each.platform == "gpu" for each in module.devices()),
        }[name]()
    except Exception:
        return None
    return module if is_there else None


def _machine(peers: dict[str, Any]) -> dict[str, Any]:
    libraries = {"nbvars": tf.__version__}
    libraries |= {name: version(name) for name in ("numba", "numba-cuda", "cuda-core", "numpy")}
    libraries |= {name: str(module.__version__) for name, module in peers.items()}
    made = datetime.now(UTC).date().isoformat()
    if IS_SIMULATED:
        return {"gpu": "simulated", "date": made, "libraries": libraries}
    from cuda.core import Device

    major, minor = backend.compute_capability(0)
    return {"gpu": Device(0).name, "compute_capability": f"{major}.{minor}", "date": made, "libraries": libraries}


def _seconds(run: Run, repetitions: int) -> float:
    """Return how long one run takes on the GPU, by events on the default stream."""
    if IS_SIMULATED:
        start = time.perf_counter()
        run()
        return time.perf_counter() - start
    from cuda.core import LEGACY_DEFAULT_STREAM, Device, EventOptions

    device = Device(0)
    start_event, end_event = (device.create_event(EventOptions(timing_enabled=True)) for _ in range(2))
    LEGACY_DEFAULT_STREAM.record(start_event)
    for _ in range(repetitions):
        run()
    LEGACY_DEFAULT_STREAM.record(end_event)
    end_event.sync()
    return (end_event - start_event) / 1e3 / repetitions


def measured(workload: Workload) -> dict[str, Any]:
    """Time all libraries in turn, round by round."""
    times: dict[str, list[float]] = {library: [] for library in workload.runs}
    for run in workload.runs.values():
        run()  # compiles, and fills the caches
    repetitions = 1 if IS_SIMULATED else 10
    for _ in range(1 if IS_SIMULATED else ROUNDS):
        for library, run in workload.runs.items():
            times[library].append(_seconds(run, repetitions))
    medians = {library: statistics.median(each) for library, each in times.items()}
    return {
        "workload": workload.name,
        "goal": workload.goal,
        "bytes": workload.bytes,
        "seconds": medians,
        "times nbvars's": {library: each / medians["nbvars"] for library, each in medians.items()},
    }


def _line(result: dict[str, Any]) -> str:
    rate = result["bytes"] / result["seconds"]["nbvars"] / 1e12
    ratios = [f"{name} {ratio:.2f}x" for name, ratio in result["times nbvars's"].items() if name != "nbvars"]
    return f"{result['workload']:<44} {rate:6.2f} TB/s   {'  '.join(ratios):<60} goal: {result['goal']}"


def workloads(items: int, peers: dict[str, Any]) -> Iterator[Workload]:
    """Yield the workloads: names, bytes, a run for each library, and the goal."""
    yield from _dense(items, peers)
    yield from _casts(items, peers)
    yield from _steps(items, peers)
    yield from _scatters(items, peers)
    yield from _many_small(items, peers)


def _random(items: int, dtype: Any = np.float32) -> np.ndarray[Any, Any]:
    return np.random.default_rng(0).standard_normal(items, np.float32).astype(dtype)


def _copy_run(num_bytes: int) -> Run:
    """Return a copy, by the driver, that moves as many bytes as an update: half of them read, half written."""
    half = num_bytes // 2
    source, target = (to_device(np.zeros(half, np.uint8), 0) for _ in range(2))
    return lambda: backend.copy_on_device(0, target.pointer, source.pointer, half)


def _for_torch(torch: Any, array: np.ndarray[Any, Any]) -> Any:
    if array.dtype == BFLOAT16:
        return torch.from_numpy(array.view(np.uint16).view(np.int16)).cuda().view(torch.bfloat16)
    return torch.from_numpy(array).cuda()


def _expect_equal(name: str, got: DeviceArray, expected: np.ndarray[Any, Any]) -> None:
    if not np.array_equal(got.copy_to_host(), expected):
        raise SystemExit(f"{name}: the result differs from NumPy's")


def _dense(items: int, peers: dict[str, Any]) -> Iterator[Workload]:
    for dtype in (np.dtype(np.float32), np.dtype(np.float16), BFLOAT16):
        x, y = _random(items, dtype), _random(items, dtype)
        for op, goal in (("assign", ">= 0.97x of copy, >= 0.98x torch"), ("assign_add", ">= 0.95x of copy")):
            ref, value, launch = to_device(x, 0), to_device(y, 0), find_kernel(op, "gpu")
            launch(ref, value)
            _expect_equal(op, ref, y if op == "assign" else (x.astype(np.float32) + y).astype(dtype))
            moved = (2 if op == "assign" else 3) * ref.nbytes
            runs: dict[str, Run] = {
                "nbvars": lambda launch=launch, ref=ref, value=value: launch(ref, value),
                "copy": _copy_run(moved),
            }
            if "torch" in peers:
                to, source = _for_torch(peers["torch"], x), _for_torch(peers["torch"], y)
                method = to.copy_ if op == "assign" else to.add_
                runs["torch"] = lambda method=method, source=source: method(source)
            if "cupy" in peers and dtype != BFLOAT16:
                a, b = peers["cupy"].asarray(x), peers["cupy"].asarray(y)
                cupy = peers["cupy"]
                runs["cupy"] = (
                    (lambda a=a, b=b, cupy=cupy: cupy.copyto(a, b))
                    if op == "assign"
                    else (lambda a=a, b=b, cupy=cupy: cupy.add(a, b, out=a))
                )
            yield Workload(f"{op} {dtype.name}", moved, runs, goal)


def _casts(items: int, peers: dict[str, Any]) -> Iterator[Workload]:
    pairs = [(np.float32, np.float16), (np.float16, np.float32), (np.float32, BFLOAT16), (BFLOAT16, np.float32)]
    cast = find_kernel("cast", "gpu")
    for source, target in ((np.dtype(a), np.dtype(b)) for a, b in pairs):
        x = _random(items, source)
        given = to_device(x, 0)
        out = cast(given, target)
        _expect_equal("cast", out, x.astype(target))
        moved = given.nbytes + out.nbytes
        runs: dict[str, Run] = {
            "nbvars": lambda given=given, target=target, out=out: cast(given, target, out),
            "copy": _copy_run(moved),
        }
        if "torch" in peers:
            torch = peers["torch"]
            tensor = _for_torch(torch, x)
            to = torch.empty(items, dtype=getattr(torch, target.name), device="cuda")
            runs["torch"] = lambda to=to, tensor=tensor: to.copy_(tensor)
        yield Workload(f"cast {source.name} to {target.name}", moved, runs, ">= 0.92x of copy")


def _steps(items: int, peers: dict[str, Any]) -> Iterator[Workload]:
    goal = ">= 0.90x of copy, >= 1.0x torch fused"
    settings = {"momentum": (0.01, 0.9), "adam": (1e-3, 0.1, 1e-3, 1e-8)}
    for name, num_slots in (("momentum", 1), ("adam", 2)):
        param, grad = to_device(_random(items), 0), to_device(_random(items), 0)
        slots = [to_device(np.zeros(items, np.float32), 0) for _ in range(num_slots)]
        step = find_kernel(f"{name}_step", "gpu")
        moved = (2 * (1 + num_slots) + 1) * param.nbytes
        runs: dict[str, Run] = {
            "nbvars": lambda step=step, p=param, s=slots, g=grad, name=name: step(p, s, g, settings[name]),
            "copy": _copy_run(moved),
        }
        if "torch" in peers:
            torch = peers["torch"]
            parameter = torch.nn.Parameter(_for_torch(torch, _random(items)))
            parameter.grad = _for_torch(torch, _random(items))
            made = (
                torch.optim.SGD([parameter], 0.01, 0.9, fused=True)
                if name == "momentum"
                else torch.optim.Adam([parameter], 1e-3, fused=True)
            )
            runs["torch"] = made.step
        yield Workload(f"{name} step float32", moved, runs, goal)


def _scatters(items: int, peers: dict[str, Any]) -> Iterator[Workload]:
    num_rows, width = max(16, items >> 8), 64
    rng = np.random.default_rng(1)
    distributions = {
        "unique": rng.permutation(num_rows),
        "uniform": rng.integers(0, num_rows, num_rows),
        "zipf": np.minimum(rng.zipf(1.2, num_rows), num_rows) - 1,
    }
    for dtype in (np.dtype(np.float32), np.dtype(np.float16), BFLOAT16):
        for distribution, rows in distributions.items():
            values = rng.integers(-2, 3, (num_rows, width)).astype(dtype)
            table = np.zeros((num_rows, width), dtype)
            expected = table.astype(np.float32)
            np.subtract.at(expected, rows, values.astype(np.float32))
            for deterministic in (False, True):
                ref, indices, slices = (to_device(each, 0) for each in (table, rows, values))
                scatter = find_kernel("scatter_sub", "gpu")
                scatter(ref, indices, slices, deterministic=deterministic)
                if np.abs(expected).max() < 256:  # whole numbers that every dtype holds
                    _expect_equal("scatter_sub", ref, expected.astype(dtype))
                runs: dict[str, Run] = {
                    "nbvars": functools.partial(scatter, ref, indices, slices, deterministic=deterministic)
                }
                if "torch" in peers and not deterministic:
                    torch = peers["torch"]
                    a, b, c = (_for_torch(torch, table), torch.from_numpy(rows).cuda(), _for_torch(torch, values))
                    runs["torch"] = lambda a=a, b=b, c=c: a.index_add_(0, b, c, alpha=-1)
                suffix = ", deterministic" if deterministic else ""
                goal = ">= 1.3x torch" if dtype == np.float32 else ">= 2x torch"
                goal = (
                    "one digest in 1000 runs" if deterministic else ">= 1.0x torch" if distribution == "zipf" else goal
                )
                yield Workload(f"scatter_sub {dtype.name} {distribution}{suffix}", 3 * ref.nbytes, runs, goal)


def _many_small(items: int, peers: dict[str, Any]) -> Iterator[Workload]:
    number, size = (400, 4096) if items > 1 << 20 else (8, 32)
    arrays = [_random(size) for _ in range(number)]
    refs, values = ([to_device(array, 0) for array in arrays] for _ in range(2))
    group_update("assign_add", refs, values)
    for ref, array in zip(refs, arrays, strict=True):
        _expect_equal("group_update", ref, array + array)
    runs: dict[str, Run] = {"nbvars": lambda: group_update("assign_add", refs, values)}
    if "torch" in peers:
        torch = peers["torch"]
        to, source = ([_for_torch(torch, array) for array in arrays] for _ in range(2))
        runs["torch"] = lambda: torch._foreach_add_(to, source)
    yield Workload(
        f"assign_add of {number} variables of {size}", 3 * 4 * number * size, runs, "one launch, >= 1.0x torch"
    )


def host_cost(peers: dict[str, Any]) -> dict[str, Any]:
    """Return how long the host takes to ask for a small update, in microseconds: the GPU is not waited for."""
    delta = _random(1024)
    with tf.device("/gpu:0"):
        variable, on_gpu = tf.Variable(_random(1024)), tf.constant(delta)
    runs: dict[str, Run] = {
        "nbvars, by a tensor": lambda: variable.assign_add(on_gpu),
        "nbvars, by a number": lambda: variable.assign_add(1.0),
    }
    if "torch" in peers:
        to, source = (_for_torch(peers["torch"], delta) for _ in range(2))
        runs["torch, by a tensor"] = lambda: to.add_(source)
        runs["torch, by a number"] = lambda: to.add_(1.0)
    number = 1 if IS_SIMULATED else 1000
    found: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(1 if IS_SIMULATED else ROUNDS):
        for name, run in runs.items():
            run()
            tf.synchronize()
            start = time.perf_counter()
            for _ in range(number):
                run()
            found[name].append((time.perf_counter() - start) / number * 1e6)
    medians = {name: statistics.median(each) for name, each in found.items()}
    print("assign_add of 1024 floats on the host, us:", {name: round(each, 2) for name, each in medians.items()})
    return {"goal": "<= 5 us, <= torch", "microseconds": medians}


def digests(repetitions: int, items: int) -> dict[str, Any]:
    """Return how many digests a deterministic scatter has in so many runs: 1 if its bits are always the same."""
    rng = np.random.default_rng(2)
    num_rows, width, num_slices = (64, 64, items >> 6) if items > 1 << 20 else (4, 8, 40)
    table, values = (
        rng.standard_normal((num_rows, width), np.float32),
        rng.standard_normal((num_slices, width), np.float32),
    )
    rows, slices = to_device(rng.integers(0, num_rows, num_slices), 0), to_device(values, 0)
    scatter, found = find_kernel("scatter_sub", "gpu"), set()
    for _ in range(repetitions):
        ref = to_device(table, 0)
        scatter(ref, rows, slices, deterministic=True)
        found.add(hashlib.sha256(ref.copy_to_host().tobytes()).hexdigest())
    print(f"deterministic scatter_sub: {len(found)} digest(s) in {repetitions} runs")
    return {"repetitions": repetitions, "digests": len(found)}


if __name__ == "__main__":
    sys.exit(main())

"""What all tests share: the devices, seeds, dtypes and layouts, and the comparison of bits."""

from __future__ import annotations

import os
from pathlib import Path

# Numba reads this when it is imported. Kept between runs, and shared by the processes of one run.
os.environ.setdefault("NUMBA_CACHE_DIR", str(Path(__file__).parent.parent / ".numba_cache"))

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import hypothesis
import numpy as np
import pytest
from ml_dtypes import bfloat16

from nbvars import kernels

hypothesis.settings.register_profile(
    "nbvars", derandomize=True, deadline=None, max_examples=60, database=None, print_blob=False
)
hypothesis.settings.load_profile("nbvars")

# A shell starts its background jobs with Ctrl-C ignored: the tests that interrupt something would wait for ever.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

Array = np.ndarray[Any, Any]

INTEGERS = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]
FLOATS = ["float16", "bfloat16", "float32", "float64"]
COMPLEX = ["complex64", "complex128"]
NUMERIC = INTEGERS + FLOATS + COMPLEX
ALL_DTYPES = ["bool", *NUMERIC]


@pytest.fixture(scope="session", params=["cpu"])
def device(request: pytest.FixtureRequest) -> str:
    """Each device whose kernels are tested; another one is one more parameter here."""
    return str(request.param)


@pytest.fixture
def rng() -> np.random.Generator:
    """Random numbers that are the same in every run."""
    return np.random.default_rng(20_150_709)


@pytest.fixture
def restored_num_threads() -> Iterator[None]:
    """Let the test set the number of threads; the next test finds it as it was."""
    num_threads = kernels.get_num_threads()
    yield
    kernels.set_num_threads(num_threads)


def run_kernel(op_type: str, device: str, *arguments: Any) -> Array:
    """Run the kernel of ``op_type`` on ``device``; return what it returns, or the array that it updated."""
    result: Array | None = kernels.find_kernel(op_type, device)(*arguments)
    updated: Array = arguments[0]
    return updated if result is None else result


def run_python(code: str, **environment: str) -> str:
    """Run ``code`` in a new interpreter, with warnings as errors; return what it printed."""
    root = str(Path(kernels.__file__).parents[2])
    path = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, "-P", "-W", "error", "-c", code],
        env={**os.environ, "PYTHONPATH": path, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def numpy_dtype(name: str) -> np.dtype[Any]:
    """Return the dtype of this ``name``, which may be ``"bfloat16"``."""
    return np.dtype(bfloat16 if name == "bfloat16" else name)


def assert_same_bits(got: Array, expected: Array) -> None:
    """Fail unless both have one dtype, one shape and the same bits; any NaN equals any other."""
    assert got.dtype == expected.dtype
    assert got.shape == expected.shape
    got, expected = (np.ascontiguousarray(array).reshape(-1) for array in (got, expected))
    if got.dtype.kind == "c":
        part = f"float{4 * got.dtype.itemsize}"
        got, expected = got.view(part), expected.view(part)
    if got.dtype.kind in "fV":
        with np.errstate(invalid="ignore"):  # ml_dtypes warns of a signalling NaN
            both_nan = (got != got) & (expected != expected)
        got, expected = (array.view(f"uint{8 * array.itemsize}") for array in (got, expected))
        got, expected = (np.where(both_nan, 0, array) for array in (got, expected))
    np.testing.assert_array_equal(got, expected)


def random_array(rng: np.random.Generator, dtype: str, shape: tuple[int, ...], *, negative_zero: bool = True) -> Array:
    """Return ordinary numbers of ``dtype`` mixed with extreme ones; no 0, and -0.0 only if ``negative_zero``."""
    kind = numpy_dtype(dtype)
    if dtype == "bool":
        return rng.integers(0, 2, shape).astype(bool)
    if dtype in COMPLEX:
        part = f"float{4 * kind.itemsize}"
        return random_array(rng, part, (*shape, 2), negative_zero=negative_zero).view(kind)[..., 0]
    if dtype in INTEGERS:
        limits = np.iinfo(kind)
        array = rng.integers(limits.min, limits.max, shape, kind, endpoint=True)
        special = np.array([limits.min or 1, limits.max, 1, limits.max if limits.min == 0 else -1], kind)
        array[array == 0] = 1
    else:
        array = (rng.standard_normal(shape) + 3).astype(kind)
        bits = {2: 10, 4: 23, 8: 52}[kind.itemsize] if dtype != "bfloat16" else 7
        smallest_normal = 2.0**-14 if dtype == "float16" else 2.0 ** (-1022 if dtype == "float64" else -126)
        numbers = [np.nan, np.inf, -np.inf, -1.0, smallest_normal, smallest_normal * 2.0**-bits]
        special = np.array(numbers + ([-0.0] if negative_zero else [])).astype(kind)
    extreme = rng.random(shape) < 0.1
    return np.where(extreme, rng.choice(special, shape), array).astype(kind)


def _unaligned(array: Array) -> Array:
    memory = np.zeros(array.nbytes + 1, np.uint8)
    moved = memory[1:].view(array.dtype).reshape(array.shape)
    moved[...] = array
    return moved


def _read_only(array: Array) -> Array:
    array = array.copy()
    array.flags.writeable = False
    return array


# Each function returns an array equal to its argument, of at least one axis, laid out as the name says.
LAYOUTS: dict[str, Callable[[Array], Array]] = {
    "contiguous": lambda array: array.copy(),
    "strided": lambda array: np.repeat(array, 2, axis=-1)[..., ::2],
    "fortran": lambda array: np.array(array, order="F"),
    "reversed": lambda array: array[::-1].copy()[::-1],
    "big_endian": lambda array: array.astype(array.dtype.newbyteorder(">")),
    "unaligned": _unaligned,
    "read_only": _read_only,
}

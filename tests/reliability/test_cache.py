from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import nbvars

TIMEOUT_S = 120
PACKAGE = Path(nbvars.__file__).parent

CODE = """
import ml_dtypes
import numpy as np
from nbvars import kernels
from nbvars.kernels.cpu.assign import fast_updates
from nbvars.kernels.cpu.compiled import COMPILED

bfloat16 = np.dtype(ml_dtypes.bfloat16)
ref = np.zeros((4, 3), np.float32)
kernels.assign_add(ref, np.ones((4, 3), np.float32))
kernels.scatter_sub(ref, np.array([1, 1]), np.ones((2, 3), np.float32))
halves = kernels.cast(ref, bfloat16)
count = kernels.count_up_to(np.array(5, np.int64), 10)
fast_updates(np.dtype(np.float32)).sub_array
print(ref[:2, 0].tolist(), float(halves[1, 2]), count)
print(len(COMPILED), sum(kernel.from_cache for kernel in COMPILED))
"""
RESULT = "[1.0, -1.0] -1.0 5"


def start_python(cache, package=PACKAGE):
    """Start an interpreter that runs CODE with this ``package`` and folder of compiled kernels, or Numba's own."""
    path = os.pathsep.join([str(package.parent), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {name: value for name, value in os.environ.items() if name != "NUMBA_CACHE_DIR"}
    if cache is not None:
        environment["NUMBA_CACHE_DIR"] = str(cache)
    return subprocess.Popen(
        [sys.executable, "-P", "-W", "error", "-c", CODE],
        env={**environment, "PYTHONPATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process):
    """Return what the process printed, how many kernels it has, and how many of them came from the cache."""
    try:
        printed, errors = process.communicate(timeout=TIMEOUT_S)
    finally:
        process.kill()
    assert process.returncode == 0, errors
    result, numbers = printed.splitlines()
    num_kernels, num_from_cache = (int(number) for number in numbers.split())
    return result, num_kernels, num_from_cache


@pytest.fixture
def package_copy(tmp_path):
    copy = tmp_path / "copy" / "nbvars"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    return copy


def test_a_second_process_finds_every_kernel_in_the_cache(tmp_path):
    result, num_kernels, num_from_cache = finish(start_python(tmp_path))
    assert (result, num_from_cache) == (RESULT, 0)
    assert num_kernels > 0
    assert finish(start_python(tmp_path)) == (RESULT, num_kernels, num_kernels)


def test_processes_that_start_at_once_share_an_empty_cache(tmp_path):
    processes = [start_python(tmp_path / "not_yet_there") for _ in range(3)]
    results, numbers, _ = zip(*[finish(process) for process in processes], strict=True)
    assert set(results) == {RESULT}
    assert finish(start_python(tmp_path / "not_yet_there")) == (RESULT, numbers[0], numbers[0])


def test_an_edited_rule_is_compiled_anew(tmp_path, package_copy):
    cache = tmp_path / "cache"
    before, num_kernels, _ = finish(start_python(cache, package_copy))
    assert before == RESULT
    path = package_copy / "kernels" / "rules.py"
    source = path.read_text()
    assert "return x - y\n" in source
    path.write_text(source.replace("return x - y\n", "return x - y - y\n"))
    assert finish(start_python(cache, package_copy)) == ("[1.0, -3.0] -3.0 5", num_kernels, 0)


def test_without_a_cache_folder_of_ones_own_kernels_are_kept_beside_their_source(package_copy):
    result, num_kernels, num_from_cache = finish(start_python(None, package_copy))
    assert (result, num_from_cache) == (RESULT, 0)
    assert len(list(package_copy.rglob("*.nbi"))) == num_kernels

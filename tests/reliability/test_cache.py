from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

import nbvars

TIMEOUT_S = 120
PACKAGE = Path(nbvars.__file__).parent

CODE = """
import ml_dtypes
import numpy as np
from nbvars import kernels
from nbvars.kernels.cpu.fast_updates import fast_updates
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

REPORT = """
from nbvars.kernels.cpu.compiled import COMPILED
print(len(COMPILED), sum(kernel.from_cache for kernel in COMPILED))
"""
FIRST_UPDATE = f"""
import numpy as np
import nbvars
variable = nbvars.Variable(np.zeros(16, np.float32))
variable.assign_add(1.0)
print(variable.numpy()[5])
{REPORT}"""
SECOND_PROCESS = f"""
import numpy as np
import nbvars
variable = nbvars.Variable(np.zeros((4, 2), np.float32))
variable.assign_add(1.0)
variable.assign_add(np.ones((4, 2), np.float32))
variable.scatter_sub(nbvars.IndexedSlices(np.ones((1, 2), np.float32), np.array([0])))
variable.scatter_sub(nbvars.IndexedSlices(np.ones((9 << 14, 2), np.float32), np.zeros(9 << 14, np.int64)))
print(variable.numpy()[1])
{REPORT}"""


def start_python(cache, package=PACKAGE, code=CODE, **variables):
    """Start an interpreter that runs ``code`` with this ``package`` and folder of compiled kernels, or Numba's own."""
    path = os.pathsep.join([str(package.parent), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {name: value for name, value in os.environ.items() if name != "NUMBA_CACHE_DIR"}
    if cache is not None:
        environment["NUMBA_CACHE_DIR"] = str(cache)
    return subprocess.Popen(
        [sys.executable, "-P", "-W", "error", "-c", code],
        env={**environment, "PYTHONPATH": path, **variables},
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


def test_sixteen_processes_that_start_at_once_share_an_empty_cache(tmp_path):
    processes = [start_python(tmp_path, code=FIRST_UPDATE) for _ in range(16)]
    assert {finish(process)[0] for process in processes} == {"1.0"}
    assert finish(start_python(tmp_path, code=FIRST_UPDATE)) == ("1.0", 1, 1)


def test_processes_that_are_killed_while_they_write_leave_a_cache_that_works(tmp_path):
    started = time.monotonic()
    finish(start_python(tmp_path / "warm", code=FIRST_UPDATE))
    seconds = time.monotonic() - started
    for i in range(4):
        process = start_python(tmp_path / "cache", code=FIRST_UPDATE)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(seconds * (0.85 + 0.05 * i))  # about when the files are written
        process.kill()
        process.communicate()
    assert finish(start_python(tmp_path / "cache", code=FIRST_UPDATE))[0] == "1.0"
    assert finish(start_python(tmp_path / "cache", code=FIRST_UPDATE)) == ("1.0", 1, 1)


def cut(data):
    return data[: len(data) // 2]


def flip(data):
    place = len(data) * 3 // 4
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


DAMAGES = {"cut": cut, "empty": lambda data: b"", "flipped": flip, "foreign": lambda data: b"not a cache" * 9}


@pytest.mark.parametrize("kind", ["nbi", "nbc"])
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_costs_a_compilation_and_is_replaced(tmp_path, kind, damage):
    assert finish(start_python(tmp_path, code=FIRST_UPDATE)) == ("1.0", 1, 0)
    (path,) = tmp_path.rglob(f"*.{kind}")
    path.write_bytes(DAMAGES[damage](path.read_bytes()))
    assert finish(start_python(tmp_path, code=FIRST_UPDATE)) == ("1.0", 1, 0)
    assert finish(start_python(tmp_path, code=FIRST_UPDATE)) == ("1.0", 1, 1)


def test_without_any_folder_to_write_to_kernels_are_compiled_and_not_kept(tmp_path, package_copy):
    (package_copy / "kernels" / "cpu" / "__pycache__").write_text("in the way of Numba's own folder")
    blocked = tmp_path / "a file, not a folder"
    blocked.write_text("")
    for _ in range(2):
        process = start_python(
            blocked / "cache", package_copy, FIRST_UPDATE, HOME=str(blocked), XDG_CACHE_HOME=str(blocked)
        )
        assert finish(process) == ("1.0", 1, 0)


def test_a_full_disk_costs_the_cache_only(tmp_path):
    code = """
import numba.core.caching
def full(self, name, data):
    raise OSError(28, "No space left on device")
import nbvars.kernels.cpu.kernel_cache as kernel_cache
kernel_cache._CheckedFile._save_data = full
"""
    assert finish(start_python(tmp_path, code=code + FIRST_UPDATE)) == ("1.0", 1, 0)


def test_kernels_from_the_cache_need_little_of_numba(tmp_path):
    # What Numba imports to be able to compile takes ten times as long as the first update.
    code = f"{FIRST_UPDATE}\nimport sys\nassert ('numba.np.arraymath' in sys.modules) == "
    assert finish(start_python(tmp_path, code=f"{code} True")) == ("1.0", 1, 0)
    assert finish(start_python(tmp_path, code=f"{code} False")) == ("1.0", 1, 1)


def test_kernels_are_compiled_after_others_came_from_the_cache(tmp_path):
    finish(start_python(tmp_path, code=FIRST_UPDATE))
    result, num_kernels, num_from_cache = finish(start_python(tmp_path, code=SECOND_PROCESS))
    assert num_kernels > num_from_cache > 0
    assert finish(start_python(tmp_path, code=SECOND_PROCESS)) == (result, num_kernels, num_kernels)


def test_warmup_leaves_nothing_to_compile(tmp_path):
    warm = "import nbvars\nnbvars.warmup(['float32'], ['assign_add', 'scatter_sub'])\nprint(0)\nprint(0, 0)"
    finish(start_python(tmp_path, code=warm))
    _, num_kernels, num_from_cache = finish(start_python(tmp_path, code=SECOND_PROCESS))
    assert num_kernels == num_from_cache > 3


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

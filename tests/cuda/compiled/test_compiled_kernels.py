"""Every kernel as machine code for GPUs that are not here: what it must have, and must not."""

from __future__ import annotations

import os
import re

import pytest

toolchain = pytest.importorskip("tests.cuda.compiled.toolchain", exc_type=ImportError, reason="needs numba-cuda")

if os.environ.get("NUMBA_ENABLE_CUDASIM", "0") != "0" or toolchain.missing():
    pytest.skip(f"needs no simulator, and nbvars[test-cuda]: {toolchain.missing()}", allow_module_level=True)

from nbvars.kernels.cuda.inventory import all_kernels  # noqa: E402

ALL_KERNELS = all_kernels()


def one_of_each_kind(kernels):
    """Return of the kernels that differ in their dtypes only the first two and the last."""
    kinds = {}
    for kernel in kernels:
        kinds.setdefault(re.sub(r"bool|(?:u?int|b?float|complex)\d+", "", kernel.name), []).append(kernel)
    return [kernel for same in kinds.values() for kernel in dict.fromkeys([*same[:2], same[-1]])]


# All take six minutes: NBVARS_ALL_KERNELS=1.
KERNELS = ALL_KERNELS if os.environ.get("NBVARS_ALL_KERNELS") else one_of_each_kind(ALL_KERNELS)
WITH_FLOAT64 = ("float64", "complex128")
IN_A_BATCH = 24


def batches():
    """Kernels that can be compiled together: of one lowest compute capability, 8.0 at least."""
    for capability in ((8, 0), (9, 0)):
        fitting = [kernel for kernel in KERNELS if max((8, 0), kernel.lowest_capability) == capability]
        for start in range(0, len(fitting), IN_A_BATCH):
            batch = fitting[start : start + IN_A_BATCH]
            yield pytest.param(batch, capability, id=f"{capability[0]}.{capability[1]}, from {batch[0].name}")


def problems_of(made):
    """Return what is wrong with a kernel."""
    yield made.local_bytes or made.count("LDL") or made.count("STL"), "uses local memory"
    yield made.registers > 160, f"uses {made.registers} registers"
    yield ".extern .func" in made.ptx, "calls a function that is not there"
    # The power of Ftrl is a function of CUDA's.
    yield "fma." in made.ptx and "ftrl" not in made.name, "rounds a product and a sum at once"
    yield ".f64" in made.ptx and not any(dtype in made.name for dtype in WITH_FLOAT64), "computes in float64"
    is_reduction = made.name.startswith(("scatter_add", "scatter_sub")) and " at " in made.name
    if "vectors" in made.name:
        yield made.count("LDG", "128") == 0, "has no load of 16 bytes"
        yield made.count("STG", "128") == 0 and not is_reduction, "has no store of 16 bytes"
    if is_reduction:
        yield made.count("RED") + made.count("REDG") == 0, "has no reduction in memory"
        yield any("CAS" in text for text in made.instructions), "has a loop of compare-and-swap"


@pytest.mark.parametrize(("batch", "capability"), list(batches()))
def test_kernels_compile_to_what_they_promise(batch, capability, tmp_path):
    found = list(toolchain.compile_kernels(batch, capability, tmp_path))
    assert {made.name for made in found} == {kernel.name for kernel in batch}
    wrong = [f"{made.name} {text}" for made in found for is_wrong, text in problems_of(made) if is_wrong]
    assert wrong == []


def test_all_kernels_have_names_of_their_own():
    assert len({kernel.name for kernel in ALL_KERNELS}) == len(ALL_KERNELS) > 700
    assert len(KERNELS) > 150

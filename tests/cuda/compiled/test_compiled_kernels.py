"""Every kernel as machine code for GPUs that are not here: what it must have, and must not."""

from __future__ import annotations

import os

import pytest

toolchain = pytest.importorskip("tests.cuda.compiled.toolchain", exc_type=ImportError, reason="needs numba-cuda")

if os.environ.get("NUMBA_ENABLE_CUDASIM", "0") != "0" or toolchain.missing():
    pytest.skip(f"needs no simulator, and nbvars[test-cuda]: {toolchain.missing()}", allow_module_level=True)

from nbvars.kernels.cuda.inventory import all_kernels  # noqa: E402

KERNELS = {kernel.name: kernel for kernel in all_kernels()}
WITH_FLOAT64 = ("float64", "complex128")


@pytest.mark.parametrize("name", KERNELS)
def test_a_kernel_compiles_to_what_it_promises(name, tmp_path):
    for made in toolchain.compile_kernel(KERNELS[name], tmp_path).values():
        assert made.local_bytes == made.count("LDL") == made.count("STL") == 0
        assert made.registers <= 128
        assert ".extern .func" not in made.ptx
        if "ftrl" not in name:  # whose power is a function of CUDA's
            assert "fma." not in made.ptx
        if not any(dtype in name for dtype in WITH_FLOAT64):
            assert ".f64" not in made.ptx
        if "vectors" in name:
            assert made.count("LDG.E.128") >= 1
            assert made.count("STG.E.128") >= 1
        if "reduction" in name:
            assert made.count("RED") >= 1
            assert not [text for text in made.instructions if "CAS" in text]


def test_all_kernels_have_names_of_their_own():
    assert len(KERNELS) == len(all_kernels()) >= 90

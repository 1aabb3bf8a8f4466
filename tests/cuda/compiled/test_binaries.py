"""Machine code of kernels, kept on disk; made without a GPU."""

from __future__ import annotations

import importlib.util
import os

import pytest

if os.environ.get("NUMBA_ENABLE_CUDASIM", "0") != "0" or importlib.util.find_spec("numba_cuda") is None:
    pytest.skip("needs numba-cuda, and no simulator", allow_module_level=True)
if importlib.util.find_spec("nvidia.nvjitlink") is None and importlib.util.find_spec("nvidia.cu13") is None:
    pytest.skip("needs nvJitLink: pip install nbvars[test-cuda]", allow_module_level=True)

import numpy as np

from nbvars.kernels.cuda import binaries
from nbvars.kernels.cuda.assign import items_kernel
from nbvars.kernels.elements import element_of


@pytest.fixture
def code_of(tmp_path, monkeypatch):
    """The machine code of one kernel, from a folder of its own; it can be told to fail if it compiles."""
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    binaries._cache.cache_clear()
    kernel = items_kernel("add", element_of("add", np.dtype(np.float32)))
    yield lambda: binaries.machine_code(kernel.name, kernel.py_func, kernel.signature, (9, 0))
    binaries._cache.cache_clear()


def test_a_kernel_is_compiled_once_for_all_processes(code_of, monkeypatch):
    code = code_of()
    assert code.startswith(b"\x7fELF")
    monkeypatch.setattr(binaries, "compile_to_ptx", None)
    binaries._cache.cache_clear()
    assert code_of() == code


def test_a_change_of_sources_or_compilers_compiles_again(code_of, monkeypatch):
    code_of()
    monkeypatch.setattr(binaries, "_stamp", lambda: ("another",))
    monkeypatch.setattr(binaries, "compile_to_ptx", None)
    with pytest.raises(TypeError):
        code_of()


def test_a_folder_that_cannot_be_used_costs_a_compilation(code_of, tmp_path):
    (tmp_path / "nbvars_cuda").write_text("no folder")
    assert code_of().startswith(b"\x7fELF")

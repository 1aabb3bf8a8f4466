"""Kernels as machine code, which is kept on disk: a process that finds it there compiles nothing.

nvJitLink makes it of the PTX. The driver could, too, but only of PTX that is no newer than itself.
"""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Callable
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from cuda.core import Linker, LinkerOptions, ObjectCode
from cuda.core.utils import FileStreamProgramCache

from nbvars.kernels.cuda.compiling import compile_to_ptx
from nbvars.kernels.cuda.signature import Signature

MOST_CACHED_BYTES = 256 << 20
_COMPILERS = ("numba-cuda", "nvidia-nvvm", "nvidia-nvjitlink", "cuda-core")


def machine_code(name: str, py_func: Callable[..., Any], signature: Signature, capability: tuple[int, int]) -> bytes:
    """Return the machine code of a kernel for a compute capability."""
    key = hashlib.sha256(repr((name, signature, capability, _stamp())).encode()).digest()
    cache = _cache()
    if cache is not None:
        # Whatever is wrong with the folder costs a compilation and nothing else.
        with suppress(OSError):
            found = cache.get(key)
            if found:
                return bytes(found)
    ptx, _ = compile_to_ptx(name, py_func, signature, capability)
    options = LinkerOptions(arch=f"sm_{capability[0]}{capability[1]}")
    code = bytes(Linker(ObjectCode.from_ptx(ptx.encode()), options=options).link("cubin").code)
    if cache is not None:
        with suppress(OSError):
            cache[key] = code
    return code


@functools.cache
def _stamp() -> tuple[str, ...]:
    """Return what machine code depends on besides its kernel: all sources of kernels, and the compilers."""
    digest, folder = hashlib.sha256(), Path(__file__).parent
    for path in sorted([*folder.parent.glob("*.py"), *folder.glob("*.py")]):
        digest.update(path.read_bytes())
    return digest.hexdigest(), *map(_version, _COMPILERS)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


@functools.cache
def _cache() -> Any:
    """Return the cache on disk: beside Numba's if ``NUMBA_CACHE_DIR`` says where, else among the user's caches."""
    user = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(os.environ.get("NUMBA_CACHE_DIR") or user, "nbvars_cuda")
    try:
        return FileStreamProgramCache(folder, max_size_bytes=MOST_CACHED_BYTES)
    except (OSError, RuntimeError):
        return None

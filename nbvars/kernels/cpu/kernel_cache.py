"""The compiled kernels on disk: Numba's cache, keyed by all kernel sources, and proof against what happens to files.

Whatever is wrong with a file, or with the folder, costs a compilation and nothing else.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

from numba.core.caching import FunctionCache, IndexDataCacheFile, NullCache
from numba.core.runtime import rtsys


@functools.cache
def source_digest() -> str:
    """Return a digest of every source file that a kernel is made of."""
    folder = Path(__file__).parent
    digest = hashlib.sha256()
    for path in sorted([*folder.parent.glob("*.py"), *folder.glob("*.py")]):
        digest.update(path.read_bytes())
    return digest.hexdigest()


class _CheckedFile(IndexDataCacheFile):
    """Numba's files, of which those with machine code begin with a digest of the rest."""

    def _load_index(self):
        try:
            return super()._load_index()
        except Exception:
            # Unpickling raises whatever bytes that are no index make it raise.
            return {}

    def _load_data(self, name):
        stored = Path(self._data_path(name)).read_bytes()
        digest, data = stored[:_DIGEST_BYTES], stored[_DIGEST_BYTES:]
        if _digest(data) != digest:
            raise OSError(f"{name} is damaged")  # for ``load``, which takes it as if there were no file
        return pickle.loads(data)

    def _save_data(self, name, data):
        dumped = self._dump(data)
        with self._open_for_write(self._data_path(name)) as file:
            file.write(_digest(dumped) + dumped)


def _digest(data: bytes) -> bytes:
    return hashlib.blake2b(data).digest()


_DIGEST_BYTES = len(_digest(b""))


class KernelCache(FunctionCache):
    """Numba's disk cache, keyed by the kernel's name and the digest of all kernel sources.

    Numba's own key knows neither edits of a rule in another file nor which rule a closure holds.
    """

    def __init__(self, py_func):
        super().__init__(py_func)
        locator, name = self._impl.locator, self._impl.filename_base
        self._cache_file = _CheckedFile(self._cache_path, name, locator.get_source_stamp())

    def _index_key(self, sig, codegen):
        return sig, codegen.magic_tuple(), self._py_func.__qualname__, source_digest()

    def load_overload(self, sig, target_context):
        # As Numba does, but for refresh(), which imports all that Numba can compile, NumPy's and SciPy's linear algebra
        # included: what is compiled needs none of it.
        rtsys.initialize(target_context)
        with self._guard_against_spurious_io_errors():
            return self._load_overload(sig, target_context)

    def save_overload(self, sig, data):
        # A full disk, say: the next process compiles, too.
        with contextlib.suppress(OSError):
            super().save_overload(sig, data)


def cache_for(py_func: Callable[..., Any]) -> Any:
    """Return the cache of a kernel; where no folder can be written to, one that keeps nothing."""
    try:
        return KernelCache(py_func)
    except (OSError, RuntimeError):
        return NullCache()

"""Checkpoints: saving a variable so that the disk has it, and reading it from a file in the system's cache.

All series do the same with memory and files, which may take longer than the copy itself: a new file takes the place of
the last one when the disk has it, arrays that are there begin at a cache line, and new arrays are new for all.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import tempfile
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from nbvars.bench.arrays import as_torch, torch_state
from nbvars.bench.case import Case
from nbvars.bench.libraries import load as load_library
from nbvars.storage import aligned_empty

SERIES = ("nbvars", "numpy", "torch", "python file")
SAVES = all(importlib.util.find_spec(name) is not None for name in ("safetensors", "google_crc32c"))
"""Whether there is what a ``Saver`` needs: the extra ``checkpoint``."""

_FLOATS = np.dtype(np.float32)


def save(series: str, num_bytes: int) -> Case:
    """Return the saving of so many bytes of float32 in place of the last file, synchronized to the disk."""
    return _save(series, num_bytes, _Folder())


def _save(series: str, num_bytes: int, folder: _Folder) -> Case:
    array = np.random.default_rng(0).random(num_bytes // _FLOATS.itemsize, np.float32)
    names: dict[str, Any] = {"folder": folder, "path": folder.path}
    if series == "nbvars":
        tf = load_library(series)
        saver = tf.train.Saver({"array": tf.Variable(array)})
        read = tf.train.load_variable
        return Case("saver.save(None, path)", "read(path, 'array')", saver=saver, read=read, **names)
    if series == "torch":
        torch = load_library(series)
        write = _synchronized(torch.save)
        names |= {"array": as_torch(array), "read": lambda path: torch_state(torch.load(path))}
    elif series == "numpy":
        write = _synchronized(lambda array, file: np.save(file, array))
        names["read"] = np.load
    else:
        write = _synchronized(lambda array, file: file.write(array))
        names["read"] = lambda path: np.fromfile(path, _FLOATS)
    return Case("write(array, path)", "read(path)", **{"array": array, "write": write, **names})


def restore(series: str, num_bytes: int) -> Case:
    """Return the reading of what ``save`` has saved into the memory that is there."""
    folder = _Folder()
    _save(series, num_bytes, folder).run()
    array = aligned_empty((num_bytes // _FLOATS.itemsize,), _FLOATS)
    array[...] = 0
    names: dict[str, Any] = {"array": array, "folder": folder, "path": folder.path}
    if series == "nbvars":
        tf = load_library(series)
        names |= {"array": None, "variable": tf.Variable(array)}
        saver = tf.train.Saver({"array": names["variable"]})
        return Case("saver.restore(None, path)", "variable.numpy()", saver=saver, **names)
    if series == "torch":
        names |= {"array": as_torch(array), "load": load_library(series).load, "read": torch_state}
        return Case("array.copy_(load(path))", "read(array)", **names)
    if series == "numpy":
        return Case("array[...] = np.load(path)", "array", np=np, **names)
    return Case("with open(path, 'rb') as file:\n    file.readinto(array)", "array", file=None, **names)


def load(series: str, num_bytes: int) -> Case:
    """Return the reading of what ``save`` has saved as a new array."""
    folder = _Folder()
    _save(series, num_bytes, folder).run()
    names: dict[str, Any] = {"array": None, "folder": folder, "path": folder.path}
    if series == "nbvars":
        read = load_library(series).train.load_variable
        return Case("array = read(path, 'array')", "array", read=read, **names)
    if series == "torch":
        return Case("array = load(path)", "read(array)", load=load_library(series).load, read=torch_state, **names)
    if series == "numpy":
        return Case("array = np.load(path)", "array", np=np, **names)
    return Case("array = np.fromfile(path, np.float32)", "array", np=np, **names)


def _synchronized(write: Callable[[Any, Any], object]) -> Callable[[Any, Path], None]:
    """Return a function that has ``write`` write a file, which takes the place of the last one when the disk has it."""

    def write_and_synchronize(array: Any, path: Path) -> None:
        new = path.with_suffix(".new")
        with open(new, "wb") as file:
            write(array, file)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)

    return write_and_synchronize


class _Folder:
    """A new folder, which goes with this object; where ``TMPDIR`` says, so that one may choose the disk."""

    def __init__(self) -> None:
        folder = tempfile.mkdtemp(prefix="nbvars_bench_")
        self.path = Path(folder, "saved")
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)

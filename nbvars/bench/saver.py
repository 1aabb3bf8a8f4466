"""Checkpoints: saving a variable so that the disk has it, and restoring it from a file in the system's cache."""

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
from nbvars.bench.libraries import load

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
        tf = load(series)
        saver = tf.train.Saver({"array": tf.Variable(array)})
        read = tf.train.load_variable
        return Case("saver.save(None, path)", "read(path, 'array')", saver=saver, read=read, **names)
    if series == "torch":
        torch = load(series)
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
    """Return the restoring of what ``save`` has saved: into the memory that is there, or as a new array."""
    folder = _Folder()
    _save(series, num_bytes, folder).run()
    names: dict[str, Any] = {"folder": folder, "path": folder.path}
    if series == "nbvars":
        tf = load(series)
        variable = tf.Variable(np.zeros(num_bytes // _FLOATS.itemsize, _FLOATS))
        saver = tf.train.Saver({"array": variable})
        return Case("saver.restore(None, path)", "variable.numpy()", saver=saver, variable=variable, **names)
    if series == "torch":
        return Case("array = load(path)", "read(array)", load=load(series).load, array=None, read=torch_state, **names)
    if series == "numpy":
        return Case("array = np.load(path)", "array", np=np, array=None, **names)
    array = np.zeros(num_bytes // _FLOATS.itemsize, _FLOATS)
    return Case("with open(path, 'rb') as file:\n    file.readinto(array)", "array", array=array, file=None, **names)


def _synchronized(write: Callable[[Any, Any], object]) -> Callable[[Any, Path], None]:
    """Return a function that has ``write`` write a file, and the disk have it."""

    def write_and_synchronize(array: Any, path: Path) -> None:
        with open(path, "wb") as file:
            write(array, file)
            file.flush()
            os.fsync(file.fileno())

    return write_and_synchronize


class _Folder:
    """A new folder, which goes with this object; where ``TMPDIR`` says, so that one may choose the disk."""

    def __init__(self) -> None:
        folder = tempfile.mkdtemp(prefix="nbvars_bench_")
        self.path = Path(folder, "saved")
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)

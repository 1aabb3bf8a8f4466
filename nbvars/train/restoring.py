"""Restores variables from a checkpoint: all of them, or none if one does not fit or is damaged."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from nbvars.checks import message
from nbvars.errors import InvalidArgumentError, NotFoundError, UnimplementedError
from nbvars.storage import CpuStorage
from nbvars.train.checkpoint_reader import CheckpointReader, StoredTensor
from nbvars.train.saveables import Saveable, storage_of
from nbvars.variables.graph_variable import GraphVariable
from nbvars.variables.variable import Variable


class _Target(NamedTuple):
    """A variable, the tensor that it gets, and its memory: new if ``is_new``, and then not yet that of the variable."""

    variable: Variable
    saveable: Saveable
    key: str
    storage: CpuStorage
    is_new: bool


def restore(saveables: dict[str, Saveable], reader: CheckpointReader, sess: Any, reshape: bool) -> None:
    """Give variables the values that a checkpoint holds.

    Raises:
        NotFoundError: The checkpoint lacks some; the message lists all that does not fit.
        InvalidArgumentError: Shapes or dtypes differ; the message lists all of them.
        DataLossError: A checksum does not hold. In all of these cases nothing has changed.
    """
    keys = _keys_in(saveables, reader)
    _check_fit(saveables, reader, keys, reshape)
    targets = [
        _target(part.variable, saveable, keys[name], reader.tensor(keys[name]), sess, reshape)
        for name, saveable in saveables.items()
        for part in saveable.parts
    ]
    direct = [target for target in targets if not target.saveable.is_partitioned]
    new = {target.key: target.storage.array for target in direct if target.is_new}
    reader.verify(sorted({target.key for target in targets} - new.keys()))
    reader.read_into(new)
    # Everything is known to be well: from here on values change.
    for target in direct:
        if not target.is_new:
            with target.storage.locked():
                reader.read_into({target.key: target.storage.array}, is_verified=True)
    _restore_slices(saveables, keys, targets, reader)
    for target in targets:
        if target.is_new and isinstance(target.variable, GraphVariable):
            sess.store(target.variable.op, target.storage)
        elif target.is_new:  # a variable on a GPU, of which the value is in the host's memory so far
            target.variable.assign(target.storage.array, use_locking=True)


def _restore_slices(
    saveables: dict[str, Saveable], keys: dict[str, str], targets: list[_Target], reader: CheckpointReader
) -> None:
    storages = {id(target.variable): target.storage for target in targets}
    for name, saveable in saveables.items():
        if saveable.is_partitioned:
            whole = reader.get_tensor(keys[name]).reshape(saveable.shape or ())
            for part in saveable.parts:
                storage = storages[id(part.variable)]
                with storage.locked():
                    storage.array[...] = whole[part.place]


def _target(
    variable: Variable, saveable: Saveable, key: str, tensor: StoredTensor, sess: Any, reshape: bool
) -> _Target:
    """Find the memory of a variable, or make some if it has none, or none of this shape."""
    storage = storage_of(variable, sess)
    if saveable.is_partitioned:
        shape = tuple(variable._save_slice_info.var_shape)
    else:
        shape = saveable.shape if saveable.shape is not None else tensor.shape
    if storage is not None and storage.array.shape == shape and storage.device_type == "cpu":
        return _Target(variable, saveable, key, storage, False)
    zeros = np.broadcast_to(np.zeros((), saveable.dtype.numpy_dtype), shape)
    return _Target(variable, saveable, key, CpuStorage(zeros), True)


def _keys_in(saveables: dict[str, Saveable], reader: CheckpointReader) -> dict[str, str]:
    """Return the names in the checkpoint, which in one of objects are others than those of the variables."""
    if all(map(reader.has_tensor, saveables)):
        return {name: name for name in saveables}
    aliases = reader.aliases()
    return {name: name if reader.has_tensor(name) else aliases.get(name, name) for name in saveables}


def _check_fit(saveables: dict[str, Saveable], reader: CheckpointReader, keys: dict[str, str], reshape: bool) -> None:
    """Raise one error that lists all that does not fit."""
    missing = [name for name in saveables if not reader.has_tensor(keys[name])]
    unreadable: list[str] = []
    mismatched: list[str] = []
    for name, saveable in saveables.items():
        if name not in missing:
            tensor = reader._tensors[keys[name]]
            if tensor.dtype is None:
                unreadable.append(f"{name} is of type {tensor.kind} there")
            else:
                mismatched += mismatches(saveable, tensor, reshape)
    if not (missing or unreadable or mismatched):
        return
    shapes = reader.get_variable_to_shape_map()
    extra = sorted(shapes.keys() - set(keys.values()))
    problems = [f"Key {name} not found in checkpoint{closest(name, shapes)}" for name in missing]
    problems += unreadable + mismatched
    unused = f"; in the checkpoint and not in the program: {', '.join(extra)}" if extra else ""
    got = f"{'; '.join(problems)}{unused}"
    wrong = f"{reader.path} does not fit the variables, none of which has changed"
    text = message("Saver.restore", wrong, got, "all variables with their shapes and dtypes")
    error = NotFoundError if missing else UnimplementedError if unreadable else InvalidArgumentError
    raise error(None, None, text)


def mismatches(saveable: Saveable, tensor: StoredTensor, reshape: bool) -> list[str]:
    """Return in what ``tensor``, of a checkpoint, differs from what is to get its value."""
    found = []
    if tensor.dtype is not saveable.dtype:
        found.append(f"{saveable.name} is {tensor.dtype} there and {saveable.dtype} here")
    if saveable.shape is not None and tensor.shape != saveable.shape:
        fits = reshape and not saveable.is_partitioned and math.prod(tensor.shape) == math.prod(saveable.shape)
        if not fits:
            wrong = "Assign requires shapes of both tensors to match"
            found.append(f"{saveable.name} has shape {tensor.shape} there and {saveable.shape} here ({wrong})")
    return found


def closest(name: str, known: Iterable[str]) -> str:
    """Return what an error adds to a ``name`` that is not known: the one most like it, if there is one."""
    close = difflib.get_close_matches(name, known, 1)
    return f" (closest: {close[0]})" if close else ""

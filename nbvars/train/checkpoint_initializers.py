"""``init_from_checkpoint``: variables of a graph that begin with values of a checkpoint."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, NamedTuple

from nbvars.checks import message
from nbvars.graph.graph import get_default_graph
from nbvars.graph.mode import expect_graph_mode
from nbvars.graph.tensor import Tensor
from nbvars.ops.constant_ops import constant
from nbvars.train.checkpoint_reader import CheckpointReader
from nbvars.train.checkpoints import load_checkpoint
from nbvars.train.restore_op import add_restore
from nbvars.train.restoring import closest, mismatches
from nbvars.train.saveables import saveable_of
from nbvars.variables.graph_variable import GraphVariable
from nbvars.variables.partitioned_variable import PartitionedVariable
from nbvars.variables.variable_store import VariableStore

_WHERE = "init_from_checkpoint"


class _Assignment(NamedTuple):
    """A variable, whole or as the list of its slices, and the tensor that it is to begin with."""

    name: str
    variables: list[GraphVariable]
    tensor: str


def init_from_checkpoint(ckpt_dir_or_file: str | os.PathLike[str], assignment_map: Any) -> None:
    """Have variables of the default graph begin with values of a checkpoint, in the place of their initial values.

    The values are read when the initializers run. Nothing changes if anything does not fit.

    Args:
        ckpt_dir_or_file: Path of a checkpoint, or a folder, whose latest one is meant; see ``load_checkpoint``.
        assignment_map: A dict, or pairs, of the names of tensors in the checkpoint with what is to begin with them: a
            variable, a partitioned one or the list of its slices, or the name of one that ``get_variable`` has made. Or
            of scopes, which end in ``"/"``: ``{"old/": "new/"}`` is for all variables that ``get_variable`` has made
            in ``new``, from the tensors in ``old``; ``"/"`` is the scope around all.

    Raises:
        RuntimeError: The mode is eager, or the graph is finalized.
        TypeError: ``assignment_map`` is neither a dict nor pairs, or has something else in it.
        ValueError: Variables or tensors are missing, or differ in shape or dtype; the message lists all that does
            not fit. Or the folder has no checkpoint.
        NotFoundError: There is no such checkpoint.
        DataLossError: It is damaged.
        ImportError: The extra ``checkpoint`` is not installed.

    Source: TensorFlow 1 API pages, ``tf.train.init_from_checkpoint``.
    """
    expect_graph_mode(_WHERE)
    get_default_graph()._check_not_finalized()
    pairs = _pairs(assignment_map)
    reader = load_checkpoint(ckpt_dir_or_file)
    problems: list[str] = []
    assignments = [made for key, value in pairs for made in _assignments(key, value, problems)]
    assignments = [each._replace(tensor=_key_in(reader, each.tensor)) for each in assignments]
    problems += [problem for each in assignments for problem in _misfits(each, reader)]
    if problems:
        wrong = f"{reader.path} does not fit the variables, none of which has changed"
        expected = "a tensor for each variable, of its shape and dtype"
        raise ValueError(message(_WHERE, wrong, "; ".join(problems), expected))
    if assignments:
        with get_default_graph().control_dependencies(None):
            prefix = constant(reader.path, name="checkpoint_initializer/prefix")
            for each in assignments:
                _begin_with(each, prefix)


def _pairs(assignment_map: Any) -> list[tuple[str, Any]]:
    """Return the names in the checkpoint, sorted, each with what is to begin with it."""
    try:
        given = assignment_map.items() if isinstance(assignment_map, Mapping) else assignment_map
        pairs = [(key, value) for key, value in given]
    except (TypeError, ValueError) as error:
        raise TypeError(
            message(_WHERE, "assignment_map is no map", repr(assignment_map), "a dict, or pairs")
        ) from error
    for key, value in pairs:
        parts = value if isinstance(value, (list, tuple, PartitionedVariable)) else [value]
        is_name = isinstance(value, str)
        if not isinstance(key, str) or not (is_name or all(isinstance(part, GraphVariable) for part in parts)):
            wrong, expected = "assignment_map has something else in it", "a name, and a variable of a graph or its name"
            raise TypeError(message(_WHERE, wrong, f"{key!r}: {value!r}", expected))
    return sorted(pairs, key=lambda pair: pair[0])


def _assignments(key: str, value: Any, problems: list[str]) -> list[_Assignment]:
    """Return what one entry of the map says; add to ``problems`` what is wrong with it."""
    if not isinstance(value, str):
        return [_assignment(value, key)]
    store = get_default_graph()._own(VariableStore)
    if value.endswith("/") != key.endswith("/"):
        problems.append(f"only one of {key!r} and {value!r} is a scope, with a '/' at its end")
    elif not value.endswith("/"):
        found = store.find(value)
        if found is not None:
            return [_assignment(found, key)]
        problems.append(f"get_variable has made no variable {value}{closest(value, store.names())}")
    else:
        inner, outer = ("" if scope == "/" else scope for scope in (value, key))
        names = [name for name in store.names() if name.startswith(inner)]
        if not names:
            problems.append(f"get_variable has made no variables in {value}")
        return [_assignment(store.find(name), outer + name.removeprefix(inner)) for name in names]
    return []


def _assignment(value: Any, tensor: str) -> _Assignment:
    variables = [value] if isinstance(value, GraphVariable) else list(value)
    name = getattr(value, "name", "") or ", ".join(variable.name for variable in variables)
    return _Assignment(name.removesuffix(":0"), variables, tensor)


def _key_in(reader: CheckpointReader, tensor: str) -> str:
    """Return the name that a tensor has in the checkpoint, which in one of objects is another than programs know."""
    return tensor if reader.has_tensor(tensor) else reader.aliases().get(tensor, tensor)


def _misfits(assignment: _Assignment, reader: CheckpointReader) -> list[str]:
    """Return what stands against an assignment."""
    name, variables, tensor = assignment
    found = reader.get_variable_to_shape_map()
    if tensor not in found:
        return [f"Tensor {tensor} for {name} is not found in the checkpoint{closest(tensor, found)}"]
    stored = reader._tensors[tensor]
    if stored.dtype is None:
        return [f"{tensor} is of type {stored.kind}"]
    infos = [variable._save_slice_info for variable in variables]
    wholes = {None if info is None else info.full_name for info in infos}
    if infos != [None] and (None in wholes or len(wholes) != 1):
        return [f"{name or 'an empty list'} are not the slices of one variable"]
    if any(variable.graph is not get_default_graph() for variable in variables):
        return [f"{name} is of another graph"]
    return mismatches(saveable_of(name, [*variables]), stored, reshape=False)


def _begin_with(assignment: _Assignment, prefix: Tensor) -> None:
    """Change the initializers of a variable, or of its slices, which are read together."""
    _, variables, tensor = assignment
    infos = [variable._save_slice_info for variable in variables]
    specs = ["" if info is None else info.spec for info in infos]
    shapes = [variable.shape for variable in variables]
    values = add_restore(prefix, tensor, specs, variables[0].dtype.base_dtype, shapes)
    for variable, value in zip(variables, values, strict=True):
        variable._begin_with(value)

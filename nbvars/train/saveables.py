"""What a ``Saver`` saves: variables by the names that they have in a checkpoint, and their memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from nbvars.checks import message
from nbvars.dtypes import DType
from nbvars.errors import FailedPreconditionError
from nbvars.graph.graph import Graph, get_default_graph
from nbvars.graph.keys import GraphKeys
from nbvars.runtime.session import Session
from nbvars.storage import CpuStorage
from nbvars.train.checkpoint_reader import Index
from nbvars.train.manifest import Described
from nbvars.variables.graph_variable import GraphVariable
from nbvars.variables.partitioned_variable import PartitionedVariable
from nbvars.variables.variable import Variable


class Part(NamedTuple):
    """A variable, and which slice of a tensor of the checkpoint it is; ``None`` if it is all of it."""

    variable: Variable
    place: Index | None


class Saveable(NamedTuple):
    """One tensor of a checkpoint: a variable, or the slices of one."""

    name: str
    dtype: DType
    shape: tuple[int, ...] | None
    parts: tuple[Part, ...]

    @property
    def is_partitioned(self) -> bool:
        """Return whether the tensor is put together of slices."""
        return self.parts[0].place is not None


def default_variables() -> list[Any]:
    """Return what a ``Saver`` without a list saves: the global variables, and the saveable objects, of the graph."""
    graph = get_default_graph()
    return graph.get_collection(GraphKeys.GLOBAL_VARIABLES) + graph.get_collection(GraphKeys.SAVEABLE_OBJECTS)


def checked_saveables(var_list: Any) -> dict[str, Saveable]:
    """Return what ``var_list``, a list or dict, says to save, by name.

    Raises:
        TypeError: It is neither, or something in it is no variable.
        ValueError: Two variables have one name, one variable has two, or slices do not belong together.
    """
    saveables = {name: saveable_of(name, variables) for name, variables in _named(var_list).items()}
    names: dict[int, str] = {}
    for name, saveable in saveables.items():
        for part in saveable.parts:
            other = names.setdefault(id(part.variable), name)
            if other != name:
                wrong = f"The same saveable will be restored with two names: {part.variable.name}"
                raise ValueError(message("Saver", wrong, [other, name], "one name for each variable"))
    _check_one_graph(saveables)
    return saveables


def _named(var_list: Any) -> dict[str, list[Variable]]:
    """Return the variables by name: several if they are the slices of one."""
    if isinstance(var_list, Mapping):
        return {str(name): _variables_of(value) for name, value in var_list.items()}
    if isinstance(var_list, (str, bytes, Variable)) or not isinstance(var_list, Iterable):
        raise TypeError(message("Saver", "var_list is neither list nor dict", repr(var_list), "variables, or by name"))
    named: dict[str, list[Variable]] = {}
    for value in var_list:
        for variable in _variables_of(value):
            info = variable._save_slice_info
            name = variable.name.removesuffix(":0") if info is None else info.full_name
            others = named.setdefault(name, [])
            if others and (info is None or any(other is variable for other in others)):
                wrong = f"At least two variables have the same name: {name}"
                raise ValueError(message("Saver", wrong, [variable.name], "variables of different names"))
            others.append(variable)
    return named


def _variables_of(value: Any) -> list[Variable]:
    """Return the variables that ``value`` is: one, or the slices of one."""
    if isinstance(value, Variable):
        return [value]
    variables = list(value) if isinstance(value, (list, tuple, PartitionedVariable)) else [value]
    for variable in variables:
        if not isinstance(variable, Variable):
            remedy = "other objects cannot be saved; keep what they hold in variables"
            raise TypeError(message("Saver", "something is no variable", repr(variable), "a Variable", remedy))
    return variables


def saveable_of(name: str, variables: list[Variable]) -> Saveable:
    """Return the tensor ``name`` of a checkpoint that is a variable, or is put together of slices.

    Raises:
        ValueError: They are not the slices of one variable.
    """
    infos = [variable._save_slice_info for variable in variables]
    if len(variables) == 1 and infos[0] is None:
        variable = variables[0]
        sizes = variable.shape.as_list() if variable.shape.is_fully_defined() else None
        shape = None if sizes is None else tuple(int(size or 0) for size in sizes)
        return Saveable(name, variable.dtype.base_dtype, shape, (Part(variable, None),))
    dtypes = {variable.dtype.base_dtype for variable in variables}
    shapes = {None if info is None else tuple(info.full_shape) for info in infos}
    if not variables or None in shapes or len(shapes) > 1 or len(dtypes) > 1:
        wrong = f"what is to be saved as {name!r} are not the slices of one variable"
        raise ValueError(message("Saver", wrong, [*map(repr, variables)], "slices with the same full shape"))
    parts = tuple(Part(variable, _place(info)) for info, variable in zip(infos, variables, strict=True))
    return Saveable(name, dtypes.pop(), shapes.pop(), parts)


def _place(info: Any) -> Index:
    """Return the slice of the whole variable that a ``SaveSliceInfo`` says."""
    return tuple(slice(start, start + size) for start, size in zip(info.var_offset, info.var_shape, strict=True))


def _check_one_graph(saveables: dict[str, Saveable]) -> None:
    """Raise ``ValueError`` if variables of a graph and eager ones, or of several graphs, are to be saved together."""
    variables = [part.variable for saveable in saveables.values() for part in saveable.parts]
    graphs = {variable.graph if isinstance(variable, GraphVariable) else None for variable in variables}
    if len(graphs) > 1:
        wrong = "the variables are of several graphs, or some of them are eager"
        raise ValueError(message("Saver", wrong, f"{len(graphs)} graphs", "variables of one", "use several Savers"))


def graph_of(saveables: dict[str, Saveable]) -> Graph | None:
    """Return the graph of the variables; ``None`` if they are eager, or there are none."""
    for saveable in saveables.values():
        variable = saveable.parts[0].variable
        return variable.graph if isinstance(variable, GraphVariable) else None
    return None


def check_session(where: str, sess: Any, graph: Graph | None) -> None:
    """Raise unless ``sess`` holds variables of ``graph``; eager ones need none, and any is accepted."""
    if graph is None:
        return
    if not isinstance(sess, Session):
        raise TypeError(message(where, "'sess' must be a Session", repr(sess), "the session of the variables"))
    if sess.graph is not graph:
        wrong = "the session is of another graph than the variables"
        raise ValueError(message(where, wrong, repr(sess.graph), repr(graph)))
    if sess._is_closed:
        raise RuntimeError(message(where, "Attempted to use a closed Session", "a closed session", "an open one"))


def storage_of(variable: Variable, sess: Any) -> CpuStorage | None:
    """Return the memory of a variable; ``None`` if it is not initialized in the session."""
    if not isinstance(variable, GraphVariable):
        return variable._storage
    storage: CpuStorage | None = sess.storages.get(variable.op)
    return storage


class SavedPart(NamedTuple):
    """The memory of a part, and where it belongs in its tensor."""

    storage: CpuStorage
    place: Index | None


def saved_parts(saveables: dict[str, Saveable], sess: Any) -> dict[str, list[SavedPart]]:
    """Return the memory of all variables.

    Raises:
        FailedPreconditionError: Some are not initialized; it names all of them.
        ValueError: Slices are missing.
    """
    found: dict[str, list[SavedPart]] = {}
    missing: list[str] = []
    for name, saveable in saveables.items():
        found[name] = []
        for part in saveable.parts:
            storage = storage_of(part.variable, sess)
            if storage is None:
                missing.append(part.variable.name)
            else:
                if storage.device_type == "gpu":
                    storage = CpuStorage(storage.read())
                found[name].append(SavedPart(storage, part.place))
    if missing:
        wrong = f"Attempting to use uninitialized value {', '.join(missing)}"
        raise FailedPreconditionError(None, None, message("Saver.save", wrong, "no value", "initialized variables"))
    for name, saveable in saveables.items():
        _check_complete(saveable, found[name])
    return found


def _check_complete(saveable: Saveable, parts: list[SavedPart]) -> None:
    if saveable.is_partitioned and saveable.shape is not None:
        expected = 1
        for size in saveable.shape:
            expected *= size
        if sum(part.storage.array.size for part in parts) != expected:
            wrong = f"some slices of {saveable.name!r} are missing, or overlap"
            raise ValueError(message("Saver.save", wrong, [part.place for part in parts], saveable.shape))


def described(saveables: dict[str, Saveable], parts: dict[str, list[SavedPart]]) -> dict[str, Described]:
    """Return what the manifest tells of each variable."""
    keys = _collections_of(saveables)
    made: dict[str, Described] = {}
    for name, saveable in saveables.items():
        first = saveable.parts[0].variable
        shape = saveable.shape if saveable.is_partitioned else parts[name][0].storage.array.shape
        assert shape is not None
        made[name] = Described(saveable.dtype, shape, bool(first.trainable), keys.get(id(first), []))
    return made


def _collections_of(saveables: dict[str, Saveable]) -> dict[int, list[str]]:
    """Return the names of the collections that hold each variable, by its ``id``."""
    graphs = {id(part.variable.graph): part.variable.graph for each in saveables.values() for part in each.parts}
    keys: dict[int, list[str]] = {}
    for graph in graphs.values():
        for key in graph.get_all_collection_keys():
            if isinstance(key, str):
                for value in graph.get_collection(key):
                    keys.setdefault(id(value), []).append(key)
    return keys

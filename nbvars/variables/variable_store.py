"""``VariableStore``: the variables that ``get_variable`` has made in a graph, by name."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from nbvars import dtypes
from nbvars.checks import message
from nbvars.dtypes import DType, as_dtype
from nbvars.graph.graph import colocate_with, get_default_graph
from nbvars.graph.keys import GraphKeys
from nbvars.graph.tensor import Tensor
from nbvars.locks import ForkSafeLock
from nbvars.runtime.building import graph_of
from nbvars.runtime.conversion import borrow
from nbvars.shapes import TensorShape, as_shape
from nbvars.variables.initial_values import default_initializer, maker_of, parameters_of
from nbvars.variables.partitioned_variable import PartitionedVariable
from nbvars.variables.save_slice_info import SaveSliceInfo
from nbvars.variables.slicing import part_of, partitions_of, slices_of
from nbvars.variables.variable import Variable


class _ReuseMode(enum.Enum):
    """What ``reuse`` can be beside True, False and ``None``."""

    AUTO_REUSE = 1


AUTO_REUSE = _ReuseMode.AUTO_REUSE
"""As ``reuse``: a variable that is there is shared, and one that is not is made."""


@dataclass(frozen=True, eq=False)
class VariableRequest:
    """What ``get_variable`` is asked for, with the defaults of the scope filled in.

    The fields are the parameters of the function that a custom getter gets as ``getter``.
    """

    name: str
    shape: Any = None
    dtype: Any = dtypes.float32
    initializer: Any = None
    regularizer: Any = None
    reuse: Any = None
    trainable: bool | None = None
    collections: Any = None
    caching_device: Any = None
    partitioner: Any = None
    validate_shape: bool = True
    use_resource: bool | None = None
    constraint: Any = None
    synchronization: Any = None
    aggregation: Any = None

    @property
    def is_value(self) -> bool:
        """Return whether the initializer is a value, and not a function that makes one."""
        return self.initializer is not None and not callable(self.initializer)


class VariableStore:
    """The variables that ``get_variable`` has made in a graph, kept for as long as the graph is."""

    def __init__(self) -> None:
        self._variables: dict[str, Variable] = {}
        self._partitioned: dict[str, PartitionedVariable] = {}
        # Of threads that ask for one new variable at once, one makes it and the others share it.
        self._lock = ForkSafeLock()

    def get_variable(self, request: VariableRequest, custom_getter: Any = None) -> Any:
        """Return the variable of ``request``, shared or new, by way of ``custom_getter``."""
        if custom_getter is None:
            return self._get(request)
        if not callable(custom_getter):
            wrong = f"Passed a custom_getter which is not callable: {custom_getter}"
            raise ValueError(message("get_variable", wrong, repr(custom_getter), "custom_getter(getter, name, ...)"))
        return call_getter(custom_getter, self._get_by_arguments, **vars(request))

    def _get_by_arguments(self, *args: Any, **kwargs: Any) -> Any:
        """Return the variable of ``VariableRequest(*args, **kwargs)``: the ``getter`` of custom getters."""
        return self._get(VariableRequest(*args, **kwargs))

    def names(self) -> list[str]:
        """Return the names of the variables, of partitioned ones those of the whole."""
        whole = [name for name, variable in self._variables.items() if variable._save_slice_info is None]
        return sorted([*whole, *self._partitioned])

    def find(self, name: str) -> Variable | PartitionedVariable | None:
        """Return the variable of this name, if there is one."""
        return self._partitioned.get(name, self._variables.get(name))

    def _get(self, request: VariableRequest) -> Variable | PartitionedVariable:
        name = request.name
        with self._lock:
            if request.partitioner is None and request.reuse is True and name in self._partitioned:
                return self._get_partitioned(request)
            if request.partitioner is not None and _full_shape(request).ndims != 0:
                return self._get_partitioned(request)
            if f"{name}/part_0" in self._variables:
                wrong = (
                    "No partitioner was provided, but a partitioned version of the variable was found: "
                    f"{name}/part_0. Perhaps a variable of the same name was already created with partitioning?"
                )
                raise ValueError(message("get_variable", wrong, repr(name), "another name, or a partitioner"))
            return self._get_single(request)

    def _get_single(self, request: VariableRequest, part: SaveSliceInfo | None = None) -> Variable:
        """Return a variable that is whole, or ``part`` of a partitioned one."""
        name = request.name
        if request.is_value and request.shape is not None:
            wrong = "If initializer is a constant, do not specify shape."
            raise ValueError(message("get_variable", wrong, request.shape, "shape None"))
        shape = None if request.shape is None else as_shape(request.shape)
        dtype = as_dtype(request.dtype).base_dtype
        if name in self._variables:
            found = self._variables[name]
            _check_sharing(f"Variable {name} already exists, disallowed.", request)
            _check_found(f"share variable {name}", shape, dtype, found)
            return found
        if request.reuse is True:
            wrong = (
                f"Variable {name} does not exist, or was not created with tf.get_variable(). "
                "Did you mean to set reuse=tf.AUTO_REUSE in VarScope?"
            )
            raise ValueError(message("get_variable", wrong, "reuse=True", "the name of a variable"))
        made = _make(request, shape, dtype, part)
        self._variables[name] = made
        if request.regularizer is not None:
            _regularize(request, made)
        return made

    def _get_partitioned(self, request: VariableRequest) -> PartitionedVariable:
        """Return a partitioned variable."""
        name = request.name
        if name in self._variables:
            wrong = (
                "A partitioner was provided, but an unpartitioned version of the variable was found: "
                f"{name}. Perhaps a variable of the same name was already created without partitioning?"
            )
            raise ValueError(message("get_variable", wrong, repr(name), "another name, or no partitioner"))
        value = borrow(request.initializer, None, "get_variable") if request.is_value else None
        shape = _full_shape(request)
        dtype = as_dtype(request.dtype if value is None else value.dtype).base_dtype
        if name in self._partitioned:
            return self._shared(request, shape, dtype)
        if request.reuse is True:
            wrong = (
                f"PartitionedVariable {name} does not exist, or was not created with tf.get_variable(). "
                "Did you mean to set reuse=False or reuse=tf.AUTO_REUSE in VarScope?"
            )
            raise ValueError(message("get_variable", wrong, "reuse=True", "the name of a variable"))
        partitions = partitions_of(request.partitioner, shape, dtype)
        parts = slices_of(name, shape, partitions)
        slices = [self._get_slice(request, f"{name}/part_{i}", part, value) for i, part in enumerate(parts)]
        made = PartitionedVariable(name, shape, dtype, slices, partitions)
        self._partitioned[name] = made
        return made

    def _shared(self, request: VariableRequest, shape: TensorShape, dtype: DType) -> PartitionedVariable:
        """Return a partitioned variable that is there, if it is what was asked for."""
        found = self._partitioned[request.name]
        _check_sharing(f"Partitioned variable with name {request.name} already exists.", request)
        _check_found(f"reuse partitioned variable {request.name}", shape, dtype, found)
        if request.partitioner is not None and shape.is_fully_defined():
            partitions = partitions_of(request.partitioner, shape, dtype)
            _check_same(f"reuse partitioned variable {request.name}", "partitions", partitions, found._get_partitions())
        return found

    def _get_slice(self, request: VariableRequest, name: str, part: SaveSliceInfo, value: Tensor | None) -> Variable:
        """Return one slice of a partitioned variable, whose value as a whole is ``value`` if that is given."""
        given: dict[str, Any] = {"shape": part.var_shape}
        if value is not None:
            given = {"shape": None, "initializer": part_of(get_default_graph(), value, part, name)}
            given["dtype"] = value.dtype
        made = self._get_single(dataclasses.replace(request, name=name, partitioner=None, **given), part)
        made._save_slice_info = part
        return made


def call_getter(custom_getter: Any, getter: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call a custom getter; one that takes no ``constraint``, as older ones do not, gets none."""
    parameters = parameters_of(custom_getter)
    takes_all = any(each.kind is each.VAR_KEYWORD for each in parameters.values())
    if not takes_all and "constraint" not in parameters:
        kwargs.pop("constraint", None)
    return custom_getter(getter, *args, **kwargs)


def _full_shape(request: VariableRequest) -> TensorShape:
    """Return what is known of the shape of the variable, or of the whole one if it is partitioned."""
    shape = as_shape(request.shape)
    return shape.merge_with(borrow(request.initializer).shape) if request.is_value else shape


def _check_sharing(wrong: str, request: VariableRequest) -> None:
    """Raise ``ValueError`` if a variable that is there may not be shared."""
    if request.reuse is False:
        question = "Did you mean to set reuse=True or reuse=tf.AUTO_REUSE in VarScope?"
        raise ValueError(message("get_variable", f"{wrong} {question}", "reuse=False", "a new name"))


def _check_found(what: str, shape: TensorShape | None, dtype: DType, found: Variable | PartitionedVariable) -> None:
    """Raise ``ValueError`` if a variable that is to be shared has another shape or dtype than asked for."""
    if shape is not None and not shape.is_compatible_with(found.shape):
        _check_same(what, "shape", shape, found.shape)
    if not dtype.is_compatible_with(found.dtype):
        _check_same(what, "dtype", dtype, found.dtype)


def _check_same(what: str, kind: str, specified: Any, found: Any) -> None:
    if specified != found:
        wrong = f"Trying to {what}, but specified {kind} {specified} and found {kind} {found}."
        raise ValueError(message("get_variable", wrong, specified, found))


def _make(request: VariableRequest, shape: TensorShape | None, dtype: DType, part: SaveSliceInfo | None) -> Variable:
    """Return a new variable."""
    initial_value, wanted = request.initializer, None
    if not request.is_value:
        initializer = default_initializer(request.name, dtype) if initial_value is None else initial_value
        initial_value, wanted = maker_of(request.name, initializer, shape, dtype, part)
    graph = graph_of((initial_value,))
    if graph is not get_default_graph():
        wrong = f"the initializer of {request.name} must be from the same graph as the variable"
        raise ValueError(message("get_variable", wrong, repr(graph), repr(get_default_graph())))
    return Variable(
        initial_value,
        trainable=request.trainable,
        collections=request.collections,
        validate_shape=request.validate_shape,
        caching_device=request.caching_device,
        name=request.name,
        dtype=wanted,
        constraint=request.constraint,
        use_resource=request.use_resource,
        synchronization=request.synchronization,
        aggregation=request.aggregation,
    )


def _regularize(request: VariableRequest, variable: Variable) -> None:
    """Add what the regularizer makes of a new variable to the regularization losses."""
    graph = get_default_graph()
    with graph.control_dependencies(None), colocate_with(variable), graph.name_scope(f"{request.name}/Regularizer/"):
        loss = request.regularizer(variable)
    if loss is not None:
        graph.add_to_collection(GraphKeys.REGULARIZATION_LOSSES, loss)

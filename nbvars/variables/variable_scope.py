"""``get_variable`` and ``variable_scope``: variables that are found again by their names."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import Any

from nbvars.checks import expect_type, message
from nbvars.dtypes import DType, as_dtype
from nbvars.graph.graph import get_default_graph
from nbvars.graph.keys import GraphKeys
from nbvars.runtime.conversion import borrow
from nbvars.variables.arguments import is_trainable
from nbvars.variables.scope_state import ScopeState, VariableScope, entered_scope
from nbvars.variables.variable_store import AUTO_REUSE, VariableRequest, VariableStore


def get_variable_scope() -> VariableScope:
    """Return the variable scope that this thread is in, in the default graph.

    Source: TensorFlow 1 API pages, ``tf.get_variable_scope``.
    """
    return get_default_graph()._own(ScopeState).current


def get_variable(
    name: str,
    shape: Any = None,
    dtype: Any = None,
    initializer: Any = None,
    regularizer: Any = None,
    trainable: bool | None = None,
    collections: Any = None,
    caching_device: Any = None,
    partitioner: Any = None,
    validate_shape: bool = True,
    use_resource: bool | None = None,
    custom_getter: Any = None,
    constraint: Any = None,
    synchronization: Any = None,
    aggregation: Any = None,
) -> Any:
    """Return the variable ``name`` of the current variable scope: a new one, or one that is there, as ``reuse`` says.

    What is not given is taken from the scope. Name scopes and control dependencies around do not concern the variable.
    In eager mode it is the same: the default graph keeps the variables, and so keeps them alive.

    Args:
        name: The name, within the variable scope.
        shape: The shape; left out if ``initializer`` is a value.
        dtype: The dtype: that of the scope if not given (float32), or that of the value that ``initializer`` is.
        initializer: An initializer or a class of them, a function of a shape, a dtype and perhaps a
            ``partition_info``, a function without arguments, or a value. Glorot's uniform initializer for
            floating dtypes and zeros for integers, if there is none.
        regularizer: Function of a new variable; what it returns, unless ``None``, joins
            ``GraphKeys.REGULARIZATION_LOSSES``. In eager mode that is the loss of the initial value.
        trainable: Join ``GraphKeys.TRAINABLE_VARIABLES``: yes, if not given.
        collections: Collections to join: ``[GraphKeys.GLOBAL_VARIABLES]`` if not given.
        caching_device: Device on which reads are cached.
        partitioner: Function of a shape and a dtype that returns the number of slices along each axis; the result
            is then a ``PartitionedVariable``.
        validate_shape: Whether the shape must be known.
        use_resource: Recorded, without effect.
        custom_getter: Called in the place of this function, as ``custom_getter(getter, name=..., ...)``: with the
            function that makes variables, and with all arguments by name.
        constraint: Function of a tensor that optimizers apply to the value after an update.
        synchronization: Recorded, without effect, as is ``aggregation``; ``ON_READ`` makes ``trainable`` False if it
            is not given.
        aggregation: A ``VariableAggregation``.

    Returns:
        A ``Variable`` or a ``PartitionedVariable``, or what the custom getter returns.

    Raises:
        ValueError: The variable is there and may not be shared, or must be there and is not; shape or dtype are not
            those of the variable that is there; the shape is not known; or the initializer does not suit the rest.
        TypeError: ``name`` is no string, or the initializer makes values of another dtype.

    Source: TensorFlow 1 API pages, ``tf.get_variable``.
    """
    expect_type("get_variable", "name", name, str, "a string")
    if not name or name.endswith("/"):
        raise ValueError(message("get_variable", "the name is not valid", repr(name), "the name of a variable"))
    graph = get_default_graph()
    scope = graph._own(ScopeState).current
    initializer = scope.initializer if initializer is None else initializer
    request = VariableRequest(
        name=scope.full_name(name),
        shape=shape,
        dtype=_dtype_of(dtype, initializer, scope),
        initializer=initializer,
        regularizer=scope.regularizer if regularizer is None else regularizer,
        reuse=scope.reuse,
        trainable=is_trainable(trainable, synchronization),
        collections=collections,
        caching_device=scope.caching_device if caching_device is None else caching_device,
        partitioner=scope.partitioner if partitioner is None else partitioner,
        validate_shape=validate_shape,
        use_resource=scope.use_resource if use_resource is None else use_resource,
        constraint=scope.constraint if constraint is None else constraint,
        synchronization=synchronization,
        aggregation=aggregation,
    )
    with graph.name_scope(None):
        getter = scope.custom_getter if custom_getter is None else custom_getter
        return graph._own(VariableStore).get_variable(request, getter)


def _dtype_of(dtype: Any, initializer: Any, scope: VariableScope) -> DType:
    """Return the dtype of a variable; ``ValueError`` if the value that it begins with has another than ``dtype``."""
    if initializer is None or callable(initializer):
        return as_dtype(scope.dtype if dtype is None else dtype).base_dtype
    found = borrow(initializer, None, "get_variable").dtype.base_dtype
    expected = found if dtype is None else as_dtype(dtype).base_dtype
    if expected is not found:
        wrong = f"Initializer type '{found}' and explicit dtype '{expected}' don't match."
        raise ValueError(message("get_variable", wrong, found, expected))
    return found


def get_local_variable(
    name: str,
    shape: Any = None,
    dtype: Any = None,
    initializer: Any = None,
    regularizer: Any = None,
    trainable: bool = False,
    collections: Iterable[Any] | None = None,
    *args: Any,
    **kwargs: Any,
) -> Any:
    """Return ``get_variable(...)`` of a variable in ``GraphKeys.LOCAL_VARIABLES``, which is never trainable.

    Source: TensorFlow 1 API pages, ``tf.get_local_variable``.
    """
    keys = [*(collections or ()), GraphKeys.LOCAL_VARIABLES]
    return get_variable(name, shape, dtype, initializer, regularizer, False, keys, *args, **kwargs)


def no_regularizer(tensor: Any) -> None:
    """Return ``None``: as ``regularizer``, it keeps that of the scopes around away.

    Source: TensorFlow 1 API pages, ``tf.no_regularizer``.
    """


def variable_scope(
    name_or_scope: str | VariableScope | None,
    default_name: str | None = None,
    values: Iterable[Any] | None = None,
    initializer: Any = None,
    regularizer: Any = None,
    caching_device: Any = None,
    partitioner: Any = None,
    custom_getter: Any = None,
    reuse: Any = None,
    dtype: Any = None,
    use_resource: bool | None = None,
    constraint: Any = None,
    auxiliary_name_scope: bool = True,
) -> AbstractContextManager[VariableScope]:
    """Put ``name/`` before the names of the variables of a ``with`` block, and give ``get_variable`` defaults.

    The block is in a name scope of that name too, which gets a number when it is opened again; the names of variables
    do not. What is not given is as in the scope around, but for ``constraint``. Each thread begins outside all scopes.

    Args:
        name_or_scope: A name, or a ``VariableScope`` to be in again, wherever the block is.
        default_name: The name, with a number if it is taken, where ``name_or_scope`` is ``None``.
        values: Tensors whose graph becomes the default graph.
        initializer: The default initializer.
        regularizer: The default regularizer.
        caching_device: The default caching device.
        partitioner: The default partitioner.
        custom_getter: Called in the place of ``get_variable``; the ``getter`` that it gets calls those of the scopes
            around.
        reuse: True: all variables, those of inner scopes too, must be there already; ``AUTO_REUSE``: they may be;
            ``None`` or False: as in the scope around.
        dtype: The default dtype.
        use_resource: Recorded, without effect.
        constraint: The default constraint.
        auxiliary_name_scope: Whether to open a name scope.

    Raises:
        TypeError: ``name_or_scope`` is no name and no scope, or there is neither a name nor a default.
        ValueError: ``reuse`` is something else, or asks to share variables of a scope without a name.

    Source: TensorFlow 1 API pages, ``tf.variable_scope``.
    """
    _check_scope(name_or_scope, default_name, reuse, auxiliary_name_scope)
    given = {
        "initializer": initializer,
        "regularizer": regularizer,
        "caching_device": caching_device,
        "partitioner": partitioner,
        "custom_getter": custom_getter,
        "dtype": dtype,
        "use_resource": use_resource,
        "constraint": constraint,
    }
    return entered_scope(name_or_scope, default_name, values, reuse, auxiliary_name_scope, given)


def _check_scope(name_or_scope: Any, default_name: Any, reuse: Any, auxiliary_name_scope: Any) -> None:
    where = "variable_scope"
    if name_or_scope is None and default_name is None:
        wrong = "If default_name is None then name_or_scope is required"
        raise TypeError(message(where, wrong, "None for both", "a name, a VariableScope or a default name"))
    if not isinstance(name_or_scope, (str, VariableScope, type(None))):
        wrong = "name_or_scope must be a string or VariableScope"
        raise TypeError(message(where, wrong, repr(name_or_scope), "a name, a VariableScope or None"))
    if not (reuse is None or isinstance(reuse, bool) or reuse is AUTO_REUSE):
        wrong = "The reuse parameter must be True or False or None"
        raise ValueError(message(where, wrong, repr(reuse), "True, False, None or AUTO_REUSE"))
    if name_or_scope is None and reuse:
        wrong = "reuse=True cannot be used without a name_or_scope"
        raise ValueError(message(where, wrong, f"reuse={reuse}", "a name, or reuse=None"))
    if not isinstance(auxiliary_name_scope, bool):
        wrong = "The auxiliary_name_scope must be `True` or `False`"
        raise TypeError(message(where, wrong, repr(auxiliary_name_scope), "True or False"))


def variable_op_scope(
    values: Iterable[Any] | None,
    name_or_scope: str | VariableScope | None,
    default_name: str | None = None,
    initializer: Any = None,
    regularizer: Any = None,
    caching_device: Any = None,
    partitioner: Any = None,
    custom_getter: Any = None,
    reuse: Any = None,
    dtype: Any = None,
    use_resource: bool | None = None,
    constraint: Any = None,
) -> AbstractContextManager[VariableScope]:
    """Return ``variable_scope(name_or_scope, default_name, values, ...)``, by its name in TensorFlow 0.x.

    Source: TensorFlow 0.x API pages, ``tf.variable_op_scope``.
    """
    return variable_scope(
        name_or_scope,
        default_name,
        values,
        initializer,
        regularizer,
        caching_device,
        partitioner,
        custom_getter,
        reuse,
        dtype,
        use_resource,
        constraint,
    )

"""The variable functions of ``tf.keras.backend``.

>>> K.cast(K.ones((1, 3)), "float64")
nbvars.Tensor([[1. 1. 1.]], shape=(1, 3), dtype=float64)

In graph mode, ``get_value``, ``set_value`` and ``eval`` work in the default session, and ``update`` makes an operation.

Source of all functions: TensorFlow 2 API pages, ``tf.keras.backend``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from nbvars import ops
from nbvars.checks import message
from nbvars.dtypes import DType, as_dtype, as_numeric_dtype
from nbvars.graph.mode import eager_mode, session_for
from nbvars.graph.tensor import Symbolic, Tensor, TensorLike, TensorValue
from nbvars.ops.cast_ops import cast as cast_tensor
from nbvars.variables.variable import Variable

Shape = Sequence[int]

_FLOATS = ("float16", "bfloat16", "float32", "float64")
_settings: dict[str, Any] = {"floatx": "float32", "epsilon": 1e-7}


def floatx() -> str:
    """Return the name of the default floating dtype: ``"float32"`` unless set."""
    return str(_settings["floatx"])


def set_floatx(value: str) -> None:
    """Set the default floating dtype: ``"float16"``, ``"bfloat16"``, ``"float32"`` or ``"float64"``."""
    if value not in _FLOATS:
        raise ValueError(message("set_floatx", "the dtype is not a floating one", repr(value), f"one of {_FLOATS}"))
    _settings["floatx"] = str(value)


def epsilon() -> float:
    """Return the small number that keeps divisions from zero: 1e-7 unless set."""
    return float(_settings["epsilon"])


def set_epsilon(value: float) -> None:
    """Set ``epsilon()`` to a finite number above 0."""
    if isinstance(value, bool) or not isinstance(value, (int, float, np.number)) or not 0 < float(value) < math.inf:
        raise ValueError(message("set_epsilon", "epsilon is not usable", repr(value), "a finite number above 0"))
    _settings["epsilon"] = float(value)


def _dtype(dtype: Any) -> DType:
    return as_numeric_dtype(floatx() if dtype is None else dtype)


def cast_to_floatx(x: TensorValue) -> Any:
    """Return ``x`` in the default floating dtype: an array for what is no tensor or variable."""
    if isinstance(x, TensorLike):
        return cast_tensor(x, floatx())
    with eager_mode():
        return cast_tensor(np.asarray(x), floatx()).numpy()


def variable(
    value: Any, dtype: Any = None, name: str | None = None, constraint: Callable[[Tensor], Any] | None = None
) -> Variable:
    """Return a variable that begins with ``value``, of the dtype ``floatx()`` if none is given.

    >>> kvar = K.variable(np.array([[1, 2], [3, 4]]), dtype="float64", name="example_var")
    >>> K.dtype(kvar)
    'float64'
    """
    return Variable(value, dtype=_dtype(dtype), name=name, constraint=constraint)


def get_value(x: Any) -> npt.NDArray[Any]:
    """Return the value of a variable or tensor as an array, a copy; a scalar as a NumPy number.

    Raises:
        ValueError: ``x`` is of a graph, and there is no default session of that graph.
    """
    if isinstance(x, Symbolic):
        return batch_get_value([x])[0]
    if not isinstance(x, TensorLike):
        return np.array(x)
    value: npt.NDArray[Any] = x.numpy()
    return value


def set_value(x: Variable, value: Any) -> None:
    """Replace the value of a variable by ``value``, of its shape, converted to its dtype.

    Raises:
        ValueError: ``value`` has another shape; or ``x`` is of a graph, and there is no default session of that graph.
        TypeError: ``x`` is no variable.
    """
    _expect_variable("set_value", x)
    try:
        value = np.asarray(value)
    except ValueError as error:
        wrong = "value does not form an array"
        raise ValueError(message("set_value", wrong, type(value).__name__, "lists of equal lengths")) from error
    if not x.shape.is_compatible_with(value.shape):
        raise ValueError(message("set_value", "value has the wrong shape", value.shape, int_shape(x)))
    with eager_mode():
        converted = cast_tensor(value, x.dtype)
    if isinstance(x, Symbolic):
        x.load(converted.numpy())
    else:
        x.assign(converted)


def batch_get_value(tensors: Iterable[Any]) -> list[npt.NDArray[Any]]:
    """Return the values of several variables, as ``get_value``; of a graph, those of one run."""
    values = list(tensors)
    if not values or not all(isinstance(x, Symbolic) for x in values):
        return [get_value(x) for x in values]
    fetched: list[npt.NDArray[Any]] = session_for("get_value", None, values[0].graph).run(values)
    return fetched


def batch_set_value(tuples: Iterable[tuple[Variable, Any]]) -> None:
    """Set several variables: pairs of a variable and its new value, as ``set_value``."""
    for x, value in tuples:
        set_value(x, value)


def _expect_variable(where: str, x: object) -> None:
    if not isinstance(x, Variable):
        raise TypeError(message(where, "x has the wrong type", type(x).__name__, "a Variable"))


def cast(x: TensorValue, dtype: Any) -> Any:
    """Return ``x`` in another dtype, as ``nbvars.cast``."""
    return cast_tensor(x, dtype)


def dtype(x: Any) -> str:
    """Return the name of the dtype of a tensor, variable or array."""
    return as_dtype(x.dtype).base_dtype.name


def shape(x: TensorValue) -> Tensor:
    """Return the shape of ``x`` as an int32 tensor."""
    return ops.shape(x)


def int_shape(x: Any) -> Any:
    """Return the shape of a tensor, variable or array as a tuple.

    In a graph it is the static one: an unknown size is ``None``, and so is the shape of a tensor of unknown rank.
    """
    if not isinstance(x, TensorLike):
        return np.shape(x)
    return None if x.shape.ndims is None else tuple(x.shape.as_list())


def ndim(x: Any) -> int | None:
    """Return the number of axes of a tensor, variable or array; ``None`` where it is unknown."""
    known = int_shape(x)
    return None if known is None else len(known)


def count_params(x: Any) -> int:
    """Return the number of elements of a tensor, variable or array; ``ValueError`` where it is unknown."""
    known = int_shape(x)
    if known is None or None in known:
        raise ValueError(message("count_params", "the shape is not fully known", known, "known sizes only"))
    return math.prod(known)


def eval(x: Any) -> npt.NDArray[Any]:
    """Return the value of a tensor, variable or array as an array, as ``get_value``."""
    return get_value(x)


def constant(value: Any, dtype: Any = None, shape: Shape | None = None, name: str | None = None) -> Tensor:
    """Return a tensor of ``value``, of the dtype ``floatx()`` if none is given."""
    return ops.constant(value, dtype=_dtype(dtype), shape=shape, name=name or "Const")


def zeros(shape: Shape, dtype: Any = None, name: str | None = None) -> Tensor:
    """Return a tensor of zeros, of the dtype ``floatx()`` if none is given."""
    return ops.zeros(shape, _dtype(dtype), name)


def ones(shape: Shape, dtype: Any = None, name: str | None = None) -> Tensor:
    """Return a tensor of ones, of the dtype ``floatx()`` if none is given."""
    return ops.ones(shape, _dtype(dtype), name)


def zeros_like(x: TensorValue, dtype: Any = None, name: str | None = None) -> Tensor:
    """Return zeros of the shape of ``x``, and of its dtype unless another is given."""
    return ops.zeros_like(x, dtype, name)


def ones_like(x: TensorValue, dtype: Any = None, name: str | None = None) -> Tensor:
    """Return ones of the shape of ``x``, and of its dtype unless another is given."""
    return ops.ones_like(x, dtype, name)


def eye(size: int, dtype: Any = None, name: str | None = None) -> Variable:
    """Return a variable that begins with the identity matrix of ``[size, size]``."""
    return variable(ops.eye(size, dtype=_dtype(dtype)), dtype, name)


def random_uniform_variable(
    shape: Shape, low: float, high: float, dtype: Any = None, name: str | None = None, seed: int | None = None
) -> Variable:
    """Return a variable that begins with uniform numbers of ``[low, high)``."""
    return variable(ops.random_uniform(shape, low, high, dtype=_dtype(dtype), seed=seed), dtype, name)


def random_normal_variable(
    shape: Shape, mean: float, scale: float, dtype: Any = None, name: str | None = None, seed: int | None = None
) -> Variable:
    """Return a variable that begins with normal numbers of the given mean and standard deviation."""
    return variable(ops.random_normal(shape, mean, scale, dtype=_dtype(dtype), seed=seed), dtype, name)


def update(x: Variable, new_x: TensorValue) -> Variable:
    """Replace the value of a variable; return it."""
    _expect_variable("update", x)
    return x.assign(new_x)


def update_add(x: Variable, increment: TensorValue) -> Variable:
    """Add to the value of a variable; return it."""
    _expect_variable("update_add", x)
    return x.assign_add(increment)


def update_sub(x: Variable, decrement: TensorValue) -> Variable:
    """Subtract from the value of a variable; return it."""
    _expect_variable("update_sub", x)
    return x.assign_sub(decrement)

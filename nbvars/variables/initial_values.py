"""What ``get_variable`` makes of an initializer: the function without arguments that ``Variable`` calls."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from nbvars.checks import message
from nbvars.dtypes import DType
from nbvars.runtime.conversion import borrow
from nbvars.shapes import TensorShape
from nbvars.variables.initializer import Initializer
from nbvars.variables.initializers import GlorotUniform, Zeros
from nbvars.variables.save_slice_info import SaveSliceInfo


def parameters_of(function: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    """Return the parameters of ``function`` by name: none where Python does not know them."""
    try:
        return inspect.signature(function).parameters
    except (ValueError, TypeError):
        return {}


def default_initializer(name: str, dtype: DType) -> Initializer:
    """Return the initializer of a variable that was given none; ``ValueError`` if its dtype has none."""
    if dtype.is_floating:
        return GlorotUniform()
    if dtype.is_integer or dtype.is_bool:
        return Zeros()
    wrong = f"An initializer for variable {name} of {dtype} is required"
    raise ValueError(message("get_variable", wrong, dtype, "a floating, integer or bool dtype, or an initializer"))


def maker_of(
    name: str, initializer: Any, shape: TensorShape | None, dtype: DType, partition_info: SaveSliceInfo | None
) -> tuple[Callable[[], Any], DType | None]:
    """Return the function that makes the first value, and the dtype to convert it to, if any.

    Raises:
        ValueError: The shape is not known but needed, or ``initializer`` cannot be called with what there is.
    """
    if isinstance(initializer, type):
        initializer = initializer()
    make: Callable[[], Any] = initializer
    if shape is not None and shape.is_fully_defined():
        arguments: dict[str, Any] = {"dtype": dtype}
        if "partition_info" in parameters_of(initializer):
            arguments["partition_info"] = partition_info
        if not _takes(initializer, shape.as_list(), **arguments):
            raise ValueError(_refusal(name, initializer, shape))
        make = functools.partial(initializer, shape.as_list(), **arguments)
    elif not _takes(initializer):
        raise ValueError(_refusal(name, initializer, shape))
    if shape is None:
        return make, None
    return functools.partial(_checked, name, make, shape), dtype if shape.is_fully_defined() else None


def _takes(function: Any, *args: Any, **kwargs: Any) -> bool:
    """Return whether ``function`` can be called with these arguments; one that Python does not know may be."""
    if not callable(function):
        return False
    try:
        inspect.signature(function).bind(*args, **kwargs)
    except TypeError:
        return False
    except ValueError:
        return True
    return True


def _refusal(name: str, initializer: Any, shape: TensorShape | None) -> str:
    """Return what is wrong where an initializer cannot be called."""
    if shape is None or not shape.is_fully_defined():
        known = TensorShape(None) if shape is None else shape
        wrong = f"Shape of a new variable ({name}) must be fully defined, but instead was {known}."
        return message("get_variable", wrong, known, "known sizes, or an initializer that needs no arguments")
    wrong = (
        "The initializer passed is not valid. It should be a callable with no arguments and the shape should not be "
        "provided, or take a shape and a dtype"
    )
    return message("get_variable", wrong, repr(initializer), "initializer(shape, dtype=dtype)")


def _checked(name: str, make: Callable[[], Any], shape: TensorShape) -> Any:
    """Return what ``make`` makes, if it has the shape that was asked for."""
    value = make()
    found = borrow(value, None, "get_variable").shape
    if not found.is_compatible_with(shape):
        raise ValueError(message("get_variable", f"the initializer of {name} made another shape", found, shape))
    return value

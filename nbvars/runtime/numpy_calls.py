"""NumPy's functions called with tensors and variables: ``np.exp(v)``, ``np.add(x, 1, out=v)``, ``np.stack([v, x])``.

They get arrays in the place of tensors and variables, promote as NumPy does, and give arrays. Two things differ:

- ``x + v``, with an array or a NumPy number on the left, is ``nbvars.add(x, v)``, as ``v + x`` is ``nbvars.add(v, x)``:
  a tensor of the dtype of ``v``. NumPy does not tell ``np.add(x, v)`` from the operator, so that is a tensor too.
- A variable as ``out=``, or as the target of ``np.copyto``, changes as by ``assign(..., use_locking=True)``: its lock
  is held from before its value is read until the new one is there, and if NumPy raises, it keeps the old one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any

import numpy as np

from nbvars.checks import message
from nbvars.graph.tensor import OPERATORS, TensorLike
from nbvars.storage import CpuStorage

_OPERATOR_OF: dict[np.ufunc, str] = {
    np.add: "add",
    np.subtract: "subtract",
    np.multiply: "multiply",
    np.true_divide: "truediv",
    np.floor_divide: "floordiv",
    np.remainder: "mod",
    np.power: "pow",
    np.matmul: "matmul",
    np.bitwise_and: "and",
    np.bitwise_or: "or",
    np.bitwise_xor: "xor",
    np.less: "less",
    np.less_equal: "less_equal",
    np.greater: "greater",
    np.greater_equal: "greater_equal",
    np.equal: "equal",
    np.not_equal: "not_equal",
}


def call_ufunc(ufunc: np.ufunc, method: str, inputs: tuple[Any, ...], arguments: dict[str, Any]) -> Any:
    """Do what ``__array_ufunc__`` shall: ``method`` of ``ufunc`` on ``inputs``, of which some are tensors."""
    if method == "__call__" and not arguments and isinstance(inputs[0], (np.ndarray, np.generic)):
        operator = _OPERATOR_OF.get(ufunc)
        if operator is not None:
            return OPERATORS[operator](*inputs)
    if method == "at" and isinstance(inputs[0], TensorLike):
        wrong, got = "it changes arrays only", type(inputs[0]).__name__
        remedy = "use scatter_add, or another update of rows"
        raise TypeError(message(f"np.{ufunc.__name__}.at", wrong, got, "an array", remedy))
    outputs = arguments.pop("out", ())
    arrays = [each.__array__() if isinstance(each, TensorLike) else each for each in inputs]
    keywords = _without_tensors(arguments) if arguments else {}
    if not outputs:
        return getattr(ufunc, method)(*arrays, **keywords)

    def call(outs: tuple[Any, ...]) -> Any:
        return getattr(ufunc, method)(*arrays, **keywords, out=outs)

    return _into(f"np.{ufunc.__name__}", outputs, call)


def call_function(function: Callable[..., Any], arguments: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
    """Do what ``__array_function__`` shall: call ``function``, some of whose arguments are, or hold, tensors."""
    if not _holds_tensor([arguments, keywords]):
        # ``like=``, which NumPy took away, or a container that it looks into and this module does not. To call
        # ``function`` would come back here; NumPy's own ``ndarray.__array_function__`` calls this attribute too.
        return getattr(function, "_implementation", function)(*arguments, **keywords)
    where = f"np.{function.__name__}"
    if function is np.copyto and isinstance(arguments[0], TensorLike):
        rest, named = _without_tensors(arguments[1:]), _without_tensors(keywords)
        _into(where, arguments[:1], lambda outs: function(*outs, *rest, **named))
        return None
    output = keywords.get("out")
    if not isinstance(output, TensorLike):
        return function(*_without_tensors(arguments), **_without_tensors(keywords))
    rest, named = _without_tensors(arguments), _without_tensors({**keywords, "out": None})
    return _into(where, (output,), lambda outs: function(*rest, **{**named, "out": outs[0]}))


def _into(where: str, outputs: Sequence[Any], call: Callable[[tuple[Any, ...]], Any]) -> Any:
    """Return the result of ``call`` on ``outputs``, with arrays in the place of variables, which get their values."""
    storages = [_storage_of(where, output) if isinstance(output, TensorLike) else None for output in outputs]
    written = {storage.address: storage for storage in storages if storage is not None}
    with ExitStack() as locks:
        # In one order in all threads: two that write to the same two variables must not wait for each other.
        for address in sorted(written):
            locks.enter_context(written[address].locked())
        # Copies, since NumPy may raise when it has written a part, and leaves elements as they are with ``where=``.
        outs = tuple(
            output if storage is None else storage.array.copy()
            for output, storage in zip(outputs, storages, strict=True)
        )
        results = call(outs)
        for out, storage in zip(outs, storages, strict=True):
            if storage is not None:
                np.copyto(storage.array, out)
    if not written:
        return results
    if not isinstance(results, tuple):
        return outputs[0]
    return tuple(
        result if storage is None else output
        for result, output, storage in zip(results, outputs, storages, strict=True)
    )


def _storage_of(where: str, output: TensorLike) -> CpuStorage:
    """Return the memory of an eager variable; ``TypeError`` for anything else."""
    storage = getattr(output, "_storage", None)
    if storage is None:
        wrong, expected = "a tensor cannot be written to", "an array or an eager variable"
        raise TypeError(message(where, wrong, f"out={type(output).__name__}", expected))
    if not isinstance(storage, CpuStorage):
        wrong, got = "NumPy cannot write to a GPU", f"a variable on {output.device}"
        raise TypeError(message(where, wrong, got, "an array or a variable of the CPU", "use assign"))
    return storage


def _holds_tensor(value: Any) -> bool:
    if type(value) is dict:
        return any(map(_holds_tensor, value.values()))
    return isinstance(value, TensorLike) or (type(value) in (list, tuple) and any(map(_holds_tensor, value)))


def _without_tensors(value: Any) -> Any:
    """Return ``value`` with arrays in the place of tensors, in lists, tuples and dictionaries too."""
    if isinstance(value, TensorLike):
        return value.__array__()
    if type(value) is dict:
        return {key: _without_tensors(element) for key, element in value.items()}
    return type(value)(map(_without_tensors, value)) if type(value) in (list, tuple) else value

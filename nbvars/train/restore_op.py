"""``RestoreV2``: the operation of a graph that reads tensors, or slices of them, from a checkpoint when it runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nbvars import dtypes
from nbvars.checks import expect_dtype, message
from nbvars.dtypes import DType
from nbvars.errors import InvalidArgumentError
from nbvars.graph.graph import get_default_graph
from nbvars.graph.operation import Operation
from nbvars.graph.tensor import GraphTensor
from nbvars.ops.constant_ops import constant
from nbvars.runtime.definition import Array, NodeDefinition
from nbvars.runtime.plan import PlanBuilder
from nbvars.runtime.steps import Slots
from nbvars.shapes import TensorShape
from nbvars.train.checkpoint_reader import CheckpointReader
from nbvars.train.checkpoints import open_checkpoint

_INPUTS = ("prefix", "tensor_names", "shape_and_slices")


def add_restore(prefix: Any, tensor: str, specs: list[str], dtype: DType, shapes: list[TensorShape]) -> Any:
    """Add the reading of a tensor to the default graph; return its slices.

    Args:
        prefix: Path of the checkpoint, as a tensor.
        tensor: Name of the tensor.
        specs: The slices as ``SaveSliceInfo.spec`` gives them; an empty one is all of the tensor.
        dtype: Its dtype.
        shapes: The shape of each slice.
    """
    graph, names = get_default_graph(), [tensor] * len(specs)
    with graph.device("/cpu:0"), graph.name_scope("checkpoint_initializer") as scope:
        inputs = [prefix, constant(names, name=_INPUTS[1]), constant(specs, name=_INPUTS[2])]
        outputs = [(dtype, shape) for shape in shapes]
        attrs = {"dtypes": (dtype,) * len(specs)}
        return graph._add_op("RestoreV2", inputs, outputs, scope, attrs, RESTORE)._outputs


def _prepare(op: Operation, plan: PlanBuilder) -> None:
    inputs = plan.reads(op, op._inputs)
    types = [tensor._dtype for tensor in op._outputs]
    outputs = [plan.new_slot(tensor) for tensor in op._outputs]
    # The operations of one run see one version of each checkpoint, and read its header once.
    readers = plan.shared_slot("RestoreV2")

    def run(slots: Slots) -> None:
        prefix, *texts = (slots[slot] for slot in inputs)
        names, specs = ([_text(each) for each in array.ravel()] for array in texts)
        if prefix.ndim or not len(names) == len(specs) == len(outputs):
            got, expected = (prefix.shape, len(names), len(specs)), f"one path, and twice {len(outputs)} texts"
            raise InvalidArgumentError(None, None, message("RestoreV2", "the inputs do not fit", got, expected))
        path = _text(prefix.item())
        opened = slots[readers] = slots[readers] or {}
        reader = opened[path] = opened.get(path) or open_checkpoint(path)
        wholes = _read(reader, names, types)
        for slot, name, spec in zip(outputs, names, specs, strict=True):
            slots[slot] = wholes[name][_place(reader, name, spec, wholes[name].shape)]

    plan.add_step(op, run)


def _text(value: bytes | str) -> str:
    return value if isinstance(value, str) else value.decode(errors="surrogateescape")


def _read(reader: CheckpointReader, names: list[str], types: Sequence[DType]) -> dict[str, Array]:
    """Return tensors by name, each read once, however many of its slices are asked for."""
    for name, dtype in zip(names, types, strict=True):
        found = reader.tensor(name).dtype
        if found is not dtype:
            wrong = f"tensor {name!r} has the wrong dtype in {reader.path}"
            raise InvalidArgumentError(None, None, message("RestoreV2", wrong, found, dtype))
    return {name: reader.get_tensor(name) for name in dict.fromkeys(names)}


def _place(reader: CheckpointReader, name: str, spec: str, shape: tuple[int, ...]) -> tuple[Any, ...]:
    """Return the index of a slice: ``"3,2"`` are the two from 3 on along an axis, and ``"-"`` is all."""
    if not spec:
        return (...,)
    *sizes, ranges = spec.split(" ")
    if sizes != [str(size) for size in shape]:
        wrong = f"tensor {name!r} has the wrong shape in {reader.path}"
        raise InvalidArgumentError(None, None, message("RestoreV2", wrong, shape, f"that of the slice {spec!r}"))
    return tuple(_range(spec, *each) for each in zip(ranges.split(":"), shape, strict=True))


def _range(spec: str, text: str, size: int) -> slice:
    first, num_rows = (0, size) if text == "-" else map(int, text.split(","))
    if first < 0 or num_rows < 0 or first + num_rows > size:
        raise InvalidArgumentError(None, None, message("RestoreV2", "a slice leaves the tensor", spec, f"up to {size}"))
    return slice(first, first + num_rows)


def _outputs(inputs: list[GraphTensor], attrs: dict[str, Any]) -> list[tuple[DType, TensorShape]]:
    for name, tensor in zip(_INPUTS, inputs, strict=True):
        expect_dtype("RestoreV2", name, tensor._dtype.base_dtype, dtypes.string)
    return [(dtype, TensorShape(None)) for dtype in attrs["dtypes"]]


RESTORE = NodeDefinition("RestoreV2", _prepare, _outputs)

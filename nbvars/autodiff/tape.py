"""``GradientTape``: derivatives of what eager mode has computed."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from nbvars.autodiff.backward import Step, UnconnectedGradients, flow_back, is_differentiable, results, unconnected
from nbvars.autodiff.node import Node
from nbvars.autodiff.sums import Sums
from nbvars.autodiff.table import gradient_of
from nbvars.checks import message
from nbvars.graph.tensor import Symbolic, TensorLike
from nbvars.ops.constant_ops import ones_like
from nbvars.ops.structures import flatten, pack
from nbvars.runtime.conversion import borrow
from nbvars.runtime.definition import OpDefinition
from nbvars.runtime.recording import listening
from nbvars.runtime.tensor import ValueTensor

WHERE = "GradientTape"

# Of the inputs of these, gradients look at the shape only; what others need of a variable or of a user's array is
# copied, as an update may come before the gradient is asked for.
_BY_SHAPE = frozenset(
    (
        "Identity", "AddV2", "Sub", "AddN", "Neg", "Reshape", "ExpandDims", "Squeeze", "Transpose", "BroadcastTo",
        "Sum", "Mean", "ConcatV2", "Pack", "Unpack", "SplitV", "Tile", "Pad", "Slice", "StridedSlice", "BiasAdd",
        "Cast", "Cumsum", "CheckNumerics",
    )
)  # fmt: skip
_BY_SHAPE_AND_INDICES = frozenset(("GatherV2", "GatherNd", "BooleanMask"))


class GradientTape:
    """Records the ops that run in its ``with`` block, and computes derivatives from them.

    Trainable variables are watched by themselves; ``watch`` adds others, and tensors. Ops of other threads are not
    recorded.

    Args:
        persistent: Let ``gradient`` be called more than once.
        watch_accessed_variables: Watch trainable variables when they are used.

    Source: TensorFlow 2 API pages, ``tf.GradientTape``.
    """

    def __init__(self, persistent: bool = False, watch_accessed_variables: bool = True) -> None:
        self._is_persistent = persistent
        self._watches_variables = watch_accessed_variables
        self._records: list[tuple[Node, tuple[Any, ...]]] = []
        self._sources: dict[int, Any] = {}
        # By id; what is here is kept alive by the records or the sources, so that no id is used twice.
        self._tracked: set[int] = set()
        self._is_recording = self._is_spent = False

    def __enter__(self) -> GradientTape:
        if self._is_recording:
            raise ValueError(message(WHERE, "the tape is already recording", "a second with", "one at a time"))
        self._start()
        return self

    def __exit__(self, *exception: object) -> None:
        if self._is_recording:
            self._stop()

    def _start(self) -> None:
        listening.recorders = (*listening.recorders, self)
        self._is_recording = True

    def _stop(self) -> None:
        listening.recorders = tuple(each for each in listening.recorders if each is not self)
        self._is_recording = False

    def watch(self, tensor: Any) -> None:
        """Record what is computed from ``tensor``, a tensor or variable or a list of those, from now on.

        Raises:
            ValueError: The tape is not recording, or a value is no tensor or variable of eager mode.
        """
        for each in flatten(tensor):
            if not isinstance(each, TensorLike) or isinstance(each, Symbolic):
                got, expected = type(each).__name__, "an eager tensor or variable"
                raise ValueError(message(f"{WHERE}.watch", "this cannot be watched", got, expected, "use constant"))
            self._watch(each)

    def _watch(self, source: Any) -> None:
        self._sources[id(source)] = source
        self._tracked.add(id(source))

    def watched_variables(self) -> tuple[Any, ...]:
        """Return the variables that have been watched, in the order of their first use."""
        return tuple(source for source in self._sources.values() if not isinstance(source, ValueTensor))

    def reset(self) -> None:
        """Forget everything recorded so far."""
        self._records, self._sources, self._tracked = [], {}, set()
        self._is_spent = False

    @contextlib.contextmanager
    def stop_recording(self) -> Iterator[None]:
        """Let the ops of a block go unrecorded."""
        if not self._is_recording:
            raise ValueError(
                message(
                    f"{WHERE}.stop_recording", "the tape is not recording", "a finished tape", "one in its with block"
                )
            )
        self._stop()
        try:
            yield
        finally:
            self._start()

    def record(
        self, definition: OpDefinition, inputs: tuple[Any, ...], attrs: dict[str, Any], outputs: tuple[Any, ...]
    ) -> None:
        """Take note of an op if it depends on anything watched."""
        for source in inputs:
            is_variable = not isinstance(source, ValueTensor)
            if is_variable and self._watches_variables and source.trainable and is_differentiable(source):
                self._watch(source)
        if not any(id(source) in self._tracked for source in inputs):
            return
        self._records.append((Node(definition.op_type, _needed(definition.op_type, inputs), outputs, attrs), inputs))
        self._tracked.update(map(id, outputs))

    def gradient(
        self,
        target: Any,
        sources: Any,
        output_gradients: Any = None,
        unconnected_gradients: Any = UnconnectedGradients.NONE,
    ) -> Any:
        """Return the derivatives of the sum of ``target`` by ``sources``, in the structure of ``sources``.

        Args:
            target: A floating tensor, or a list of those, that ops of the block computed.
            sources: Watched tensors and variables, in a list, tuple, dict or alone.
            output_gradients: Gradients to begin with, one for each target; ones without.
            unconnected_gradients: ``UnconnectedGradients.ZERO`` for zeros instead of ``None``.

        Returns:
            A tensor in the shape of each source, ``IndexedSlices`` where only some rows have a gradient, or ``None``
            where ``target`` does not depend on it.

        Raises:
            RuntimeError: The tape is not persistent and has given gradients before.
            LookupError: An op on the way has no gradient.
            TypeError: A target is not floating, or a source neither tensor nor variable.
            ValueError: ``output_gradients`` does not fit.
        """
        if self._is_spent:
            wrong = "a non-persistent tape gives gradients once"
            raise RuntimeError(message(f"{WHERE}.gradient", wrong, "a second call", "GradientTape(persistent=True)"))
        mode = unconnected(unconnected_gradients)
        for source in flatten(sources):
            if not isinstance(source, TensorLike) or isinstance(source, Symbolic):
                expected = "a tensor or variable of eager mode"
                raise TypeError(message(f"{WHERE}.gradient", "a source is none", repr(source), expected))
        if self._is_recording and not self._is_persistent:
            self._stop()
        sums, targets, leaves = Sums(), flatten(target), flatten(sources)
        given = flatten(output_gradients) if isinstance(target, (list, tuple, dict)) else [output_gradients]
        if output_gradients is None:
            given = [None] * len(targets)
        if len(given) != len(targets):
            wrong = "output_gradients has the wrong length"
            raise ValueError(message(f"{WHERE}.gradient", wrong, len(given), len(targets)))
        for each, grad in zip(targets, given, strict=True):
            sums.add(each, _first_gradient(each, grad))
        flow_back(self._backward(), sums)
        found = results(sums, leaves, mode)
        if not self._is_persistent:
            self.reset()
            self._is_spent = True
        return pack(sources, found)

    def _backward(self) -> Iterator[Step]:
        for node, origins in reversed(self._records):
            yield Step(node, origins, gradient_of(node.op_type))


def _needed(op_type: str, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return what the gradient of an op needs of its inputs."""
    if op_type in _BY_SHAPE:
        return inputs
    num_by_shape = int(op_type in _BY_SHAPE_AND_INDICES)
    return (*inputs[:num_by_shape], *map(_as_it_is_now, inputs[num_by_shape:]))


def _as_it_is_now(tensor: Any) -> Any:
    """Return a tensor that later changes of a variable or of a user's array do not change."""
    return tensor._snapshot() if isinstance(tensor, ValueTensor) else tensor


def _first_gradient(target: Any, grad: Any) -> Any:
    where = f"{WHERE}.gradient"
    if not isinstance(target, TensorLike) or isinstance(target, Symbolic):
        raise TypeError(message(where, "the target is no eager tensor", repr(target), "a tensor that ops computed"))
    if not is_differentiable(target):
        raise TypeError(message(where, "the target has the wrong dtype", target.dtype, "a floating dtype", "use cast"))
    if grad is None:
        return ones_like(target)
    tensor = borrow(grad, target.dtype.base_dtype, where)
    if tensor.shape != target.shape:
        raise ValueError(message(where, "output_gradients has the wrong shape", tensor.shape, target.shape))
    return tensor

"""``ExponentialMovingAverage``: averages of variables, kept beside them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from nbvars.capturing import expect_no_capture
from nbvars.checks import message
from nbvars.graph.graph import Graph, get_default_graph
from nbvars.graph.keys import GraphKeys
from nbvars.graph.mode import executing_eagerly
from nbvars.graph.tensor import Symbolic, TensorLike
from nbvars.ops.cast_ops import cast
from nbvars.ops.grouping_ops import group
from nbvars.ops.math_ops import minimum
from nbvars.runtime.building import entered
from nbvars.runtime.context import beside
from nbvars.runtime.conversion import convert_to_tensor
from nbvars.runtime.cuda_tensor import HasDeviceValue
from nbvars.variables.collections import moving_average_variables, trainable_variables
from nbvars.variables.graph_variable import GraphVariable
from nbvars.variables.variable import Variable


class ExponentialMovingAverage:
    """Averages in which what is old counts ever less: ``average -= (1 - decay) * (average - variable)``.

    Args:
        decay: Near 1, such as 0.999.
        num_updates: A count of steps: the decay is then at most ``(1 + num_updates) / (10 + num_updates)``, so that
            averages move faster in the beginning.
        zero_debias: Begin the averages of tensors with 0 and correct for that.
        name: Name of the operations, and of the averages after the variables'.

    Source: TensorFlow 1 API pages, ``tf.train.ExponentialMovingAverage``.
    """

    def __init__(
        self,
        decay: Any,
        num_updates: Any = None,
        zero_debias: bool = False,
        name: str = "ExponentialMovingAverage",
    ) -> None:
        self._decay = decay
        self._num_updates = num_updates
        self._zero_debias = zero_debias
        self._name = name
        # By key: the variable or tensor, its average, and what counts the corrections, if there is any.
        self._averages: dict[Any, tuple[Any, Variable, Variable | None]] = {}

    @property
    def name(self) -> str:
        """Return the name."""
        return self._name

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        # A copy's variables may be other objects, whose averages have other keys.
        self._averages = {_key(value): (value, *others) for value, *others in state["_averages"].values()}

    def apply(self, var_list: Iterable[Any] | None = None) -> Any:
        """Make averages, or move them towards the values that the variables have now.

        An average of a variable begins with its initial value, that of a tensor with 0. Averages are variables that are
        not trainable; what they are of joins ``GraphKeys.MOVING_AVERAGE_VARIABLES``.

        Args:
            var_list: Floating variables and tensors: the trainable variables if not given.

        Returns:
            The operation that moves all averages, in graph mode; ``None`` in eager mode, where they are moved.

        Raises:
            TypeError: Something is not floating.
            ValueError: ``apply`` has made an average of something before, in graph mode.

        Source: TensorFlow 1 API pages, ``tf.train.ExponentialMovingAverage.apply``.
        """
        values = list(trainable_variables() if var_list is None else var_list)
        for value in values:
            if not isinstance(value, TensorLike) or not value.dtype.base_dtype.is_floating:
                got = getattr(value, "dtype", type(value).__name__)
                raise TypeError(message(f"{self._name}.apply", "this has no average", got, "floating variables"))
            if _key(value) in self._averages and isinstance(value, Symbolic):
                wrong = "Moving average already computed for this"
                raise ValueError(message(f"{self._name}.apply", wrong, repr(value), "each of them once"))
        if not values:
            return None if executing_eagerly() else group(name=self._name)
        graph: Graph = values[0]._as_tensor().graph if isinstance(values[0], Symbolic) else get_default_graph()
        if not isinstance(values[0], Symbolic):
            for value in values:
                self._make(value, graph)
                self._move(value)
            return None
        with entered(graph):
            for value in values:
                self._make(value, graph)
            with graph.name_scope(self._name) as scope:
                return group(*[self._move(value) for value in values], name=scope)

    def _make(self, value: Any, graph: Graph) -> None:
        if _key(value) in self._averages:
            return
        is_variable = isinstance(value, Variable)
        name, corrections = f"{_op_name(value)}/{self._name}", None
        with graph.name_scope(None), graph.control_dependencies(None), beside(value):
            if is_variable:
                start = value.initialized_value()
                graph.add_to_collections([GraphKeys.MOVING_AVERAGE_VARIABLES], value)
            else:
                if not value.shape.is_fully_defined():
                    wrong = "a tensor of unknown shape has no average"
                    raise ValueError(message(f"{self._name}.apply", wrong, value.shape, "a known shape"))
                start = np.zeros(value.shape.as_list(), value.dtype.base_dtype.numpy_dtype)
                if self._zero_debias:
                    corrections = Variable(np.float32(0), trainable=False, name=f"{name}/biased")
            average = Variable(start, trainable=False, name=name)
        self._averages[_key(value)] = value, average, corrections

    def _move(self, value: Any) -> Any:
        _, average, unseen = self._averages[_key(value)]
        dtype = value.dtype.base_dtype
        rate = 1 - cast(self._current_decay(), dtype)
        moved = average.assign_sub((average.read_value() - convert_to_tensor(value)) * rate)
        if unseen is None:
            return moved
        return group(moved, unseen.assign_add((1 - unseen.read_value()) * cast(rate, "float32")))

    def _current_decay(self) -> Any:
        decay = convert_to_tensor(self._decay, "float32")
        if self._num_updates is None:
            return decay
        if not isinstance(self._num_updates, (Symbolic, HasDeviceValue)):
            wrong = "num_updates would be the same at each replay"
            expect_no_capture(f"{self._name}.apply", wrong, "have it on the GPU")
        count = cast(self._num_updates, "float32")
        return minimum(decay, (1.0 + count) / (10.0 + count))

    def average(self, var: Any) -> Any:
        """Return the average of a variable or tensor, ``None`` if there is none.

        Source: TensorFlow 1 API pages, ``tf.train.ExponentialMovingAverage.average``.
        """
        found = self._averages.get(_key(var))
        if found is None:
            return None
        _, average, seen = found
        return average if seen is None else average.read_value() / cast(seen.read_value(), var.dtype.base_dtype)

    def average_name(self, var: Any) -> str:
        """Return the name that the average of ``var`` has, or will have: ``"w/ExponentialMovingAverage"``.

        Source: TensorFlow 1 API pages, ``tf.train.ExponentialMovingAverage.average_name``.
        """
        found = self._averages.get(_key(var))
        return f"{_op_name(var)}/{self._name}" if found is None else _op_name(found[1])

    def variables_to_restore(self, moving_avg_variables: Iterable[Any] | None = None) -> dict[str, Any]:
        """Return variables by the names under which a ``Saver`` finds what they are to become: their averages.

        Args:
            moving_avg_variables: Variables that take the value of their average: those that are trainable, or have an
                average, if not given. All others come under their own names.

        Source: TensorFlow 1 API pages, ``tf.train.ExponentialMovingAverage.variables_to_restore``.
        """
        if moving_avg_variables is None:
            chosen = {_key(var): var for var in [*trainable_variables(), *moving_average_variables()]}
        else:
            chosen = {_key(var): var for var in moving_avg_variables}
        names = {self.average_name(var): var for var in chosen.values()}
        averages = {_key(average) for _, average, _ in self._averages.values()}
        others = get_default_graph().get_collection(GraphKeys.GLOBAL_VARIABLES)
        return names | {_op_name(var): var for var in others if _key(var) not in chosen and _key(var) not in averages}


def _key(value: Any) -> Any:
    if isinstance(value, Symbolic):
        return value._ref() if isinstance(value, GraphVariable) else value
    return id(value)


def _op_name(value: Any) -> str:
    name: str = getattr(value, "name", "Tensor:0")
    return name.rpartition(":")[0]

"""The optimizers: which kernel, which slots and which settings each has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nbvars.checks import message
from nbvars.graph.graph import control_dependencies
from nbvars.train.optimizer import Optimizer, as_dense, is_of_graph, value_of_setting


class _WithRate(Optimizer):
    """An optimizer with a learning rate: a number, a tensor, a variable or a function that returns one."""

    def __init__(self, learning_rate: Any, use_locking: bool, name: str) -> None:
        super().__init__(use_locking, name)
        self._learning_rate = learning_rate

    def _settings(self, var: Any) -> Sequence[Any]:
        return [value_of_setting(self._learning_rate), *map(value_of_setting, self._others())]

    def _others(self) -> Sequence[Any]:
        """Return the settings after the learning rate."""
        return ()


class GradientDescentOptimizer(_WithRate):
    """Gradient descent: ``var -= learning_rate * grad``.

    Args:
        learning_rate: A number, scalar tensor or variable, or a function without arguments that returns one.
        use_locking: Hold the lock of a variable during its step.
        name: Name of the operations.

    Source: TensorFlow 1 API pages, ``tf.train.GradientDescentOptimizer``.
    """

    _kernel = "gradient_descent"

    def __init__(self, learning_rate: Any, use_locking: bool = False, name: str = "GradientDescent") -> None:
        super().__init__(learning_rate, use_locking, name)


class MomentumOptimizer(_WithRate):
    """Gradient descent with momentum: ``velocity = momentum * velocity + grad; var -= learning_rate * velocity``.

    Args:
        learning_rate: As that of ``GradientDescentOptimizer``.
        momentum: What is kept of the velocity.
        use_locking: Hold the lock of a variable during its step.
        name: Name of the operations and slots.
        use_nesterov: Step by ``grad + momentum * velocity`` (Sutskever et al. 2013).

    Source: TensorFlow 1 API pages, ``tf.train.MomentumOptimizer``; Polyak 1964.
    """

    _slot_names = ("momentum",)

    def __init__(
        self,
        learning_rate: Any,
        momentum: Any,
        use_locking: bool = False,
        name: str = "Momentum",
        use_nesterov: bool = False,
    ) -> None:
        super().__init__(learning_rate, use_locking, name)
        self._kernel = "nesterov" if use_nesterov else "momentum"
        self._momentum = momentum

    def _others(self) -> Sequence[Any]:
        return (self._momentum,)


class AdagradOptimizer(_WithRate):
    """Adagrad: ``accumulator += grad**2; var -= learning_rate * grad / sqrt(accumulator)``.

    Args:
        learning_rate: As that of ``GradientDescentOptimizer``.
        initial_accumulator_value: What the accumulators begin with, positive.
        use_locking: Hold the lock of a variable during its step.
        name: Name of the operations and slots.

    Source: TensorFlow 1 API pages, ``tf.train.AdagradOptimizer``; Duchi, Hazan and Singer 2011.
    """

    _kernel = "adagrad"
    _slot_names = ("accumulator",)

    def __init__(
        self,
        learning_rate: Any,
        initial_accumulator_value: float = 0.1,
        use_locking: bool = False,
        name: str = "Adagrad",
    ) -> None:
        _expect_positive("AdagradOptimizer", "initial_accumulator_value", initial_accumulator_value)
        super().__init__(learning_rate, use_locking, name)
        self._initial = initial_accumulator_value

    def _initial_slot(self, slot_name: str) -> float:
        return self._initial


class AdadeltaOptimizer(_WithRate):
    """Adadelta: steps in the proportion of the root mean squares of updates and gradients.

    Args:
        learning_rate: As that of ``GradientDescentOptimizer``; 1 in the paper.
        rho: Decay of the mean squares.
        epsilon: Added to both of them.
        use_locking: Hold the lock of a variable during its step.
        name: Name of the operations and slots.

    Source: TensorFlow 1 API pages, ``tf.train.AdadeltaOptimizer``; Zeiler 2012.
    """

    _kernel = "adadelta"
    _slot_names = ("accum", "accum_update")

    def __init__(
        self,
        learning_rate: Any = 0.001,
        rho: Any = 0.95,
        epsilon: Any = 1e-8,
        use_locking: bool = False,
        name: str = "Adadelta",
    ) -> None:
        super().__init__(learning_rate, use_locking, name)
        self._rho, self._epsilon = rho, epsilon

    def _others(self) -> Sequence[Any]:
        return self._rho, self._epsilon


class RMSPropOptimizer(_WithRate):
    """RMSProp: ``velocity = momentum * velocity + learning_rate * grad / sqrt(mean_square + epsilon)``.

    Args:
        learning_rate: As that of ``GradientDescentOptimizer``.
        decay: Decay of the mean square.
        momentum: What is kept of the velocity.
        epsilon: Added to the mean square, which begins with 1.
        use_locking: Hold the lock of a variable during its step.
        centered: Take the square of the mean from the mean square (Graves 2013).
        name: Name of the operations and slots.

    Source: TensorFlow 1 API pages, ``tf.train.RMSPropOptimizer``; Tieleman and Hinton 2012.
    """

    def __init__(
        self,
        learning_rate: Any,
        decay: Any = 0.9,
        momentum: Any = 0.0,
        epsilon: Any = 1e-10,
        use_locking: bool = False,
        centered: bool = False,
        name: str = "RMSProp",
    ) -> None:
        super().__init__(learning_rate, use_locking, name)
        self._kernel = "centered_rmsprop" if centered else "rmsprop"
        self._slot_names = ("rms", "mg", "momentum") if centered else ("rms", "momentum")
        self._decay, self._momentum, self._epsilon = decay, momentum, epsilon

    def _others(self) -> Sequence[Any]:
        return self._decay, self._momentum, self._epsilon

    def _initial_slot(self, slot_name: str) -> float:
        return 1.0 if slot_name == "rms" else 0.0


class FtrlOptimizer(_WithRate):
    """FTRL-Proximal, for sparse linear models.

    Args:
        learning_rate: As that of ``GradientDescentOptimizer``.
        learning_rate_power: At most 0: how the learning rate falls.
        initial_accumulator_value: What the accumulators begin with, at least 0.
        l1_regularization_strength: At least 0.
        l2_regularization_strength: At least 0; stabilises.
        use_locking: Hold the lock of a variable during its step.
        name: Name of the operations and slots.
        accum_name: Name of the slot variables of the accumulators.
        linear_name: Name of those of the linear terms.
        l2_shrinkage_regularization_strength: At least 0; shrinks the variable.

    Source: TensorFlow 1 API pages, ``tf.train.FtrlOptimizer``; McMahan et al. 2013.
    """

    _kernel = "ftrl"
    _slot_names = ("accum", "linear")

    def __init__(
        self,
        learning_rate: Any,
        learning_rate_power: Any = -0.5,
        initial_accumulator_value: float = 0.1,
        l1_regularization_strength: Any = 0.0,
        l2_regularization_strength: Any = 0.0,
        use_locking: bool = False,
        name: str = "Ftrl",
        accum_name: str | None = None,
        linear_name: str | None = None,
        l2_shrinkage_regularization_strength: Any = 0.0,
    ) -> None:
        for argument, value in (
            ("initial_accumulator_value", initial_accumulator_value),
            ("l1_regularization_strength", l1_regularization_strength),
            ("l2_regularization_strength", l2_regularization_strength),
            ("l2_shrinkage_regularization_strength", l2_shrinkage_regularization_strength),
        ):
            if isinstance(value, (int, float)) and value < 0:
                raise ValueError(message("FtrlOptimizer", f"{argument} is negative", value, "0 or more"))
        if isinstance(learning_rate_power, (int, float)) and learning_rate_power > 0:
            wrong = "learning_rate_power is positive"
            raise ValueError(message("FtrlOptimizer", wrong, learning_rate_power, "0 or less"))
        super().__init__(learning_rate, use_locking, name)
        self._power, self._initial = learning_rate_power, initial_accumulator_value
        self._strengths = (
            l1_regularization_strength,
            l2_regularization_strength,
            l2_shrinkage_regularization_strength,
        )
        self._variable_names = {"accum": accum_name, "linear": linear_name}

    def _others(self) -> Sequence[Any]:
        return self._power, *self._strengths

    def _initial_slot(self, slot_name: str) -> float:
        return self._initial if slot_name == "accum" else 0.0


class AdamOptimizer(_WithRate):
    """Adam: steps by the mean of the gradients over the root of their mean square, both corrected for their start.

    As in TensorFlow, rows that ``IndexedSlices`` do not name decay and move as if their gradient were 0;
    ``LazyAdamOptimizer`` leaves them alone.

    Args:
        learning_rate: As that of ``GradientDescentOptimizer``.
        beta1: Decay of the mean.
        beta2: Decay of the mean square.
        epsilon: Added to the root (the paper's epsilon hat).
        use_locking: Hold the lock of a variable during its step.
        name: Name of the operations and slots.

    Source: TensorFlow 1 API pages, ``tf.train.AdamOptimizer``; Kingma and Ba 2015.
    """

    _kernel = "adam"
    _slot_names = ("m", "v")

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta1: Any = 0.9,
        beta2: Any = 0.999,
        epsilon: Any = 1e-8,
        use_locking: bool = False,
        name: str = "Adam",
    ) -> None:
        super().__init__(learning_rate, use_locking, name)
        self._betas, self._epsilon = (beta1, beta2), epsilon

    def _powers(self, var: Any) -> list[Any]:
        """Return the powers of the betas, which count the steps."""
        betas = map(value_of_setting, self._betas)
        return [self._shared_variable(f"beta{i}_power", beta, var) for i, beta in enumerate(betas, 1)]

    def _prepare_slots(self, variables: Sequence[Any]) -> None:
        self._powers(variables[0])
        super()._prepare_slots(variables)

    def _settings(self, var: Any) -> Sequence[Any]:
        return [*self._powers(var), *super()._settings(var)]

    def _others(self) -> Sequence[Any]:
        return *self._betas, self._epsilon

    def _step(self, grad: Any, var: Any) -> Any:
        return super()._step(as_dense(grad), var)

    def _finish(self, var: Any, steps: Sequence[Any]) -> list[Any]:
        pairs = list(zip(self._powers(var), map(value_of_setting, self._betas), strict=True))
        if not is_of_graph(var):
            for power, beta in pairs:
                number = power.numpy()
                power.assign(number * type(number)(float(beta)))  # in the precision of the power, as in a graph
            return []
        with control_dependencies(steps):
            return [power.assign(power.read_value() * beta, self._use_locking) for power, beta in pairs]


class AdamWOptimizer(AdamOptimizer):
    """Adam with weight decay: ``var -= weight_decay * var`` in the same pass, apart from the gradients.

    Args:
        weight_decay: What is taken of the variable at each step; the paper's decay times its schedule.
        learning_rate: As that of ``GradientDescentOptimizer``.
        beta1: Decay of the mean.
        beta2: Decay of the mean square.
        epsilon: Added to the root.
        use_locking: Hold the lock of a variable during its step.
        name: Name of the operations and slots.

    Source: TensorFlow 1 API pages, ``tf.contrib.opt.AdamWOptimizer``; Loshchilov and Hutter 2019.
    """

    _kernel = "adamw"

    def __init__(
        self,
        weight_decay: Any,
        learning_rate: Any = 0.001,
        beta1: Any = 0.9,
        beta2: Any = 0.999,
        epsilon: Any = 1e-8,
        use_locking: bool = False,
        name: str = "AdamW",
    ) -> None:
        super().__init__(learning_rate, beta1, beta2, epsilon, use_locking, name)
        self._weight_decay = weight_decay

    def _others(self) -> Sequence[Any]:
        return *super()._others(), self._weight_decay


class LazyAdamOptimizer(AdamOptimizer):
    """Adam that touches only the rows that ``IndexedSlices`` name: variable, mean and mean square.

    Args:
        learning_rate: As that of ``GradientDescentOptimizer``.
        beta1: Decay of the mean.
        beta2: Decay of the mean square.
        epsilon: Added to the root.
        use_locking: Hold the lock of a variable during its step.
        name: Name of the operations and slots.

    Source: TensorFlow 1 API pages, ``tf.contrib.opt.LazyAdamOptimizer``.
    """

    def _step(self, grad: Any, var: Any) -> Any:
        return Optimizer._step(self, grad, var)


def _expect_positive(where: str, argument: str, value: Any) -> None:
    if isinstance(value, (int, float)) and not value > 0:
        raise ValueError(message(where, f"{argument} must be positive", value, "a positive number"))

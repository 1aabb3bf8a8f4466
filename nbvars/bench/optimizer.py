"""Steps of optimizers, the gradient given: of whole parameters, and of the rows of a table that a batch names."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from nbvars.bench.arrays import as_torch, torch_state
from nbvars.bench.case import Case
from nbvars.bench.libraries import library_of, load
from nbvars.bench.scatter import indices_of

SERIES = ("nbvars", "numpy", "torch fused", "torch", "tensorflow")
SPARSE_SERIES: dict[str, tuple[str, ...]] = {
    "Adagrad": ("nbvars", "numpy", "torch", "tensorflow"),
    "LazyAdam": ("nbvars", "numpy", "torch"),  # TensorFlow's Adam moves all rows
}
DENSE = ("SGD", "momentum", "Adam")
RATE, MOMENTUM, START, BETAS, EPSILON = 0.01, 0.9, 0.1, (0.9, 0.999), 1e-8

Array = npt.NDArray[Any]

_TENSORFLOW: dict[str, tuple[str, dict[str, Any]]] = {
    "SGD": ("GradientDescentOptimizer", {}),
    "momentum": ("MomentumOptimizer", {"momentum": MOMENTUM}),
    "Adam": ("AdamOptimizer", {"beta1": BETAS[0], "beta2": BETAS[1], "epsilon": EPSILON}),
    "LazyAdam": ("LazyAdamOptimizer", {"beta1": BETAS[0], "beta2": BETAS[1], "epsilon": EPSILON}),
    "Adagrad": ("AdagradOptimizer", {"initial_accumulator_value": START}),
}
_TORCH: dict[str, tuple[str, dict[str, Any]]] = {
    "SGD": ("SGD", {}),
    "momentum": ("SGD", {"momentum": MOMENTUM}),
    "Adam": ("Adam", {"betas": BETAS, "eps": EPSILON}),
    "LazyAdam": ("SparseAdam", {"betas": BETAS, "eps": EPSILON}),
    "Adagrad": ("Adagrad", {"initial_accumulator_value": START, "eps": 0.0}),
}
_APPLY, _STEP = "optimizer.apply_gradients(pairs)", "optimizer.step()"


def dense(series: str, optimizer: str, num_elements: int) -> Case:
    """Return a step of a parameter of float32 by one of ``DENSE``; it has made one, so that the slots are there."""
    return _MAKERS[library_of(series)](
        series, optimizer, np.ones(num_elements, np.float32), _gradient(num_elements), None
    )


def sparse(series: str, optimizer: str, num_rows: int, width: int, num_slices: int) -> Case:
    """Return a step of uniformly distributed rows of a table, some of them twice, by one of ``SPARSE_SERIES``."""
    grad, indices = _gradient(num_slices, width), indices_of("uniform", num_rows, num_slices)
    return _MAKERS[library_of(series)](series, optimizer, np.ones((num_rows, width), np.float32), grad, indices)


def _gradient(*shape: int) -> Array:
    """Return a gradient that is nowhere near 0, where torch's Adam, which means another epsilon, differs."""
    grad = np.random.default_rng(0).standard_normal(shape, np.float32)
    return grad + np.copysign(np.float32(0.1), grad)


def _tensorflow(series: str, name: str, param: Array, grad: Array, indices: Array | None) -> Case:
    """Return the case of nbvars or of TensorFlow, which have one interface."""
    tf = load(series)
    train = tf.train if series == "nbvars" else tf.compat.v1.train
    kind, settings = _TENSORFLOW[name]
    variable, optimizer = tf.Variable(param), getattr(train, kind)(RATE, **settings)
    given = tf.constant(grad) if indices is None else tf.IndexedSlices(tf.constant(grad), tf.constant(indices))
    pairs = [(given, variable)]
    optimizer.apply_gradients(pairs)
    return Case(_APPLY, "variable.numpy()", optimizer=optimizer, pairs=pairs, variable=variable)


def _torch(series: str, name: str, param: Array, grad: Array, indices: Array | None) -> Case:
    torch, (kind, settings) = load("torch"), _TORCH[name]
    tensor = as_torch(param).requires_grad_()
    if indices is None:
        tensor.grad = as_torch(grad)
    else:
        torch.sparse.check_sparse_tensor_invariants.disable()  # as by default, where it warns of that
        tensor.grad = torch.sparse_coo_tensor(as_torch(indices)[None], as_torch(grad), param.shape)
    fused = {"fused": True} if series == "torch fused" else {}
    optimizer = getattr(torch.optim, kind)([tensor], lr=RATE, **settings, **fused)
    optimizer.step()
    return Case(_STEP, "read(param.detach())", optimizer=optimizer, param=tensor, read=torch_state)


def _numpy(series: str, name: str, param: Array, grad: Array, indices: Array | None) -> Case:
    optimizer = _Plain(name, param, grad, indices)
    optimizer.step()
    return Case(_STEP, "param", optimizer=optimizer, param=param)


class _Plain:
    """An optimizer as a NumPy program has it: formulas that work in place, with two arrays for what is between.

    The operations are those of nbvars in their order, so that the bits are, too; of a decay both take
    ``1 - decay`` of the decay in float32.
    """

    def __init__(self, name: str, param: Array, grad: Array, indices: Array | None) -> None:
        self._rule, num_slots, start = _RULES[name]
        self._param, self._grad, self._indices = param, grad, indices
        self._slots = [np.full_like(param, start) for _ in range(num_slots)]
        self._between = () if indices is not None else (np.empty_like(param), np.empty_like(param))
        self._powers = [np.float32(beta) for beta in BETAS]

    def step(self) -> None:
        """Make a step."""
        one, two = (1 - float(power) for power in self._powers)
        rate = float(np.float32(RATE)) * math.sqrt(two) / one
        if self._indices is None:
            self._rule(self._param, self._slots, self._grad, rate, *self._between)
        else:
            self._step_rows(self._indices, rate)
        self._powers = [power * np.float32(beta) for power, beta in zip(self._powers, BETAS, strict=True)]

    def _step_rows(self, indices: Array, rate: float) -> None:
        rows, place_of = np.unique(indices, return_inverse=True)
        grad = np.zeros((rows.size, *self._param.shape[1:]), self._grad.dtype)
        np.add.at(grad, place_of, self._grad)
        param, slots = self._param[rows], [slot[rows] for slot in self._slots]
        self._rule(param, slots, grad, rate, np.empty_like(grad), np.empty_like(grad))
        self._param[rows] = param
        for slot, part in zip(self._slots, slots, strict=True):
            slot[rows] = part


def _sgd(param: Array, slots: Sequence[Array], grad: Array, rate: float, x: Array, y: Array) -> None:
    np.multiply(grad, RATE, out=x)
    param -= x


def _momentum(param: Array, slots: Sequence[Array], grad: Array, rate: float, x: Array, y: Array) -> None:
    (velocity,) = slots
    velocity *= MOMENTUM
    velocity += grad
    np.multiply(velocity, RATE, out=x)
    param -= x


def _adagrad(param: Array, slots: Sequence[Array], grad: Array, rate: float, x: Array, y: Array) -> None:
    (total,) = slots
    np.multiply(grad, grad, out=x)
    total += x
    np.multiply(grad, RATE, out=x)
    np.sqrt(total, out=y)
    x /= y
    param -= x


def _adam(param: Array, slots: Sequence[Array], grad: Array, rate: float, x: Array, y: Array) -> None:
    mean, mean_square = slots
    fresh, fresh_square = (1 - float(np.float32(beta)) for beta in BETAS)
    np.subtract(grad, mean, out=x)
    x *= fresh
    mean += x
    np.multiply(grad, grad, out=x)
    x -= mean_square
    x *= fresh_square
    mean_square += x
    np.sqrt(mean_square, out=x)
    x += EPSILON
    np.multiply(mean, rate, out=y)
    y /= x
    param -= y


_RULES: dict[str, tuple[Callable[..., None], int, float]] = {
    "SGD": (_sgd, 0, 0.0),
    "momentum": (_momentum, 1, 0.0),
    "Adam": (_adam, 2, 0.0),
    "LazyAdam": (_adam, 2, 0.0),
    "Adagrad": (_adagrad, 1, START),
}
"""The formula, the number of slots and what they begin with."""
_MAKERS: dict[str, Callable[[str, str, Array, Array, Array | None], Case]] = {
    "nbvars": _tensorflow,
    "numpy": _numpy,
    "torch": _torch,
    "tensorflow": _tensorflow,
}

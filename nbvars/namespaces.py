"""``tf.math``, ``tf.random`` and ``tf.linalg``: the second names of functions, as TensorFlow 1.13 has them."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

from nbvars import nn, ops
from nbvars.ops.decomposition_ops import qr


def _namespace(name: str, doc: str, functions: dict[str, Callable[..., Any]]) -> ModuleType:
    """Return a module of functions by the names that they have in it."""
    module = ModuleType(f"nbvars.{name}", doc)
    vars(module).update(functions, __all__=sorted(functions))
    return module


_MATH = """
    abs add add_n argmax argmin ceil cos cumsum divide equal exp expm1 floor floordiv greater greater_equal is_finite
    is_inf is_nan less less_equal log log1p log_softmax logical_and logical_not logical_or logical_xor maximum minimum
    mod multiply negative not_equal pow reciprocal reduce_all reduce_any reduce_logsumexp reduce_max reduce_mean
    reduce_min reduce_prod reduce_sum round rsqrt sigmoid sign sin softmax sqrt square subtract tanh truediv
"""

math: ModuleType = _namespace(
    "math",
    "Mathematics element by element, and reductions: functions of the library by the same names.",
    {
        **{name: getattr(ops, name) for name in _MATH.split()},
        "floormod": ops.mod,
        "softplus": nn.softplus,
        "softsign": nn.softsign,
    },
)

random: ModuleType = _namespace(
    "random",
    "Random tensors: ``random.normal`` is ``random_normal``, and so on.",
    {
        "normal": ops.random_normal,
        "set_random_seed": ops.set_random_seed,
        "shuffle": ops.random_shuffle,
        "truncated_normal": ops.truncated_normal,
        "uniform": ops.random_uniform,
    },
)

linalg: ModuleType = _namespace(
    "linalg",
    "Linear algebra: products, norms and decompositions.",
    {"eye": ops.eye, "matmul": ops.matmul, "norm": ops.norm, "qr": qr, "tensordot": ops.tensordot},
)

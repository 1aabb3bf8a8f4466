"""One step of an optimizer on the GPU, and its oracle's on copies of the same arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests import reference_steps
from tests.conftest import assert_same_bits, numpy_dtype

Array = np.ndarray[Any, Any]


def gradient(rng: np.random.Generator, dtype: str, shape: tuple[int, ...]) -> Array:
    """Return random numbers of ``dtype``."""
    return np.asarray(rng.standard_normal(shape)).astype(numpy_dtype(dtype))


class Step:
    """Parameter and slots on the GPU, each at its offset in bytes from an aligned address, and on the host."""

    def __init__(self, rng: np.random.Generator, name: str, dtype: str, shape: tuple[int, ...], offset: int = 0):
        _, num_slots, self.settings = reference_steps.FORMULAS[name]
        self.name, kind = name, numpy_dtype(dtype)
        precision = np.float32 if kind.itemsize == 2 else kind
        self.expected_param = np.asarray(rng.standard_normal(shape)).astype(kind)
        # Sums and means of squares are positive, and so may be the others.
        self.expected_slots = [np.asarray(rng.random(shape) + 0.5, precision) for _ in range(num_slots)]
        self.param = on_gpu(self.expected_param, offset)
        self.slots = [on_gpu(slot, offset) for slot in self.expected_slots]

    def expect(self, *gradient: Array) -> None:
        """Have the oracle make the step, of rows for indices and values."""
        oracle = reference_steps.step_rows if len(gradient) > 1 else reference_steps.step
        copies = [array.copy() for array in gradient]
        oracle(self.name, self.expected_param, self.expected_slots, *copies, self.settings)

    def check(self, *gradient: Array, offset: int = 0) -> None:
        """Make the step with both; fail unless they leave the same bits."""
        from nbvars.kernels import find_kernel

        self.expect(*gradient)
        op_type = f"{self.name}_step_rows" if len(gradient) > 1 else f"{self.name}_step"
        arrays = [on_gpu(array, offset) for array in gradient]
        find_kernel(op_type, "gpu")(self.param, self.slots, *arrays, self.settings)
        self.compare()

    def compare(self) -> None:
        """Fail unless parameter and slots are as expected."""
        assert_same_bits(self.param.copy_to_host(), self.expected_param)
        for slot, expected in zip(self.slots, self.expected_slots, strict=True):
            assert_same_bits(slot.copy_to_host(), expected)


def on_gpu(array: Array, offset: int = 0) -> Any:
    """Return a copy of ``array`` on the GPU, ``offset`` items behind an aligned address."""
    from nbvars.kernels.cuda.memory import DeviceArray, to_device

    memory = to_device(np.concatenate([np.zeros(offset, array.dtype), array.reshape(-1)]), 0)
    return DeviceArray(array.shape, array.dtype, 0, memory.pointer + offset * array.itemsize, memory)

from __future__ import annotations

import numpy as np
import pytest

from nbvars import kernels
from nbvars.errors import NotFoundError
from nbvars.kernels import cpu
from nbvars.kernels.cpu.inventory import OPS, kernels_to_compile
from nbvars.kernels.step_rules import STEPS

OP_TYPES = [name for name in kernels.__all__ if name.startswith(("assign", "scatter"))] + ["cast", "count_up_to"]


@pytest.mark.parametrize("op_type", OP_TYPES)
def test_find_kernel_finds_the_public_launcher_of_every_op(op_type):
    assert kernels.find_kernel(op_type, "cpu") is getattr(kernels, op_type)


@pytest.mark.parametrize("name", STEPS)
def test_find_kernel_finds_the_steps_of_optimizers(name):
    param = np.ones((3, 1))
    slots = [np.ones((3, 1)) for _ in range(STEPS[name].num_slots)]
    settings = [0.5, -0.5, 0.1, 0.1, 0.1][: len(STEPS[name].settings)]
    kernels.find_kernel(f"{name}_step_rows", "cpu")(param, slots, np.array([1]), param[1:2] + 1, settings)
    assert param[0] == param[2] == 1
    assert param[1] != 1
    kernels.find_kernel(f"{name}_step", "cpu")(param, slots, param + 1, settings)
    assert (param != 1).all()


def test_every_kernel_can_be_compiled_ahead_of_time():
    assert set(OPS) == set(cpu.KERNELS)
    for op in OPS:
        dtype = np.dtype(np.int64 if op == "count_up_to" else np.float32)
        assert kernels_to_compile([dtype, np.dtype(np.float16)], [op])


@pytest.mark.parametrize(("op_type", "device_type"), [("scatter_pow", "cpu"), ("assign", "tpu"), ("", "cpu")])
def test_find_kernel_names_what_there_is_not(op_type, device_type):
    sentence = f"find_kernel: there is no kernel for {device_type}: got {op_type}, expected one of "
    with pytest.raises(NotFoundError, match=sentence):
        kernels.find_kernel(op_type, device_type)

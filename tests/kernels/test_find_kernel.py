from __future__ import annotations

import pytest

from nbvars import kernels
from nbvars.errors import NotFoundError

OP_TYPES = [name for name in kernels.__all__ if name.startswith(("assign", "scatter"))] + ["cast", "count_up_to"]


@pytest.mark.parametrize("op_type", OP_TYPES)
def test_find_kernel_finds_the_public_launcher_of_every_op(op_type):
    assert kernels.find_kernel(op_type, "cpu") is getattr(kernels, op_type)


@pytest.mark.parametrize(("op_type", "device_type"), [("scatter_pow", "cpu"), ("assign", "tpu"), ("", "cpu")])
def test_find_kernel_names_what_there_is_not(op_type, device_type):
    sentence = f"find_kernel: there is no kernel for {device_type}: got {op_type}, expected one of "
    with pytest.raises(NotFoundError, match=sentence):
        kernels.find_kernel(op_type, device_type)

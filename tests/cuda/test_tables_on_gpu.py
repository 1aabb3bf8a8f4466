"""Both devices have the same kernels, by the same names and with the same parameters."""

from __future__ import annotations

import inspect

import pytest

from nbvars.kernels import cpu

EXTRA_PARAMETERS = {name: ["deterministic"] for name in cpu.KERNELS if name.startswith("scatter_")}


def test_both_devices_have_the_same_kernels():
    from nbvars.kernels import cuda

    assert set(cuda.KERNELS) == set(cpu.KERNELS)


@pytest.mark.parametrize("name", sorted(cpu.KERNELS))
def test_a_kernel_takes_the_same_parameters_on_both_devices(name):
    from nbvars.kernels import cuda

    of_cpu, of_gpu = (list(inspect.signature(table[name]).parameters) for table in (cpu.KERNELS, cuda.KERNELS))
    assert of_gpu == of_cpu + EXTRA_PARAMETERS.get(name, [])

"""``Kernel``: a function for the GPU, compiled at its first launch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nbvars.kernels.cuda.backend import backend
from nbvars.kernels.cuda.signature import Signature
from nbvars.kernels.cuda.toolkit import IS_SIMULATED

NUM_THREADS = 16 if IS_SIMULATED else 256
"""Threads a block, at least as many as a vector has bytes; the simulator makes a Python thread of each."""

LOWEST_CAPABILITY = (7, 5)
"""The oldest GPUs that CUDA 13 knows."""

KERNELS: dict[str, Kernel] = {}
"""All kernels that were made, by name: what is compiled in tests without a GPU."""


class Kernel:
    """A function for the GPU.

    Attributes:
        name: Tells it from all others.
        py_func: What is compiled. It works on any number of blocks and threads.
        signature: Its parameters.
        lowest_capability: The lowest compute capability that has all its instructions.
        launch: ``(device, num_blocks, num_threads, *arguments)``: queues it on the current stream.
    """

    __slots__ = ("launch", "lowest_capability", "name", "py_func", "signature")

    def __init__(
        self,
        name: str,
        py_func: Callable[..., Any],
        signature: Signature,
        lowest_capability: tuple[int, int] = LOWEST_CAPABILITY,
    ) -> None:
        assert name not in KERNELS, name
        self.name, self.py_func, self.signature = name, py_func, signature
        self.lowest_capability = lowest_capability
        self.launch: Callable[..., None] = backend.loader(name, py_func, signature)
        KERNELS[name] = self


def num_blocks_for(num_items: int, items_per_block: int) -> int:
    """Return how many blocks go through ``num_items``; a block of a kernel that loops may get several runs."""
    return max(1, min(-(-num_items // items_per_block), 0x7FFFFFFF))

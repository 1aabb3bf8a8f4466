"""Signatures of kernels: pointers to words, and numbers."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import numpy as np


class Pointer(NamedTuple):
    """An address in the device's memory, 8 bytes, given as an ``int``."""

    word: np.dtype[Any]


Signature: TypeAlias = tuple[Pointer | np.dtype[Any], ...]
"""The parameters of a kernel. A number is given as NumPy's of that dtype; an int64 as an ``int``, too."""

INT64 = np.dtype(np.int64)
"""Sizes and positions."""


def pointers(word: np.dtype[Any], count: int) -> tuple[Pointer, ...]:
    """Return ``count`` pointers to words."""
    return (Pointer(word),) * count

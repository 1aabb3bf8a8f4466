"""CRC-32C, the checksum of checkpoints: google-crc32c, imported at the first use."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import numpy.typing as npt

from nbvars.checks import message
from nbvars.locks import importing

_MASK_DELTA = 0xA282EAD8


def optional_module(name: str, where: str) -> Any:
    """Import a library of the extra ``checkpoint``.

    Raises:
        ImportError: It is not installed.
    """
    try:
        with importing:
            return importlib.import_module(name)
    except ImportError as error:
        wrong, expected = f"{name} is missing", "the libraries of the extra `checkpoint`"
        raise ImportError(message(where, wrong, error, expected, "pip install nbvars[checkpoint]")) from error


def crc32c(data: npt.NDArray[np.uint8] | bytes, start: int = 0) -> int:
    """Return the CRC-32C of ``data``, or that of what ``start`` is the checksum of, followed by ``data``.

    Raises:
        ImportError: google-crc32c is not installed.
    """
    checksum: int = optional_module("google_crc32c", "crc32c").extend(start, data)
    return checksum


def unmasked(checksum: int) -> int:
    """Return the CRC-32C that TensorFlow's files hold rotated by 15 bits, plus a constant."""
    rotated = (checksum - _MASK_DELTA) & 0xFFFFFFFF
    return ((rotated >> 17) | (rotated << 15)) & 0xFFFFFFFF

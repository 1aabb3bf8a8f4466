"""What runs kernels here: the driver of the machine's GPUs, or the simulator."""

from __future__ import annotations

from typing import Any

from nbvars.kernels.cuda.toolkit import IS_SIMULATED

if IS_SIMULATED:
    from nbvars.kernels.cuda import simulator as _backend
else:
    from nbvars.kernels.cuda import driver as _backend  # type: ignore[no-redef]

backend: Any = _backend
"""The module whose functions ``driver`` and ``simulator`` both have."""

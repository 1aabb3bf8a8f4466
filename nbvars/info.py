"""What one wants to know of an installation: versions, devices, threads, processor, compiled kernels."""

from __future__ import annotations

import platform
from importlib.metadata import distributions, version
from pathlib import Path
from typing import Any

import llvmlite.binding as llvm  # noqa: TID251 - it knows the processor

import nbvars
from nbvars.devices import find_gpus, list_devices
from nbvars.kernels import get_num_threads
from nbvars.kernels.cpu.compiled import COMPILED
from nbvars.kernels.cpu.inventory import cache_folder

# Wide vectors, fused multiply-add, and conversions of 16-bit types in hardware.
_FEATURES = ("avx2", "avx512f", "avx512bf16", "f16c", "fma", "neon", "sve", "fullfp16", "bf16")

_CUDA_LIBRARIES = (
    "numba-cuda", "cuda-core", "cuda-bindings", "nvidia-nvvm", "nvidia-cuda-nvcc", "nvidia-cuda-nvcc-cu12",
    "nvidia-cuda-nvrtc", "nvidia-cuda-nvrtc-cu12", "cupy-cuda13x", "cupy-cuda12x", "cupy",
)  # fmt: skip


def gather_info() -> dict[str, Any]:
    """Return what ``python -m nbvars info`` prints: strings, numbers and lists of strings only."""
    libraries = {name: version(name) for name in ("numpy", "numba", "llvmlite", "ml_dtypes")}
    features = llvm.get_host_cpu_features()
    info: dict[str, Any] = {"nbvars": nbvars.__version__, "python": platform.python_version(), **libraries}
    info["devices"] = list_devices()
    info |= _cuda_info()
    info["threads"] = get_num_threads()
    info["cpu"] = llvm.get_host_cpu_name()
    info["cpu_features"] = [name for name in _FEATURES if features.get(name)]
    return info | _kernel_info()


def _cuda_info() -> dict[str, Any]:
    """Return the GPUs, the driver's CUDA and the libraries for it, or why there is no GPU."""
    gpus = find_gpus()
    if gpus.wrong:
        info: dict[str, Any] = {"cuda": f"none: {gpus.wrong}" + (f"; {gpus.remedy}" if gpus.remedy else "")}
    else:
        from nbvars.kernels.cuda.backend import backend

        info = {"cuda": gpus.driver}
        info |= {f"gpu_{index}": backend.describe(index) for index in range(gpus.num_devices)}
    found = {each.name.lower(): each.version for each in distributions() if each.name.lower() in _CUDA_LIBRARIES}
    return info | {"cuda_libraries": [f"{name}=={found[name]}" for name in _CUDA_LIBRARIES if name in found]}


def _kernel_info() -> dict[str, Any]:
    sizes: list[int] = []
    try:
        folder = str(cache_folder())
        sizes = [path.stat().st_size for path in Path(folder).glob("*.nbc")]
    except (OSError, RuntimeError) as error:  # there is nowhere to keep them
        folder = f"none: {error}"
    return {
        "cache_folder": folder,
        "cached_kernels": len(sizes),
        "cached_bytes": sum(sizes),
        "compiled_kernels": sum(not kernel.from_cache for kernel in COMPILED),
        "loaded_kernels": sum(kernel.from_cache for kernel in COMPILED),
    }


def format_info(info: dict[str, Any]) -> str:
    """Return ``info`` as lines of a name and a value."""
    lines = []
    for name, value in info.items():
        text = " ".join(value) if isinstance(value, list) else f"{value:,}" if isinstance(value, int) else value
        lines.append(f"{name:<18}{text}".rstrip())
    return "\n".join(lines)

"""``DeviceSpec``, device strings, and the devices that this machine has."""

from __future__ import annotations

import ctypes
import functools
import importlib.metadata
import importlib.util
import os
import sys
from typing import Any, NamedTuple

from nbvars.errors import InvalidArgumentError, message

_FIELDS = ("job", "replica", "task", "device_type", "device_index")
_FORM = "a string such as '/cpu:0', '/gpu:1' or '/job:ps/task:0/device:CPU:0'"


class DeviceSpec:
    """A device, named in full or in part: what is ``None`` is left open.

    Args:
        job: Name of the job, ``"ps"`` say.
        replica: Index of the replica.
        task: Index of the task in the job.
        device_type: ``"CPU"`` or ``"GPU"``, in either case, or another system's type.
        device_index: Index of the device among those of its type.

    Raises:
        TypeError: A name is not a string or an index not an integer.
        ValueError: A name cannot stand in a device string, or an index is negative.

    Source: TensorFlow 1 API pages, ``tf.DeviceSpec``.
    """

    __slots__ = _FIELDS

    job: str | None
    replica: int | None
    task: int | None
    device_type: str | None
    device_index: int | None

    def __init__(
        self,
        job: str | None = None,
        replica: int | None = None,
        task: int | None = None,
        device_type: str | None = None,
        device_index: int | None = None,
    ) -> None:
        self.job = _check_name("job", job)
        self.replica = _check_index("replica", replica)
        self.task = _check_index("task", task)
        checked_type = _check_name("device_type", device_type)
        self.device_type = None if checked_type is None else _upper(checked_type)
        self.device_index = _check_index("device_index", device_index)

    @classmethod
    def from_string(cls, spec: str) -> DeviceSpec:
        """Return the ``DeviceSpec`` that a device string names; ``""`` names none of the parts.

        Raises:
            TypeError: ``spec`` is not a string.
            ValueError: ``spec`` is malformed.
        """
        return cls().parse_from_string(spec)

    def parse_from_string(self, spec: str) -> DeviceSpec:
        """Become what a device string names, and return ``self``; a malformed string changes nothing."""
        if not isinstance(spec, str):
            raise TypeError(message("device", "a device is not a string", type(spec).__name__, _FORM))
        fields = _parse(spec)
        for field in _FIELDS:
            setattr(self, field, fields.get(field))
        return self

    def merge_from(self, dev: DeviceSpec) -> None:
        """Take over all that ``dev`` names, in place."""
        for field in _FIELDS:
            value = getattr(dev, field)
            if value is not None:
                setattr(self, field, value)

    def make_merged_spec(self, dev: DeviceSpec) -> DeviceSpec:
        """Return a new ``DeviceSpec``: what ``dev`` names, and for the rest what this one names."""
        merged = DeviceSpec(*self._values())
        merged.merge_from(dev)
        return merged

    def to_string(self) -> str:
        """Return the device string, such as ``"/job:ps/task:0/device:CPU:0"``.

        An index without a type has no place in it.
        """
        parts = [f"/{part}:{getattr(self, part)}" for part in _FIELDS[:3] if getattr(self, part) is not None]
        if self.device_type is not None:
            index = "*" if self.device_index is None else self.device_index
            parts.append(f"/device:{self.device_type}:{index}")
        return "".join(parts)

    def _values(self) -> tuple[Any, ...]:
        return tuple(getattr(self, field) for field in _FIELDS)

    def __eq__(self, other: object) -> bool:
        return self._values() == other._values() if isinstance(other, DeviceSpec) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._values())

    def __str__(self) -> str:
        return self.to_string()

    def __repr__(self) -> str:
        named = (f"{field}={getattr(self, field)!r}" for field in _FIELDS if getattr(self, field) is not None)
        return f"DeviceSpec({', '.join(named)})"


def _upper(device_type: str) -> str:
    """Return ``CPU`` for ``cpu`` and ``GPU`` for ``gpu``, as TensorFlow does, and any other type as it is."""
    return device_type.upper() if device_type.lower() in ("cpu", "gpu") else device_type


def _is_name(text: str) -> bool:
    return text != "" and all(c.isascii() and (c.isalnum() or c in "_-.") for c in text)


def _check_name(field: str, value: str | None) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str):
        wrong = f"{field} has the wrong type"
        raise TypeError(message("DeviceSpec", wrong, type(value).__name__, "a string"))
    if not _is_name(value):
        wrong = f"{field} cannot stand in a device string"
        raise ValueError(message("DeviceSpec", wrong, repr(value), "letters, digits, '_', '-' and '.' only"))
    return value


def _check_index(field: str, value: int | None) -> int | None:
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool):
        wrong = f"{field} has the wrong type"
        raise TypeError(message("DeviceSpec", wrong, type(value).__name__, "an integer"))
    if value < 0:
        raise ValueError(message("DeviceSpec", f"{field} is negative", value, "0 or more"))
    return value


def _parse(spec: str) -> dict[str, str | int]:
    """Return the fields that a device string names."""
    fields: dict[str, str | int] = {}
    for part in spec.removeprefix("/").split("/") if spec else ():
        named = _parse_part(part)
        if named is None or fields.keys() & named.keys():
            wrong = "a device string is malformed" if named is None else "a device string names one part twice"
            raise ValueError(message("device", wrong, repr(spec), _FORM))
        fields |= named
    return fields


def _parse_part(part: str) -> dict[str, str | int] | None:
    """Return the fields in one part of a device string, such as ``task:0``; ``None`` if it is malformed."""
    match part.split(":"):
        case ["job", name] if _is_name(name):
            return {"job": name}
        case ["replica" | "task" as field, index] if _is_index(index):
            return {field: int(index)}
        case ["device", device_type, index] if _is_name(device_type):
            return _type_and_index(device_type, index)
        case [device_type, index] if device_type.upper() in ("CPU", "GPU"):
            return _type_and_index(device_type, index)
        case [device_type] if device_type.upper() in ("CPU", "GPU"):
            return _type_and_index(device_type, "*")
    return None


def _type_and_index(device_type: str, index: str) -> dict[str, str | int] | None:
    if index == "*":
        return {"device_type": _upper(device_type)}
    return {"device_type": _upper(device_type), "device_index": int(index)} if _is_index(index) else None


def _is_index(text: str) -> bool:
    # Nine digits are more than any machine has, and keep int() clear of its limit on long strings.
    return text.isascii() and text.isdigit() and len(text) <= 9


def list_devices() -> list[str]:
    """Return the short names of the devices that can be used: ``"/cpu:0"``, then ``"/gpu:0"`` and so on."""
    return ["/cpu:0", *(f"/gpu:{index}" for index in range(find_gpus().num_devices))]


class Gpus(NamedTuple):
    """What there is of CUDA on this machine."""

    num_devices: int
    """How many GPUs can be used."""
    driver: str
    """The newest CUDA that the driver knows, ``"13.0"`` say; ``"simulator"``; ``""`` without a driver."""
    wrong: str = ""
    """Why there are none."""
    remedy: str = ""


_REMEDY = "pip install nbvars[cuda13], or nbvars[cuda12] for drivers of CUDA 12"
_process = 0
"""The process that has asked the driver: a forked child of it cannot use CUDA."""


@functools.cache
def find_gpus() -> Gpus:
    """Ask for the GPUs, once: without numba-cuda there are none, nor without a driver that is new enough for it."""
    if importlib.util.find_spec("numba_cuda") is None:
        return Gpus(0, "", "numba-cuda is not installed", _REMEDY)
    if os.environ.get("NUMBA_ENABLE_CUDASIM", "0") not in ("", "0"):
        return Gpus(1, "simulator")
    global _process  # noqa: PLW0603 - one driver of the process
    _process = os.getpid()
    return _ask_driver()


def _ask_driver() -> Gpus:
    """Ask the CUDA driver for its version, and for the number of its devices."""
    count, version = ctypes.c_int(0), ctypes.c_int(0)
    try:
        driver = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
        status = driver.cuDriverGetVersion(ctypes.byref(version)) or driver.cuInit(0)
        status = status or driver.cuDeviceGetCount(ctypes.byref(count))
    # AttributeError: a library of that name that is not the driver.
    except (OSError, AttributeError):
        return Gpus(0, "", "no CUDA driver was found", "install the NVIDIA driver")
    known = f"{version.value // 1000}.{version.value % 1000 // 10}"
    needed = _cuda_of_bindings()
    if version.value // 1000 < needed:
        wrong = f"the CUDA driver is too old: it knows CUDA {known}, the installed libraries need {needed}.0"
        return Gpus(0, known, wrong, "update the driver, or install the extra for its CUDA: nbvars[cuda12]")
    if status not in (0, _NO_DEVICE):
        return Gpus(0, known, f"the CUDA driver reports error {status}", "see nvidia-smi")
    if not count.value:
        return Gpus(0, known, "no CUDA device was found")
    return Gpus(count.value, known)


_NO_DEVICE = 100


def _cuda_of_bindings() -> int:
    """Return the CUDA that the installed libraries are made for, 12 at least."""
    try:
        return int(importlib.metadata.version("cuda-bindings").partition(".")[0])
    except (importlib.metadata.PackageNotFoundError, ValueError):
        return 12


def expect_process_of_cuda() -> None:
    """Raise ``RuntimeError`` in a child that was forked from a process that used CUDA."""
    if _process not in (0, os.getpid()):
        wrong, remedy = "CUDA cannot be used in a forked child", "start processes by `spawn` or `forkserver`"
        raise RuntimeError(message("CUDA", wrong, "the parent had used it before", "a process of its own", remedy))


def resolve_device(device: str | DeviceSpec | None) -> str:
    """Return the short name, such as ``"/cpu:0"``, of the local device that ``device`` names.

    ``None``, and a name that leaves the type open, mean ``"/cpu:0"``; an open index means 0.

    Raises:
        TypeError: ``device`` is neither a string nor a ``DeviceSpec``.
        ValueError: ``device`` is malformed.
        InvalidArgumentError: The device is not there, or is another machine's.
        RuntimeError: It is a GPU, and this process was forked from one that used CUDA.
    """
    if device is None or device == "/cpu:0":
        return "/cpu:0"
    spec = device if isinstance(device, DeviceSpec) else DeviceSpec.from_string(device)
    name = f"/{(spec.device_type or 'CPU').lower()}:{spec.device_index or 0}"
    got, remedy = name, ""
    if spec.job not in (None, "localhost") or spec.replica or spec.task:
        wrong, got = "a device of another machine cannot be used", str(device)
    elif name == "/cpu:0":
        return name
    elif name in list_devices():
        expect_process_of_cuda()
        return name
    elif spec.device_type == "GPU" and find_gpus().wrong:
        wrong, remedy = find_gpus()[2:]
    else:
        wrong = "no such device was found"
    raise InvalidArgumentError(None, None, message("device", wrong, repr(got), f"one of {list_devices()}", remedy))

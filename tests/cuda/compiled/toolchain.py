"""PTX to machine code, and what it is made of, with tools from PyPI: ``ptxas`` and ``nvdisasm``. No GPU is needed."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sysconfig
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from nbvars.kernels.cuda.compiling import compile_to_ptx
from nbvars.kernels.cuda.launch import Kernel

_LOCAL = re.compile(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads")
_INSTRUCTION = re.compile(r"^\s+(?:/\*[0-9a-f]+\*/)?\s*(?:@!?U?P\w+\s+)?([A-Z][A-Z0-9]*(?:\.[\w]+)*)", re.MULTILINE)


class Compiled(NamedTuple):
    """A kernel as the machine would run it."""

    ptx: str
    registers: int
    local_bytes: int
    """On the stack, and spilled."""
    instructions: Counter[str]

    def count(self, prefix: str) -> int:
        """Return how many instructions begin with ``prefix``."""
        return sum(number for name, number in self.instructions.items() if name.startswith(prefix))


def tool(name: str) -> Path | None:
    """Return the path of a tool of the CUDA toolkit's wheels, ``None`` if it is not there."""
    folders = Path(sysconfig.get_paths()["purelib"], "nvidia").glob("*/bin")
    return next((path for folder in sorted(folders) if (path := folder / name).is_file()), None)


def missing() -> str:
    """Return what is missing to compile; ``""`` if nothing is."""
    lacking = [name for name in ("numba_cuda",) if importlib.util.find_spec(name) is None]
    return ", ".join([*lacking, *(name for name in ("ptxas", "nvdisasm") if tool(name) is None)])


def _run(*command: str | Path | None) -> subprocess.CompletedProcess[str]:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done


def compile_kernel(kernel: Kernel, folder: Path) -> dict[tuple[int, int], Compiled]:
    """Return ``kernel`` for GPUs of compute capability 8.0 and 9.0, if it is for both, from one PTX."""
    ptx, _ = compile_to_ptx(kernel.name, kernel.py_func, kernel.signature, max((8, 0), kernel.lowest_capability))
    return {
        capability: _assembled(ptx, capability, folder)
        for capability in ((8, 0), (9, 0))
        if capability >= kernel.lowest_capability
    }


def _assembled(ptx: str, capability: tuple[int, int], folder: Path) -> Compiled:
    source, binary = folder / "kernel.ptx", folder / "kernel.cubin"
    source.write_text(ptx)
    report = _run(tool("ptxas"), f"-arch=sm_{capability[0]}{capability[1]}", "-v", "-o", binary, source).stderr
    local = [sum(map(int, numbers)) for numbers in _LOCAL.findall(report)]
    registers = max(map(int, re.findall(r"Used (\d+) registers", report)))
    assembly = _run(tool("nvdisasm"), "-c", binary).stdout
    return Compiled(ptx, registers, sum(local), Counter(_instructions(assembly)))


def _instructions(assembly: str) -> Iterator[str]:
    for match in _INSTRUCTION.finditer(assembly):
        yield match[1]

"""PTX to machine code, and what it is made of, with tools from PyPI: ``ptxas`` and ``nvdisasm``. No GPU is needed."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sysconfig
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from nbvars.kernels.cuda.compiling import compile_to_ptx, entry_of
from nbvars.kernels.cuda.launch import Kernel

_LOCAL = re.compile(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads")
_REGISTERS = re.compile(r"Used (\d+) registers")
_COMPILING = re.compile(r"Compiling entry function '(\w+)' for")
_SECTION = re.compile(r"-+ \.text\.(\w+) +-+")
_HEADER_END = ".address_size 64"
_INSTRUCTION = re.compile(r"^\s+(?:/\*[0-9a-f]+\*/)?\s*(?:@!?U?P\w+\s+)?([A-Z][A-Z0-9]*(?:\.[\w]+)*)", re.MULTILINE)


class Compiled(NamedTuple):
    """A kernel as the machine would run it."""

    name: str
    ptx: str
    registers: int
    local_bytes: int
    """On the stack, and spilled."""
    instructions: Counter[str]

    def count(self, kind: str, *parts: str) -> int:
        """Return how many instructions are of a kind, such as ``"LDG"``, with all of ``parts``, such as ``"128"``."""
        found = {name: name.split(".") for name in self.instructions}
        return sum(
            self.instructions[name] for name, (first, *rest) in found.items() if first == kind and {*parts} <= {*rest}
        )


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


def compile_kernels(kernels: Sequence[Kernel], capability: tuple[int, int], folder: Path) -> Iterator[Compiled]:
    """Yield ``kernels`` for GPUs of compute capability 9.0, and of ``capability`` if that is lower.

    All go through the tools together: their start takes longer than their work.
    """
    texts = [compile_to_ptx(kernel.name, kernel.py_func, kernel.signature, capability)[0] for kernel in kernels]
    source = folder / "kernels.ptx"
    source.write_text(_joined(texts))
    for architecture in {f"sm_{major}{minor}" for major, minor in (capability, (9, 0))}:
        binary = folder / f"{architecture}.cubin"
        report = _run(tool("ptxas"), f"-arch={architecture}", "-v", "-o", binary, source).stderr
        assembly = _run(tool("nvdisasm"), "-c", binary).stdout
        reports, codes = _by_entry(_COMPILING, report), _by_entry(_SECTION, assembly)
        for kernel, ptx in zip(kernels, texts, strict=True):
            entry = entry_of(kernel.name)
            local = sum(sum(map(int, numbers)) for numbers in _LOCAL.findall(reports[entry]))
            registers = int(_REGISTERS.findall(reports[entry])[0])
            yield Compiled(kernel.name, ptx, registers, local, Counter(_INSTRUCTION.findall(codes[entry])))


def _joined(texts: Sequence[str]) -> str:
    """Return the kernels of several PTX texts in one, without the words that numba-cuda adds for every function."""
    apart = (text.replace("__internal_", f"__internal_{number}_") for number, text in enumerate(texts))
    bodies = (text[text.index(_HEADER_END) + len(_HEADER_END) :].splitlines() for text in apart)
    lines = (line for body in bodies for line in body if not line.startswith(".common"))
    return texts[0][: texts[0].index(_HEADER_END)] + _HEADER_END + "\n" + "\n".join(lines)


def _by_entry(separator: re.Pattern[str], text: str) -> dict[str, str]:
    """Return the parts of a text that begin with the name of an entry."""
    _, *parts = separator.split(text)
    return dict(zip(parts[::2], parts[1::2], strict=True))

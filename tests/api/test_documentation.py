"""What the documentation shows is true: doctests, README's code blocks and commands, the examples."""

from __future__ import annotations

import doctest
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import nbvars
from nbvars.keras import backend

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
PAGES = sorted(page for page in (ROOT / "docs").rglob("*.md") if page.stem != "cuda")  # which tests/cuda runs
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))


@pytest.mark.parametrize(
    "module", [nbvars, nbvars.atomic, nbvars.kernels, nbvars.kernels.bits, backend], ids=lambda module: module.__name__
)
def test_docstrings_show_what_the_code_prints(module):
    nbvars.reset_default_graph()
    names = {"K": backend, "np": np} if module is backend else {}
    result = doctest.testmod(module, extraglobs=names)
    assert result.attempted > 0
    assert result.failed == 0


@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_readme_code_runs_and_prints_what_its_comments_say(number, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    block = BLOCKS[number]
    exec(compile(block, "README.md", "exec"), {})
    printed = capsys.readouterr().out.splitlines()
    promised = re.findall(r"print\(.*\)\s+# (.+)", block)
    assert [line for line in printed if line in promised] == promised


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_code_of_a_page_runs_and_prints_what_its_comments_say(page, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    code = "\n".join(re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL))
    exec(compile(code, page.name, "exec"), {"__name__": page.stem})
    printed = capsys.readouterr().out.splitlines()
    assert printed == re.findall(r"^ *print\(.*\)\s+# (.+)", code, re.MULTILINE)


def test_every_public_function_and_class_is_in_the_reference():
    listed = set(
        re.findall(r"auto(?:class|function):: nbvars\.(\S+)", "".join(map(Path.read_text, ROOT.glob("docs/api/*.rst"))))
    )
    modules = ((nbvars, ""), (nbvars.train, "train."), (nbvars.kernels, "kernels."), (nbvars.atomic, "atomic."))
    for module, prefix in modules:
        public = [name for name in module.__all__ if callable(getattr(module, name))]
        enums_and_dtypes = {"AUTO_REUSE", *(name for name in public if isinstance(getattr(module, name), nbvars.DType))}
        missing = {prefix + name for name in public if name not in enums_and_dtypes} - listed
        assert {name for name in missing if name.removeprefix("kernels.") not in listed} == set()


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples_run_without_a_warning(path):
    command = [sys.executable, "-W", "error", path]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


def test_there_are_examples_and_they_are_short():
    assert len(EXAMPLES) >= 8
    assert all(len(path.read_text().splitlines()) < 80 for path in EXAMPLES)


def test_an_example_names_the_extra_that_it_needs():
    code = "import sys, runpy; sys.modules['sklearn'] = None; runpy.run_path(sys.argv[1])"
    command = [sys.executable, "-W", "error", "-c", code, ROOT / "examples" / "digits.py"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1
    assert done.stderr.strip() == 'digits.py needs scikit-learn: install it by pip install "nbvars[examples]"'
    assert re.search(r"^examples = .*scikit-learn", (ROOT / "pyproject.toml").read_text(), re.MULTILINE)


def test_ci_runs_the_test_command_of_the_readme():
    commands = [line for line in README.splitlines() if "pytest" in line]
    assert commands[0].startswith("python3 -m venv .venv && .venv/bin/pip install")
    assert "grep -m1 'pytest' README.md" in (ROOT / ".ci" / "run").read_text()


def test_readme_names_every_public_update_method_that_it_speaks_of():
    for name in re.findall(r"`((?:scatter|assign|count)_\w+)`", README):
        assert hasattr(nbvars.Variable, name), name

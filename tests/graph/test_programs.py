"""Programs as they were written for TensorFlow 0.x and 1, each compared with NumPy by its own assertions."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

import nbvars as tf
from tests.conftest import run_python

PROGRAMS = sorted((Path(__file__).parent / "programs").glob("*.py"))


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.stem)
def test_program_runs_in_a_graph_of_its_own(path):
    with tf.Graph().as_default() as graph:
        runpy.run_path(str(path))
    assert graph.version > 0
    assert tf.executing_eagerly()
    assert tf.get_default_session() is None


def test_programs_run_where_eager_execution_is_disabled():
    code = f"""
import runpy
import nbvars as tf

tf.disable_eager_execution()
for path in {[str(path) for path in PROGRAMS]}:
    tf.reset_default_graph()
    runpy.run_path(path)
    assert tf.get_default_graph().version > 0
    assert not tf.executing_eagerly()
    print("ran", path)
"""
    assert run_python(code).count("ran ") == len(PROGRAMS)


def test_there_are_programs():
    assert len(PROGRAMS) >= 12

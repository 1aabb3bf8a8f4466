"""What the driver is asked for, on a stand-in for it: see ``tests/cuda/driver_stub.py``."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from tests.conftest import run_python

pytest.importorskip("numba_cuda", reason="pip install nbvars[test-cuda]")

ROOT = Path(__file__).parents[3]
BEGIN = """
import re, sys
sys.path.append({root!r})
import numpy as np
from tests.cuda import driver_stub as stub
stub.install({num_devices})
import nbvars as tf
"""


def run_on_stub(code, num_devices=1):
    return run_python(
        BEGIN.format(root=str(ROOT), num_devices=num_devices) + textwrap.dedent(code), NUMBA_ENABLE_CUDASIM="0"
    )


def test_launches_get_stream_sizes_and_arguments_in_order_and_of_the_right_types():
    run_on_stub("""
        with tf.device("/gpu:0"):
            v = tf.Variable(np.zeros(5003, np.float32))
            x = tf.constant(np.ones(5003, np.float32))
        stub.calls.clear()
        v.assign_add(x)
        v.assign_add(x)
        v.assign_sub(2.5)
        loads = [call for call in stub.calls if call[0] == "load"]
        assert loads == [("load", "add vectors of float32"), ("load", "sub by one float32 x1")], loads
        first, second, third = stub.launches()
        ref, value = v._storage.array.pointer, x._array.pointer
        arguments = (ref, value, 1250, ref, value, 5000, 5003)
        assert first == second == (1, (2, 256), "add vectors of float32", arguments), first
        assert {type(each) for each in first[3]} == {int}
        number = np.float32(2.5)
        assert third == (1, (2, 256), "sub by one float32 x1", (ref, 1250, ref, 5000, 5003, number, number)), third
        assert [type(each) for each in third[3]] == [int] * 5 + [np.float32] * 2
        assert [call for call in stub.calls if call[0] == "config"] == [("config", 2, 256)] * 2
        assert not [call for call in stub.calls if call[0] in ("sync", "synchronize", "to host", "allocate")]
    """)


def test_memory_is_freed_in_the_end_and_values_come_back():
    run_on_stub("""
        with tf.device("/gpu:0"):
            v = tf.Variable(np.arange(6, dtype=np.float32).reshape(2, 3), name="v")
        assert v.numpy().tolist() == [[0, 1, 2], [3, 4, 5]]
        assert [call[0] for call in stub.calls[-2:]] == ["to host", "sync"]
        assert tf.identity(v).numpy().tolist() == [[0, 1, 2], [3, 4, 5]]
        stub.calls.clear()
        v._initial_value = None
        del v
        assert [call[0] for call in stub.calls] == ["free"] * 2, stub.calls
    """)


def test_a_list_is_copied_to_the_gpu_and_a_constant_travels_with_the_launch():
    run_on_stub("""
        with tf.device("/gpu:0"):
            v = tf.Variable(np.zeros(4, np.float64))
        stub.calls.clear()
        v.assign([1.0, 2.0, 3.0, 4.0])
        names = [call[0] for call in stub.calls]
        assert names.index("allocate") < names.index("to device") < names.index("launch") < names.index("free"), names
        stub.calls.clear()
        v.assign(7)
        assert "to device" not in [call[0] for call in stub.calls]
        assert [type(each) for each in stub.launches()[0][3][-2:]] == [np.uint64] * 2, stub.launches()
    """)


def test_streams_wait_for_each_other_at_both_ends_of_a_block():
    run_on_stub("""
        class Theirs:
            def __cuda_stream__(self):
                return 0, 4096

        with tf.device("/gpu:0"):
            v = tf.Variable(np.zeros(8, np.float32))
        v.assign_add(1.0)
        stub.calls.clear()
        with tf.cuda.stream(Theirs()):
            v.assign_add(1.0)
            assert v.__cuda_array_interface__["stream"] == 4096
        v.assign_add(1.0)
        seen = [call[:3] if call[0] == "wait" else call[:2] for call in stub.calls]
        assert seen == [("wait", 4096, 1), ("launch", 4096), ("wait", 1, 4096), ("launch", 1)], seen
    """)


def test_each_of_several_gpus_has_its_own_memory_and_kernels():
    run_on_stub(
        """
        with tf.device("/gpu:1"):
            v = tf.Variable(np.zeros(8, np.float32))
        with tf.device("/gpu:0"):
            w = tf.Variable(np.zeros(8, np.float32))
        assert (v.device, w.device) == ("/gpu:1", "/gpu:0")
        v.assign_add(1.0), w.assign_add(1.0)
        assert [call for call in stub.calls if call[0] == "load"] == [("load", "add by one float32 x1")] * 2
        order = [call for call in stub.calls if call[0] in ("set_current", "launch")]
        assert [call[1] for call in order[-4:]] == [1, 1, 0, 1], order[-4:]
        try:
            v.assign(w)
        except tf.errors.InvalidArgumentError as error:
            assert "got /gpu:0, expected /gpu:1; copy it by `with device('/gpu:1'): identity(x)`" in str(error)
        else:
            raise AssertionError
        with tf.device("/gpu:1"):
            v.assign(tf.identity(w))
        """,
        num_devices=2,
    )


def test_too_large_a_variable_is_a_clear_error():
    run_on_stub("""
        with tf.device("/gpu:0"):
            try:
                tf.Variable(np.zeros(1 << 20, np.float32))
            except tf.errors.ResourceExhaustedError as error:
                assert "the GPU has not so much memory left: got 4194304 bytes on /gpu:0" in str(error)
            else:
                raise AssertionError
    """)


def test_a_forked_child_gets_a_clear_error():
    run_on_stub("""
        import os
        with tf.device("/gpu:0"):
            v = tf.Variable(np.zeros(8, np.float32))
        v.assign_add(1.0)
        child = os.fork()
        if child == 0:
            try:
                v.assign_add(1.0)
            except RuntimeError as error:
                os._exit(0 if str(error).startswith("CUDA: CUDA cannot be used in a forked child") else 2)
            os._exit(3)
        assert os.waitpid(child, 0)[1] == 0
        v.assign_add(1.0)
    """)


def test_without_cupy_dense_mathematics_says_what_to_install():
    run_on_stub("""
        import sys
        sys.modules["cupy"] = None
        with tf.device("/gpu:0"):
            v = tf.Variable(np.zeros(8, np.float32))
        try:
            v + 1
        except ImportError as error:
            assert "no module cupy" in str(error) and "pip install nbvars[cuda13]" in str(error)
        else:
            raise AssertionError
        with tf.device("/gpu:0"):
            assert tf.get_variable("w", [3, 4]).device == "/gpu:0"
    """)


def test_values_of_other_libraries_are_waited_for_and_taken_without_a_copy():
    run_on_stub("""
        with tf.device("/gpu:0"):
            v, source = tf.Variable(np.zeros(8, np.float32)), tf.Variable(np.ones(8, np.float32))

        class Theirs:
            __cuda_array_interface__ = {**source.__cuda_array_interface__, "stream": 77}

        stub.calls.clear()
        v.assign_add(Theirs())
        assert [call[0] for call in stub.calls if call[0] in ("wait", "launch", "on device")] == ["wait", "launch"]
        assert ("wait", 1, 77) in stub.calls
        assert stub.launches()[0][3][1] == source._storage.array.pointer
    """)

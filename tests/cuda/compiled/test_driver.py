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


def test_a_capture_is_on_a_stream_of_its_own_and_memory_comes_from_outside():
    run_on_stub("""
        with tf.device("/gpu:0"):
            v, x = tf.Variable(np.zeros(8, np.float32)), tf.Variable(np.zeros(8, np.float32))
            rows = tf.Variable(np.array([1, 2]))
        v.assign_add(x)
        stub.calls.clear()
        with tf.cuda.capture() as graph:
            v.assign_add(x)
            copied = tf.identity(v)
            tf.scatter_sub(v, rows, 1.0, deterministic=True)
        names = [call[0] for call in stub.calls if call[0] not in ("load", "config", "free")]
        assert names[:2] == ["allocate", "allocate"] and names.index("synchronize") < names.index("begin"), names
        assert names[names.index("begin"):][:2] == ["begin", "launch"], names
        assert names[-3:] == ["end", "complete", "close"], names
        captured = stub.calls[stub.calls.index(("begin", "relaxed")):]
        asked = {call[0]: set() for call in captured if call[0] in ("launch", "allocate", "on device", "free")}
        for call in captured:
            if call[0] in asked and call[0] != "free":
                asked[call[0]].add(call[1] if call[0] == "launch" else call[2])
        assert asked == {"launch": {128}, "allocate": {1}, "on device": {128}}, asked  # nothing is freed
        assert not [call for call in captured if call[0] in ("sync", "synchronize", "to host", "wait", "to device")]
        stub.calls.clear()
        graph.replay()
        assert stub.calls == [("launch graph", 1)], stub.calls
        with tf.cuda.stream():
            graph.replay()
        assert stub.calls[1:] == [("wait", 64, 1), ("wait", 64, 1), ("launch graph", 64), ("wait", 1, 64)], stub.calls
        stub.calls.clear()
        del graph
        assert stub.calls[:2] == [("wait", 1, 64), ("destroy graph",)], stub.calls
        assert {call[0] for call in stub.calls[2:]} == {"free"}, stub.calls
    """)


def test_settings_of_a_captured_step_are_sent_when_they_change():
    run_on_stub("""
        with tf.device("/gpu:0"):
            variables = [tf.Variable(np.ones(n, np.float32)) for n in (8, 9)]
            grads = [tf.Variable(np.ones(n, np.float32)) for n in (8, 9)]
        rate = tf.Variable(np.float32(0.5))
        optimizer = tf.train.MomentumOptimizer(rate, 0.9)
        with tf.cuda.capture() as graph:
            optimizer.apply_gradients(zip(grads, variables))
        launched = [call for call in stub.launches() if call[0] == 128]
        names = [name for _, _, name, _ in launched]
        assert names == ["momentum step of vectors of a group of float32 with settings in memory"], names
        stub.calls.clear()
        for _ in range(2):
            graph.replay()
        rate.assign(0.25)
        graph.replay()
        assert [call[0] for call in stub.calls] == ["to device"] + ["launch graph"] * 2 + ["to device", "launch graph"]
        assert stub.calls[0] == ("to device", 24, 1)
        memory = launched[0][3][3]
        import ctypes
        sent = np.frombuffer((ctypes.c_float * 6).from_address(memory), np.float32)
        assert sent.tolist() == [0.25, np.float32(0.9), 0, 0, 0, 0]
    """)


def test_other_threads_wait_for_streams_while_one_captures():
    run_on_stub("""
        import threading
        with tf.device("/gpu:0"):
            v = tf.Variable(np.zeros(8, np.float32))

        def wait():
            stub.calls.clear()
            with tf.cuda.stream():
                tf.synchronize("/gpu:0")

        def in_a_thread():
            thread = threading.Thread(target=wait)
            thread.start()
            thread.join()
            return sorted(call for call in stub.calls if call[0] in ("sync", "synchronize"))

        assert in_a_thread() == [("synchronize", 0)]
        with tf.cuda.capture():
            v.assign_add(1.0)
            assert in_a_thread() == [("sync", 1), ("sync", 64)], stub.calls
        assert in_a_thread() == [("synchronize", 0)]
    """)


def test_a_capture_that_fails_is_ended():
    run_on_stub("""
        with tf.device("/gpu:0"):
            v = tf.Variable(np.zeros(8, np.float32))
        for error in (ValueError, KeyboardInterrupt):
            stub.calls.clear()
            try:
                with tf.cuda.capture():
                    v.assign_add(1.0)
                    raise error
            except error:
                pass
            assert [call for call in stub.calls if call[0] in ("end", "complete", "close")] == [("end",), ("close",)]
        for _ in range(2):
            stub.FAILING_CAPTURES.append("CUDA_ERROR_STREAM_CAPTURE_INVALIDATED")
            try:
                with tf.cuda.capture():
                    v.numpy()
            except tf.errors.FailedPreconditionError:
                pass
            assert not stub.FAILING_CAPTURES
            assert stub.calls[-1] == ("close",)
        stub.FAILING_CAPTURES.append("CUDA_ERROR_STREAM_CAPTURE_UNJOINED")
        try:
            with tf.cuda.capture() as graph:
                v.assign_add(1.0)
        except tf.errors.InternalError as error:
            assert "capture: the driver failed: got CUDA_ERROR_STREAM_CAPTURE_UNJOINED" in str(error), error
        else:
            raise AssertionError
        try:
            graph.replay()
        except tf.errors.FailedPreconditionError as error:
            assert "there is nothing to replay" in str(error)
        stub.calls.clear()
        v.assign_add(1.0)
        assert stub.launches()[0][0] == 1
    """)


def test_a_graph_is_not_replayed_in_a_forked_child():
    run_on_stub("""
        import os
        with tf.device("/gpu:0"):
            v = tf.Variable(np.zeros(8, np.float32))
        counted = []
        optimizer = tf.train.GradientDescentOptimizer(lambda: counted.append(1) or 0.5)
        with tf.cuda.capture() as graph:
            optimizer.apply_gradients([(tf.identity(v), v)])
        graph.replay()
        child = os.fork()
        if child == 0:
            try:
                graph.replay()
            except RuntimeError as error:
                is_clear = str(error).startswith("CUDA: CUDA cannot be used in a forked child")
                os._exit(0 if is_clear and len(counted) == 1 else 2)
            os._exit(3)
        assert os.waitpid(child, 0)[1] == 0
        graph.replay()
    """)


def test_cupy_takes_memory_of_the_graphs_own_in_a_capture():
    run_on_stub("""
        import contextlib, sys
        from types import ModuleType, SimpleNamespace

        entered = []

        class MemoryPool:
            def malloc(self, size):
                raise AssertionError

        @contextlib.contextmanager
        def using_allocator(malloc):
            entered.append(malloc.__self__)
            yield

        class Result(np.ndarray):
            pass

        cupy = ModuleType("cupy")
        cupy.cuda = SimpleNamespace(
            Device=lambda number: contextlib.nullcontext(),
            ExternalStream=lambda handle: contextlib.nullcontext(entered.append(handle)),
            MemoryPool=MemoryPool,
            using_allocator=using_allocator,
        )
        from nbvars.kernels.cuda import dense
        from nbvars.kernels.cuda.memory import DeviceArray
        cupy.asarray = lambda array: array
        dense._from_cupy = lambda cupy, result: result
        sys.modules["cupy"] = cupy
        with tf.device("/gpu:0"):
            v = tf.Variable(np.zeros(8, np.float32))
        array = v._storage.array
        run = lambda: dense.compute_on(0, lambda x: array, [array], {})
        run()
        assert entered == [1]
        entered.clear()
        with tf.cuda.capture() as graph:
            run(), run()
        assert [entered[0], entered[2]] == [128, 128] and entered[1] is entered[3], entered
        assert isinstance(entered[1], MemoryPool)
        import weakref
        pool = weakref.ref(entered[1])
        entered.clear()
        assert pool() is not None
        del graph
        assert pool() is None
    """)

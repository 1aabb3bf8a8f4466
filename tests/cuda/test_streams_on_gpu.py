"""Streams, waiting, and how errors of kernels are raised."""

from __future__ import annotations

import threading

import numpy as np
import pytest

import nbvars as tf


class TheirStream:
    """A stream of another library."""

    def __cuda_stream__(self):
        return 0, 4096


def on_gpu(value):
    with tf.device("/gpu:0"):
        return tf.Variable(value)


def current():
    from nbvars.kernels.cuda.streams import current_stream

    return current_stream()


def test_work_is_on_the_stream_of_the_innermost_block():
    variable, outer = on_gpu([1.0]), current()
    with tf.cuda.stream() as nothing:
        assert nothing is None
        first = current()
        variable.assign_add(1.0)
        with tf.cuda.stream():
            assert current() not in (outer, first)
            variable.assign_add(1.0)
        assert current() is first
    assert current() is outer
    assert variable.numpy().tolist() == [3]


def test_an_error_in_a_block_leaves_the_stream():
    outer = current()
    with pytest.raises(ZeroDivisionError), tf.cuda.stream():
        raise ZeroDivisionError
    assert current() is outer


def test_other_threads_keep_their_streams():
    seen = []
    with tf.cuda.stream():
        thread = threading.Thread(target=lambda: seen.append(current()))
        thread.start()
        thread.join()
        assert seen[0] is not current()
    assert seen == [current()]


def test_what_is_no_stream_or_no_gpu_is_refused():
    with pytest.raises(TypeError, match="this is no stream: got int, expected an object with __cuda_stream__"):
        tf.cuda.stream(5)
    with pytest.raises(tf.errors.InvalidArgumentError, match="no such device was found: got '/gpu:9'"):
        tf.cuda.stream(None, "/gpu:9")
    with pytest.raises(ValueError, match="the device is no GPU: got '/cpu:0'"):
        tf.cuda.stream(None, "/cpu:0")


def test_a_block_waits_for_what_was_before_and_what_follows_for_the_block():
    outer = current()
    if not hasattr(outer, "waited_for"):
        pytest.skip("the simulator's streams take note of who waits: NUMBA_ENABLE_CUDASIM=1")
    with tf.cuda.stream(TheirStream()):
        inner = current()
        assert inner.handle == 4096
        assert inner.waited_for == [outer]
        assert on_gpu(np.zeros(3)).__cuda_array_interface__["stream"] == 4096
    assert outer.waited_for[-1] is inner

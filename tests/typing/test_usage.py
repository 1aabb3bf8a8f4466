"""Typical uses, which mypy and pyright check with ``strict``, and pytest runs."""

from __future__ import annotations

from pathlib import Path
from typing import assert_type

import numpy as np
import numpy.typing as npt

import nbvars as tf
from nbvars.keras import backend


def test_eager_mode_is_typed() -> None:
    v = tf.Variable([1.0, 2.0], name="v", trainable=True)
    v.assign_add(1.0).assign_sub(np.ones(2, np.float32))
    v.scatter_sub(tf.IndexedSlices(np.ones(1, np.float32), [0]))
    array: npt.NDArray[np.float32] = v.numpy()
    tensor: tf.Tensor = v * 2 + tf.cast(v, tf.float32)
    count: int = tf.Variable(0).count_up_to(3)
    with tf.device("/cpu:0"), tf.GradientTape() as tape:
        loss = tf.reduce_sum(tf.square(v))
    optimizer = tf.train.AdamOptimizer(0.1)
    optimizer.apply_gradients([(tape.gradient(loss, v), v)])
    shape: tf.TensorShape = tensor.shape
    assert_type(tf.Variable(0), tf.Variable)
    assert_type(tf.add(v, tf.sqrt(tf.abs(v))), tf.Tensor)
    assert_type(v.dtype, tf.DType)
    backend.set_value(v, backend.get_value(v))
    assert (array.tolist(), count, len(shape)) == ([0.0, 2.0], 0, 1)


def test_graph_mode_is_typed(tmp_path: Path) -> None:
    with tf.Graph().as_default() as graph, tf.Session(graph=graph) as sess:
        x = tf.placeholder(tf.float32, [None, 2])
        w = tf.get_variable("w", [2, 1], initializer=tf.zeros_initializer())
        y = tf.matmul(x, w)
        train = tf.train.GradientDescentOptimizer(0.1).minimize(tf.reduce_mean(y), var_list=[w])
        sess.run(tf.global_variables_initializer())
        sess.run([train, y], feed_dict={x: np.ones((3, 2))})
        path: str | None = tf.train.Saver().save(sess, tmp_path / "model", global_step=1)
        assert path == str(tmp_path / "model-1")
        assert np.allclose(w.eval(sess), -0.1)

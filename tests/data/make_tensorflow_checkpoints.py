"""Writes the checkpoints of TensorFlow that the tests read, into this folder: needs TensorFlow 2.21."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import tensorflow as tf

FOLDER = Path(__file__).parent / "tensorflow"
DTYPES = "bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float16 bfloat16 float32 float64 complex64 complex128"
v1 = tf.compat.v1


def small(dtype: str) -> np.ndarray:
    """Return the value of the variable that has the name of its dtype."""
    return (np.arange(6).reshape(2, 3) % 5).astype(tf.as_dtype(dtype).as_numpy_dtype)


def write_saver() -> None:
    """Write a checkpoint of TensorFlow 1's Saver: all dtypes, a scalar, an empty one, and partitioned variables."""
    with tf.Graph().as_default(), v1.Session() as sess:
        for dtype in DTYPES.split():
            v1.Variable(small(dtype), name=dtype, dtype=dtype)
        v1.Variable(2.5, name="layer/scalar")
        v1.Variable(np.zeros((0, 3), np.float32), name="empty")
        for name, shape, axis in (("rows", [5, 2], 0), ("columns", [3, 200], 1)):
            v1.get_variable(name, shape, partitioner=v1.fixed_size_partitioner(3, axis), use_resource=False)
        sess.run(v1.global_variables_initializer())
        for variable in v1.global_variables():
            info = variable._get_save_slice_info()
            if info is not None:
                whole = np.arange(np.prod(info.full_shape), dtype=np.float32).reshape(info.full_shape)
                ranges = zip(info.var_offset, info.var_shape, strict=True)
                variable.load(whole[tuple(slice(start, start + size) for start, size in ranges)], sess)
        v1.train.Saver(max_to_keep=2).save(sess, str(FOLDER / "saver"), 3, write_meta_graph=False)


def write_sharded() -> None:
    """Write a checkpoint with two files of data."""
    with tf.Graph().as_default(), v1.Session(config=v1.ConfigProto(device_count={"CPU": 2})) as sess:
        for i in range(2):
            with tf.device(f"/cpu:{i}"):
                v1.Variable(np.full(3, i, np.float32), name=f"on_{i}")
        sess.run(v1.global_variables_initializer())
        saver = v1.train.Saver(sharded=True)
        saver.save(sess, str(FOLDER / "sharded"), write_meta_graph=False, write_state=False)


def write_objects() -> None:
    """Write a checkpoint of TensorFlow 2's Checkpoint, which holds objects, and a string."""
    weights, bias = tf.Variable([[1.0, 2.0]], name="weights"), tf.Variable([3, 4], name="bias")
    label = tf.Variable("text", name="label")
    tf.train.Checkpoint(layer=tf.train.Checkpoint(w=weights, b=bias), label=label).write(str(FOLDER / "objects"))


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    write_saver()
    write_sharded()
    write_objects()
    (FOLDER / "checkpoint").write_text('model_checkpoint_path: "saver-3"\nall_model_checkpoint_paths: "saver-3"\n')

"""Checkpoints that TensorFlow 2.21 wrote (``tests/data/make_tensorflow_checkpoints.py``), read without it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import nbvars as tf
from nbvars import errors
from nbvars.train.checksum import crc32c
from nbvars.train.slice_key import slice_key
from nbvars.train.sstable import CompressedBlockError, read_table
from nbvars.train.wire import fields, read_varint
from tests.conftest import ALL_DTYPES, assert_same_bits, numpy_dtype

FOLDER = Path(__file__).parents[1] / "data" / "tensorflow"


def small(dtype):
    return (np.arange(6).reshape(2, 3) % 5).astype(numpy_dtype(dtype))


@pytest.mark.parametrize("dtype", ALL_DTYPES)
def test_variables_of_every_dtype_are_read(dtype):
    assert_same_bits(tf.train.load_variable(FOLDER / "saver-3", dtype), small(dtype))


def test_the_list_of_variables_is_that_of_tensorflow():
    expected = {dtype: [2, 3] for dtype in ALL_DTYPES}
    expected |= {"layer/scalar": [], "empty": [0, 3], "rows": [5, 2], "columns": [3, 200]}
    assert tf.train.list_variables(FOLDER) == sorted(expected.items())
    dtypes = tf.train.load_checkpoint(FOLDER).get_variable_to_dtype_map()
    assert all(dtypes[dtype] is tf.as_dtype(dtype) for dtype in ALL_DTYPES)


def test_slices_are_put_together():
    for name, shape in (("rows", (5, 2)), ("columns", (3, 200))):
        expected = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
        assert_same_bits(tf.train.load_variable(FOLDER / "saver-3", name), expected)


def test_the_latest_checkpoint_may_be_one_of_tensorflow():
    assert tf.train.latest_checkpoint(FOLDER) == str(FOLDER / "saver-3")
    assert tf.train.checkpoint_exists(FOLDER / "saver-3")


def test_a_graph_is_restored_from_it():
    with tf.Graph().as_default(), tf.Session() as sess:
        whole = tf.Variable(np.zeros((2, 3), np.float32), name="float32")
        rows = tf.get_variable("rows", [5, 2], partitioner=tf.fixed_size_partitioner(2))
        scalar = tf.Variable(0.0, name="layer/scalar")
        sess.run(whole.initializer)
        tf.train.Saver().restore(sess, FOLDER / "saver-3")
        assert_same_bits(sess.run(whole), small("float32"))
        np.testing.assert_array_equal(np.concatenate(sess.run(list(rows))), np.arange(10).reshape(5, 2))
        assert sess.run(scalar) == 2.5


def test_several_files_of_data_are_read():
    for i in range(2):
        np.testing.assert_array_equal(tf.train.load_variable(FOLDER / "sharded", f"on_{i}"), np.full(3, i))


def test_a_checkpoint_of_objects_is_restored_by_the_names_of_the_variables():
    weights, bias = tf.Variable([[0.0, 0.0]], name="weights"), tf.Variable([0, 0], name="bias")
    tf.train.Saver([weights, bias]).restore(None, FOLDER / "objects")
    assert weights.numpy().tolist() == [[1.0, 2.0]]
    assert bias.numpy().tolist() == [3, 4]
    by_key = tf.Variable([0, 0])
    tf.train.Saver({"layer/b/.ATTRIBUTES/VARIABLE_VALUE": by_key}).restore(None, FOLDER / "objects")
    assert by_key.numpy().tolist() == [3, 4]


def test_strings_are_listed_but_not_read():
    reader = tf.train.load_checkpoint(FOLDER / "objects")
    name = "label/.ATTRIBUTES/VARIABLE_VALUE"
    assert reader.get_variable_to_dtype_map()[name] == "string"
    with pytest.raises(errors.UnimplementedError, match="got string, expected a dtype of numbers"):
        reader.get_tensor(name)
    with pytest.raises(errors.UnimplementedError, match="label is of type string there"):
        tf.train.Saver({"label": tf.Variable(1.0)}).restore(None, FOLDER / "objects")


def test_a_missing_variable_is_an_error_with_the_closest_name():
    with pytest.raises(
        errors.NotFoundError, match=r"Key layer/scaler not found in checkpoint \(closest: layer/scalar\)"
    ):
        tf.train.Saver({"layer/scaler": tf.Variable(1.0)}).restore(None, FOLDER / "saver-3")


# As TensorFlow's ordered code writes them.
@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (0, "80"),
        (1, "81"),
        (63, "bf"),
        (64, "c040"),
        (8191, "dfff"),
        (8192, "e02000"),
        (2**62 - 1, "ffbfffffffffffffff"),
        (2**62, "ffc04000000000000000"),
        (-1, "7f"),
        (-64, "40"),
        (-65, "3fbf"),
        (-(2**63), "003f8000000000000000"),
    ],
)
def test_numbers_in_keys_are_those_of_ordered_code(number, expected):
    assert slice_key(b"", [(number, -1)])[len("\0\0\1\1\1") :].hex() == f"{expected}7f"


def test_bytes_that_end_strings_are_escaped_in_keys():
    assert slice_key(b"a\x00b\xffc", []) == b"\x00a\x00\xffb\xff\x00c\x00\x01\x00"


def varint(value):
    """Return a number as protobuf's wire format writes it."""
    return bytes([value & 0x7F | 0x80]) + varint(value >> 7) if value >> 7 else bytes([value])


def table_of(body, compression=0):
    """Return a table file whose one block, the index, is ``body``."""
    block = body + bytes([compression])
    checksum = crc32c(block)
    masked = (((checksum >> 15) | (checksum << 17)) + 0xA282EAD8) & 0xFFFFFFFF
    handles = bytes(3) + varint(len(body))
    footer = handles + bytes(40 - len(handles)) + (0xDB4775248B80FB57).to_bytes(8, "little")
    return block + masked.to_bytes(4, "little") + footer


NO_RESTARTS = bytes(4)


@pytest.mark.parametrize(
    ("body", "match"),
    [
        (b"\x00\x01\x00", "too short"),
        (b"\x00\x00\x00\xff\xff\xff\xff", "more restart points"),
        (b"\x05\x01\x00a" + NO_RESTARTS, "does not fit"),
        (b"\x00\x7f\x00a" + NO_RESTARTS, "does not fit"),
        (b"\x00\x01\x02a\x00" + NO_RESTARTS, "does not fit"),
        (b"\x00\x01\x02a\x7f\x01" + NO_RESTARTS, "outside of the file"),
        (b"\xff" * 11 + NO_RESTARTS, "more than 64 bits"),
        (b"\x00" + NO_RESTARTS, r"does not fit|cut off"),
    ],
)
def test_a_malformed_table_is_refused(body, match):
    with pytest.raises(ValueError, match=match):
        read_table(table_of(body))


def test_an_empty_table_has_no_entries():
    assert read_table(table_of(NO_RESTARTS)) == {}


@pytest.mark.parametrize(("compression", "name"), [(1, "snappy"), (2, "zstd"), (9, "compression 9")])
def test_compressed_blocks_are_named(compression, name, tmp_path):
    data = table_of(NO_RESTARTS, compression)
    with pytest.raises(CompressedBlockError, match=name):
        read_table(data)
    (tmp_path / "model.index").write_bytes(data)
    with pytest.raises(errors.UnimplementedError, match=name):
        tf.train.load_checkpoint(tmp_path / "model")


def test_keys_that_grow_with_every_entry_are_refused():
    long_key = b"\x00\x80\x40\x00" + b"a" * 8192 + b"\x80\x40\x00\x00" * 3000
    with pytest.raises(ValueError, match="too long"):
        read_table(table_of(long_key + NO_RESTARTS))


@pytest.mark.parametrize("data", [b"\x80", b"\x80" * 11, b""])
def test_a_number_that_does_not_end_is_refused(data):
    with pytest.raises(ValueError, match=r"cut off|64 bits"):
        read_varint(data, 0)


@pytest.mark.parametrize("data", [b"\x0a\x05ab", b"\x0d\x00", b"\x0b", b"\x08"])
def test_a_malformed_message_is_refused(data):
    with pytest.raises(ValueError, match=r"cut off|wire type"):
        list(fields(data))

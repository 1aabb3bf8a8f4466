"""Damaged and foreign files: a clean error, never a crash, a hang or an absurd allocation."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import nbvars as tf
from nbvars import errors
from nbvars.train.checksum import crc32c
from nbvars.train.manifest import Described
from nbvars.train.safetensors_header import header_bytes

REFUSED = (errors.DataLossError, errors.NotFoundError, errors.UnimplementedError)
TENSORFLOW = Path(__file__).parents[1] / "data" / "tensorflow"


@pytest.fixture
def path(tmp_path):
    """The file of a checkpoint of several variables."""
    values = {"w": np.arange(12.0).reshape(3, 4), "z": np.array([1j, 2]), "s": 1}
    variables = {name: tf.Variable(value) for name, value in values.items()}
    return Path(f"{tf.train.Saver(variables).save(None, tmp_path / 'model', 1)}.safetensors")


def read_all(prefix):
    """Read all tensors of a checkpoint."""
    reader = tf.train.load_checkpoint(prefix)
    reader.verify()
    types = reader.get_variable_to_dtype_map()
    return {name: reader.get_tensor(name) for name, dtype in types.items() if not isinstance(dtype, str)}


def test_every_flipped_byte_is_found(path):
    whole = path.read_bytes()
    for place in range(len(whole)):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << place % 8
        path.write_bytes(damaged)
        with pytest.raises(errors.DataLossError, match=r"got .*, expected"):
            read_all(path)


def test_every_truncation_and_extension_is_found(path):
    whole = path.read_bytes()
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        with pytest.raises(errors.DataLossError, match=r"got .*, expected"):
            read_all(path)
    path.write_bytes(whole + b"\0")
    with pytest.raises(errors.DataLossError, match=r"got .*, expected"):
        read_all(path)


def test_a_restore_from_a_damaged_file_changes_nothing(path):
    first, second = tf.Variable(np.zeros((3, 4))), tf.Variable(5)
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(errors.DataLossError, match="the checksum of the tensor 's' does not hold"):
        tf.train.Saver({"w": first, "s": second}).restore(None, path)
    assert not first.numpy().any()
    assert second.numpy() == 5


def test_a_session_gets_no_value_from_a_damaged_file(path):
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with tf.Graph().as_default(), tf.Session() as sess:
        whole, count = tf.Variable(np.zeros((3, 4))), tf.Variable(5)
        with pytest.raises(errors.DataLossError, match="does not hold"):
            tf.train.Saver({"w": whole, "s": count}).restore(sess, path)
        assert len(sess.run(tf.report_uninitialized_variables())) == 2


def with_header(path, header):
    """Write a safetensors file with this header, and 8 bytes of data."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + bytes(8))


ENTRY = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}


@pytest.mark.parametrize(
    "header",
    [
        b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"a":{"dtype":"I32","shape":[2],"data_offsets":[0,8]}}',
        b'{"a":{"dtype":"F32","dtype":"I32","shape":[2],"data_offsets":[0,8]}}',
        b"[]",
        b'{"a":' + b"[" * 100_000,
        {"a": {**ENTRY, "data_offsets": [0, 4]}},
        {"a": {**ENTRY, "shape": [2**40, 2**40]}},
        {"a": {**ENTRY, "data_offsets": [0, 2**60]}},
        {"a": ENTRY, "b": ENTRY},
        {"__metadata__": {"manifest": "{}"}, "a": ENTRY},
    ],
    ids=range(9),
)
def test_a_header_that_breaks_the_format_is_refused(header, tmp_path):
    with_header(tmp_path / "bad.safetensors", header)
    with pytest.raises(errors.DataLossError, match="damaged"):
        read_all(tmp_path / "bad")


@pytest.mark.parametrize(
    "manifest",
    [
        "",
        "[]",
        "[" * 100_000,
        '{"version":2}',
        '{"version":1,"piece_bytes":0,"global_step":1,"variables":{}}',
        '{"version":1,"piece_bytes":1,"global_step":1,"variables":{}}',
        '{"version":1,"piece_bytes":4,"global_step":1,"variables":{"a":{"crc32c":["0"],"dtype":"float32","shape":[2]}}}',
        '{"version":1,"piece_bytes":4,"global_step":1,"variables":{"a":{"crc32c":["0","x"],"dtype":"float32","shape":[2]}}}',
    ],
    ids=range(8),
)
def test_a_manifest_that_does_not_fit_is_refused(manifest, tmp_path):
    start = b'{"__metadata__":{"crc32c":"00000000","manifest":'
    text = start + json.dumps(manifest).encode() + b'},"a":' + json.dumps(ENTRY).encode() + b"}"
    whole = len(text).to_bytes(8, "little") + text
    checked = whole.replace(b"00000000", f"{crc32c(whole):08x}".encode(), 1)
    (tmp_path / "bad.safetensors").write_bytes(checked + bytes(8))
    with pytest.raises(errors.DataLossError, match="the header is damaged"):
        read_all(tmp_path / "bad")


def test_the_header_has_the_same_size_with_and_without_checksums():
    variables = {'a"\\\n': Described(tf.float32, (2,), True, ["variables"])}
    assert len(header_bytes(variables, None, 1)) == len(header_bytes(variables, {'a"\\\n': [0xFFFFFFFF]}, 1))


@pytest.mark.parametrize("content", [b"", b"\0" * 100, b"PK\x03\x04" + b"x" * 500, b"\x80\x04K\x01."], ids=range(4))
def test_a_foreign_file_is_refused(content, tmp_path):
    (tmp_path / "foreign").write_bytes(content)
    with pytest.raises(errors.DataLossError, match="no safetensors file"):
        tf.train.load_checkpoint(tmp_path / "foreign")


def test_the_latest_checkpoint_is_one_whose_checksums_hold(tmp_path, caplog):
    variable = tf.Variable(np.zeros(100))
    saver = tf.train.Saver([variable])
    paths = [saver.save(None, tmp_path / "model", step) for step in range(4)]
    assert tf.train.latest_checkpoint(tmp_path) == paths[3]
    file = Path(f"{paths[3]}.safetensors")
    file.write_bytes(file.read_bytes()[:-1])
    assert tf.train.latest_checkpoint(tmp_path) == paths[2]
    assert f"{paths[3]} is passed over" in caplog.text
    Path(f"{paths[2]}.safetensors").unlink()
    assert tf.train.latest_checkpoint(tmp_path) == paths[1]
    for path in paths[:2]:
        Path(f"{path}.safetensors").write_bytes(b"")
    assert tf.train.latest_checkpoint(tmp_path) is None


@pytest.fixture(params=["saver-3", "sharded", "objects"])
def bundle(request, tmp_path):
    """A copy of a checkpoint of TensorFlow; its path."""
    for path in TENSORFLOW.glob(f"{request.param}.*"):
        shutil.copy(path, tmp_path)
    return tmp_path / request.param


def test_every_flipped_byte_of_an_index_is_found(bundle):
    expected, index = read_all(bundle), Path(f"{bundle}.index")
    whole = index.read_bytes()
    num_found = 0
    for place in range(len(whole)):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << place % 8
        index.write_bytes(damaged)
        try:
            found = read_all(bundle)
        except REFUSED:
            num_found += 1
        else:  # what is flipped means nothing: the padding of the footer, and a block that is empty
            assert found.keys() == expected.keys()
            for name, value in found.items():
                np.testing.assert_array_equal(value, expected[name])
    assert num_found > len(whole) - 64


def test_every_truncation_of_an_index_is_found(bundle):
    index = Path(f"{bundle}.index")
    whole = index.read_bytes()
    for size in range(len(whole)):
        index.write_bytes(whole[:size])
        with pytest.raises(REFUSED):
            read_all(bundle)


def test_every_flipped_byte_of_the_data_is_found(bundle):
    for path in bundle.parent.glob("*.data-*"):
        whole = path.read_bytes()
        for place in range(0, len(whole), 1 + len(whole) // 300):
            damaged = bytearray(whole)
            damaged[place] ^= 0x10
            path.write_bytes(damaged)
            if bundle.name == "objects":
                # Strings are read for the names of variables only.
                continue
            with pytest.raises(errors.DataLossError, match="checksum"):
                read_all(bundle)
        path.write_bytes(whole[:-1])
        with pytest.raises(errors.DataLossError, match="cut off"):
            tf.train.load_checkpoint(bundle).aliases()
        path.unlink()
        with pytest.raises(errors.NotFoundError, match="missing"):
            tf.train.load_checkpoint(bundle).aliases()
        path.write_bytes(whole)


def test_a_damaged_graph_of_objects_is_found(bundle):
    if bundle.name != "objects":
        pytest.skip("other checkpoints hold no objects")
    (path,) = bundle.parent.glob("*.data-*")
    whole = path.read_bytes()
    variable = tf.Variable(1.0, name="nothing")
    num_found = 0
    for place in range(len(whole)):
        damaged = bytearray(whole)
        damaged[place] ^= 0x10
        path.write_bytes(damaged)
        with pytest.raises(REFUSED) as raised:
            tf.train.Saver([variable]).restore(None, bundle)
        num_found += raised.type is errors.DataLossError
    assert num_found > 150

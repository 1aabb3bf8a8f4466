"""Attributes as messages: what goes in comes out, and TensorFlow's bytes mean what TensorFlow means by them."""

from __future__ import annotations

import math

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import nbvars as tf
from nbvars import proto
from nbvars.dtypes import ALL
from nbvars.graph.attr_value import from_attr_value, to_attr_value
from nbvars.graph.tensor_proto import array_from_proto, array_to_proto, shape_from_proto, shape_to_proto
from tests.conftest import assert_same_bits

STRING = "string"


def through_bytes(value):
    """Return ``value`` after a trip over the wire."""
    return from_attr_value(proto.parse("AttrValue", to_attr_value(value).SerializeToString()))


VALUES = [
    True,
    0,
    -1,
    2**63 - 1,
    -(2**63),
    2**63,
    -(10**30),
    0.5,
    0.1,
    1e300,
    math.inf,
    -math.inf,
    "",
    "text ü",
    b"",
    b"bytes",
    b"\xff\x00",
    1 + 2j,
    None,
    ...,
    slice(None),
    slice(1, None, -2),
    tf.float32,
    tf.int64,
    tf.bfloat16,
    tf.string,
    tf.float32.as_ref,
    tf.TensorShape([]),
    tf.TensorShape([2, None, 0]),
    tf.TensorShape(None),
    (),
    (1, 2, 3),
    (1, 2**64),
    (True, False),
    (1, True),
    (0.5, 0.25),
    (0.5, 0.1),
    ("a", "b"),
    (tf.int32, tf.float32),
    (tf.TensorShape([1]), tf.TensorShape(None)),
    ((1, 2), (3,)),
    ((), ()),
    (None, ..., slice(0, 1), "array", 3, (None, (b"x",))),
]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_an_attribute_survives_the_wire_in_value_and_type(value):
    got = through_bytes(value)
    assert repr(got) == repr(value)
    assert type(got) is type(value)


def test_nan_and_minus_zero_survive():
    assert math.isnan(through_bytes(math.nan))
    assert math.copysign(1, through_bytes(-0.0)) == -1


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=["Cs"]))
    | st.binary()
)


@given(st.recursive(SCALARS, lambda inner: st.lists(inner).map(tuple), max_leaves=8))
def test_nested_tuples_of_anything_survive(value):
    assert repr(through_bytes(value)) == repr(value)


@pytest.mark.parametrize("dtype", ALL, ids=str)
@pytest.mark.parametrize("shape", [(), (0,), (1,), (2, 3), (2, 0, 1)], ids=str)
def test_an_array_survives_with_its_bits(dtype, shape, rng):
    array = np.asarray(rng.standard_normal(shape) * 3).astype(dtype.numpy_dtype)
    got = through_bytes(array)
    assert got.shape == array.shape
    assert_same_bits(np.atleast_1d(got), np.atleast_1d(array))


def test_arrays_of_strange_layout_survive():
    array = np.arange(12, dtype=">i4").reshape(3, 4)[::-1, ::2]
    np.testing.assert_array_equal(through_bytes(array), [[8, 10], [4, 6], [0, 2]])


def test_strings_survive_as_arrays_of_bytes():
    array = np.array([[b"a", b""], [b"\xff\x00", b"longer"]], object)
    got = through_bytes(array)
    assert got.dtype == object
    assert got.tolist() == array.tolist()


def test_a_list_comes_back_as_a_tuple():
    assert through_bytes([1, [2, None]]) == (1, (2, None))


@pytest.mark.parametrize("value", [object(), {"a": 1}, {1}, np.zeros(1, "datetime64[s]")], ids=type)
def test_what_no_attribute_can_be_is_refused(value):
    with pytest.raises(TypeError, match=r"got .*, expected "):
        to_attr_value(value)


# Made with TensorFlow 2.21: AttrValue messages of its own nodes.
TENSORFLOW = {
    b'B\x12\x08\x01\x12\x04\x12\x02\x08\x02"\x08\x00\x00\x80?\x00\x00\x00@': np.array([1, 2], np.float32),
    b"B\x07\x08\x03\x12\x00:\x01\x03": np.array(3, np.int32),
    b"B\x0b\x08\x07\x12\x04\x12\x02\x08\x01B\x01x": np.array([b"x"], object),
    b"0\x01": tf.float32,
    b":\x04\x12\x02\x08\x02": tf.TensorShape([2]),
    b":\x00": tf.TensorShape([]),
    b"\x12\x00": "",
    b"\n\x08\x12\x06loc:@a": ("loc:@a",),
    b"(\x01": True,
    b"\x18\x05": 5,
}


@pytest.mark.parametrize("data", TENSORFLOW, ids=repr)
def test_tensorflow_bytes_mean_what_tensorflow_means(data):
    got, expected = from_attr_value(proto.parse("AttrValue", data)), TENSORFLOW[data]
    assert repr(got) == repr(expected)


@pytest.mark.parametrize("value", [True, 5, "", ("loc:@a",), tf.float32, tf.TensorShape([2])], ids=repr)
def test_what_tensorflow_can_say_is_written_in_its_bytes(value):
    expected = next(data for data, meant in TENSORFLOW.items() if repr(meant) == repr(value))
    assert to_attr_value(value).SerializeToString() == expected


def tensor(dtype, shape, **numbers):
    number = getattr(tf, dtype).as_datatype_enum
    return proto.message_class("TensorProto")(
        dtype=number, tensor_shape={"dim": [{"size": n} for n in shape]}, **numbers
    )


@pytest.mark.parametrize(
    ("dtype", "numbers", "expected"),
    [
        ("int8", {"int_val": [-3]}, -3),
        ("uint8", {"int_val": [200]}, 200),
        ("int64", {"int64_val": [2**40]}, 2**40),
        ("uint32", {"uint32_val": [2**32 - 1]}, 2**32 - 1),
        ("uint64", {"uint64_val": [2**64 - 1]}, 2**64 - 1),
        ("float16", {"half_val": [0x3E00]}, 1.5),
        ("bfloat16", {"half_val": [0x3FC0]}, 1.5),
        ("float64", {"double_val": [0.1]}, 0.1),
        ("complex64", {"scomplex_val": [1, 2]}, 1 + 2j),
        ("complex128", {"dcomplex_val": [1, 2]}, 1 + 2j),
        ("bool", {"bool_val": [True]}, True),
        ("float32", {}, 0),
        ("bool", {}, False),
    ],
)
def test_a_list_of_one_number_fills_the_shape(dtype, numbers, expected):
    got = array_from_proto(tensor(dtype, (2, 2), **numbers))
    assert got.dtype == (ml_dtypes.bfloat16 if dtype == "bfloat16" else np.dtype(dtype))
    assert got.tolist() == [[expected] * 2] * 2


def test_a_short_list_goes_on_with_its_last_number():
    assert array_from_proto(tensor("int32", (4,), int_val=[1, 2])).tolist() == [1, 2, 2, 2]
    assert array_from_proto(tensor(STRING, (3,), string_val=[b"a", b"b"])).tolist() == [b"a", b"b", b"b"]


@pytest.mark.parametrize(
    "message",
    [
        tensor("int32", (2,), int_val=[1, 2, 3]),
        tensor("int32", (2,), tensor_content=b"\0" * 4),
        tensor("int32", (2,), tensor_content=b"\0" * 9),
        tensor("float32", (-1,), float_val=[1]),
        tensor("float32", (-2,), float_val=[1]),
        tensor(STRING, (1,), tensor_content=b"x"),
    ],
    ids=repr,
)
def test_a_malformed_tensor_is_a_value_error(message):
    with pytest.raises(ValueError, match=r"got .*, expected "):
        array_from_proto(message)


def attr(**fields):
    return proto.message_class("AttrValue")(**fields)


@pytest.mark.parametrize(
    "message",
    [
        attr(func={"name": "nbvars.slice"}),
        attr(func={"name": "nbvars.int", "attr": {"value": attr(s=b"no digits")}}),
        attr(func={"name": "nbvars.tuple", "attr": {"1": attr(i=1)}}),
        attr(list={"i": [1], "s": [b"a"]}),
        attr(shape={"dim": [{"size": -5}]}),
    ],
    ids=repr,
)
def test_a_malformed_attribute_is_a_value_error(message):
    with pytest.raises(ValueError, match="malformed"):
        from_attr_value(message)


@pytest.mark.parametrize(
    "message",
    [
        attr(),
        attr(placeholder="T"),
        attr(type=20),
        attr(func={"name": "f", "attr": {"T": attr(type=1)}}),
        attr(list={"func": [{"name": "f"}]}),
        attr(list={"type": [1, 20]}),
    ],
    ids=repr,
)
def test_what_has_no_meaning_here_is_kept_as_the_message(message):
    kept = from_attr_value(message)
    assert kept == message
    assert kept is not message
    assert to_attr_value(kept) == message


def test_shapes_have_the_form_of_tensorflow():
    assert shape_to_proto(tf.TensorShape([2, None])).SerializeToString() == (
        b"\x12\x02\x08\x02\x12\x0b\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"
    )
    assert shape_to_proto(tf.TensorShape(None)).SerializeToString() == b"\x18\x01"
    assert shape_from_proto(shape_to_proto(tf.TensorShape(None))).ndims is None


def test_numbers_are_written_as_their_bytes():
    assert array_to_proto(np.array([1, 2], np.int16)).tensor_content == b"\x01\x00\x02\x00"

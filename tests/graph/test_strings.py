"""Strings in graphs: ops that move elements take them, all others refuse them."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

import nbvars as tf
from nbvars import ops

WORDS = np.array([["a", "bc", ""], ["déf", "g\0", "h"]], object)
BYTES = np.array([[b"a", b"bc", b""], ["déf".encode(), b"g\0", b"h"]], object)
MASK = np.array([True, False, True])

# A call that moves elements, and the same on an array.
MOVES = {
    "identity": (ops.identity, lambda x: x),
    "stop_gradient": (ops.stop_gradient, lambda x: x),
    "reshape": (lambda x: ops.reshape(x, [3, -1]), lambda x: x.reshape(3, 2)),
    "reshape to a scalar": (lambda x: ops.reshape(x[0, 1], []), lambda x: x[0, 1]),
    "transpose": (ops.transpose, np.transpose),
    "expand_dims": (lambda x: ops.expand_dims(x, 1), lambda x: x[:, None]),
    "squeeze": (lambda x: ops.squeeze(x[:1]), lambda x: x[0]),
    "broadcast_to": (lambda x: ops.broadcast_to(x, [2, 2, 3]), lambda x: np.broadcast_to(x, (2, 2, 3))),
    "concat": (lambda x: ops.concat([x, [["x", "y", "z"]]], 0), lambda x: np.concatenate([x, [[b"x", b"y", b"z"]]])),
    "stack": (lambda x: ops.stack([x, x], 1), lambda x: np.stack([x, x], 1)),
    "stack of words": (lambda x: ops.stack([x[0, 0], "w"]), lambda x: np.array([x[0, 0], b"w"], object)),
    "unstack": (lambda x: ops.unstack(x[0], 3)[1], lambda x: x[0, 1]),
    "split": (lambda x: ops.split(x, 3, 1)[2], lambda x: x[:, 2:]),
    "tile": (lambda x: ops.tile(x, [1, 2]), lambda x: np.tile(x, (1, 2))),
    "slice": (lambda x: ops.slice(x, [0, 1], [2, 2]), lambda x: x[:, 1:]),
    "gather": (lambda x: ops.gather(x, [1, 0, 1]), lambda x: x[[1, 0, 1]]),
    "gather of one": (lambda x: ops.gather(x[0], 1), lambda x: x[0, 1]),
    "gather_nd": (lambda x: ops.gather_nd(x, [[0, 1], [1, 1]]), lambda x: x[[0, 1], [1, 1]]),
    "gather_nd of one": (lambda x: ops.gather_nd(x, [1, 0]), lambda x: x[1, 0]),
    "boolean_mask": (lambda x: ops.boolean_mask(x, MASK, axis=1), lambda x: x[:, MASK]),
    "where": (lambda x: ops.where([True, False], x, x[::-1]), lambda x: x[[0, 0]]),
    "fill": (lambda x: ops.fill([2], x[1, 1]), lambda x: np.array([b"g\0"] * 2, object)),
    "item": (lambda x: x[1, 0], lambda x: x[1, 0]),
    "part": (lambda x: x[::-1, None, 1:], lambda x: x[::-1, None, 1:]),
    "rows": (lambda x: x[[1, 1]], lambda x: x[[1, 1]]),
    "element by array": (lambda x: x[1, np.array([0])], lambda x: x[1, [0]]),
    "random_shuffle": (lambda x: ops.random_shuffle(x[:1]), lambda x: x[:1]),
    "shape": (ops.shape, lambda x: np.array(x.shape, np.int32)),
    "size": (ops.size, lambda x: np.int32(x.size)),
    "rank": (ops.rank, lambda x: np.int32(x.ndim)),
    "list of tensors": (lambda x: ops.convert_to_tensor([x[0, 0], "w", x[0, 1]]), lambda x: [b"a", b"w", b"bc"]),
    "constant": (ops.constant, lambda x: x),
    "reshape to its shape": (lambda x: ops.reshape(x, ops.shape(x)), lambda x: x),
}

COMPUTES = {
    "add_n": lambda x: ops.add_n([x, x]),
    "cast": lambda x: ops.cast(x, "int32"),
    "clip_by_value": lambda x: ops.clip_by_value(x, x, x),
    "fill": lambda x: ops.fill(x, 0),
    "gather": lambda x: ops.gather(WORDS, x),
    "gather_nd": lambda x: ops.gather_nd(WORDS, x),
    "linspace": lambda x: ops.linspace(x[0, 0], x[0, 0], 2),
    "matmul": lambda x: ops.matmul(x, x, transpose_a=True),
    "mixed concat": lambda x: ops.concat([x, [[1, 2, 3]]], 0),
    "mixed stack": lambda x: ops.stack([x[0, 0], 1]),
    "mixed where": lambda x: ops.where([True, False, True], x, 1),
    "one_hot": lambda x: ops.one_hot(x, 3),
    "one_hot values": lambda x: ops.one_hot([1], 3, x[0, 0], x[0, 1]),
    "pad": lambda x: ops.pad(x, [[1, 1], [0, 0]]),
    "random_normal": lambda x: ops.random_normal([2], x[0, 0]),
    "range": lambda x: ops.range(x[0, 0]),
    "reshape": lambda x: ops.reshape([1], x[0]),
    "saturate_cast": lambda x: ops.saturate_cast(x, "int8"),
    "tensordot": lambda x: ops.tensordot(x, x, 2),
    "boolean_mask": lambda x: ops.boolean_mask([1, 2, 3], x[0]),
    "where": ops.where,
    "unique": lambda x: ops.unique(x[0]),
    "axis": lambda x: ops.reduce_sum([1], axis=x[0, 0]),
    "item": lambda x: ops.constant([1, 2])[x[0, 0]],
    "items": lambda x: ops.constant([1, 2])[x[0]],
    "operator": lambda x: x + "a",
    "operator of numbers": lambda x: x * 2,
    "&": lambda x: x & x,
    "~": lambda x: ~x,
    "number operator": lambda x: tf.constant(1.0) + "a",
    "equality": lambda x: ops.equal(x, "a"),
}
MADE_FROM_NUMBERS = {
    "eye",
    "ones",
    "zeros",
    "set_random_seed",
    "random_uniform",
    "truncated_normal",
    "convert_to_tensor",
}


# All other ops take tensors alone, and compute.
ARITHMETIC = sorted({*ops.__all__} - {name.split(" ")[0] for name in (*MOVES, *COMPUTES)} - MADE_FROM_NUMBERS)


@pytest.mark.parametrize("name", MOVES)
@pytest.mark.parametrize("source", ["constant", "placeholder", "unknown"])
def test_moving_ops_give_the_same_bytes(name, source):
    call, reference = MOVES[name]
    with tf.Graph().as_default(), tf.Session() as sess:
        shape = WORDS.shape if source == "placeholder" else None
        x = tf.constant(WORDS) if source == "constant" else tf.placeholder("string", shape)
        output = call(x)
        got = sess.run(output, {} if source == "constant" else {x: WORDS})
    expected = reference(BYTES)
    assert output.dtype == (tf.int32 if name in ("shape", "size", "rank") else tf.string)
    if np.ndim(expected) == 0:
        assert type(got) is type(expected)
        assert got == expected
    else:
        assert output.shape.is_compatible_with(np.shape(expected))
        assert got.dtype == (np.int32 if name == "shape" else object)
        np.testing.assert_array_equal(got, np.asarray(expected, got.dtype))


@pytest.mark.parametrize("name", COMPUTES)
@pytest.mark.parametrize("shape", [WORDS.shape, None])
def test_computing_ops_refuse_strings_when_the_graph_is_built(name, shape):
    with tf.Graph().as_default():
        x = tf.placeholder("string", shape)
        with pytest.raises(
            TypeError, match=r"got .*(string|str|<U|nbvars.Tensor).*, expected|: got .*, expected string"
        ):
            COMPUTES[name](x)


@pytest.mark.parametrize("name", ARITHMETIC)
def test_arithmetic_refuses_strings_by_name(name):
    with tf.Graph().as_default():
        x = tf.constant(WORDS)
        parameters = inspect.signature(getattr(ops, name)).parameters
        arguments = (x, x) if "y" in parameters else (x, "here") if "message" in parameters else (x,)
        where = name.replace("divide", "truediv")
        with pytest.raises(TypeError, match=rf"^{where}: \w+ has the wrong dtype: got string, expected (a|bool)"):
            getattr(ops, name)(*arguments)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("ab", b"ab"),
        (b"ab", b"ab"),
        ("é", "é".encode()),
        (b"\xff\0", b"\xff\0"),
        (np.str_("ab"), b"ab"),
        (["a", b"b"], [b"a", b"b"]),
        ([["a"], ["b"]], [[b"a"], [b"b"]]),
        (np.array(["a", "bcd"]), [b"a", b"bcd"]),
        (np.array([b"a", b"bcd"]), [b"a", b"bcd"]),
        (np.array(["a", b"b\0"], object), [b"a", b"b\0"]),
        (np.array([], object), np.array([], object)),
    ],
)
def test_strings_are_constants_and_feeds(value, expected):
    with tf.Graph().as_default(), tf.Session() as sess:
        x = tf.placeholder("string")
        made = [tf.constant(value), tf.constant(value, "string"), ops.convert_to_tensor(value, tf.string)]
        for got in (*sess.run(made), sess.run(x, {x: value}), sess.run(ops.identity(x), {x: value})):
            if isinstance(expected, bytes):
                assert type(got) is bytes
                assert got == expected
            else:
                assert got.dtype == object
                assert got.tolist() == np.array(expected, object).tolist()
    assert all(each.shape == np.shape(expected) for each in made)


def test_a_constant_fills_its_shape_with_the_last_string():
    with tf.Graph().as_default(), tf.Session() as sess:
        x = tf.constant(["a", "b\0"], shape=[2, 2], name="words")
        assert sess.run(x).tolist() == [[b"a", b"b\0"], [b"b\0", b"b\0"]]
        assert x.name == "words:0"
        assert sess.run(tf.constant("a", shape=[0])).shape == (0,)


@pytest.mark.parametrize("value", [1, 1.5, [1, 2], ["a", 1], None, np.arange(2), np.array([1, "a"], object)])
def test_what_is_no_string_is_refused(value):
    with tf.Graph().as_default(), tf.Session() as sess:
        x = tf.placeholder("string")
        with pytest.raises(TypeError, match=r"an element is no string: got .*, expected str or bytes"):
            sess.run(x, {x: value})
        with pytest.raises(TypeError, match=r"an element is no string: got .*, expected str or bytes"):
            tf.constant(value, "string")


@pytest.mark.parametrize("value", ["a", b"a", ["a"], np.array(["a"]), np.array(["a"], object)])
def test_strings_are_no_feeds_of_numbers(value):
    with tf.Graph().as_default(), tf.Session() as sess:
        x = tf.placeholder("float32")
        with pytest.raises(TypeError, match=r"unsupported type: got .*, expected numbers"):
            sess.run(x, {x: value})


@pytest.mark.parametrize("call", [tf.constant, ops.identity, ops.convert_to_tensor, lambda x: ops.concat([x, x], 0)])
@pytest.mark.parametrize("value", [["a"], np.array(["a"]), np.array([b"a"], object)])
def test_eager_mode_refuses_strings(call, value):
    with pytest.raises(TypeError, match=r"the value has an unsupported type: got .*, expected numbers"):
        call(value)


def test_a_fetched_string_array_is_a_copy():
    with tf.Graph().as_default(), tf.Session() as sess:
        words, x = tf.constant(["a", "b"]), tf.placeholder("string")
        fed = np.array([b"a", b"b"], object)
        outputs = [words, ops.identity(words), words[::-1], x, ops.reshape(x, [2, 1])]
        for array in sess.run(outputs, {x: fed}):
            array[...] = b"changed"
        assert [array.reshape(-1).tolist() for array in sess.run(outputs, {x: fed})] == [
            [b"a", b"b"],
            [b"a", b"b"],
            [b"b", b"a"],
            [b"a", b"b"],
            [b"a", b"b"],
        ]
    assert fed.tolist() == [b"a", b"b"]

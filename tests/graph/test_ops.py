"""Every public op in a graph: the bits of eager mode, whatever is known of the shapes before the run."""

from __future__ import annotations

import functools

import numpy as np
import pytest

import nbvars as tf
from nbvars import dtypes, ops
from tests.conftest import assert_same_bits

F = np.array([[0.5, -1.5, 2.0], [3.0, 0.25, -0.75]], np.float32)
G = np.array([[1.5, 2.0, 0.5], [-0.5, 4.0, 1.0]], np.float32)
P = np.abs(F)
S = np.array(2.0, np.float32)
I = np.array([[1, -2, 3], [4, 5, -6]], np.int32)  # noqa: E741 - the letters name the kinds of arrays
J = np.array([[3, 2, 1], [5, 7, 2]], np.int32)
B = np.array([[True, False, True], [False, False, True]])
C = np.array([[1 + 2j, 3j, 2], [0.5, 1j, 2 - 1j]], np.complex64)
H = F.astype(np.float16)
BF = F.astype(dtypes.bfloat16.numpy_dtype)
Z = F[:0]
K = np.array([[0, 1], [1, 0]])
V = np.array([3, 1, 3, 2, 1], np.int32)

# The name of a public function; a call of it; the arrays that it takes.
CASES = [
    *[(name, getattr(ops, name), [x]) for name in ("abs", "negative", "sign", "square") for x in (F, H, BF, I, C)],
    *[(name, getattr(ops, name), [x]) for name in ("cos", "exp", "expm1", "sin", "tanh", "sigmoid") for x in (F, BF)],
    *[
        (name, getattr(ops, name), [x])
        for name in ("log", "log1p", "reciprocal", "rsqrt", "sqrt")
        for x in (F, P, C, S)
    ],
    *[(name, getattr(ops, name), [x]) for name in ("floor", "ceil", "is_nan", "is_inf", "is_finite") for x in (F, BF)],
    *[(name, getattr(ops, name), [x]) for name in ("round", "relu") for x in (F, H, I)],
    *[(name, getattr(ops, name), [F, G]) for name in ("add", "subtract", "multiply", "divide", "truediv")],
    *[(name, getattr(ops, name), [I, J[0]]) for name in ("add", "multiply", "floordiv", "mod", "truediv", "divide")],
    *[(name, getattr(ops, name), [BF, BF[:1]]) for name in ("add", "floordiv", "mod", "maximum", "minimum")],
    *[(name, getattr(ops, name), [F, G[:, :1]]) for name in ("equal", "less", "less_equal", "greater", "maximum")],
    *[(name, getattr(ops, name), [I, J]) for name in ("not_equal", "greater_equal", "minimum")],
    *[(name, getattr(ops, name), [B, B[0]]) for name in ("logical_and", "logical_or", "logical_xor")],
    ("logical_not", ops.logical_not, [B]),
    ("truediv", ops.truediv, [I.astype(np.int8), J.astype(np.int8)]),
    ("pow", ops.pow, [I, J]),
    ("pow", ops.pow, [P, S]),
    ("add", lambda x: ops.add(x, 2), [F]),
    ("add", lambda x: ops.add([1.0, 2.0, 3.0], x), [F]),
    ("add_n", lambda x, y: ops.add_n([x, y, x]), [F, G]),
    ("add_n", lambda x: ops.add_n([x, 1.5]), [S]),
    ("argmax", ops.argmax, [F]),
    ("argmax", lambda x: ops.argmax(x, axis=-1, output_type=dtypes.int32), [I]),
    ("argmin", lambda x: ops.argmin(x, 1), [B]),
    ("boolean_mask", ops.boolean_mask, [F, B]),
    ("boolean_mask", lambda x, m: ops.boolean_mask(x, m, axis=1), [F, B[0]]),
    ("broadcast_to", lambda x: ops.broadcast_to(x, [4, 2, 3]), [F]),
    *[("cast", lambda x, d=d: ops.cast(x, d), [x]) for x, d in ((F, "int32"), (I, "float32"), (F, "float32"))],
    ("clip_by_value", lambda x: ops.clip_by_value(x, -0.5, 1), [F]),
    ("clip_by_value", ops.clip_by_value, [F, S - 3, G]),
    *[("check_numerics", lambda x: ops.check_numerics(x, "here"), [x]) for x in (F, H, BF, Z)],
    ("concat", lambda x, y: ops.concat([x, y], 0), [F, Z]),
    ("concat", lambda x, y: ops.concat([x, y, [[1], [2]]], -1), [I, J]),
    ("concat", lambda x: ops.concat([F, x, F], 1), [G]),
    ("constant", lambda: ops.constant([1, 2]), []),
    ("constant", lambda: ops.constant(F, shape=[3, 4]), []),
    ("constant", lambda: ops.constant(3, dtype="float64", shape=(2, 0)), []),
    ("constant", ops.constant, [F]),
    ("convert_to_tensor", lambda: ops.convert_to_tensor([[1.5, 2], [3, 4]]), []),
    ("convert_to_tensor", ops.convert_to_tensor, [I]),
    ("cumsum", lambda x: ops.cumsum(x, axis=1, exclusive=True), [F]),
    ("cumsum", lambda x: ops.cumsum(x, reverse=True), [BF]),
    ("expand_dims", lambda x: ops.expand_dims(x, -2), [F]),
    ("eye", lambda: ops.eye(2, 3, batch_shape=[2], dtype="int32"), []),
    ("fill", lambda x: ops.fill([2, 3], x), [S]),
    ("gather", ops.gather, [F, K]),
    ("gather", lambda x, i: ops.gather(x, i, axis=-1), [F, K[0]]),
    ("gather", lambda x: ops.gather(x, 1), [V]),
    ("gather", lambda x: ops.gather(x, []), [F]),
    ("gather_nd", ops.gather_nd, [F, K]),
    ("gather_nd", ops.gather_nd, [F, K[:, :1]]),
    ("gather_nd", lambda x: ops.gather_nd(x, np.zeros((2, 0), int)), [F]),
    ("identity", ops.identity, [F]),
    ("stop_gradient", ops.stop_gradient, [F]),
    ("linspace", lambda: ops.linspace(0, 1, 5), []),
    ("linspace", lambda a, b: ops.linspace(a, b, 3), [S, S + 1]),
    ("log_softmax", ops.log_softmax, [F]),
    ("softmax", lambda x: ops.softmax(x, 0), [BF]),
    ("softmax", ops.softmax, [Z]),
    ("matmul", lambda x, y: ops.matmul(x, y, transpose_b=True), [F, G]),
    ("matmul", lambda x, y: ops.matmul(x, y, transpose_a=True), [np.ones((4, 2, 3), np.float32), F]),
    *[
        ("norm", lambda x, a=a: ops.norm(x, *a), [F])
        for a in ((), (1, 0), ("fro", [0, 1]), (np.inf, -1), (2, None, True))
    ],
    ("one_hot", lambda i: ops.one_hot(i, 3), [K]),
    ("one_hot", lambda i, on: ops.one_hot(i, 3, on_value=on, axis=0), [K, S]),
    ("one_hot", lambda i, off: ops.one_hot(i, 3, off_value=off, dtype="float32"), [K, S]),
    ("ones", lambda: ops.ones([2, 3], "int64"), []),
    ("zeros", lambda: ops.zeros(()), []),
    ("ones_like", ops.ones_like, [I]),
    ("zeros_like", lambda x: ops.zeros_like(x, "bool"), [F]),
    *[("pad", lambda x, m=m: ops.pad(x, [[1, 0], [2, 1]], m), [x]) for x in (F, B) for m in ("CONSTANT", "reflect")],
    ("pad", lambda x, y: ops.pad(x, [[1, 1], [0, 0]], constant_values=y), [F, S]),
    ("range", lambda: ops.range(2, 9, 3), []),
    ("range", ops.range, [np.array(1), np.array(9), np.array(3)]),
    ("range", lambda n: ops.range(n, dtype="int32"), [V[0]]),
    ("range", lambda n: ops.range(n, 5, 0.5), [np.array(1, np.int32)]),
    ("rank", ops.rank, [F]),
    *[
        (f"reduce_{name}", lambda x, f=f"reduce_{name}", a=a: getattr(ops, f)(x, **a), [x])
        for name, xs in (
            ("sum", [F, I, BF]),
            ("prod", [F, I]),
            ("mean", [F, I, C]),
            ("max", [F, Z]),
            ("min", [I]),
            ("any", [B]),
            ("all", [B]),
            ("logsumexp", [F]),
        )
        for x in xs
        for a in ({}, {"axis": 0}, {"axis": [-1], "keepdims": True}, {"axis": []})
    ],
    ("reshape", lambda x: ops.reshape(x, [3, -1]), [F]),
    ("reshape", lambda x: ops.reshape(x, []), [S]),
    ("saturate_cast", lambda x: ops.saturate_cast(x, "int32"), [F * 1e12]),
    ("shape", ops.shape, [F]),
    ("size", lambda x: ops.size(x, out_type=dtypes.int64), [F]),
    ("slice", lambda x: ops.slice(x, [0, 1], [-1, 2]), [F]),
    ("split", lambda x: ops.split(x, 3, axis=1), [F]),
    ("split", lambda x: ops.split(x, [1, -1], -1), [F]),
    ("squeeze", ops.squeeze, [F[:1]]),
    ("squeeze", lambda x: ops.squeeze(x, [0]), [F[:1]]),
    ("squeeze", lambda x: ops.squeeze(x, []), [S]),
    ("stack", lambda x, y: ops.stack([x, y], axis=-1), [F, G]),
    ("stack", lambda x: ops.stack([x, 1, 2]), [S]),
    ("tensordot", lambda x, y: ops.tensordot(x, y, 1), [F, G.T]),
    ("tensordot", lambda x, y: ops.tensordot(x, y, [[0, 1], [0, 1]]), [F, G]),
    ("tile", lambda x: ops.tile(x, [2, 1]), [F]),
    ("transpose", ops.transpose, [F]),
    ("transpose", lambda x: ops.transpose(x, [1, 0]), [I]),
    ("unique", ops.unique, [V]),
    ("unique", lambda x: ops.unique(x, dtypes.int64), [F[0]]),
    ("unstack", lambda x: ops.unstack(x, 2), [F]),
    ("unstack", lambda x: ops.unstack(x, num=3, axis=-1), [F]),
    *[("where", ops.where, [c, F, G]) for c in (B, B[:, 0], B[0], np.array(True))],
    ("where", ops.where, [B]),
    ("where", lambda c, x: ops.where(c, x, 0), [B, I]),
]

# As above, of operators, which arrays have too.
OPERATORS = [
    ("lists", lambda x, y: ops.convert_to_tensor([[x, 1], [2.5, y]]), [S, S]),
    ("-", lambda x: 1 - x, [I]),
    ("*", lambda x, y: x * y, [F, S]),
    ("/", lambda x: x / 2, [I]),
    ("//", lambda x: 7 // x, [J]),
    ("%", lambda x: x % 4, [I]),
    ("**", lambda x: x**2, [I]),
    ("@", lambda x, y: x @ y, [F, F.T]),
    ("-", lambda x: -x, [F]),
    ("abs", abs, [F]),
    ("&|^~", lambda x, y: (x & y) | (x ^ ~y), [B, B[0]]),
    ("&|^~", lambda x, y: (x & y) | (x ^ ~y), [I, J]),
    ("<>", lambda x, y: ops.equal(x < y, y > x), [F, G]),
    *[
        ("[]", f, [F, *arrays])
        for f, *arrays in (
            (lambda x: x[0],),
            (lambda x: x[-1, 1:],),
            (lambda x: x[::-1, None, ..., 2],),
            (lambda x: x[..., :0],),
            (lambda x: x[[1, 0, 1]],),
            (lambda x, i: x[i], K),
            (lambda x, i: x[:, i[0]], K),
            (lambda x, i: x[0, i], K),
            (lambda x, m: x[m], B),
            (lambda x, m: x[m, 1], B[:, 0]),
        )
    ],
]

RANDOM = {"random_normal", "random_shuffle", "random_uniform", "set_random_seed", "truncated_normal"}
UNKNOWN_BEFORE_THE_RUN = {"boolean_mask", "range", "unique", "where"}

# How a graph may hold an array: what is known of it before a run.
WAYS = {
    "arrays": lambda array: array,
    "constants": tf.constant,
    "variables": tf.Variable,
    "known shapes": lambda array: tf.placeholder(array.dtype, array.shape),
    "known ranks": lambda array: tf.placeholder(array.dtype, [None] * array.ndim),
    "nothing known": lambda array: tf.placeholder(array.dtype),
}


def _as_list(result):
    return list(result) if isinstance(result, (list, tuple)) else [result]


def _is_placeholder(value):
    return isinstance(value, tf.Tensor) and value.op.type == "Placeholder"


def _id(case):
    return "-".join([case[0], *(f"{array.dtype}{list(array.shape)}".replace(" ", "") for array in case[2])])


def test_every_public_op_has_a_case():
    assert {name for name, _, _ in CASES} | RANDOM == set(ops.__all__)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("name", "call", "arrays"), CASES, ids=map(_id, CASES))
def test_a_session_computes_the_bits_of_eager_mode(name, call, arrays, way):
    _check(name, call, arrays, way)


@pytest.mark.parametrize("way", [way for way in WAYS if way != "arrays"])
@pytest.mark.parametrize(("name", "call", "arrays"), OPERATORS, ids=map(_id, OPERATORS))
def test_operators_in_a_session_give_the_bits_of_eager_mode(name, call, arrays, way):
    _check(name, call, arrays, way)


def _check(name, call, arrays, way):
    expected = [each.numpy() for each in _as_list(call(*map(tf.constant, arrays)))]
    with tf.Graph().as_default(), tf.Session() as sess:
        inputs = [WAYS[way](array) for array in arrays]
        outputs = _as_list(call(*inputs))
        sess.run([variable.initializer for variable in tf.get_collection(tf.GraphKeys.GLOBAL_VARIABLES)])
        feeds = {tensor: array for tensor, array in zip(inputs, arrays, strict=True) if _is_placeholder(tensor)}
        got = sess.run(outputs, feeds)
    is_shape_known = way not in ("known ranks", "nothing known") and name not in UNKNOWN_BEFORE_THE_RUN
    has_mask = name == "[]" and any(array.dtype == bool for array in arrays)
    assert len(got) == len(expected)
    for output, value, reference in zip(outputs, got, expected, strict=True):
        assert output.dtype.base_dtype == reference.dtype
        assert_same_bits(np.asarray(value), np.asarray(reference))
        assert output.shape.is_compatible_with(reference.shape)
        if is_shape_known and not has_mask:
            assert output.shape.as_list() == list(reference.shape)


_FIRST_CASES = {name: (call, arrays) for name, call, arrays in reversed(CASES)}


@pytest.mark.parametrize("name", _FIRST_CASES)
def test_a_given_name_is_that_of_the_operation(monkeypatch, name):
    call, arrays = _FIRST_CASES[name]
    named = functools.partial(getattr(ops, name), name="given")
    with tf.Graph().as_default():
        inputs = [tf.placeholder(array.dtype, array.shape) for array in arrays]
        call = named if call is getattr(ops, name) else call
        monkeypatch.setattr(ops, name, named)
        assert _as_list(call(*inputs))[0].op.name == "given"


@pytest.mark.parametrize("name", sorted(RANDOM - {"set_random_seed"}))
def test_random_ops_take_names(name):
    with tf.Graph().as_default():
        assert getattr(ops, name)([2], name="given").name == "given:0"
        assert getattr(ops, name)([2]).op.name == {"random_shuffle": "RandomShuffle"}.get(name, name)


_NAMES = [
    (lambda x: x + 1, ["add", "add/y"]),
    (lambda x: 1 + x, ["add", "add/x"]),
    (lambda x: x - x, ["sub"]),
    (lambda x: x * [1.0, 2.0, 3.0], ["mul", "mul/y"]),
    (lambda x: x / 2, ["truediv", "truediv/y"]),
    (lambda x: ops.cast(x, "int32") / 2, ["truediv", "truediv/y", "truediv/Cast", "truediv/Cast_1", "Cast"]),
    (lambda x: x // 2, ["floordiv", "floordiv/y"]),
    (lambda x: x % 2, ["mod", "mod/y"]),
    (lambda x: x**2, ["pow", "pow/y"]),
    (lambda x: -x, ["Neg"]),
    (lambda x: x[0], ["strided_slice"]),
    (lambda x: x @ ops.transpose(x), ["MatMul", "transpose"]),
    (lambda x: x > 0, ["Greater", "Greater/y"]),
    (ops.reduce_sum, ["Sum"]),
    (ops.reduce_mean, ["Mean"]),
    (ops.reduce_logsumexp, ["ReduceLogSumExp"]),
    (ops.zeros_like, ["zeros_like"]),
    (lambda x: ops.reshape(x, [-1]), ["Reshape"]),
    (lambda x: ops.concat([x, x], 0), ["concat"]),
    (lambda x: ops.stack([x, [[1.0] * 3] * 2]), ["stack", "stack/values_1"]),
    (lambda x: ops.split(x, 3, 1), ["split"]),
    (ops.unstack, ["unstack"]),
    (lambda x: ops.gather(x, [0]), ["GatherV2", "GatherV2/indices"]),
    (ops.argmax, ["ArgMax"]),
    (lambda x: ops.where(x > 0), ["Where", "Greater", "Greater/y"]),
    (lambda x: ops.zeros([2]), ["zeros", "zeros/value"]),
    (lambda x: ops.ones([2]), ["ones", "ones/value"]),
    (lambda x: ops.fill([2], 1), ["Fill", "Fill/value"]),
    (lambda x: ops.constant(1), ["Const"]),
    (lambda x: ops.constant(1, shape=[2]), ["Const"]),
    (lambda x: ops.convert_to_tensor(1), ["Const"]),
    (ops.convert_to_tensor, []),
    (lambda x: ops.cast(x, "float32"), []),
    (lambda x: ops.convert_to_tensor([x[0], [1.0] * 3], name="rows"), ["rows", "rows/values_1", "strided_slice"]),
    (
        lambda x: ops.zeros([ops.argmax(x[0]), 2]),
        ["zeros", "zeros/value", "packed", "packed/values_1", "ArgMax", "strided_slice"],
    ),
    (
        lambda x: ops.reduce_sum(ops.zeros([ops.size(x), 2]), tf.constant(1)),
        ["Sum", "zeros", "zeros/value", "Size", "Const"],
    ),
    (lambda x: ops.range(3), ["range", "range/start", "range/limit", "range/delta"]),
    (lambda x: ops.clip_by_value(x, 0, 1), ["clip_by_value", "clip_by_value/low", "clip_by_value/high"]),
    (lambda x: ops.one_hot([1], 3), ["one_hot", "one_hot/indices", "one_hot/on_value", "one_hot/off_value"]),
]


@pytest.mark.parametrize(("call", "names"), _NAMES)
def test_names_are_those_of_tensorflow(call, names):
    with tf.Graph().as_default() as graph:
        x = tf.placeholder("float32", [2, 3])
        call(x)
        assert {op.name for op in graph.get_operations()} == {"Placeholder", *names}


def test_names_are_unique_and_lie_in_their_scope():
    with tf.Graph().as_default():
        x = tf.placeholder("float32", [2, 3], name="x")
        assert [(x + x).name, (x + x).name, ops.add(x, x, name="plus").name] == ["add:0", "add_1:0", "plus:0"]
        with tf.name_scope("layer"):
            assert ops.reduce_sum(x).name == "layer/Sum:0"
            assert (x + 1).op.inputs[1].name == "layer/add/y:0"
        assert [tensor.name for tensor in ops.split(x, 3, 1)] == ["split:0", "split:1", "split:2"]
        assert ops.unique(x[0], name="u").idx.name == "u:1"


def test_cast_to_its_own_dtype_is_the_tensor_itself_but_a_copy_of_a_variable():
    with tf.Graph().as_default(), tf.Session() as sess:
        x, v = tf.placeholder("float32"), tf.Variable([1.0, 2.0])
        assert ops.cast(x, tf.float32) is x
        sess.run(v.initializer)
        copy = ops.cast(v, tf.float32)
        with tf.control_dependencies([copy]):
            changed = v.assign([5.0, 5.0])
        assert [each.tolist() for each in sess.run([copy, changed])] == [[1, 2], [5, 5]]


# What may give NumPy's view of an input.
_VIEWS = {
    "identity": ops.identity,
    "reshape": lambda x: ops.reshape(x, [3, 2]),
    "reshape to the same": lambda x: ops.reshape(x, [2, 3]),
    "transpose": ops.transpose,
    "expand_dims": lambda x: ops.expand_dims(x, 0),
    "squeeze": lambda x: ops.squeeze(x[:1]),
    "slice": lambda x: ops.slice(x, [0, 0], [1, 2]),
    "row": lambda x: x[1],
    "element": lambda x: x[1, 1],
    "part": lambda x: x[:, ::2],
    "split": lambda x: ops.split(x, 3, 1)[1],
    "unstack": lambda x: ops.unstack(x)[0],
    "round of integers": lambda x: ops.round(ops.reshape(x, [2, 3])),
    "pad by nothing": lambda x: ops.pad(x, [[0, 0], [0, 0]]),
    "constant": ops.constant,
    "views of views": lambda x: ops.transpose(ops.reshape(x, [6])[1:]),
    "broadcast_to": lambda x: ops.broadcast_to(x, [2, 3]),
    "cumsum": lambda x: ops.cumsum(x, reverse=True),
    "random_shuffle": lambda x: ops.random_shuffle(x[:1]),
    "cast": lambda x: ops.cast(x, "int32"),
}


@pytest.mark.parametrize("name", _VIEWS)
def test_a_fetched_value_changes_with_nothing(name):
    with tf.Graph().as_default(), tf.Session() as sess:
        fed = np.arange(6, dtype=np.int32).reshape(2, 3)
        x, v, c = tf.placeholder("int32", [2, 3]), tf.Variable(fed), tf.constant(fed)
        sess.run(v.initializer)
        outputs = [_VIEWS[name](source) for source in (x, v, c)]
        got = sess.run(outputs, {x: fed})
        expected = [value.copy() for value in got]
        fed += 10
        sess.run(v.assign_add(fed))
        for value, before in zip(got, expected, strict=True):
            np.testing.assert_array_equal(value, before)
        for value in got:
            if value.ndim:
                value[...] = -1
        assert fed.min() == 10
        np.testing.assert_array_equal(sess.run(v), fed + np.arange(6).reshape(2, 3))
        np.testing.assert_array_equal(sess.run(c), np.arange(6).reshape(2, 3))
        np.testing.assert_array_equal(sess.run(outputs[2]), expected[2])


@pytest.mark.parametrize("name", [name for name in _VIEWS if name not in ("constant", "cast")])
def test_a_value_made_before_an_update_does_not_show_it(name):
    with tf.Graph().as_default(), tf.Session() as sess:
        v = tf.Variable(np.arange(6, dtype=np.int32).reshape(2, 3))
        sess.run(v.initializer)
        before = _VIEWS[name](v)
        with tf.control_dependencies([before]):
            update = v.assign_add(np.full((2, 3), 100, np.int32))
        assert sess.run([before, update])[0].max() < 100


def test_a_constant_keeps_the_value_that_its_array_had():
    with tf.Graph().as_default(), tf.Session() as sess:
        array = np.ones(3, np.float32)
        outputs = [tf.constant(array), ops.convert_to_tensor(array), ops.identity(array), array + tf.constant(array)]
        outputs += [ops.stack([array, array])[0], ops.constant(array, shape=[3])]
        array[:] = 7
        assert [value.max() for value in sess.run(outputs)] == [1, 1, 1, 2, 1, 1]


def test_numpy_operands_on_the_left_make_tensors():
    with tf.Graph().as_default(), tf.Session() as sess:
        x = tf.constant(F)
        outputs = [F + x, np.float32(2) * x, np.float64(2) - x, np.ones(3, np.float32) / x, F.T @ x]
        assert all(isinstance(output, tf.Tensor) for output in outputs)
        assert_same_bits(sess.run(outputs[1]), 2 * F)


def test_lists_of_tensors_and_variables_are_operands():
    with tf.Graph().as_default(), tf.Session() as sess:
        x, v = tf.constant(2.0, dtype="float64"), tf.Variable(3.0, dtype="float64")
        sess.run(v.initializer)
        outputs = [
            ops.add([x, v], 1.0),
            ops.add(1.0, [x, v]),
            ops.multiply([[x, 1], [v, 2]], [x, v]),
            ops.concat([[x, v], [1.5]], 0),
            ops.where([True, False], [x, x], 0),
            ops.maximum(v, [x, 5]),
            ops.reduce_sum([x, v]),
            ops.truediv([x, v], 2),
        ]
        got = sess.run(outputs)
    assert all(output.dtype == tf.float64 for output in outputs)
    expected = [[3, 4], [3, 4], [[4, 3], [6, 6]], [2, 3, 1.5], [2, 0], [3, 5], 5, [1, 1.5]]
    assert [value.tolist() for value in got] == expected


@pytest.mark.parametrize("call", [ops.identity, ops.constant, ops.convert_to_tensor, lambda v: ops.add(v, 1.0)])
@pytest.mark.parametrize("hold", [lambda v: v, lambda v: [v], lambda v: [[1.0], [v]]])
def test_an_eager_variable_cannot_become_part_of_a_graph(call, hold):
    v = tf.Variable(1.0)
    with tf.Graph().as_default():
        with pytest.raises(TypeError, match=r"an eager variable cannot become part of a graph: got <nbvars.Variable"):
            call(hold(v))
        assert call(hold(v.read_value())).op.type in ("Const", "Identity", "AddV2")


def test_references_of_updates_are_operands():
    with tf.Graph().as_default(), tf.Session() as sess:
        counter, flag = tf.Variable(6), tf.Variable(True)
        sess.run([counter.initializer, flag.initializer])
        assert sess.run(counter.assign_add(2) / 2) == 4
        assert sess.run(1 + counter.assign(3)) == 4
        assert sess.run(ops.cast(counter.assign(5), "int32")) == 5
        assert sess.run(ops.range(counter.assign(3), 5.0)).tolist() == [3, 4]
        assert sess.run(~flag.ref() | (flag & flag))
        assert sess.run(ops.stack([counter.assign(1), counter.ref()])).tolist() == [1, 1]


def test_a_tensor_of_known_size_is_a_list_of_rows():
    with tf.Graph().as_default(), tf.Session() as sess:
        assert_same_bits(sess.run(ops.stack(tf.constant(F), 1)), F.T)
        with pytest.raises(ValueError, match="the number of tensors is not known"):
            ops.stack(tf.placeholder("float32", [None, 2]))
        with pytest.raises(TypeError, match="Tensor objects are only iterable in eager mode"):
            list(tf.constant(F))


def test_a_result_beyond_memory_is_an_error_of_the_run():
    with tf.Graph().as_default(), tf.Session() as sess:
        huge = ops.zeros([2**40, 2**20], "bool")
        with pytest.raises(tf.errors.ResourceExhaustedError, match="the result does not fit into memory") as caught:
            sess.run(huge)
    assert caught.value.op is huge.op

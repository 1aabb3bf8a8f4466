"""The gradient of every op against finite differences, in both modes, and that no op is forgotten."""

from __future__ import annotations

import numpy as np
import pytest

import nbvars as tf
from nbvars.autodiff.table import GRADIENTS
from nbvars.ops import adjoint_ops
from nbvars.ops.reduction_ops import cumsum
from nbvars.runtime.definition import DEFINITIONS, OpDefinition

rng = np.random.default_rng(0)
X = rng.normal(size=(3, 4)) + 0.05
P = rng.uniform(0.5, 2.0, (3, 4))
ROW = rng.normal(size=4)
CUBE = rng.normal(size=(2, 3, 4))
MASK = np.array([[True, False, True, True], [False, True, False, True], [True, True, False, False]])
IDS = np.array([[0, 2], [2, 2]])
PLACES = np.array([[0, 1], [2, 3], [0, 1]])
LABELS = np.abs(rng.normal(size=(3, 4)))
KEEP = {"axis": [1], "keepdims": True}

# By op type: a function of tensors, and arrays at which it is differentiable.
CASES = [
    ("AddV2", tf.add, [X, ROW]),
    ("Sub", tf.subtract, [ROW, X]),
    ("Mul", tf.multiply, [X, X[:, :1]]),
    ("Mul", lambda x: x * x, [X]),
    ("RealDiv", tf.divide, [X, P]),
    ("FloorMod", tf.mod, [X * 3, P]),
    ("Pow", tf.pow, [P, ROW]),
    ("Pow", lambda x: tf.pow(x, 3.0), [X]),
    ("Maximum", tf.maximum, [X, ROW]),
    ("Minimum", tf.minimum, [X, ROW]),
    ("AddN", lambda x, y: tf.add_n([x, y, x]), [X, P]),
    ("ClipByValue", tf.clip_by_value, [X, np.array(-0.5), ROW * 0 + 0.6]),
    ("Abs", tf.abs, [X]),
    ("Neg", tf.negative, [X]),
    ("Square", tf.square, [X]),
    ("Sqrt", tf.sqrt, [P]),
    ("Reciprocal", tf.reciprocal, [P]),
    ("Rsqrt", tf.rsqrt, [P]),
    ("Exp", tf.exp, [X]),
    ("Expm1", tf.expm1, [X]),
    ("Log", tf.log, [P]),
    ("Log1p", tf.log1p, [P]),
    ("Sin", tf.sin, [X]),
    ("Cos", tf.cos, [X]),
    ("Tanh", tf.tanh, [X]),
    ("Sum", tf.reduce_sum, [X]),
    ("Sum", lambda x: tf.reduce_sum(x, **KEEP), [X]),
    ("Sum", lambda x: tf.reduce_sum(x, [0, -1]), [CUBE]),
    ("Mean", tf.reduce_mean, [X]),
    ("Mean", lambda x: tf.reduce_mean(x, 0), [CUBE]),
    ("Prod", lambda x: tf.reduce_prod(x, 1), [CUBE]),
    ("Prod", tf.reduce_prod, [np.where(MASK, X, 0.0)[:, :2]]),
    ("Max", lambda x: tf.reduce_max(x, 1), [X]),
    ("Min", lambda x: tf.reduce_min(x, **KEEP), [X]),
    ("LogSumExp", lambda x: tf.reduce_logsumexp(x, 1), [X]),
    ("Cumsum", lambda x: cumsum(x, 1), [X]),
    ("Cumsum", lambda x: cumsum(x, 0, exclusive=True, reverse=True), [X]),
    ("Identity", tf.identity, [X]),
    ("CheckNumerics", lambda x: tf.check_numerics(x, "here"), [X]),
    ("Reshape", lambda x: tf.reshape(x, [2, -1]), [X]),
    ("ExpandDims", lambda x: tf.expand_dims(x, 1), [X]),
    ("Squeeze", tf.squeeze, [X[:, :1]]),
    ("Transpose", tf.transpose, [X]),
    ("Transpose", lambda x: tf.transpose(x, [1, 2, 0]), [CUBE]),
    ("BroadcastTo", lambda x: tf.broadcast_to(x, [2, 3, 4]), [X[:, :1]]),
    ("ConcatV2", lambda x, y: tf.concat([x, y, x], 1), [X, P[:, :2]]),
    ("Pack", lambda x, y: tf.stack([x, y], 1), [X, P]),
    ("Unpack", lambda x: tf.unstack(x, axis=1)[2], [X]),
    ("SplitV", lambda x: tf.split(x, [1, 3], 1)[1] * 2.0, [X]),
    ("Tile", lambda x: tf.tile(x, [2, 3]), [X]),
    ("Pad", lambda x: tf.pad(x, [[1, 2], [0, 1]]), [X]),
    ("Pad", lambda x: tf.pad(x, [[2, 1], [3, 0]], "REFLECT"), [X]),
    ("Pad", lambda x: tf.pad(x, [[2, 1], [3, 0]], "SYMMETRIC"), [X]),
    ("Fill", lambda x: tf.fill([2, 3], x), [X[0, 0]]),
    ("Slice", lambda x: tf.slice(x, [1, 0], [-1, 2]), [X]),
    ("StridedSlice", lambda x: x[::-2, 1], [X]),
    ("StridedSlice", lambda x: x[IDS, None, 1:], [X]),
    ("StridedSlice", lambda x: x[MASK], [X]),
    ("GatherV2", lambda x: tf.gather(x, IDS), [X]),
    ("GatherV2", lambda x: tf.gather(x, [1, 1, 0]), [X]),
    ("GatherV2", lambda x: tf.gather(x, IDS, axis=1), [X]),
    ("GatherNd", lambda x: tf.gather_nd(x, PLACES), [X]),
    ("BooleanMask", lambda x: tf.boolean_mask(x, MASK), [X]),
    ("Select", lambda x, y: tf.where(MASK, x, y), [X, P]),
    ("Select", lambda x, y: tf.where(MASK, x, y), [X, ROW]),
    ("SumOfSlices", lambda x: tf.convert_to_tensor(tf.IndexedSlices(x, [2, 0, 2], [4, 4])), [X]),
    ("MatMul", tf.matmul, [X, P.T]),
    ("MatMul", lambda a, b: tf.matmul(a, b, transpose_a=True), [X, P]),
    ("MatMul", lambda a, b: tf.matmul(a, b, transpose_b=True), [X, P]),
    ("MatMul", lambda a, b: tf.matmul(a, b, transpose_a=True, transpose_b=True), [X, P.T]),
    ("MatMul", tf.matmul, [CUBE, X.T]),
    ("Tensordot", lambda a, b: tf.tensordot(a, b, 1), [CUBE, X.T]),
    ("Tensordot", lambda a, b: tf.tensordot(a, b, [[2, 1], [1, 0]]), [CUBE, X]),
    ("Tensordot", lambda a, b: tf.tensordot(a, b, [[1, 2], [0, 2]]), [CUBE, np.swapaxes(CUBE, 0, 1)]),
    ("Norm", tf.norm, [X]),
    ("Norm", lambda x: tf.norm(x, 1, axis=1), [X]),
    ("Norm", lambda x: tf.norm(x, "fro", axis=[1, 2], keepdims=True), [CUBE]),
    ("Sigmoid", tf.sigmoid, [X]),
    ("Relu", tf.relu, [X]),
    ("Relu6", tf.nn.relu6, [X * 6]),
    ("Elu", tf.nn.elu, [X]),
    ("Softplus", tf.nn.softplus, [X]),
    ("Softsign", tf.nn.softsign, [X]),
    ("Softmax", tf.softmax, [X]),
    ("Softmax", lambda x: tf.softmax(x, 0), [X]),
    ("LogSoftmax", tf.nn.log_softmax, [X]),
    ("L2Loss", tf.nn.l2_loss, [X]),
    ("BiasAdd", tf.nn.bias_add, [X, ROW]),
    ("BiasAdd", lambda x, b: tf.nn.bias_add(x, b, "NCHW"), [CUBE, ROW[:3]]),
    (
        "SoftmaxCrossEntropyWithLogits",
        lambda x, y: tf.nn.softmax_cross_entropy_with_logits(labels=y, logits=x),
        [X, LABELS],
    ),
    (
        "SparseSoftmaxCrossEntropyWithLogits",
        lambda x: tf.nn.sparse_softmax_cross_entropy_with_logits(labels=[3, 0, 1], logits=x),
        [X],
    ),
    (
        "SigmoidCrossEntropyWithLogits",
        lambda x, y: tf.nn.sigmoid_cross_entropy_with_logits(labels=y, logits=x),
        [X * 3, LABELS],
    ),
    ("FillUp", lambda x: adjoint_ops.apply_op(DEFINITIONS["FillUp"], x, shape=(3, 5)), [X]),
    ("SumLike", lambda x: adjoint_ops.sum_like(x, tf.constant(ROW[None])), [X]),
    ("BroadcastLike", lambda x: adjoint_ops.broadcast_like(x, tf.constant(CUBE)), [X]),
    ("Unreduce", lambda x: adjoint_ops.unreduce(x, tf.constant(CUBE), (1,), False), [CUBE[:, 0]]),
    ("Unmean", lambda x: adjoint_ops.unmean(x, tf.constant(CUBE), (1,), False), [CUBE[:, 0]]),
    ("Unmean", lambda x: adjoint_ops.unmean(x, tf.constant(CUBE), None, False), [CUBE[0, 0, 0]]),
    ("PutItem", lambda x: adjoint_ops.put_item(x, tf.constant(CUBE), (), (1, slice(None, 3))), [X]),
    ("PutElements", lambda x: adjoint_ops.put_elements(x, tf.constant(IDS - 1), tf.constant(X)), [X[:2, :2]]),
]
NO_SECOND = {"Prod"}
TESTED_ELSEWHERE = {"Cast", "RandomStandardNormal", "RandomUniform", "TruncatedNormal"}
IDS_OF_CASES = [f"{op_type}-{i}" for i, (op_type, _, _) in enumerate(CASES)]


def dense(gradient):
    return np.asarray(tf.convert_to_tensor(gradient)) if isinstance(gradient, tf.IndexedSlices) else gradient.numpy()


def differences(function, arrays, weights, step=1e-6):
    """Return the derivatives of ``sum(weights * function(*arrays))`` by central differences."""
    found = []
    for i, array in enumerate(arrays):
        gradient = np.zeros(array.shape)
        for place in np.ndindex(array.shape):
            values = []
            for sign in (1, -1):
                moved = [each.copy() for each in arrays]
                moved[i] = np.array(moved[i], copy=True)
                moved[i][place] += sign * step
                values.append(np.sum(weights * function(*map(tf.constant, moved)).numpy()))
            gradient[place] = (values[0] - values[1]) / (2 * step)
        found.append(gradient)
    return found


def eager_gradients(function, arrays, weights):
    tensors = [tf.constant(array) for array in arrays]
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        result = function(*tensors)
    return [dense(each) for each in tape.gradient(result, tensors, weights)]


def weights_for(function, arrays):
    shape = function(*map(tf.constant, arrays)).shape.as_list()
    return np.random.default_rng(1).normal(size=shape)


@pytest.mark.parametrize(("op_type", "function", "arrays"), CASES, ids=IDS_OF_CASES)
def test_gradients_are_those_of_differences(op_type, function, arrays):
    weights = weights_for(function, arrays)
    expected = differences(function, arrays, weights)
    for got, wanted in zip(eager_gradients(function, arrays, weights), expected, strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("is_static", [True, False], ids=["static", "dynamic"])
@pytest.mark.parametrize(("op_type", "function", "arrays"), CASES, ids=IDS_OF_CASES)
def test_gradients_in_a_graph_are_those_of_a_tape(op_type, function, arrays, is_static):
    weights = weights_for(function, arrays)
    expected = eager_gradients(function, arrays, weights)
    with tf.Graph().as_default(), tf.Session() as session:
        shapes = [array.shape if is_static else [None] * array.ndim for array in arrays]
        if not is_static and op_type == "Unpack":
            shapes = [[None, 4]]
        inputs = [tf.placeholder(tf.float64, shape) for shape in shapes]
        result = function(*inputs)
        gradients = tf.gradients(result, inputs, weights)
        feeds = dict(zip(inputs, arrays, strict=True))
        got = session.run([tf.convert_to_tensor(each) for each in gradients], feeds)
    for one, other in zip(got, expected, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(("op_type", "function", "arrays"), CASES, ids=IDS_OF_CASES)
def test_second_derivatives_are_those_of_differences(op_type, function, arrays):
    if op_type in NO_SECOND:
        pytest.skip("the gradient of this op has no gradient itself")
    weights = weights_for(function, arrays)

    def first_derivative(x, *others):
        with tf.GradientTape() as tape:
            tape.watch(x)
            result = function(x, *others)
        gradient = tape.gradient(result, x, weights)
        return tf.convert_to_tensor(gradient) if isinstance(gradient, tf.IndexedSlices) else gradient

    second_weights = np.random.default_rng(2).normal(size=arrays[0].shape)
    expected = differences(lambda x: first_derivative(x, *map(tf.constant, arrays[1:])), arrays[:1], second_weights)[0]
    x = tf.constant(arrays[0])
    with tf.GradientTape() as tape:
        tape.watch(x)
        first = first_derivative(x, *map(tf.constant, arrays[1:]))
    got = tape.gradient(first, x, second_weights, unconnected_gradients="zero")
    np.testing.assert_allclose(dense(got), expected, rtol=1e-5, atol=1e-7)


def test_every_op_has_a_gradient_or_is_known_to_have_none():
    without = {"If", "While", "Qr", "RandomShuffle", "ProdGradient"}
    assert {name for name in DEFINITIONS if name not in GRADIENTS} == without
    assert set(GRADIENTS) <= set(DEFINITIONS)
    tested = {op_type for op_type, _, _ in CASES}
    assert {name for name, function in GRADIENTS.items() if function is not None} <= tested | TESTED_ELSEWHERE
    assert all(isinstance(DEFINITIONS[name], OpDefinition) for name in tested)

"""Optimizers against the published formulas in NumPy, in both modes; and what they promise around a step."""

from __future__ import annotations

import numpy as np
import pytest

import nbvars as tf
from nbvars.errors import InvalidArgumentError

STEPS = 5
RNG = np.random.default_rng(0)
START = RNG.normal(size=(6, 4))
WEIGHTS = RNG.normal(size=(6, 4)) ** 2 + 0.1


class Reference:
    """One optimizer in NumPy: ``slots`` by name, and ``step`` in float64."""

    def __init__(self, step, **slots):
        self.step, self.starts = step, slots

    def run(self, param, grads):
        """Return the parameter after the steps by these gradients, each of them of whole rows."""
        param = param.copy()
        slots = {name: np.full(param.shape, start) for name, start in self.starts.items()}
        for t, (rows, grad) in enumerate(grads, 1):
            part = {name: slot[rows] for name, slot in slots.items()}
            param[rows] = self.step(param[rows], grad, t, part)
            for name, slot in slots.items():
                slot[rows] = part[name]
        return param, slots


def momentum(p, g, t, s):
    s["momentum"] = 0.9 * s["momentum"] + g
    return p - 0.1 * s["momentum"]


def nesterov(p, g, t, s):
    s["momentum"] = 0.9 * s["momentum"] + g
    return p - 0.1 * g - 0.1 * 0.9 * s["momentum"]


def adagrad(p, g, t, s):
    s["accumulator"] = s["accumulator"] + g**2
    return p - 0.1 * g / np.sqrt(s["accumulator"])


def adadelta(p, g, t, s):
    s["accum"] = 0.95 * s["accum"] + 0.05 * g**2
    update = np.sqrt(s["accum_update"] + 1e-6) / np.sqrt(s["accum"] + 1e-6) * g
    s["accum_update"] = 0.95 * s["accum_update"] + 0.05 * update**2
    return p - update


def rmsprop(p, g, t, s):
    s["rms"] = 0.9 * s["rms"] + 0.1 * g**2
    s["momentum"] = 0.5 * s["momentum"] + 0.01 * g / np.sqrt(s["rms"] + 1e-10)
    return p - s["momentum"]


def centered(p, g, t, s):
    s["rms"] = 0.9 * s["rms"] + 0.1 * g**2
    s["mg"] = 0.9 * s["mg"] + 0.1 * g
    s["momentum"] = 0.5 * s["momentum"] + 0.01 * g / np.sqrt(s["rms"] - s["mg"] ** 2 + 1e-10)
    return p - s["momentum"]


def ftrl(p, g, t, s):
    total = s["accum"] + g**2
    s["linear"] = s["linear"] + g + 2 * 0.3 * p - (total**0.6 - s["accum"] ** 0.6) / 0.1 * p
    s["accum"] = total
    chosen = (np.sign(s["linear"]) * 0.01 - s["linear"]) / (total**0.6 / 0.1 + 2 * 0.02)
    return np.where(np.abs(s["linear"]) > 0.01, chosen, 0.0)


def adam(p, g, t, s):
    s["m"] = 0.9 * s["m"] + 0.1 * g
    s["v"] = 0.99 * s["v"] + 0.01 * g**2
    return p - 0.1 * np.sqrt(1 - 0.99**t) / (1 - 0.9**t) * s["m"] / (np.sqrt(s["v"]) + 1e-8)


def adamw(p, g, t, s):
    return adam(p - 0.02 * p, g, t, s)


train = tf.train
CASES = {
    "gradient_descent": (lambda: train.GradientDescentOptimizer(0.1), Reference(lambda p, g, t, s: p - 0.1 * g)),
    "momentum": (lambda: train.MomentumOptimizer(0.1, 0.9), Reference(momentum, momentum=0.0)),
    "nesterov": (lambda: train.MomentumOptimizer(0.1, 0.9, use_nesterov=True), Reference(nesterov, momentum=0.0)),
    "adagrad": (lambda: train.AdagradOptimizer(0.1, 0.2), Reference(adagrad, accumulator=0.2)),
    "adadelta": (
        lambda: train.AdadeltaOptimizer(1.0, 0.95, 1e-6),
        Reference(adadelta, accum=0.0, accum_update=0.0),
    ),
    "rmsprop": (lambda: train.RMSPropOptimizer(0.01, 0.9, 0.5), Reference(rmsprop, rms=1.0, momentum=0.0)),
    "centered": (
        lambda: train.RMSPropOptimizer(0.01, 0.9, 0.5, centered=True),
        Reference(centered, rms=1.0, mg=0.0, momentum=0.0),
    ),
    "ftrl": (
        lambda: train.FtrlOptimizer(0.1, -0.6, 0.2, 0.01, 0.02, l2_shrinkage_regularization_strength=0.3),
        Reference(ftrl, accum=0.2, linear=0.0),
    ),
    "adam": (lambda: train.AdamOptimizer(0.1, 0.9, 0.99), Reference(adam, m=0.0, v=0.0)),
    "adamw": (lambda: train.AdamWOptimizer(0.02, 0.1, 0.9, 0.99), Reference(adamw, m=0.0, v=0.0)),
    "lazy_adam": (lambda: train.LazyAdamOptimizer(0.1, 0.9, 0.99), Reference(adam, m=0.0, v=0.0)),
}
TOLERANCE = {"float64": 1e-12, "float32": 2e-5, "float16": 2e-2, "bfloat16": 1e-1}


def as_float64(values):
    return np.asarray(values).astype(np.float64)


def dense_gradients(dtype):
    numpy_dtype = tf.as_dtype(dtype).as_numpy_dtype
    return [(slice(None), as_float64((WEIGHTS * (i + 1) * 0.5).astype(numpy_dtype))) for i in range(STEPS)]


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("name", CASES)
def test_dense_steps_follow_the_formula(name, dtype):
    make, reference = CASES[name]
    numpy_dtype = tf.as_dtype(dtype).as_numpy_dtype
    optimizer, v = make(), tf.Variable(START.astype(numpy_dtype))
    grads = dense_gradients(dtype)
    for _, grad in grads:
        optimizer.apply_gradients([(grad.astype(numpy_dtype), v)])
    param, slots = reference.run(as_float64(START.astype(numpy_dtype)), grads)
    assert v.dtype == dtype
    np.testing.assert_allclose(as_float64(v.numpy()), param, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype])
    assert optimizer.get_slot_names() == sorted(slots)
    for slot_name, slot in slots.items():
        got = optimizer.get_slot(v, slot_name)
        assert got.dtype == ("float64" if dtype == "float64" else "float32")
        assert not got.trainable
        np.testing.assert_allclose(got.numpy(), slot, rtol=TOLERANCE[dtype])


SLICES = [([4, 1, 4, 0], 0), ([2], 1), ([1, 1, 1], 2), ([], 3), ([5, 0], 4)]


def sparse_gradients():
    """Return indices and values of slices, and the gradients of the rows that they name, added up."""
    given, expected = [], []
    for indices, i in SLICES:
        values = np.random.default_rng(i).normal(size=(len(indices), 4))
        rows = sorted(set(indices))
        sums = np.array([sum(values[k] for k in range(len(indices)) if indices[k] == row) for row in rows])
        given.append((np.array(indices, np.int64), values))
        expected.append((rows, sums.reshape(-1, 4)))
    return given, expected


@pytest.mark.parametrize("name", [name for name in CASES if name not in ("adam", "adamw")])
def test_sparse_steps_touch_the_rows_that_are_named_and_add_up_repeated_ones(name):
    make, reference = CASES[name]
    given, expected = sparse_gradients()
    optimizer, v = make(), tf.Variable(START)
    for indices, values in given:
        optimizer.apply_gradients([(tf.IndexedSlices(values, indices), v)])
    np.testing.assert_allclose(v.numpy(), reference.run(START, expected)[0], rtol=1e-12)


@pytest.mark.parametrize("name", ["adam", "adamw"])
def test_adam_moves_rows_without_a_gradient_too(name):
    make, reference = CASES[name]
    given, expected = sparse_gradients()
    optimizer, v = make(), tf.Variable(START)
    dense = []
    for (indices, values), (rows, sums) in zip(given, expected, strict=True):
        optimizer.apply_gradients([(tf.IndexedSlices(values, indices, START.shape), v)])
        dense.append((slice(None), np.zeros_like(START)))
        dense[-1][1][rows] = sums
    np.testing.assert_allclose(v.numpy(), reference.run(START, dense)[0], rtol=1e-12)


@pytest.mark.parametrize("is_sparse", [False, True], ids=["dense", "sparse"])
@pytest.mark.parametrize("name", CASES)
def test_both_modes_give_the_same_bits(name, is_sparse):
    make, _ = CASES[name]
    start = START.astype(np.float32)

    def loss_of(v):
        return tf.reduce_sum(tf.square(tf.gather(v, [1, 3, 1]) if is_sparse else v * WEIGHTS.astype(np.float32)))

    v, eager = tf.Variable(start), make()
    for _ in range(STEPS):
        eager.minimize(lambda: loss_of(v))
    with tf.Graph().as_default(), tf.Session() as session:
        w = tf.Variable(start, name="w")
        optimizer = make()
        step = optimizer.minimize(loss_of(w))
        session.run(tf.global_variables_initializer())
        for _ in range(STEPS):
            session.run(step)
        np.testing.assert_array_equal(session.run(w), v.numpy())
        assert {slot.name for slot in optimizer.variables()} >= {
            f"w/{optimizer.get_name()}:0"
        } or name == "gradient_descent"


@pytest.mark.parametrize("name", ["momentum", "lazy_adam", "gradient_descent"])
def test_the_bits_do_not_depend_on_the_number_of_threads(name):
    make, _ = CASES[name]
    rng = np.random.default_rng(3)
    table, dense = rng.normal(size=(60_000, 64)).astype(np.float32), rng.normal(size=(60_000, 64)).astype(np.float32)
    indices, values = rng.integers(0, 60_000, 40_000), rng.normal(size=(40_000, 64)).astype(np.float32)
    before, found = tf.get_num_threads(), []
    try:
        for num_threads in (1, 3):
            tf.set_num_threads(num_threads)
            optimizer, v = make(), tf.Variable(table)
            optimizer.apply_gradients([(dense, v)])
            optimizer.apply_gradients([(tf.IndexedSlices(values, indices), v)])
            found.append(v.numpy())
    finally:
        tf.set_num_threads(before)
    np.testing.assert_array_equal(*found)


def test_variables_have_the_names_of_tensorflow():
    with tf.Graph().as_default():
        w = tf.get_variable("scope/w", [2])
        adam, rms = train.AdamOptimizer(), train.RMSPropOptimizer(0.1, centered=True)
        with tf.name_scope("anywhere"):
            adam.minimize(tf.reduce_sum(w))
            rms.minimize(tf.reduce_sum(w))
        assert [v.name for v in adam.variables()] == [
            "beta1_power:0",
            "beta2_power:0",
            "scope/w/Adam:0",
            "scope/w/Adam_1:0",
        ]
        names = {name: rms.get_slot(w, name).name for name in rms.get_slot_names()}
        assert names == {"rms": "scope/w/RMSProp:0", "mg": "scope/w/RMSProp_1:0", "momentum": "scope/w/RMSProp_2:0"}
        assert [v.name for v in tf.trainable_variables()] == ["scope/w:0"]
        assert len(tf.get_collection(tf.GraphKeys.TRAIN_OP)) == 2


def test_trainable_variables_are_the_default_and_the_step_counts_last():
    with tf.Graph().as_default(), tf.Session() as session:
        v, w = tf.Variable([1.0, 2.0]), tf.Variable([5.0], trainable=False)
        step = train.create_global_step()
        op = train.GradientDescentOptimizer(0.5).minimize(tf.reduce_sum(v) + tf.reduce_sum(w), step)
        session.run(tf.global_variables_initializer())
        session.run(op)
        assert [each.tolist() for each in session.run([v, w])] == [[0.5, 1.5], [5.0]]
        assert session.run(step) == 1


@pytest.mark.parametrize("kind", ["number", "tensor", "variable", "function"])
def test_the_learning_rate_may_be_of_any_kind(kind):
    rate = tf.Variable(0.5)
    given = {"number": 0.5, "tensor": tf.constant(0.5), "variable": rate, "function": lambda: 0.5}[kind]
    v = tf.Variable([1.0])
    train.GradientDescentOptimizer(given).apply_gradients([([1.0], v)])
    assert v.numpy().tolist() == [0.5]


def test_a_placeholder_is_a_learning_rate():
    with tf.Graph().as_default(), tf.Session() as session:
        rate, v = tf.placeholder(tf.float32, []), tf.Variable([1.0])
        op = train.GradientDescentOptimizer(rate).minimize(tf.reduce_sum(v))
        session.run(v.initializer)
        session.run(op, {rate: 0.25})
        assert session.run(v).tolist() == [0.75]


@pytest.mark.parametrize("mode", ["eager", "graph"])
def test_a_constraint_is_applied_after_the_step(mode):
    def positive(x):
        return tf.maximum(x, 0.0)

    optimizer = train.GradientDescentOptimizer(1.0)
    if mode == "eager":
        v = tf.Variable([1.0, 3.0], constraint=positive)
        optimizer.apply_gradients([([2.0, 2.0], v)])
        assert v.numpy().tolist() == [0.0, 1.0]
        return
    with tf.Graph().as_default(), tf.Session() as session:
        v = tf.Variable([1.0, 3.0], constraint=positive)
        op = optimizer.minimize(2.0 * tf.reduce_sum(v))
        session.run(v.initializer)
        session.run(op)
        assert session.run(v).tolist() == [0.0, 1.0]


def test_the_slices_of_a_partitioned_variable_are_trained():
    with tf.Graph().as_default(), tf.Session() as session:
        whole = tf.get_variable(
            "w", [4, 2], initializer=tf.ones_initializer(), partitioner=tf.fixed_size_partitioner(2)
        )
        op = train.MomentumOptimizer(0.5, 0.9).minimize(tf.reduce_sum(tf.square(whole)), var_list=[whole])
        session.run(tf.global_variables_initializer())
        session.run(op)
        assert all((session.run(part) == 0.0).all() for part in whole)


def test_gradients_may_be_changed_between_the_halves_of_minimize():
    v = tf.Variable([3.0, 4.0])
    optimizer = train.GradientDescentOptimizer(1.0)
    pairs = optimizer.compute_gradients(lambda: tf.nn.l2_loss(v))
    clipped, norm = tf.clip_by_global_norm([grad for grad, _ in pairs], 1.0)
    assert float(norm) == 5.0
    optimizer.apply_gradients(zip(clipped, [v], strict=True))
    np.testing.assert_allclose(v.numpy(), [2.4, 3.2], rtol=1e-6)


def test_what_optimizers_refuse():
    v, optimizer = tf.Variable([1.0, 2.0]), train.MomentumOptimizer(0.1, 0.9)
    with pytest.raises(ValueError, match="No variables provided"):
        optimizer.apply_gradients([])
    with pytest.raises(ValueError, match=r"No gradients provided for any variable: \['.*'\]"):
        optimizer.apply_gradients([(None, v)])
    with pytest.raises(ValueError, match=r"grad has the wrong shape: got \(3,\), expected \(2,\)"):
        optimizer.apply_gradients([(np.ones(3, np.float32), v)])
    with pytest.raises(TypeError, match="Gradient must be convertible to a Tensor or IndexedSlices"):
        optimizer.apply_gradients([("a", v)])
    with pytest.raises(TypeError, match="Argument is not a variable"):
        optimizer.apply_gradients([([1.0], 1.0)])
    with pytest.raises(InvalidArgumentError, match=r"indices\[1\] = 2 is not in \[0, 2\)"):
        optimizer.apply_gradients([(tf.IndexedSlices(np.ones(2, np.float32), np.array([0, 2])), v)])
    with pytest.raises(RuntimeError, match="loss must be a function in eager mode"):
        optimizer.minimize(tf.constant(1.0))
    with pytest.raises(ValueError, match="No variables to optimize"):
        optimizer.minimize(lambda: tf.constant(1.0))
    with pytest.raises(ValueError, match="Must specify the optimizer name"):
        train.GradientDescentOptimizer(0.1, name="")
    with pytest.raises(ValueError, match="initial_accumulator_value must be positive: got 0"):
        train.AdagradOptimizer(0.1, 0)
    with pytest.raises(TypeError, match="dtype"):
        optimizer.apply_gradients([([1], tf.Variable([1]))])
    assert v.numpy().tolist() == [1.0, 2.0]


def test_a_gradient_in_the_memory_of_the_variable_is_read_first():
    v = tf.Variable(np.arange(4, dtype=np.float32))
    train.GradientDescentOptimizer(1.0).apply_gradients([(v.value(), v)])
    assert v.numpy().tolist() == [0.0] * 4

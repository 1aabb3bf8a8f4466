"""keras.backend: the examples of its pages as written, and what they leave open."""

from __future__ import annotations

import doctest
import re

import numpy as np
import pytest

import nbvars as tf
from nbvars.keras import backend as K  # noqa: N812 - its name in every Keras program
from tests.conftest import numpy_dtype

# As on the pages; only where TensorFlow prints its own name, nbvars prints its own.
PAGES = {
    "cast": """
        >>> input = tf.keras.backend.ones(shape=(1,3))
        >>> print(input)
        nbvars.Tensor([[1. 1. 1.]], shape=(1, 3), dtype=float32)
        >>> cast_input = tf.keras.backend.cast(input, dtype='float64')
        >>> print(cast_input)
        nbvars.Tensor([[1. 1. 1.]], shape=(1, 3), dtype=float64)
        >>> K.cast(K.ones((1, 3)), 'float64')
        nbvars.Tensor([[1. 1. 1.]], shape=(1, 3), dtype=float64)
        """,
    "cast_to_floatx": """
        >>> tf.keras.backend.floatx()
        'float32'
        >>> arr = np.array([1.0, 2.0], dtype='float64')
        >>> arr.dtype
        dtype('float64')
        >>> new_arr = tf.keras.backend.cast_to_floatx(arr)
        >>> new_arr
        array([1., 2.], dtype=float32)
        >>> new_arr.dtype
        dtype('float32')
        """,
    "count_params": """
        >>> kvar = tf.keras.backend.zeros((2,3))
        >>> tf.keras.backend.count_params(kvar)
        6
        >>> tf.keras.backend.eval(kvar)
        array([[0., 0., 0.],
               [0., 0., 0.]], dtype=float32)
        """,
    "dtype": """
        >>> kvar = tf.keras.backend.variable(np.array([[1, 2], [3, 4]]))
        >>> tf.keras.backend.dtype(kvar)
        'float32'
        >>> kvar = tf.keras.backend.variable(np.array([[1, 2], [3, 4]]), dtype='float32')
        >>> tf.keras.backend.dtype(kvar)
        'float32'
        """,
    "epsilon": """
        >>> tf.keras.backend.epsilon()
        1e-07
        >>> tf.keras.backend.set_epsilon(1e-5)
        >>> tf.keras.backend.epsilon()
        1e-05
        >>> tf.keras.backend.set_epsilon(1e-7)
        """,
    "eval": """
        >>> kvar = tf.keras.backend.variable(np.array([[1, 2], [3, 4]]), dtype='float32')
        >>> tf.keras.backend.eval(kvar)
        array([[1., 2.],
               [3., 4.]], dtype=float32)
        """,
    "eye": """
        >>> kvar = tf.keras.backend.eye(3)
        >>> tf.keras.backend.eval(kvar)
        array([[1., 0., 0.],
               [0., 1., 0.],
               [0., 0., 1.]], dtype=float32)
        """,
    "floatx": """
        >>> tf.keras.backend.floatx()
        'float32'
        >>> tf.keras.backend.set_floatx('float64')
        >>> tf.keras.backend.floatx()
        'float64'
        >>> tf.keras.backend.set_floatx('float32')
        """,
    "int_shape": """
        >>> val = np.array([[1, 2], [3, 4]])
        >>> kvar = tf.keras.backend.variable(value=val)
        >>> tf.keras.backend.int_shape(kvar)
        (2, 2)
        """,
    "ndim": """
        >>> val = np.array([[1, 2], [3, 4]])
        >>> kvar = tf.keras.backend.variable(value=val)
        >>> tf.keras.backend.ndim(kvar)
        2
        """,
    "ones": """
        >>> kvar = tf.keras.backend.ones((3,4))
        >>> tf.keras.backend.eval(kvar)
        array([[1., 1., 1., 1.],
               [1., 1., 1., 1.],
               [1., 1., 1., 1.]], dtype=float32)
        """,
    "ones_like": """
        >>> kvar = tf.keras.backend.variable(np.random.random((2,3)))
        >>> kvar_ones = tf.keras.backend.ones_like(kvar)
        >>> tf.keras.backend.eval(kvar_ones)
        array([[1., 1., 1.],
               [1., 1., 1.]], dtype=float32)
        """,
    "set_value": """
        >>> K = tf.keras.backend  # Common keras convention
        >>> v = K.variable(1.)
        >>> # reassign
        >>> K.set_value(v, 2.)
        >>> print(K.get_value(v))
        2.0
        >>> # increment
        >>> K.set_value(v, K.get_value(v) + 1)
        >>> print(K.get_value(v))
        3.0
        """,
    "shape": """
        >>> val = np.array([[1, 2], [3, 4]])
        >>> kvar = tf.keras.backend.variable(value=val)
        >>> tf.keras.backend.shape(kvar)
        nbvars.Tensor([2 2], shape=(2,), dtype=int32)
        """,
    "variable": """
        >>> val = np.array([[1, 2], [3, 4]])
        >>> kvar = tf.keras.backend.variable(value=val, dtype='float64',
        ...                                  name='example_var')
        >>> tf.keras.backend.dtype(kvar)
        'float64'
        >>> print(kvar)
        <nbvars.Variable 'example_var:0' shape=(2, 2) dtype=float64, numpy=
        array([[1., 2.],
               [3., 4.]])>
        """,
    "zeros": """
        >>> kvar = tf.keras.backend.zeros((3,4))
        >>> tf.keras.backend.eval(kvar)
        array([[0., 0., 0., 0.],
               [0., 0., 0., 0.],
               [0., 0., 0., 0.]], dtype=float32)
        >>> A = tf.constant([1,2,3])
        >>> kvar2 = tf.keras.backend.zeros(A.shape) # [0., 0., 0.]
        >>> tf.keras.backend.eval(kvar2)
        array([0., 0., 0.], dtype=float32)
        >>> kvar3 = tf.keras.backend.zeros(A.shape,dtype=tf.int32)
        >>> tf.keras.backend.eval(kvar3)
        array([0, 0, 0], dtype=int32)
        >>> kvar4 = tf.keras.backend.zeros([2,3])
        >>> tf.keras.backend.eval(kvar4)
        array([[0., 0., 0.],
               [0., 0., 0.]], dtype=float32)
        """,
    "zeros_like": """
        >>> kvar = K.variable(np.random.random((2,3)))
        >>> kvar_zeros = K.zeros_like(kvar)
        >>> K.eval(kvar_zeros)
        array([[0., 0., 0.],
               [0., 0., 0.]], dtype=float32)
        """,
}


@pytest.fixture(autouse=True)
def _restored_settings():
    tf.reset_default_graph()
    floatx, epsilon = K.floatx(), K.epsilon()
    yield
    K.set_floatx(floatx)
    K.set_epsilon(epsilon)


@pytest.mark.parametrize("page", PAGES)
def test_examples_of_the_pages_run_as_written(page):
    example = doctest.DocTestParser().get_doctest(PAGES[page], {"tf": tf, "np": np, "K": K}, page, None, 0)
    told = []
    doctest.DocTestRunner().run(example, out=told.append)
    assert not told, "".join(told)


def test_all_functions_of_the_backend_are_there():
    names = """variable get_value set_value batch_get_value batch_set_value cast dtype ones zeros ones_like zeros_like
        eye constant random_uniform_variable random_normal_variable update update_add update_sub shape int_shape ndim
        count_params eval floatx set_floatx cast_to_floatx epsilon set_epsilon"""
    for name in names.split():
        assert getattr(tf.keras.backend, name).__doc__, name


@pytest.mark.parametrize("name", ["float16", "bfloat16", "float32", "float64"])
def test_floatx_is_the_default_dtype_of_everything(name):
    K.set_floatx(name)
    assert K.floatx() == name
    made = [
        K.variable(1),
        K.variable([1, 2]),
        K.variable(np.array([1.0, 2.0])),
        K.zeros((2,)),
        K.ones((2,)),
        K.eye(2),
        K.constant([1, 2]),
        K.random_uniform_variable((2,), 0, 1),
        K.random_normal_variable((2,), 0, 1),
        K.cast_to_floatx(tf.constant([1, 2])),
        K.cast_to_floatx([1, 2]),
    ]
    assert [K.dtype(x) for x in made] == [name] * len(made)


@pytest.mark.parametrize("name", ["float31", "int32", "", None, 32, ["float32"], "complex64"])
def test_set_floatx_refuses_what_is_no_float(name):
    with pytest.raises(ValueError, match=f"set_floatx: .*: got {re.escape(repr(name))}, expected one of"):
        K.set_floatx(name)
    assert K.floatx() == "float32"


@pytest.mark.parametrize("value", [0, -1e-7, float("nan"), float("inf"), "1e-7", None, True])
def test_set_epsilon_refuses_what_cannot_be_one(value):
    with pytest.raises(ValueError, match=f"set_epsilon: .*: got {value!r}, expected a finite number above 0"):
        K.set_epsilon(value)
    assert K.epsilon() == 1e-7


def test_cast_to_floatx_keeps_the_precision_of_python_floats():
    K.set_floatx("float64")
    assert K.cast_to_floatx(0.1) == 0.1
    assert K.cast_to_floatx([0.1]).tolist() == [0.1]
    assert K.cast_to_floatx(np.array([0.1])).tolist() == [0.1]
    assert isinstance(K.cast_to_floatx(tf.constant([0.1])), tf.Tensor)
    assert isinstance(K.cast_to_floatx(tf.Variable([0.1])), tf.Tensor)


@pytest.mark.parametrize("value", ["a", [None], object()], ids=["text", "none", "object"])
def test_cast_to_floatx_refuses_what_is_no_number(value):
    with pytest.raises(TypeError, match=r"unsupported type: got .*, expected numbers"):
        K.cast_to_floatx(value)


def test_variable_has_a_name_and_a_constraint():
    variable = K.variable([1.0], name="kept", constraint=tf.abs)
    assert variable.name == "kept:0"
    assert variable.constraint is tf.abs
    assert tf.trainable_variables()[0] is variable


def test_variable_takes_a_tensor_and_a_variable():
    assert K.variable(tf.constant([1.0, 2.0])).numpy().tolist() == [1, 2]
    assert K.variable(K.variable([1.0, 2.0])).numpy().tolist() == [1, 2]
    with pytest.raises(TypeError, match="got int32, expected float32; use cast"):
        K.variable(tf.constant([1, 2]))


def test_get_value_is_a_copy():
    variable = K.variable([1.0, 2.0])
    value = K.get_value(variable)
    value[0] = 9
    assert K.get_value(variable).tolist() == [1, 2]
    array = np.ones(2)
    K.get_value(array)[0] = 9
    assert array.tolist() == [1, 1]


@pytest.mark.parametrize(
    ("dtype", "value", "expected"),
    [
        ("float32", [3, 4], [3, 4]),
        ("float32", np.array([0.5, 1.5]), [0.5, 1.5]),
        ("float32", tf.constant([3, 4]), [3, 4]),
        ("float32", (True, False), [1, 0]),
        ("bfloat16", [0.5, 1.0], [0.5, 1]),
        ("int32", [1.9, -1.9], [1, -1]),
        ("int64", np.array([2**40, 1]), [2**40, 1]),
    ],
    ids=str,
)
def test_set_value_casts_to_the_dtype_of_the_variable(dtype, value, expected):
    variable = K.variable([0, 0], dtype=dtype)
    assert K.set_value(variable, value) is None
    assert K.dtype(variable) == dtype
    assert K.get_value(variable).tolist() == np.array(expected).astype(numpy_dtype(dtype)).tolist()


@pytest.mark.parametrize(
    ("value", "got"), [(1.0, "()"), ([1.0], "(1,)"), ([1.0, 2.0, 3.0], "(3,)"), ([[1.0, 2.0]], "(1, 2)")], ids=str
)
def test_set_value_refuses_another_shape(value, got):
    variable = K.variable([1.0, 2.0])
    with pytest.raises(ValueError, match=re.escape(f"value has the wrong shape: got {got}, expected (2,)")):
        K.set_value(variable, value)
    assert K.get_value(variable).tolist() == [1, 2]


def test_set_value_refuses_what_is_no_number():
    variable = K.variable(1.0)
    for value in ("a", None, object()):
        with pytest.raises(TypeError, match=r"unsupported type: got .*, expected numbers"):
            K.set_value(variable, value)
    assert K.get_value(variable) == 1


@pytest.mark.parametrize("function", ["set_value", "update", "update_add", "update_sub"])
@pytest.mark.parametrize("x", [np.ones(2), 1.0, [1.0], tf.constant(1.0), None], ids=range(5))
def test_only_variables_can_be_set(function, x):
    with pytest.raises(TypeError, match=f"{function}: .* got {type(x).__name__}, expected a Variable"):
        getattr(K, function)(x, 1.0)


def test_batches_of_values():
    first, second = K.variable([1.0, 2.0]), K.variable(3.0)
    K.batch_set_value([(first, [3.0, 4.0]), (second, K.get_value(second) + 1)])
    assert [np.asarray(value).tolist() for value in K.batch_get_value([first, second])] == [[3, 4], 4]
    assert K.batch_get_value([]) == []
    K.batch_set_value([])


def test_updates_return_the_variable():
    variable = K.variable([1.0, 2.0])
    assert K.update(variable, [3.0, 4.0]) is variable
    assert K.update_add(variable, 1.0) is variable
    assert K.update_sub(variable, [1.0, 0.0]) is variable
    assert K.get_value(variable).tolist() == [3, 5]


@pytest.mark.parametrize("x", [K.variable([[1.0, 2.0]]), tf.zeros([1, 2]), np.zeros((1, 2))], ids=range(3))
def test_shapes_of_variables_tensors_and_arrays(x):
    assert K.int_shape(x) == (1, 2)
    assert K.ndim(x) == 2
    assert K.count_params(x) == 2
    assert K.shape(x).numpy().tolist() == [1, 2]
    assert K.dtype(x) in ("float32", "float64")


def test_shapes_of_scalars():
    scalar = K.variable(1.0)
    assert (K.int_shape(scalar), K.ndim(scalar), K.count_params(scalar)) == ((), 0, 1)


@pytest.mark.parametrize("make", [K.ones_like, K.zeros_like])
def test_likes_take_the_dtype_of_what_they_are_like_or_another(make):
    variable = K.variable([1, 2], dtype="int64")
    assert K.dtype(make(variable)) == "int64"
    assert K.dtype(make(variable, dtype="float16")) == "float16"
    assert K.dtype(make(np.zeros(2, np.int8))) == "int8"


def test_constant_fills_a_shape():
    assert K.constant(3, shape=(2, 2)).numpy().tolist() == [[3, 3], [3, 3]]
    assert K.dtype(K.constant([1, 2], dtype="int32")) == "int32"


def test_eye_is_a_variable():
    variable = K.eye(2, dtype="int32", name="identity")
    assert type(variable) is tf.Variable
    assert variable.name == "identity:0"
    assert K.get_value(variable).tolist() == [[1, 0], [0, 1]]


@pytest.mark.parametrize("make", [K.random_uniform_variable, K.random_normal_variable])
def test_random_variables_repeat_after_set_random_seed(make):
    def drawn(global_seed, seed):
        tf.set_random_seed(global_seed)
        return make((100, 3), 0.0, 1.0, seed=seed).numpy()

    first = drawn(3, 7)
    np.testing.assert_array_equal(drawn(3, 7), first)
    for other in (drawn(3, 8), drawn(4, 7), drawn(3, None), make((100, 3), 0.0, 1.0).numpy()):
        assert (other != first).any()
    variable = make((2, 3), 0.0, 1.0, dtype="float16", name="random", seed=1)
    assert (type(variable), variable.name, variable.dtype) == (tf.Variable, "random:0", tf.float16)


def test_random_variables_have_their_distribution():
    uniform = K.random_uniform_variable((10_000,), -2.0, 4.0, dtype="float64", seed=1).numpy()
    assert -2 <= uniform.min() < -1.99
    assert 3.99 < uniform.max() < 4
    normal = K.random_normal_variable((10_000,), 5.0, 0.5, dtype="float64", seed=1).numpy()
    assert abs(normal.mean() - 5) < 0.03
    assert abs(normal.std() - 0.5) < 0.02


def test_set_value_refuses_ragged_lists():
    v = K.variable([1.0, 2.0])
    with pytest.raises(ValueError, match="set_value: value does not form an array: got list, expected lists of equal"):
        K.set_value(v, [[1.0], [2.0, 3.0]])
    assert K.get_value(v).tolist() == [1.0, 2.0]

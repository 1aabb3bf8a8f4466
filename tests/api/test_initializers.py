"""Initializers: what they make, of whole variables and of slices, and what they refuse."""

from __future__ import annotations

import math
import types

import numpy as np
import pytest

from nbvars import TensorShape, ops
from nbvars.ops import random_ops
from nbvars.variables import initializers

ALIASES = {
    "constant": initializers.Constant,
    "glorot_normal": initializers.GlorotNormal,
    "glorot_uniform": initializers.GlorotUniform,
    "identity": initializers.Identity,
    "ones": initializers.Ones,
    "orthogonal": initializers.Orthogonal,
    "random_normal": initializers.RandomNormal,
    "random_uniform": initializers.RandomUniform,
    "truncated_normal": initializers.TruncatedNormal,
    "uniform_unit_scaling": initializers.UniformUnitScaling,
    "variance_scaling": initializers.VarianceScaling,
    "zeros": initializers.Zeros,
}
FLOATING_ONLY = [cls for name, cls in ALIASES.items() if name not in ("constant", "ones", "random_uniform", "zeros")]


@pytest.fixture(autouse=True)
def global_seed():
    ops.set_random_seed(1)
    yield
    random_ops._streams.restart(None)


def part(full_shape, var_offset=None):
    return types.SimpleNamespace(full_shape=full_shape, var_offset=var_offset or [0] * len(full_shape))


def assert_draws(initializer, expected, shape, partition_info=None):
    """Fail unless ``initializer`` draws what ``expected`` does from the same streams."""
    ops.set_random_seed(1)
    got = initializer(shape, partition_info=partition_info).numpy()
    ops.set_random_seed(1)
    np.testing.assert_allclose(got, expected(shape).numpy(), rtol=1e-6)


@pytest.mark.parametrize("name", ALIASES)
def test_names_of_tensorflow_are_the_classes(name):
    assert getattr(initializers, name) is getattr(initializers, f"{name}_initializer") is ALIASES[name]
    assert {name, f"{name}_initializer", ALIASES[name].__name__} <= set(initializers.__all__)


@pytest.mark.parametrize("shape", [(), (3,), [2, 3], TensorShape([2, 0, 3])])
@pytest.mark.parametrize(("cls", "number"), [(initializers.Zeros, 0), (initializers.Ones, 1)])
def test_zeros_and_ones_have_their_shape_and_dtype(cls, number, shape):
    for got, dtype in ((cls()(shape), "float32"), (cls("int64")(shape), "int64"), (cls()(shape, "bool"), "bool")):
        assert got.dtype == dtype
        np.testing.assert_array_equal(got.numpy(), np.full(tuple(map(int, shape)), number, dtype))


@pytest.mark.parametrize(
    ("value", "dtype", "shape", "expected"),
    [
        (0, None, (2,), np.zeros(2, np.float32)),
        (2.5, None, (2, 2), np.full((2, 2), 2.5, np.float32)),
        ([1, 2, 3], "int32", (2, 3), np.array([[1, 2, 3], [3, 3, 3]], np.int32)),
        ([[1, 2], [3, 4]], "float64", (4,), np.array([1.0, 2, 3, 4])),
        ((1, 2), None, (2, 1), np.array([[1], [2]], np.float32)),
        (np.arange(6), "int64", (3, 2), np.arange(6).reshape(3, 2)),
        (np.float64(1.5), None, (), np.float32(1.5)),
        (True, "bool", (2,), np.array([True, True])),
    ],
)
def test_constant_fills_the_shape(value, dtype, shape, expected):
    got = initializers.Constant(value)(shape, dtype)
    assert got.numpy().dtype == expected.dtype
    np.testing.assert_array_equal(got.numpy(), expected)


def test_constant_gives_a_slice_the_value_of_a_whole_variable():
    got = initializers.Constant([1, 2, 3])((1, 3), partition_info=part([4, 3], [2, 0]))
    np.testing.assert_array_equal(got.numpy(), [[1, 2, 3]])


def test_constant_refuses_more_elements_than_the_shape_has():
    with pytest.raises(ValueError, match="wrong number of elements: got 3, expected at most 2"):
        initializers.Constant([1, 2, 3])([2])


@pytest.mark.parametrize(("value", "shape"), [(3.0, (2, 2)), ([1, 2, 3, 4], (2, 2)), ([1, 2], (1, 2))])
def test_constant_verifies_the_shape_if_asked_to(value, shape):
    wrong = r"Constant: value has the wrong shape: got .*, expected \(\d, \d\)"
    with pytest.raises(TypeError, match=wrong):
        initializers.Constant(value, verify_shape=True)(shape)
    with pytest.raises(TypeError, match=wrong):
        initializers.Constant(value)(shape, verify_shape=True)
    fitting = initializers.Constant(value, verify_shape=True)(shape, verify_shape=False)
    assert fitting.numpy().shape == shape


def test_constant_of_the_verified_shape_is_the_value():
    value = np.arange(4.0).reshape(2, 2)
    got = initializers.Constant(value, verify_shape=True)(TensorShape([2, 2]))
    np.testing.assert_array_equal(got.numpy(), value.astype(np.float32))


@pytest.mark.parametrize("value", [None, {}, object()])
def test_constant_refuses_what_is_no_value(value):
    with pytest.raises(TypeError, match=r"Constant: value has the wrong type: got .*, expected a number"):
        initializers.Constant(value)


def test_random_initializers_draw_from_their_ops():
    normal = initializers.RandomNormal(2.0, 0.5, seed=5)
    assert_draws(normal, lambda shape: ops.random_normal(shape, 2.0, 0.5, seed=5), (4, 3))
    truncated = initializers.TruncatedNormal(2.0, 0.5, seed=5)
    assert_draws(truncated, lambda shape: ops.truncated_normal(shape, 2.0, 0.5, seed=5), (4, 3))
    uniform = initializers.RandomUniform(-2, 3, seed=5)
    assert_draws(uniform, lambda shape: ops.random_uniform(shape, -2, 3, seed=5), (4, 3))
    integers = initializers.RandomUniform(0, 1000, seed=5, dtype="int32")
    assert_draws(integers, lambda shape: ops.random_uniform(shape, 0, 1000, "int32", seed=5), (4, 3))


def test_random_uniform_of_integers_needs_a_maxval():
    with pytest.raises(ValueError, match="integers need a maxval"):
        initializers.RandomUniform(dtype="int32")([2])


# What TensorFlow 2.21 computes for scale 2.5, through ``tf.compat.v1``: the deviation before truncation, the
# deviation without truncation, and the limit of the uniform distribution.
SCALED = [
    ((), "fan_in", (1.7975133060865118, 1.5811388300841898, 2.7386127875258306)),
    ((7,), "fan_in", (0.6793961694620622, 0.5976143046671968, 1.0350983390135313)),
    ((7,), "fan_avg", (0.6793961694620622, 0.5976143046671968, 1.0350983390135313)),
    ((5, 3), "fan_in", (0.8038723885739654, 0.7071067811865476, 1.224744871391589)),
    ((5, 3), "fan_out", (1.0377947911409817, 0.9128709291752769, 1.5811388300841898)),
    ((5, 3), "fan_avg", (0.8987566530432559, 0.7905694150420949, 1.3693063937629153)),
    ((0, 4), "fan_in", (1.7975133060865118, 1.5811388300841898, 2.7386127875258306)),
    ((0, 4), "fan_avg", (1.2710338480068228, 1.118033988749895, 1.9364916731037085)),
    ((2, 3, 4, 5), "fan_in", (0.36691586714793245, 0.3227486121839514, 0.5590169943749475)),
    ((2, 3, 4, 5), "fan_out", (0.32817952838642356, 0.28867513459481287, 0.5)),
    ((2, 3, 4, 5), "fan_avg", (0.34593159704699394, 0.3042903097250923, 0.5270462766947299)),
    ((3, 3, 1, 8, 16), "fan_avg", (0.17296579852349697, 0.15214515486254615, 0.26352313834736496)),
]


@pytest.mark.parametrize(("full_shape", "mode", "parameters"), SCALED)
def test_variance_scaling_scales_as_tensorflow_does(full_shape, mode, parameters):
    truncated, untruncated, limit = parameters
    draws = {
        "truncated_normal": lambda shape: ops.truncated_normal(shape, 0.0, truncated, seed=5),
        "normal": lambda shape: ops.truncated_normal(shape, 0.0, truncated, seed=5),
        "untruncated_normal": lambda shape: ops.random_normal(shape, 0.0, untruncated, seed=5),
        "UNIFORM": lambda shape: ops.random_uniform(shape, -limit, limit, seed=5),
    }
    for distribution, expected in draws.items():
        initializer = initializers.VarianceScaling(2.5, mode, distribution, seed=5)
        assert_draws(initializer, expected, full_shape)
        # A slice is scaled like the whole.
        assert_draws(initializer, expected, (6, 2), part(full_shape))


@pytest.mark.parametrize("distribution", ["truncated_normal", "untruncated_normal", "uniform"])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_variance_scaling_gives_the_variance_that_it_names(distribution, dtype):
    numbers = initializers.VarianceScaling(2.0, "fan_out", distribution)((100, 200), dtype)
    assert numbers.dtype == dtype
    values = numbers.numpy().astype(np.float64)
    assert abs(values.std() / math.sqrt(2.0 / 200) - 1) < 0.02
    assert abs(values.mean()) < 0.003


@pytest.mark.parametrize(
    ("initializer", "equal"),
    [
        (initializers.GlorotUniform(5), initializers.VarianceScaling(1.0, "fan_avg", "uniform", 5)),
        (initializers.GlorotNormal(5), initializers.VarianceScaling(1.0, "fan_avg", "truncated_normal", 5)),
        (initializers.he_normal(5), initializers.VarianceScaling(2.0, "fan_in", "truncated_normal", 5)),
        (initializers.he_uniform(5), initializers.VarianceScaling(2.0, "fan_in", "uniform", 5)),
        (initializers.lecun_normal(5), initializers.VarianceScaling(1.0, "fan_in", "truncated_normal", 5)),
        (initializers.lecun_uniform(5), initializers.VarianceScaling(1.0, "fan_in", "uniform", 5)),
    ],
)
def test_named_initializers_are_kinds_of_variance_scaling(initializer, equal):
    assert isinstance(initializer, initializers.VarianceScaling)
    assert_draws(initializer, equal, (6, 3))


@pytest.mark.parametrize(
    ("full_shape", "limit"),
    [
        ((), 2.598076211353316),
        ((7,), 2.598076211353316),
        ((5, 3), 1.161895003862225),
        ((0, 4), 2.598076211353316),
        ((2, 3, 4, 5), 0.5303300858899107),
        ((50, 3), 0.3674234614174767),
    ],
)
def test_uniform_unit_scaling_scales_as_tensorflow_does(full_shape, limit):
    initializer = initializers.UniformUnitScaling(1.5, seed=5)
    expected = lambda shape: ops.random_uniform(shape, -limit, limit, seed=5)  # noqa: E731
    assert_draws(initializer, expected, full_shape)
    assert_draws(initializer, expected, (2, 3), part(full_shape))


@pytest.mark.parametrize("shape", [(4, 4), (6, 2), (2, 6), (3, 2, 4), (2, 3, 9), (1, 1), (0, 3), (3, 0)])
@pytest.mark.parametrize("gain", [1.0, 2.0])
def test_orthogonal_rows_or_columns_are_orthonormal(shape, gain):
    numbers = initializers.Orthogonal(gain, seed=5)(TensorShape(shape), "float64").numpy()
    assert numbers.shape == shape
    matrix = numbers.reshape(math.prod(shape[:-1]), shape[-1])
    gram = matrix @ matrix.T if matrix.shape[0] < matrix.shape[1] else matrix.T @ matrix
    np.testing.assert_allclose(gram, gain**2 * np.eye(min(matrix.shape)), atol=1e-12)


def test_orthogonal_matrices_are_distributed_evenly():
    # Rows and columns may change their sign: all entries are as often negative as positive.
    initializer = initializers.Orthogonal()
    matrices = np.array([initializer((2, 2)).numpy() for _ in range(400)])
    assert np.abs((matrices > 0).mean(axis=0) - 0.5).max() < 0.12
    # Half of all are rotations, half are reflections.
    assert abs((np.linalg.det(matrices) > 0).mean() - 0.5) < 0.12


def test_orthogonal_repeats_with_its_seed():
    first = initializers.Orthogonal(seed=5)((3, 3)).numpy()
    ops.set_random_seed(1)
    np.testing.assert_array_equal(initializers.Orthogonal(seed=5)((3, 3)).numpy(), first)
    assert not np.array_equal(initializers.Orthogonal(seed=6)((3, 3)).numpy(), first)


@pytest.mark.parametrize("shape", [(), (3,)])
def test_orthogonal_refuses_fewer_than_two_axes(shape):
    with pytest.raises(ValueError, match=r"Orthogonal: the shape has the wrong rank: got .*, expected 2 axes or more"):
        initializers.Orthogonal()(shape)


@pytest.mark.parametrize("shape", [(3, 3), (2, 4), (4, 2), (0, 2)])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_identity_is_the_identity_matrix(shape, dtype):
    got = initializers.Identity(2.5)(list(shape), dtype)
    assert got.dtype == dtype
    np.testing.assert_array_equal(got.numpy(), 2.5 * np.eye(*shape))


@pytest.mark.parametrize("full_shape", [[4, 5], TensorShape([4, 5])])
@pytest.mark.parametrize("offset", [[0, 0], [1, 1], [2, 0], [0, 3]])
def test_identity_of_a_slice_is_the_slice_of_the_identity(full_shape, offset):
    got = initializers.Identity()(
        (2, 2), partition_info=types.SimpleNamespace(full_shape=full_shape, var_offset=offset)
    )
    row, column = offset
    np.testing.assert_array_equal(got.numpy(), np.eye(4, 5)[row : row + 2, column : column + 2])


@pytest.mark.parametrize("shape", [(), (3,), (2, 2, 2)])
def test_identity_refuses_what_is_no_matrix(shape):
    with pytest.raises(ValueError, match=r"Identity: the shape has the wrong rank: got .*, expected 2 axes"):
        initializers.Identity()(shape)


@pytest.mark.parametrize("cls", FLOATING_ONLY)
@pytest.mark.parametrize("dtype", ["int32", "bool", "complex64"])
def test_a_dtype_that_is_not_floating_is_refused_by_the_initializer_and_by_its_call(cls, dtype):
    wrong = f"{cls.__name__}: dtype has the wrong dtype: got {dtype}, expected a floating dtype"
    with pytest.raises(TypeError, match=wrong):
        cls(dtype=dtype)
    with pytest.raises(TypeError, match=wrong):
        cls()((2, 2), dtype)


@pytest.mark.parametrize("cls", ALIASES.values())
def test_the_dtype_of_a_call_goes_before_that_of_the_initializer(cls):
    assert cls(dtype="float64")((2, 2)).dtype == "float64"
    assert cls(dtype="float64")((2, 2), "float16").dtype == "float16"
    assert cls(dtype="float64")((2, 2), dtype=None).dtype == "float64"
    assert cls()((2, 2)).dtype == "float32"


@pytest.mark.parametrize("cls", ALIASES.values())
@pytest.mark.parametrize("shape", [None, [2, None]])
def test_an_unknown_size_is_refused(cls, shape):
    with pytest.raises(ValueError, match=f"{cls.__name__}: the shape is not fully defined: got .*, expected known"):
        cls()(TensorShape(shape))


def test_a_single_number_and_an_array_are_shapes_too():
    assert initializers.Zeros()(3).shape == [3]
    assert initializers.Zeros()(np.array([3, 2])).shape == [3, 2]


@pytest.mark.parametrize(
    ("arguments", "wrong"),
    [
        ((-1.0,), "scale is not positive: got -1.0, expected a number above 0"),
        ((0,), "scale is not positive: got 0, expected a number above 0"),
        ((math.nan,), "scale is not positive: got nan, expected a number above 0"),
        ((1.0, "fan"), "unknown mode: got 'fan', expected one of"),
        ((1.0, "fan_in", "cauchy"), "unknown distribution: got 'cauchy', expected one of"),
    ],
)
def test_variance_scaling_refuses_wrong_arguments(arguments, wrong):
    with pytest.raises(ValueError, match=f"VarianceScaling: {wrong}"):
        initializers.VarianceScaling(*arguments)


@pytest.mark.parametrize(
    ("initializer", "config"),
    [
        (initializers.Zeros("int32"), {"dtype": "int32"}),
        (initializers.Ones(), {"dtype": "float32"}),
        (initializers.Constant([1, 2], "int64"), {"value": [1, 2], "dtype": "int64"}),
        (
            initializers.RandomNormal(1.0, 2.0, 5),
            {"mean": 1.0, "stddev": 2.0, "seed": 5, "dtype": "float32"},
        ),
        (
            initializers.TruncatedNormal(seed=5, dtype="float16"),
            {"mean": 0.0, "stddev": 1.0, "seed": 5, "dtype": "float16"},
        ),
        (initializers.RandomUniform(seed=5), {"minval": 0, "maxval": None, "seed": 5, "dtype": "float32"}),
        (initializers.UniformUnitScaling(2.0, 5), {"factor": 2.0, "seed": 5, "dtype": "float32"}),
        (
            initializers.VarianceScaling(2.0, "fan_out", "Normal", 5, "float64"),
            {"scale": 2.0, "mode": "fan_out", "distribution": "normal", "seed": 5, "dtype": "float64"},
        ),
        (initializers.GlorotUniform(5), {"seed": 5, "dtype": "float32"}),
        (initializers.GlorotNormal(5), {"seed": 5, "dtype": "float32"}),
        (initializers.Orthogonal(2.0, 5), {"gain": 2.0, "seed": 5, "dtype": "float32"}),
        (initializers.Identity(2.0), {"gain": 2.0, "dtype": "float32"}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_configuration_makes_an_equal_initializer(initializer, config):
    assert initializer.get_config() == config
    made = type(initializer).from_config(config)
    assert type(made) is type(initializer)
    assert made.get_config() == config
    assert_draws(made, initializer, (2, 2))


def test_the_configuration_of_constant_leaves_out_whether_the_shape_is_verified():
    assert initializers.Constant(1, verify_shape=True).get_config() == {"value": 1, "dtype": "float32"}


def test_the_base_class_makes_nothing_and_has_no_configuration():
    assert initializers.Initializer().get_config() == {}
    with pytest.raises(NotImplementedError):
        initializers.Initializer()([2])

"""float16 and bfloat16 in compiled code: variables by their bits, and the functions that tell what bits mean."""

from __future__ import annotations

import numpy as np
import pytest
from numba import njit
from numba.core.errors import TypingError

import nbvars
from tests.conftest import assert_same_bits, numpy_dtype, random_array

HALVES = ["float16", "bfloat16"]
WIDEN = {"float16": nbvars.float16_to_float32, "bfloat16": nbvars.bfloat16_to_float32}
NARROW = {"float16": nbvars.float32_to_float16, "bfloat16": nbvars.float32_to_bfloat16}
halves = pytest.mark.parametrize("dtype", HALVES)


@njit
def described(variable):
    return variable.value(), variable.numpy(), variable[0, 1], variable.shape


@njit
def add(variable, value):
    return variable.assign_add(value, use_locking=True)


@njit
def assign(variable, value):
    return variable.assign(value)


@njit
def scatter_mul(variable, indices, values):
    return variable.scatter_mul(indices, values)


def compiled(function):
    return njit(lambda number: function(number))  # noqa: PLW0108 - Numba compiles it


def both_ways(function):
    return [function, compiled(function)]


def make(rng, dtype, shape=(5, 3)):
    """Return two variables of the same numbers."""
    value = random_array(rng, dtype, shape)
    return nbvars.Variable(value), nbvars.Variable(value)


@halves
def test_compiled_code_reads_the_bits(rng, dtype):
    variable, _ = make(rng, dtype)
    bits = variable.numpy().view(np.uint16)
    view, copy, item, shape = described(variable)
    for seen in (view, copy):
        assert seen.dtype == np.uint16
        np.testing.assert_array_equal(seen, bits)
    assert item == bits[0, 1]
    assert shape == (5, 3)


@halves
@pytest.mark.parametrize("source", ["float32", "float64"])
def test_floats_update_as_in_python(rng, dtype, source):
    variable, expected = make(rng, dtype)
    value = random_array(rng, source, (5, 3))
    rows, indices = random_array(rng, source, (4, 3)), np.array([4, 0, 4, 1])
    assert add(variable, value) is variable
    scatter_mul(variable, indices, rows)
    add(variable, numpy_dtype(source).type(0.1))
    with np.errstate(all="ignore"):
        expected.assign_add(value)
        expected.scatter_mul(nbvars.IndexedSlices(rows.astype(numpy_dtype(dtype)), indices))
        expected.assign_add(numpy_dtype(source).type(0.1))
    assert_same_bits(variable.numpy(), expected.numpy())


@halves
def test_uint16_is_bits(rng, dtype):
    variable, expected = make(rng, dtype)
    value = random_array(rng, dtype, (5, 3))
    add(variable, value.view(np.uint16))
    expected.assign_add(value)
    assert_same_bits(variable.numpy(), expected.numpy())
    assign(variable, np.arange(15, dtype=np.uint16).reshape(5, 3))
    np.testing.assert_array_equal(variable.numpy().view(np.uint16), np.arange(15).reshape(5, 3))
    assign(variable, np.uint16(0x7D01))  # a signalling NaN is copied, not computed with
    assert (variable.numpy().view(np.uint16) == 0x7D01).all()


@halves
@pytest.mark.parametrize("value", [1, True, 1j, np.uint8(1)], ids=lambda value: type(value).__name__)
def test_what_could_be_bits_or_a_number_is_refused(dtype, value):
    variable = nbvars.Variable([[1.0]], dtype=dtype)
    with pytest.raises(TypingError) as caught:
        add(variable, value)
    assert f"expected float32, float64, or uint16: the bits of a {dtype}" in str(caught.value)
    assert variable.numpy() == 1


@halves
def test_their_elements_are_not_updated_atomically(dtype):
    variable = nbvars.Variable([1.0], dtype=dtype)
    with pytest.raises(TypingError) as caught:
        nbvars.atomic.add(variable, 0, np.uint16(1))
    assert f"atomic.add: ref has the wrong dtype: got {dtype}, expected an integer, float32 or float64" in str(
        caught.value
    )


@halves
def test_all_bits_are_widened_alike(dtype):
    bits = np.arange(2**16).astype(np.uint16)
    expected = bits.view(numpy_dtype(dtype)).astype(np.float32)
    for widen in both_ways(WIDEN[dtype]):
        assert_same_bits(widen(bits), expected)
        assert_same_bits(widen(bits.reshape(2, -1)[:, ::2]), expected.reshape(2, -1)[:, ::2])
        assert widen(0x3C80) == widen(np.uint16(0x3C80)) == expected[0x3C80]
        assert type(widen(np.array(0x3C80, np.uint16))) is np.ndarray


@halves
@pytest.mark.parametrize("source", ["float32", "float64"])
def test_numbers_are_rounded_as_cast_does(rng, dtype, source):
    halfway = np.arange(2**11, 2**12) / 2**12 + 2.0**-13  # between two float16
    x = np.concatenate([random_array(rng, source, (1000,)), halfway, halfway * (1 + 2.0**-30)]).astype(source)
    expected = nbvars.kernels.cast(x, numpy_dtype(dtype)).view(np.uint16)
    python, in_compiled_code = both_ways(NARROW[dtype])
    np.testing.assert_array_equal(python(x), expected)
    np.testing.assert_array_equal(in_compiled_code(x), expected)
    for k in (0, 1, 1500):
        assert python(x[k]) == in_compiled_code(x[k]) == expected[k]


@halves
def test_what_has_no_such_bits_is_refused(dtype):
    name, widen = WIDEN[dtype].__name__, compiled(WIDEN[dtype])
    for number in (-1, 2**16, np.uint64(2**63)):
        for function in (WIDEN[dtype], widen):
            with pytest.raises(ValueError, match=f"{name}: bits does not fit: got .*, expected uint16"):
                function(number)
    for bits in (1.0, np.zeros(2, np.int64), True):
        with pytest.raises(TypeError, match=f"{name}: bits has the wrong type: got .*, expected uint16, or an integer"):
            WIDEN[dtype](bits)
        with pytest.raises(
            TypingError, match=f"{name}: bits has the wrong type: got .*, expected uint16, or an integer"
        ):
            widen(bits)


@halves
def test_what_is_no_float_is_not_rounded(dtype):
    name, narrow = NARROW[dtype].__name__, compiled(NARROW[dtype])
    for x in (1, np.zeros(2, np.uint16), 1j):
        with pytest.raises(TypeError, match=f"{name}: x has the wrong dtype: got .*, expected one of"):
            NARROW[dtype](x)
        with pytest.raises(TypingError, match=f"{name}: x has the wrong dtype: got .*, expected one of"):
            narrow(x)

from __future__ import annotations

import re

import pytest

from nbvars import checks, dtypes, errors


def raises(error, sentence):
    return pytest.raises(error, match=f"^{re.escape(sentence)}$")


def test_message_is_the_one_sentence_of_all_errors():
    assert checks.message is errors.message


def test_expect_dtype_refuses_another_dtype():
    checks.expect_dtype("scatter_sub", "values", dtypes.float32, dtypes.float32)
    with raises(TypeError, "scatter_sub: values has the wrong dtype: got float64, expected float32"):
        checks.expect_dtype("scatter_sub", "values", dtypes.float64, dtypes.float32)


def test_expect_dtype_in_refuses_a_dtype_outside_the_list():
    allowed = (dtypes.int32, dtypes.int64)
    checks.expect_dtype_in("count_up_to", "ref", dtypes.int64, allowed, "int32 or int64")
    checks.expect_dtype_in("count_up_to", "ref", dtypes.int64, frozenset(allowed), "int32 or int64")
    with raises(TypeError, "count_up_to: ref has the wrong dtype: got float32, expected int32 or int64"):
        checks.expect_dtype_in("count_up_to", "ref", dtypes.float32, allowed, "int32 or int64")


@pytest.mark.parametrize("dtype", dtypes.ALL, ids=str)
def test_expect_integer_refuses_exactly_the_types_that_are_not_integers(dtype):
    if dtype.is_integer:
        checks.expect_integer("gather", "indices", dtype)
    else:
        with raises(TypeError, f"gather: indices has the wrong dtype: got {dtype}, expected an integer dtype"):
            checks.expect_integer("gather", "indices", dtype)


@pytest.mark.parametrize("got", [(), (2,), (3, 2), (2, 3, 1)])
def test_expect_shape_refuses_another_shape(got):
    checks.expect_shape("assign", "value", got, got)
    with raises(ValueError, f"assign: value has the wrong shape: got {got}, expected (2, 3)"):
        checks.expect_shape("assign", "value", got, (2, 3))


def test_expect_rank_refuses_another_rank():
    checks.expect_rank("count_up_to", "ref", 0, 0)
    with raises(ValueError, "count_up_to: ref has the wrong rank: got 1, expected 0"):
        checks.expect_rank("count_up_to", "ref", 1, 0)


def test_expect_type_refuses_another_type():
    checks.expect_type("load", "name", "x", str, "a string")
    checks.expect_type("load", "name", 1, (str, int), "a string or an integer")
    with raises(TypeError, "load: name has the wrong type: got float, expected a string or an integer"):
        checks.expect_type("load", "name", 1.0, (str, int), "a string or an integer")

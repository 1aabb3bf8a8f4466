from __future__ import annotations

import copy
import operator
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbvars.shapes import Dimension, TensorShape, as_shape, unknown_shape

UNKNOWN = TensorShape(None)

sizes = st.none() | st.integers(0, 3)
shapes = st.builds(TensorShape, st.none() | st.lists(sizes, max_size=3))


def _case_id(value: object) -> str:
    """Name a case the same in every process: the repr of some objects is their address."""
    text = repr(value)
    return type(value).__name__ if " at 0x" in text else text


def values_of(shape):
    return None if shape.ndims is None else shape.as_list()


# Dimension


@pytest.mark.parametrize("value", [0, 3, np.int8(3), np.uint64(7), Dimension(3), 2**63 - 1])
def test_a_dimension_holds_an_integer(value):
    dimension = Dimension(value)
    assert type(dimension.value) is int
    assert dimension.value == int(dimension) == operator.index(dimension) == int(value)
    assert (repr(dimension), str(dimension)) == (f"Dimension({int(value)})", str(int(value)))


def test_an_unknown_dimension_has_no_number():
    for dimension in (Dimension(None), Dimension(Dimension(None))):
        assert dimension.value is None
        assert (repr(dimension), str(dimension)) == ("Dimension(None)", "?")
        for number in (int, operator.index):
            with pytest.raises(TypeError, match=r"got \?, expected a known size"):
                number(dimension)


@pytest.mark.parametrize("wrong", [2.0, "2", b"2", True, np.True_, [2], np.float32(2), np.array([2])], ids=_case_id)
def test_a_dimension_that_is_not_an_integer_is_a_type_error(wrong):
    for make in (Dimension, lambda value: TensorShape([1, value])):
        with pytest.raises(TypeError, match=r"^shape: a dimension is not an integer: got .*, expected an integer"):
            make(wrong)


@pytest.mark.parametrize("wrong", [-1, np.int8(-1), -(2**70)])
def test_a_negative_dimension_is_a_value_error(wrong):
    for make in (Dimension, lambda value: TensorShape((1, value))):
        with pytest.raises(ValueError, match=f"^shape: a dimension is negative: got {wrong}, expected 0 or more$"):
            make(wrong)


def test_a_dimension_too_large_for_int64_is_a_value_error():
    for make in (Dimension, lambda value: TensorShape((1, value))):
        with pytest.raises(ValueError, match=f"too large for int64: got {2**63}, expected at most {2**63 - 1}"):
            make(2**63)


@pytest.mark.parametrize("operation", [operator.add, operator.sub, operator.mul, operator.floordiv, operator.mod])
def test_arithmetic_is_that_of_integers_from_both_sides(operation):
    expected = operation(7, 3)
    for left, right in [
        (Dimension(7), Dimension(3)),
        (Dimension(7), 3),
        (7, Dimension(3)),
        (np.int32(7), Dimension(3)),
    ]:
        result = operation(left, right)
        assert int(result) == expected
    assert isinstance(operation(7, Dimension(3)), Dimension)


@pytest.mark.parametrize("operation", [operator.add, operator.sub, operator.mul, operator.floordiv, operator.mod])
def test_arithmetic_with_an_unknown_size_is_unknown(operation):
    unknown = Dimension(None)
    for left, right in [
        (unknown, 3),
        (3, unknown),
        (unknown, unknown),
        (Dimension(3), None),
        (None, Dimension(3)),
    ]:
        result = operation(left, right)
        assert isinstance(result, Dimension)
        assert result.value is None


def test_arithmetic_takes_negative_integers_but_gives_no_negative_size():
    assert (Dimension(3) + -1).value == 2
    with pytest.raises(ValueError, match="got -1, expected 0 or more"):
        operator.sub(Dimension(2), 3)
    with pytest.raises(ValueError, match="expected at most"):
        operator.mul(Dimension(2**62), 2)


@pytest.mark.parametrize("wrong", ["3", 3.0, [3]], ids=_case_id)
def test_arithmetic_with_something_else_is_a_type_error(wrong):
    with pytest.raises(TypeError, match="unsupported operand"):
        operator.sub(Dimension(3), wrong)
    with pytest.raises(TypeError, match="unsupported operand"):
        operator.sub(wrong, Dimension(3))
    with pytest.raises(TypeError, match="not supported between"):
        operator.lt(Dimension(3), wrong)


@pytest.mark.parametrize("name", ["eq", "ne", "lt", "le", "gt", "ge"])
def test_comparisons_are_those_of_integers_and_none_where_unknown(name):
    relation = getattr(operator, name)
    for other in (2, 3, 4):
        assert relation(Dimension(3), other) is relation(3, other)
        assert relation(other, Dimension(3)) is relation(other, 3)
        assert relation(Dimension(3), Dimension(other)) is relation(3, other)
    assert relation(Dimension(None), 3) is None
    assert relation(3, Dimension(None)) is None
    assert relation(Dimension(3), Dimension(None)) is None
    assert relation(Dimension(3), None) is None


def test_a_dimension_differs_from_what_is_no_integer():
    assert (Dimension(3) == "3") is False
    assert (Dimension(3) != "3") is True


def test_a_dimension_finds_what_its_integer_finds():
    assert {3: "three"}[Dimension(3)] == "three"


def test_merging_dimensions_gives_the_known_one():
    assert Dimension(3).merge_with(None) == 3
    assert Dimension(None).merge_with(3) == 3
    assert Dimension(3).merge_with(Dimension(3)) == 3
    assert Dimension(None).merge_with(None).value is None
    with pytest.raises(ValueError, match="two sizes differ: got 4, expected 3"):
        Dimension(3).merge_with(4)


def test_dimensions_are_compatible_unless_both_are_known_and_differ():
    assert Dimension(3).is_compatible_with(3)
    assert Dimension(3).is_compatible_with(None)
    assert Dimension(None).is_compatible_with(3)
    assert not Dimension(3).is_compatible_with(4)


# TensorShape: making and showing


@pytest.mark.parametrize(
    ("dims", "expected"),
    [
        (None, None),
        ([], []),
        ((), []),
        (5, [5]),
        (Dimension(5), [5]),
        (np.int64(5), [5]),
        (np.array(5), [5]),
        ((2, None), [2, None]),
        ([Dimension(2), Dimension(None)], [2, None]),
        (np.array([2, 3]), [2, 3]),
        (iter([2, 3]), [2, 3]),
        (range(3), [0, 1, 2]),
        (TensorShape([2, None]), [2, None]),
        (UNKNOWN, None),
    ],
    ids=_case_id,
)
def test_a_shape_is_made_from(dims, expected):
    shape = TensorShape(dims)
    assert values_of(shape) == expected
    assert all(size is None or type(size) is int for size in values_of(shape) or [])


@pytest.mark.parametrize("wrong", ["", "23", b"23"], ids=_case_id)
def test_a_string_is_not_a_shape(wrong):
    with pytest.raises(TypeError, match=f"^shape: a string is not a shape: got {wrong!r}, expected integers"):
        TensorShape(wrong)


@pytest.mark.parametrize("wrong", [2.0, [[2, 3]], np.zeros((2, 2), int), object(), {"a": 1}], ids=_case_id)
def test_what_holds_no_integers_is_not_a_shape(wrong):
    with pytest.raises(TypeError, match=r"^shape: .*, expected an integer or None$"):
        TensorShape(wrong)


@pytest.mark.parametrize(
    ("dims", "in_repr", "in_str"),
    [
        (None, "TensorShape(None)", "<unknown>"),
        ([], "TensorShape([])", "()"),
        ([3], "TensorShape([3])", "(3,)"),
        ([2, None], "TensorShape([2, None])", "(2, ?)"),
        ([None], "TensorShape([None])", "(?,)"),
        ([2, 3], "TensorShape([2, 3])", "(2, 3)"),
    ],
)
def test_repr_and_str_show_the_sizes(dims, in_repr, in_str):
    assert (repr(TensorShape(dims)), str(TensorShape(dims))) == (in_repr, in_str)


def test_as_shape_gives_a_shape_back_as_it_is():
    shape = TensorShape([2])
    assert as_shape(shape) is shape
    assert as_shape([2]) == shape


def test_unknown_shape_has_the_rank_it_is_given():
    assert unknown_shape() == UNKNOWN
    assert unknown_shape(2) == [None, None]
    assert unknown_shape(0) == []


@given(shapes)
def test_a_pickled_or_copied_shape_is_equal(shape):
    assert pickle.loads(pickle.dumps(shape)) == copy.copy(shape) == copy.deepcopy(shape) == shape


# TensorShape: what it tells


def test_a_known_shape_tells_its_rank_sizes_and_elements():
    shape = TensorShape([2, 3])
    assert (shape.ndims, shape.rank, len(shape)) == (2, 2, 2)
    assert shape.as_list() == [2, 3]
    assert all(isinstance(dimension, Dimension) for dimension in shape.dims)
    assert [int(dimension) for dimension in shape.dims] == [2, 3]
    assert [dimension.value for dimension in shape] == [2, 3]
    assert shape.num_elements() == 6
    assert shape.is_fully_defined()
    shape.assert_is_fully_defined()


def test_a_shape_of_unknown_size_tells_no_number_of_elements():
    shape = TensorShape([2, None])
    assert (shape.ndims, shape.as_list(), shape.num_elements()) == (2, [2, None], None)
    assert shape.dims[1].value is None
    assert not shape.is_fully_defined()
    with pytest.raises(ValueError, match=r"not fully defined: got \(2, \?\), expected known sizes only"):
        shape.assert_is_fully_defined()


def test_a_shape_of_unknown_rank_refuses_what_needs_its_rank():
    assert (UNKNOWN.ndims, UNKNOWN.rank, UNKNOWN.dims, UNKNOWN.num_elements()) == (None, None, None, None)
    assert not UNKNOWN.is_fully_defined()
    for needs_rank in (TensorShape.as_list, len, iter, TensorShape.assert_is_fully_defined):
        with pytest.raises(ValueError, match="got <unknown>, expected"):
            needs_rank(UNKNOWN)


def test_the_number_of_elements_is_exact():
    assert TensorShape([]).num_elements() == 1
    assert TensorShape([0, 3]).num_elements() == 0
    assert TensorShape([2**40, 2**40]).num_elements() == 2**80


def test_a_shape_is_true_when_its_rank_is_known():
    assert TensorShape([])
    assert not UNKNOWN


def test_numpy_takes_a_shape_for_its_own():
    assert np.zeros(TensorShape([2, 3])).shape == (2, 3)
    assert np.zeros(TensorShape([])).shape == ()
    assert np.arange(6).reshape(TensorShape([3, 2])).shape == (3, 2)


# TensorShape: indexing


def test_an_index_gives_a_dimension_and_a_slice_a_shape():
    shape = TensorShape([2, None, 4])
    assert isinstance(shape[0], Dimension)
    assert (shape[0].value, shape[1].value, shape[-1].value, shape[np.int64(2)].value) == (2, None, 4, 4)
    assert shape[1:] == [None, 4]
    assert shape[::-1] == [4, None, 2]
    assert shape[5:] == []


@pytest.mark.parametrize("index", [2, -3])
def test_an_index_past_the_rank_is_an_index_error(index):
    with pytest.raises(IndexError, match=f"no such dimension: got {index}, expected an index of one of 2"):
        TensorShape([2, 3])[index]


def test_parts_of_an_unknown_rank_are_unknown():
    assert UNKNOWN[7].value is None
    assert UNKNOWN[1:] == UNKNOWN[-2:3] == UNKNOWN[:-1] == UNKNOWN[0:4:2] == UNKNOWN
    assert UNKNOWN[1:3] == UNKNOWN[:2] == [None, None]
    assert UNKNOWN[3:1] == []


# TensorShape: two of them


@pytest.mark.parametrize(
    "same", [(2, None), [2, None], TensorShape((2, None)), (np.int8(2), Dimension(None))], ids=_case_id
)
def test_a_shape_equals_the_same_tuple_list_and_shape(same):
    shape = TensorShape([2, None])
    assert shape == same
    assert same == shape
    assert operator.ne(shape, same) is False


@pytest.mark.parametrize(
    "other",
    [(2,), [2, 3], (2, None, 1), UNKNOWN, None, 2, "2", (2, "x"), (2, -1), object()],
    ids=_case_id,
)
def test_a_shape_differs_from_anything_else(other):
    shape = TensorShape([2, None])
    assert shape != other
    assert other != shape
    assert operator.eq(shape, other) is False


def test_unknown_ranks_are_equal():
    assert TensorShape(None) == unknown_shape()
    assert operator.eq(UNKNOWN, None)
    assert UNKNOWN != ()


@given(shapes, shapes)
def test_equal_shapes_have_equal_hashes(a, b):
    assert a != b or hash(a) == hash(b)
    assert hash(TensorShape([2, 3])) == hash((2, 3))


@given(shapes, shapes)
def test_compatible_is_symmetric_and_what_merging_needs(a, b):
    assert a.is_compatible_with(b) == b.is_compatible_with(a)
    if not a.is_compatible_with(b):
        for merge in (a.merge_with, a.assert_is_compatible_with):
            with pytest.raises(ValueError, match=r"two shapes are not compatible: got .*, expected one that fits"):
                merge(b)
        return
    a.assert_is_compatible_with(b)
    merged = a.merge_with(b)
    assert merged == b.merge_with(a)
    assert merged.is_compatible_with(a)
    assert merged.is_compatible_with(b)


@pytest.mark.parametrize(
    ("a", "b", "merged"),
    [
        ([2, None], [None, 3], [2, 3]),
        ([2, None], None, [2, None]),
        (None, [2, None], [2, None]),
        (None, None, None),
        ([], [], []),
        ([None], [None], [None]),
    ],
)
def test_merging_shapes_gives_what_both_say(a, b, merged):
    assert TensorShape(a).merge_with(b) == TensorShape(merged)


@pytest.mark.parametrize(("a", "b"), [([2], [3]), ([2], []), ([2, None], [2]), ([None], [1, 1])])
def test_shapes_that_contradict_each_other_are_not_compatible(a, b):
    assert not TensorShape(a).is_compatible_with(b)


@given(shapes, shapes)
def test_the_most_specific_compatible_shape_fits_whatever_fits_either(a, b):
    common = a.most_specific_compatible_shape(b)
    assert common == b.most_specific_compatible_shape(a)
    assert common.is_compatible_with(a)
    assert common.is_compatible_with(b)
    assert a.most_specific_compatible_shape(a) == a


def test_the_most_specific_compatible_shape_keeps_what_is_shared():
    assert TensorShape([2, 3]).most_specific_compatible_shape([2, 4]) == [2, None]
    assert TensorShape([2, 3]).most_specific_compatible_shape([2]) == UNKNOWN


def test_concatenating_joins_the_sizes():
    shape = TensorShape([2, None])
    for other in ([4], (4,), TensorShape([4]), 4):
        assert shape.concatenate(other) == operator.add(shape, other) == [2, None, 4]
        assert operator.add(other, shape) == [4, 2, None]
    assert shape + UNKNOWN == UNKNOWN + shape == shape + None == UNKNOWN
    with pytest.raises(TypeError, match="got 'x', expected"):
        operator.add(shape, "x")


def test_assert_same_rank_lets_an_unknown_rank_pass():
    TensorShape([2]).assert_same_rank([3])
    TensorShape([2]).assert_same_rank(None)
    UNKNOWN.assert_same_rank([2])
    with pytest.raises(ValueError, match=r"two shapes differ in rank: got \(2, 3\), expected the rank of \(2,\)"):
        TensorShape([2]).assert_same_rank([2, 3])


def test_a_rank_that_fits_is_let_through():
    shape = TensorShape([2, None])
    for result in (shape.with_rank(2), shape.with_rank_at_least(2), shape.with_rank_at_most(2)):
        assert result is shape
    assert shape.with_rank_at_least(0) is shape
    assert shape.with_rank_at_most(9) is shape
    assert shape.assert_has_rank(2) is None


def test_an_unknown_rank_becomes_the_rank_asked_for():
    assert UNKNOWN.with_rank(2) == [None, None]
    assert UNKNOWN.with_rank_at_least(2) == UNKNOWN.with_rank_at_most(2) == UNKNOWN
    UNKNOWN.assert_has_rank(2)


@pytest.mark.parametrize(
    ("method", "rank", "expected"),
    [
        ("with_rank", 3, "rank 3"),
        ("assert_has_rank", 1, "rank 1"),
        ("with_rank_at_least", 3, "rank 3 or more"),
        ("with_rank_at_most", 1, "rank 1 or less"),
    ],
)
def test_a_rank_that_does_not_fit_is_a_value_error(method, rank, expected):
    with pytest.raises(ValueError, match=rf"the shape has the wrong rank: got \(2, \?\), expected {expected}$"):
        getattr(TensorShape([2, None]), method)(rank)

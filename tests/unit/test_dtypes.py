from __future__ import annotations

import copy
import operator
import pickle
import sys

import ml_dtypes
import numpy as np
import pytest

from nbvars import dtypes

# name, NumPy type, bytes, number in TensorFlow's types.proto
TABLE = [
    ("bool", np.bool_, 1, 10),
    ("int8", np.int8, 1, 6),
    ("int16", np.int16, 2, 5),
    ("int32", np.int32, 4, 3),
    ("int64", np.int64, 8, 9),
    ("uint8", np.uint8, 1, 4),
    ("uint16", np.uint16, 2, 17),
    ("uint32", np.uint32, 4, 22),
    ("uint64", np.uint64, 8, 23),
    ("float16", np.float16, 2, 19),
    ("bfloat16", ml_dtypes.bfloat16, 2, 14),
    ("float32", np.float32, 4, 1),
    ("float64", np.float64, 8, 2),
    ("complex64", np.complex64, 8, 8),
    ("complex128", np.complex128, 16, 18),
]
NAMES = [row[0] for row in TABLE]
ALL_NAMES = [*NAMES, "string"]


@pytest.mark.parametrize(("name", "numpy_type", "size", "enum"), TABLE)
def test_each_constant_has_its_name_numpy_type_size_and_number(name, numpy_type, size, enum):
    dtype = getattr(dtypes, name)
    assert dtype.name == name
    assert dtype.as_numpy_dtype is numpy_type
    assert dtype.numpy_dtype == np.dtype(numpy_type)
    assert dtype.numpy_dtype.isnative
    assert dtype.size == size
    assert dtype.as_datatype_enum == enum
    assert repr(dtype) == f"nbvars.{name}"
    assert str(dtype) == f"{dtype}" == name
    assert f"{dtype:>12}|" == f"{name:>12}|"


def test_all_lists_every_constant_of_numbers_once():
    assert [dtype.name for dtype in dtypes.ALL] == NAMES
    assert [dtype.name for dtype in dtypes.KNOWN] == ALL_NAMES
    assert [dtype.name for dtype in dtypes.REFS] == [f"{name}_ref" for name in ALL_NAMES]


def test_half_and_double_are_aliases():
    assert dtypes.half is dtypes.float16
    assert dtypes.double is dtypes.float64
    assert dtypes.bool_ is dtypes.bool


@pytest.mark.parametrize(("name", "numpy_type", "size", "enum"), TABLE)
def test_as_dtype_finds_each_form_of_a_type(name, numpy_type, size, enum):
    dtype = getattr(dtypes, name)
    for form in (dtype, name, numpy_type, np.dtype(numpy_type), enum):
        assert dtypes.as_dtype(form) is dtype
        assert dtypes.DType(form) is dtype


@pytest.mark.parametrize(
    ("form", "name"),
    [
        (bool, "bool"),
        (int, "int32"),
        (float, "float32"),
        (complex, "complex64"),
        ("half", "float16"),
        ("double", "float64"),
        ("float", "float32"),
        ("int", "int32"),
        ("complex", "complex64"),
        ("half_ref", "float16_ref"),
        ("double_ref", "float64_ref"),
        ("float_ref", "float32_ref"),
        (str, "string"),
        (bytes, "string"),
        (object, "string"),
        (np.object_, "string"),
        (np.str_, "string"),
        (np.bytes_, "string"),
        (np.dtype("O"), "string"),
        (np.dtype("S3"), "string"),
        (np.dtype("U"), "string"),
        (np.dtype("<U3"), "string"),
        (np.dtype(">U3"), "string"),
        (np.dtypes.StringDType(), "string"),
        ("?", "bool"),
        ("f4", "float32"),
        ("<i8", "int64"),
        (">u2", "uint16"),
        (np.intc, "int32"),
        (np.longlong, "int64"),
        (np.dtype("longlong"), "int64"),
        (np.ulonglong, "uint64"),
    ],
)
def test_as_dtype_knows_python_types_and_other_names(form, name):
    assert dtypes.as_dtype(form).name == name


@pytest.mark.parametrize("name", [name for name in NAMES if name != "bfloat16"])
@pytest.mark.parametrize("byte_order", "<>=|")
def test_as_dtype_ignores_the_byte_order(name, byte_order):
    swapped = np.dtype(name).newbyteorder(byte_order)
    assert dtypes.as_dtype(swapped).name == name


UNKNOWN = [
    None,
    "",
    "float23",
    "float23_ref",
    "float32_ref_ref",
    "_ref",
    "f4_ref",
    "str",
    "object",
    "O",
    "S3",
    "V2",
    "f4,f4",
    bytearray,
    np.longdouble,
    np.datetime64,
    np.dtype("V2"),
    np.dtype("M8[s]"),
    np.dtype("f4,f4"),
    np.dtype((np.float32, (2,))),
    True,
    1.0,
    0,
    99,
    100,
    111,
    201,
    -1,
    [],
    {},
    np.zeros(2),
]


@pytest.mark.parametrize("unknown", UNKNOWN, ids=repr)
def test_as_dtype_refuses_what_it_does_not_know(unknown):
    with pytest.raises(TypeError, match=r"^as_dtype: unknown dtype: got .*, expected one of \[bool, .*, string\]$"):
        dtypes.as_dtype(unknown)


STRING_FORMS = ["string", "string_ref", dtypes.string, dtypes.string.as_ref, 7, 107, str, bytes, np.object_]
STRING_DTYPES = [np.dtype("O"), np.dtype("S3"), np.dtype("U3"), np.dtypes.StringDType()]


@pytest.mark.parametrize("not_numeric", [*UNKNOWN, *STRING_FORMS, *STRING_DTYPES], ids=repr)
def test_as_numeric_dtype_refuses_what_names_no_type_of_numbers(not_numeric):
    with pytest.raises(TypeError, match=r"^as_dtype: unknown dtype: got .*, expected one of \[bool, .*, complex128\]$"):
        dtypes.as_numeric_dtype(not_numeric)


@pytest.mark.parametrize(("name", "numpy_type", "size", "enum"), TABLE)
def test_as_numeric_dtype_finds_the_base_of_each_form(name, numpy_type, size, enum):
    dtype = getattr(dtypes, name)
    forms = (dtype, name, numpy_type, np.dtype(numpy_type), enum)
    reference_forms = (dtype.as_ref, f"{name}_ref", enum + 100)
    for form in forms + reference_forms:
        assert dtypes.as_numeric_dtype(form) is dtype


@pytest.mark.parametrize(("name", "numpy_type", "size", "enum"), TABLE)
def test_equality_knows_numpy_types_and_names_from_both_sides(name, numpy_type, size, enum):
    dtype = getattr(dtypes, name)
    for same in (dtype, name, numpy_type, np.dtype(numpy_type)):
        assert dtype == same
        assert same == dtype
        assert operator.ne(dtype, same) is False
    others = [row for row in [*TABLE, ("string", np.object_, 0, 7)] if row[0] != name]
    for other_name, other_type, _, _ in others:
        for other in (getattr(dtypes, other_name), other_name, other_type, np.dtype(other_type)):
            assert dtype != other
            assert other != dtype


@pytest.mark.parametrize("other", [None, "float23", 1, 1.0, object, bytearray, [], ()], ids=repr)
def test_a_dtype_differs_from_what_names_no_type(other):
    assert (dtypes.float32 == other) is False
    assert (dtypes.float32 != other) is True


def test_dtypes_are_keys_of_a_table():
    table = {dtype: dtype.name for dtype in dtypes.ALL}
    assert len(table) == len(TABLE)
    assert table[dtypes.as_dtype(np.float32)] == "float32"


@pytest.mark.parametrize("dtype", dtypes.KNOWN + dtypes.REFS, ids=str)
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickled_or_copied_dtype_is_the_same_object(dtype, protocol):
    assert pickle.loads(pickle.dumps(dtype, protocol)) is dtype
    assert copy.copy(dtype) is copy.deepcopy(dtype) is dtype


def test_a_dtype_cannot_be_changed():
    with pytest.raises(AttributeError, match="a dtype cannot be changed: got name='x', expected no assignment"):
        dtypes.float32.name = "x"
    with pytest.raises(AttributeError, match="got y=1, expected"):
        dtypes.float32.y = 1
    with pytest.raises(AttributeError, match="got del name, expected"):
        del dtypes.float32.name
    assert dtypes.float32.name == "float32"


def test_each_kind_holds_exactly_its_types():
    def named(prefixes):
        return [name for name in NAMES if name.startswith(prefixes)]

    def having(kind):
        return [dtype.name for dtype in dtypes.ALL if getattr(dtype, kind)]

    assert having("is_bool") == ["bool"]
    assert having("is_integer") == named(("int", "uint"))
    assert having("is_unsigned") == named("uint")
    assert having("is_floating") == named(("float", "bfloat"))
    assert having("is_complex") == named("complex")
    assert having("is_numpy_compatible") == NAMES


def test_the_real_dtype_of_a_complex_type_has_half_its_bytes():
    assert dtypes.complex64.real_dtype is dtypes.float32
    assert dtypes.complex128.real_dtype is dtypes.float64
    assert all(dtype.real_dtype is dtype for dtype in dtypes.ALL if not dtype.is_complex)


@pytest.mark.parametrize("name", ALL_NAMES)
def test_a_reference_type_and_its_base_lead_to_each_other(name):
    dtype = getattr(dtypes, name)
    reference = dtype.as_ref
    assert reference is not dtype
    assert reference.base_dtype is dtype.base_dtype is dtype
    assert reference.as_ref is reference
    assert (dtype.is_ref_dtype, reference.is_ref_dtype) == (False, True)


@pytest.mark.parametrize("name", ALL_NAMES)
def test_as_dtype_finds_each_form_of_a_reference_type(name):
    dtype = getattr(dtypes, name)
    reference = dtype.as_ref
    assert reference.name == str(reference) == f"{reference}" == f"{name}_ref"
    assert repr(reference) == f"nbvars.{name}_ref"
    assert reference.as_datatype_enum == dtype.as_datatype_enum + 100
    for form in (reference, f"{name}_ref", dtype.as_datatype_enum + 100):
        assert dtypes.as_dtype(form) is reference
        assert dtypes.DType(form) is reference


@pytest.mark.parametrize("dtype", dtypes.KNOWN, ids=str)
def test_a_reference_type_is_like_its_base(dtype):
    reference = dtype.as_ref
    kinds = ("is_bool", "is_complex", "is_floating", "is_integer", "is_unsigned", "is_numpy_compatible")
    for field in ("numpy_dtype", "as_numpy_dtype", "size", "dtype", *kinds):
        assert getattr(reference, field) is getattr(dtype, field)
    if dtype.is_complex or dtype is dtypes.string:
        with pytest.raises(TypeError, match=f"^DType.max: .*: got {dtype}_ref, expected a real dtype$"):
            _ = reference.max
    else:
        assert (reference.min, reference.max, reference.limits) == (dtype.min, dtype.max, dtype.limits)


def test_the_real_dtype_of_a_reference_type_is_as_tensorflow_has_it():
    assert dtypes.complex64.as_ref.real_dtype is dtypes.float32
    assert dtypes.complex128.as_ref.real_dtype is dtypes.float64
    assert all(dtype.real_dtype is dtype for dtype in dtypes.REFS if not dtype.is_complex)


@pytest.mark.parametrize("dtype", dtypes.KNOWN, ids=str)
def test_a_reference_type_equals_only_itself_and_its_name(dtype):
    reference = dtype.as_ref
    name = f"{dtype.name}_ref"
    assert reference == reference.as_ref
    assert reference == name
    assert name == reference
    for other in (dtype, dtype.name, dtype.numpy_dtype, dtype.as_numpy_dtype, None, dtype.as_datatype_enum):
        assert reference != other
        assert (reference == other) is False
    assert dtype != reference
    assert dtype.as_numpy_dtype != reference
    assert len({dtype, reference}) == 2


@pytest.mark.parametrize("dtype", dtypes.KNOWN, ids=str)
def test_a_type_takes_its_reference_type_but_not_the_other_way_round(dtype):
    assert dtype.is_compatible_with(dtype)
    assert dtype.is_compatible_with(dtype.as_ref)
    assert dtype.as_ref.is_compatible_with(f"{dtype}_ref")
    assert not dtype.as_ref.is_compatible_with(dtype)
    assert not dtype.as_ref.is_compatible_with(dtype.numpy_dtype)
    others = [other for other in dtypes.KNOWN + dtypes.REFS if other.base_dtype is not dtype]
    assert not any(dtype.is_compatible_with(other) or dtype.as_ref.is_compatible_with(other) for other in others)


def test_string_has_objects_for_elements():
    string = dtypes.string
    assert string.name == "string"
    assert repr(string) == "nbvars.string"
    assert string.as_datatype_enum == 7
    assert string.numpy_dtype == np.dtype(object)
    assert string.as_numpy_dtype is np.object_
    assert string.size == 0
    assert string.real_dtype is string
    assert string.is_numpy_compatible
    kinds = ("is_bool", "is_complex", "is_floating", "is_integer", "is_unsigned", "is_ref_dtype")
    assert not any(getattr(string, kind) for kind in kinds)
    assert np.zeros(2, string).dtype == np.dtype(object)


@pytest.mark.parametrize("same", ["string", str, bytes, object, np.object_, np.dtype("O"), np.dtype("S3")], ids=repr)
def test_string_equals_the_types_of_strings(same):
    assert dtypes.string == same
    assert operator.ne(dtypes.string, same) is False


def test_only_equal_types_are_compatible():
    assert dtypes.float32.is_compatible_with("float32")
    assert dtypes.float32.is_compatible_with(np.dtype(">f4"))
    assert not dtypes.float32.is_compatible_with(dtypes.float64)
    with pytest.raises(TypeError, match="got 'float23', expected one of"):
        dtypes.float32.is_compatible_with("float23")


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("bool", False, True),
        ("int8", -128, 127),
        ("int64", -(2**63), 2**63 - 1),
        ("uint8", 0, 255),
        ("uint64", 0, 2**64 - 1),
        ("float16", -65504.0, 65504.0),
        ("bfloat16", -float.fromhex("0x1.FEp127"), float.fromhex("0x1.FEp127")),
        ("float32", -float.fromhex("0x1.FFFFFEp127"), float.fromhex("0x1.FFFFFEp127")),
        ("float64", -sys.float_info.max, sys.float_info.max),
    ],
)
def test_min_and_max_are_the_finite_bounds(name, low, high):
    dtype = getattr(dtypes, name)
    assert (dtype.min, dtype.max) == (low, high)
    assert type(dtype.min) is type(dtype.max) is type(low)


@pytest.mark.parametrize("name", ["complex64", "complex128", "string"])
@pytest.mark.parametrize("bound", ["min", "max", "limits"])
def test_complex_types_and_string_have_no_bounds(name, bound):
    with pytest.raises(TypeError, match=f"^DType.{bound}: .*: got {name}, expected a real dtype$"):
        getattr(getattr(dtypes, name), bound)


def test_limits_are_those_of_image_intensities():
    assert dtypes.uint8.limits == (0, 255)
    assert dtypes.int8.limits == (0, 127)
    assert dtypes.bfloat16.limits == (0.0, 1.0)
    assert dtypes.bool.limits == (False, True)


@pytest.mark.parametrize("dtype", dtypes.KNOWN + dtypes.REFS, ids=str)
def test_numpy_takes_a_dtype_for_its_own(dtype):
    assert np.zeros(2, dtype).dtype == dtype.numpy_dtype
    assert np.zeros(2).astype(dtype).dtype == dtype.numpy_dtype

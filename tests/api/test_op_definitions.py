"""Each op's definition against itself: infer says what compute does, with known shapes and without."""

from __future__ import annotations

import importlib
import pkgutil

import numpy as np
import pytest

import nbvars.ops
from nbvars import dtypes
from nbvars.dtypes import as_dtype
from nbvars.runtime.definition import OpDefinition, TensorSpec


def _definitions():
    found = {}
    for module in pkgutil.iter_modules(nbvars.ops.__path__):
        if module.name == "state_ops":
            continue
        for value in vars(importlib.import_module(f"nbvars.ops.{module.name}")).values():
            definition = getattr(value, "definition", value)
            if isinstance(definition, OpDefinition):
                found[definition.op_type] = definition
    return found


DEFINITIONS = _definitions()

F = np.array([[0.5, -1.5, 2.0], [3.0, 0.25, -0.75]], np.float32)
V = np.array([0.5, 1.5, 2.5], np.float32)
S = np.array(2.0, np.float32)
I = np.array([[1, -2, 3], [4, 5, -6]], np.int32)  # noqa: E741 - the letters name the kinds of arrays
B = np.array([[True, False, True], [False, False, True]])
C = np.array([[1 + 2j, 3j, 2], [0.5, 1j, 2 - 1j]], np.complex64)
H = F.astype(np.float16)
BF = F.astype(dtypes.bfloat16.numpy_dtype)
IDX = np.array([[0, 1], [1, 0]])
KEEP = {"axis": (1,), "keepdims": True}
DROP = {"axis": None, "keepdims": False}

_FLOAT_UNARY = ["Exp", "Expm1", "Log", "Log1p", "Sin", "Cos", "Tanh", "Sqrt", "Rsqrt", "Sigmoid", "Reciprocal"]
_REAL_BINARY = ["FloorDiv", "FloorMod", "Maximum", "Minimum", "Less", "LessEqual", "Greater", "GreaterEqual"]

CASES = [
    *[(op, [x], {}) for op in _FLOAT_UNARY for x in (F, H, BF, C, F.astype(np.float64), S, F[:0])],
    *[(op, [x], {}) for op in ("Abs", "Neg", "Sign", "Square") for x in (F, H, BF, C, I, I.astype(np.int8))],
    *[(op, [x], {}) for op in ("Floor", "Ceil", "IsNan", "IsInf", "IsFinite") for x in (F, H, BF, S)],
    *[(op, [x], {}) for op in ("Round", "Relu", "Relu6") for x in (F, H, BF, I)],
    *[(op, [x], {}) for op in ("Elu", "Softplus", "Softsign", "L2Loss") for x in (F, H, BF, S, F[:0])],
    *[("CheckNumerics", [x], {"message": "here"}) for x in (F, H, BF, S, F[:0])],
    *[("BiasAdd", [x, x[0]], {"data_format": "NHWC"}) for x in (F, H, BF, I)],
    *[("BiasAdd", [F[:0, :n], V[:n]], {"data_format": "NHWC"}) for n in (0, 3)],
    ("BiasAdd", [F[None], V[:2]], {"data_format": "NCHW"}),
    *[(op, [x, x[0]], {}) for op in _REAL_BINARY for x in (F, H, BF, I, I.astype(np.int8), F[:, :1])],
    *[(op, [x, x[:1]], {}) for op in ("AddV2", "Sub", "Mul", "Equal", "NotEqual") for x in (F, H, BF, C, I)],
    *[("RealDiv", [x, x], {}) for x in (F, H, BF, C)],
    *[("Pow", [x, np.array(2, x.dtype)], {}) for x in (F, H, BF, C, I, I.astype(np.uint8))],
    *[(op, [B, B[0]], {}) for op in ("LogicalAnd", "LogicalOr", "LogicalXor")],
    ("LogicalNot", [B], {}),
    *[(op, [I, I[0]], {}) for op in ("BitwiseAnd", "BitwiseOr", "BitwiseXor")],
    ("Invert", [I], {}),
    *[("AddN", [x, x, x], {}) for x in (F, H, BF, I)],
    *[("ClipByValue", [x, x[:1], x[0]], {}) for x in (F, H, BF, I)],
    *[("Cast", [x], {"dtype": dtype}) for x in (F, BF, I, B, C) for dtype in dtypes.ALL],
    *[
        ("SaturateCast", [x], {"dtype": dtype})
        for x in (F, BF, I, B)
        for dtype in dtypes.ALL
        if not (dtype.is_complex or dtype.is_bool)
    ],
    *[
        (op, [x], attrs)
        for op in ("Sum", "Prod", "Mean")
        for x in (F, H, BF, C, I, I.astype(np.int8), I.astype(np.uint64))
        for attrs in (KEEP, DROP)
    ],
    *[(op, [x], attrs) for op in ("Max", "Min") for x in (F, H, BF, I, F[:0]) for attrs in (KEEP, DROP)],
    *[(op, [B], attrs) for op in ("Any", "All") for attrs in (KEEP, DROP)],
    *[("LogSumExp", [x], attrs) for x in (F, H, BF) for attrs in (KEEP, DROP)],
    *[(op, [x], {"axis": 1, "output_type": dtypes.int64}) for op in ("ArgMax", "ArgMin") for x in (F, H, BF, I, B)],
    *[
        ("Cumsum", [x], {"axis": -1, "exclusive": exclusive, "reverse": not exclusive})
        for x in (F, H, BF, I, I.astype(np.int8))
        for exclusive in (True, False)
    ],
    *[(op, [x], {"axis": 0}) for op in ("Softmax", "LogSoftmax") for x in (F, H, BF, F[:0])],
    *[
        ("MatMul", [x, x], {"transpose_a": True, "transpose_b": False})
        for x in (F, H, BF, C, I, np.ones((4, 2, 3), np.float32))
    ],
    ("MatMul", [F, F], {"transpose_a": False, "transpose_b": True}),
    *[("Tensordot", [x, x], {"axes": ((0, 1), (0, 1))}) for x in (F, H, BF, I)],
    ("Tensordot", [F, F.T], {"axes": 1}),
    ("Tensordot", [F, F], {"axes": 0}),
    *[
        ("Norm", [x], {"ord": order, "axis": axis, "keepdims": keepdims})
        for x in (F, H, BF, C, F[:0])
        for order, axis in (("euclidean", None), (1, (0,)), ("fro", (0, 1)), (np.inf, (-1,)))
        for keepdims in (True, False)
    ],
    *[
        ("Qr", [x], {"full_matrices": full_matrices})
        for x in (F, F.T, H, BF, C, F[:0], np.ones((4, 2, 3), np.float32))
        for full_matrices in (True, False)
    ],
    ("FillUp", [V], {"shape": (2, 3)}),
    *[("Fill", [np.array(1, dtype.numpy_dtype)], {"dims": (2, 3)}) for dtype in dtypes.ALL],
    *[
        (op, [x], {"dtype": dtype})
        for op in ("ZerosLike", "OnesLike")
        for x in (BF, B)
        for dtype in (None, dtypes.int8)
    ],
    ("Eye", [], {"shape": (4, 2, 3), "dtype": dtypes.bfloat16}),
    ("Range", [np.array(1), np.array(9), np.array(3)], {}),
    ("LinSpace", [S, S + 1], {"num": 5}),
    *[(op, [x], {}) for op in ("Identity", "StopGradient") for x in (F, S)],
    *[(op, [x, x], {}) for op in ("SoftmaxCrossEntropyWithLogits",) for x in (F, H, BF, F[:0])],
    *[(op, [x, x], {}) for op in ("SigmoidCrossEntropyWithLogits",) for x in (F, H, BF, S)],
    *[("SparseSoftmaxCrossEntropyWithLogits", [x, np.array([2, 0])], {}) for x in (F, H, BF)],
    *[("SumLike", [x, x[:1, :1]], {}) for x in (F, H, BF)],
    *[("BroadcastLike", [x[:1], x], {}) for x in (F, H, BF)],
    *[
        ("Unreduce", [V[:2], F], {"axis": (1,), "keepdims": False}),
        ("Unreduce", [F[:1], F], {"axis": (0,), "keepdims": True}),
    ],
    *[("Unmean", [x[:, 0], x], {"axis": (1,), "keepdims": False}) for x in (F, H, BF)],
    *[("PutItem", [x[1], x], {"key": (1,)}) for x in (F, H, BF)],
    *[("PutElements", [x[0], np.array([0, 5, -1]), x], {}) for x in (F, H, BF)],
    ("Places", [F], {}),
    *[("ProdGradient", [x[:, 0], x], {"axis": (1,), "keepdims": False}) for x in (F, H, BF)],
    *[(op, [F], {"out_type": dtypes.int64}) for op in ("Shape", "Size")],
    ("Rank", [F], {}),
    *[("Reshape", [F], {"shape": shape}) for shape in ((3, 2), (-1,), (1, -1, 2))],
    ("Reshape", [S], {"shape": ()}),
    ("Reshape", [F[:0]], {"shape": (0, 5)}),
    *[("Transpose", [F[None]], {"perm": perm}) for perm in (None, (2, 0, 1))],
    *[("ExpandDims", [F], {"axis": axis}) for axis in (0, -1, 1)],
    *[("Squeeze", [F[None, :, None]], {"axis": axis}) for axis in (None, (0,), (-2, 0))],
    ("BroadcastTo", [V], {"shape": (4, 2, 3)}),
    *[("ConcatV2", [F, F[:1], F[:0]], {"axis": axis}) for axis in (0, -2)],
    *[("Pack", [F, F], {"axis": axis}) for axis in (0, 1, -1)],
    *[("Unpack", [F], {"num": None, "axis": axis}) for axis in (0, -1)],
    *[("SplitV", [F], {"num_or_size_splits": parts, "axis": -1}) for parts in (3, (1, -1), (3,))],
    ("Tile", [F], {"multiples": (2, 0)}),
    *[
        ("Pad", [x, np.zeros((), x.dtype)], {"paddings": (1, 0, 2, 1), "mode": mode})
        for x in (F, BF, I)
        for mode in ("CONSTANT", "REFLECT", "SYMMETRIC")
    ],
    ("Slice", [F], {"begin": (0, 1), "size": (-1, 2)}),
    *[("GatherV2", [F, IDX], {"axis": axis}) for axis in (0, 1, -1)],
    *[("GatherNd", [F, indices], {}) for indices in (IDX, IDX[:, :1], IDX[:, :0])],
    *[("BooleanMask", [F, mask], {"axis": axis}) for mask, axis in ((B, 0), (B[:, 0], 0), (B[0], 1))],
    *[("Where", [x], {}) for x in (B, F, np.array(True))],
    *[("Select", [condition, F, F], {}) for condition in (B, B[0], B[:, 0], np.array(True))],
    *[("OneHot", [IDX, S, S - 1], {"depth": 3, "axis": axis}) for axis in (-1, 0, 1)],
    *[
        ("SumOfSlices", [x, indices], {"dense_shape": (4, *x.shape[indices.ndim :])})
        for x in (F, H, BF, C, I)
        for indices in (np.array([3, 0]), IDX[:, :1].repeat(3, 1))
    ],
    *[("Unique", [x], {"out_idx": dtypes.int32}) for x in (V, I[0], BF[0], V[:0])],
    *[
        ("StridedSlice", [F, *arrays], {"key": key})
        for key, *arrays in (
            ((0,),),
            ((-1, 2),),
            ((slice(None, None, -1), None, slice(5, 1)),),
            ((Ellipsis, 0),),
            (("array",), IDX),
            ((0, "array"), IDX),
            ((None, "array", slice(1, 2)), IDX),
            (("array", None, "array"), IDX, IDX),
            (("array",), B),
            (("array", 1), B[:, 0]),
            (("integer",), np.array(-1)),
            ((slice(None), None, "integer"), np.array(2, np.int32)),
            (("array", "integer"), IDX, np.array(1)),
        )
    ],
    *[
        (op, [np.array(1, dtype), np.array(2, dtype)], {"shape": (2, 3), "seed": 1})
        for op in ("RandomStandardNormal", "TruncatedNormal", "RandomUniform")
        for dtype in (np.float16, dtypes.bfloat16.numpy_dtype, np.float32, np.float64)
    ],
    ("RandomUniform", [np.array(1), np.array(9)], {"shape": (), "seed": 1}),
    *[("RandomShuffle", [x], {"seed": None}) for x in (F, S)],
]


def _specs(spec):
    return [spec] if isinstance(spec, TensorSpec) else list(spec)


def _agrees(spec, array):
    known = spec.shape is None or (
        len(spec.shape) == array.ndim
        and all(size in (None, actual) for size, actual in zip(spec.shape, array.shape, strict=True))
    )
    return known and spec.dtype.numpy_dtype == array.dtype


def _outputs(definition, arrays, attrs):
    with np.errstate(all="ignore"):
        result = definition.compute(*arrays, **attrs)
    return [np.asarray(output) for output in (result if isinstance(result, tuple) else (result,))]


def test_every_definition_has_a_case():
    assert {op_type for op_type, _, _ in CASES} == set(DEFINITIONS)


_DATA_DEPENDENT = {"Range", "Where", "Unique", "BooleanMask"}


@pytest.mark.parametrize("op_type", DEFINITIONS)
def test_inferred_spec_is_what_is_computed(op_type):
    definition = DEFINITIONS[op_type]
    for _, arrays, attrs in (case for case in CASES if case[0] == op_type):
        specs = [TensorSpec(array.shape, as_dtype(array.dtype)) for array in arrays]
        inferred = _specs(definition.infer(*specs, **attrs))
        outputs = _outputs(definition, arrays, attrs)
        assert len(inferred) == len(outputs), (arrays, attrs)
        has_mask = op_type == "StridedSlice" and any(array.dtype == bool for array in arrays)
        for spec, output in zip(inferred, outputs, strict=True):
            assert _agrees(spec, output), (spec, output.shape, output.dtype, arrays, attrs)
            if op_type not in _DATA_DEPENDENT and not has_mask:
                assert None not in spec.shape, (spec, arrays, attrs)


@pytest.mark.parametrize("op_type", DEFINITIONS)
def test_inference_copes_with_unknown_shapes(op_type):
    definition = DEFINITIONS[op_type]
    for _, arrays, attrs in (case for case in CASES if case[0] == op_type):
        outputs = _outputs(definition, arrays, attrs)
        known = {"num": len(outputs)} if attrs.get("num", 0) is None else {}
        for hide in (
            lambda shape: None,
            lambda shape: (None,) * len(shape),
            lambda shape: (*shape[:-1], None)[: len(shape)],
        ):
            specs = [TensorSpec(hide(array.shape), as_dtype(array.dtype)) for array in arrays]
            for spec, output in zip(_specs(definition.infer(*specs, **{**attrs, **known})), outputs, strict=True):
                assert _agrees(spec, output), (specs, attrs)


@pytest.mark.parametrize(
    ("op_type", "attribute"),
    [
        ("Reshape", "shape"),
        ("Eye", "shape"),
        ("Fill", "dims"),
        ("BroadcastTo", "shape"),
        ("Tile", "multiples"),
        ("Pad", "paddings"),
        ("OneHot", "depth"),
        ("LinSpace", "num"),
        ("RandomUniform", "shape"),
        ("RandomStandardNormal", "shape"),
        ("Slice", "size"),
        ("Slice", "begin"),
        ("SumOfSlices", "dense_shape"),
    ],
)
def test_inference_copes_with_sizes_that_only_the_run_knows(op_type, attribute):
    for _, arrays, attrs in (case for case in CASES if case[0] == op_type):
        specs = [TensorSpec(array.shape, as_dtype(array.dtype)) for array in arrays]
        spec = DEFINITIONS[op_type].infer(*specs, **{**attrs, attribute: None})
        assert _agrees(spec, _outputs(DEFINITIONS[op_type], arrays, attrs)[0])


@pytest.mark.parametrize("op_type", [*_FLOAT_UNARY, "Square", "Abs", "Neg", "Sign", "Floor", "Ceil", "Round", "Relu"])
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_16_bit_functions_are_computed_in_float32_and_rounded_once(op_type, dtype):
    numpy_dtype = as_dtype(dtype).numpy_dtype
    values = np.arange(65536, dtype=np.uint16).view(numpy_dtype)
    with np.errstate(all="ignore"):
        got = DEFINITIONS[op_type].compute(values)
        expected = DEFINITIONS[op_type].compute(values.astype(np.float32)).astype(numpy_dtype)
        np.testing.assert_array_equal(got.astype(np.float32), expected.astype(np.float32))


@pytest.mark.parametrize("op_type", ["AddV2", "Sub", "Mul", "RealDiv", "FloorDiv", "FloorMod", "Pow", "Maximum"])
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_16_bit_arithmetic_is_computed_in_float32_and_rounded_once(op_type, dtype):
    numpy_dtype = as_dtype(dtype).numpy_dtype
    x = np.arange(65536, dtype=np.uint16).view(numpy_dtype)
    y = np.random.default_rng(0).permutation(x)
    with np.errstate(all="ignore"):
        got = DEFINITIONS[op_type].compute(x, y)
        expected = DEFINITIONS[op_type].compute(x.astype(np.float32), y.astype(np.float32)).astype(numpy_dtype)
        np.testing.assert_array_equal(got.astype(np.float32), expected.astype(np.float32))

"""Dense mathematics on a GPU: the results of the CPU, by functions that CuPy has, on arrays that stay there."""

from __future__ import annotations

import re

import numpy as np
import pytest

import nbvars as tf
from nbvars.dtypes import as_dtype
from nbvars.errors import InvalidArgumentError, UnimplementedError
from nbvars.runtime.cuda_dispatch import compute_on_gpu
from nbvars.runtime.definition import TensorSpec
from nbvars.runtime.dispatch import apply_op
from nbvars.runtime.quiet import quietly
from tests.api.test_op_definitions import CASES, DEFINITIONS


def on_cpu(op_type, arrays, attrs):
    tf.set_random_seed(1)
    result = quietly(DEFINITIONS[op_type].compute, *arrays, **attrs)
    return [np.asarray(each) for each in (result if isinstance(result, tuple) else (result,))]


def on_gpu(op_type, arrays, attrs):
    from nbvars.kernels.cuda.memory import to_device

    tf.set_random_seed(1)
    specs = [TensorSpec(array.shape, as_dtype(array.dtype)) for array in arrays]
    results = compute_on_gpu(DEFINITIONS[op_type], [to_device(array, 0) for array in arrays], specs, attrs)
    return [each if isinstance(each, np.ndarray) else each.copy_to_host() for each in results]


def cases_of(op_type):
    return [(arrays, attrs) for name, arrays, attrs in CASES if name == op_type]


@pytest.mark.parametrize("op_type", [name for name in DEFINITIONS if name != "Eye"])
def test_an_op_on_the_gpu_gives_what_it_gives_on_the_cpu(op_type):
    for arrays, attrs in cases_of(op_type):
        got, expected = on_gpu(op_type, arrays, attrs), on_cpu(op_type, arrays, attrs)
        assert len(got) == len(expected), attrs
        for one, other in zip(got, expected, strict=True):
            assert (one.dtype, one.shape) == (other.dtype, other.shape), (arrays, attrs)
            exact = [each.astype(np.float32) if each.dtype.itemsize == 2 else each for each in (one, other)]
            np.testing.assert_array_equal(*exact, err_msg=str((arrays, attrs)))


def gradients_on(device, op_type, arrays, attrs):
    """Return the gradients of all outputs that are floats by all inputs that are, as arrays of the host."""
    with tf.device(device), tf.GradientTape() as tape:
        tensors = [tf.constant(array) for array in arrays]
        tape.watch(tensors)
        outputs = apply_op(DEFINITIONS[op_type], *tensors, **attrs)
        listed = outputs if isinstance(outputs, tuple) else (outputs,)
        floats = [each for each in listed if each.dtype.is_floating]
    found = tape.gradient(floats, tensors) if floats else []
    return [None if each is None else tf.convert_to_tensor(each).numpy() for each in found]


def has_gradient(op_type):
    from nbvars.autodiff.table import GRADIENTS

    return GRADIENTS.get(op_type) is not None and op_type not in ("Cast", "SaturateCast")


@pytest.mark.parametrize("op_type", [name for name in DEFINITIONS if has_gradient(name)])
def test_a_gradient_on_the_gpu_is_that_on_the_cpu(op_type):
    for arrays, attrs in cases_of(op_type):
        if arrays[0].dtype != np.float32:
            continue
        results = []
        for place in ("/cpu:0", "/gpu:0"):
            tf.set_random_seed(1)
            try:
                results.append(gradients_on(place, op_type, arrays, attrs))
            except LookupError as error:  # a norm that has none
                results.append([str(error)])
        for expected, got in zip(*results, strict=True):
            if isinstance(expected, np.ndarray):
                np.testing.assert_allclose(got, expected, rtol=1e-6, err_msg=str((arrays, attrs)))
            else:
                assert got == expected


# What only the data can tell: whether an index or divisor is in range, how many there are.
WAITING = {
    "BooleanMask", "CheckNumerics", "FloorDiv", "FloorMod", "GatherNd", "GatherV2", "Pow", "PutElements",
    "SparseSoftmaxCrossEntropyWithLogits", "StridedSlice", "SumOfSlices", "Unique", "Where",
}  # fmt: skip


def test_only_ops_whose_data_must_be_looked_at_wait_for_the_gpu(simulated):
    from tests.cuda import cupy_stand_in

    waited = set()
    for op_type, arrays, attrs in CASES:
        cupy_stand_in.waits.clear()
        if op_type != "Eye":
            on_gpu(op_type, arrays, attrs)
        if cupy_stand_in.waits:
            waited.add(op_type)
    assert waited == WAITING


@pytest.fixture
def simulated():
    from nbvars.kernels.cuda.toolkit import IS_SIMULATED

    if not IS_SIMULATED:
        pytest.skip("the stand-in for CuPy is the simulator's: NUMBA_ENABLE_CUDASIM=1")


@pytest.mark.parametrize(
    ("op_type", "arrays", "attrs", "sentence"),
    [
        ("StridedSlice", [np.arange(4.0), np.array([1, 4])], {"key": ("array",)}, "got 4, expected indices of shape"),
        ("StridedSlice", [np.arange(4.0), np.array([[-5]])], {"key": ("array",)}, "got -5, expected indices of shape"),
        ("StridedSlice", [np.ones((2, 3)), np.array([2])], {"key": (Ellipsis, "array", 0)}, "got 2, expected indices"),
        ("GatherV2", [np.arange(4.0), np.array([1, 4])], {"axis": 0}, r"indices\[1\] = 4 is not in \[0, 4\)"),
        ("GatherNd", [np.ones((2, 3)), np.array([[0, 0], [1, 3]])], {}, r"indices\[1\] = \[1, 3\] is not in shape"),
        ("SumOfSlices", [np.ones(2), np.array([0, 7])], {"dense_shape": (4,)}, r"indices\[1\] = 7 is not in \[0, 4\)"),
        ("FloorMod", [np.arange(2), np.arange(2)], {}, "integer division by zero"),
        ("Pow", [np.arange(2), np.array([1, -3])], {}, "got -3, expected 0 or more"),
        ("CheckNumerics", [np.array([1, np.nan])], {"message": "loss"}, "loss : Tensor had NaN values"),
        ("SparseSoftmaxCrossEntropyWithLogits", [np.ones((1, 3)), np.array([5])], {}, "got 5, expected"),
    ],
)
def test_what_only_the_data_can_tell_is_an_error_there_too(op_type, arrays, attrs, sentence):
    with pytest.raises(InvalidArgumentError, match=sentence):
        on_gpu(op_type, arrays, attrs)


def test_an_index_from_the_end_is_taken_there_too():
    arrays = [np.arange(6.0).reshape(2, 3), np.array([-1, 0]), np.array([-3, 2])]
    attrs = {"key": ("array", "array")}
    assert on_gpu("StridedSlice", arrays, attrs)[0].tolist() == [3, 2]


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_the_remainder_of_floats_is_exact_and_has_the_sign_of_the_divisor(dtype):
    special = np.array([0, -0.0, 1, -1, 3, -3, 0.1, 1e4, -1e4, 6e4, np.inf, -np.inf, np.nan])
    x, y = (each.astype(as_dtype(dtype).numpy_dtype) for each in np.meshgrid(special, special))
    got, expected = (run("FloorMod", [x, y], {})[0].astype(np.float64) for run in (on_gpu, on_cpu))
    np.testing.assert_array_equal(got, expected)
    numbers = ~np.isnan(expected)
    assert (np.signbit(got) == np.signbit(expected))[numbers].all()


@pytest.mark.parametrize("dtype", ["int8", "int16", "int64", "uint8", "uint64", "float16", "float64", "complex64"])
def test_slices_of_every_dtype_add_up(dtype):
    values = np.array([[100, 3], [100, 4], [-1, 5]]).astype(dtype)
    arrays, attrs = [values, np.array([2, 2, 0])], {"dense_shape": (3, 2)}
    np.testing.assert_array_equal(on_gpu("SumOfSlices", arrays, attrs)[0], on_cpu("SumOfSlices", arrays, attrs)[0])


def test_deterministic_ops_add_slices_in_their_order(monkeypatch):
    from nbvars.kernels.cuda import dense

    asked = []
    monkeypatch.setattr(dense, "scatter_add", lambda total, rows, values, deterministic: asked.append(deterministic))
    arrays, attrs = [np.ones(2, np.float32), np.array([1, 1])], {"dense_shape": (3,)}
    on_gpu("SumOfSlices", arrays, attrs)
    tf.enable_deterministic_ops()
    try:
        on_gpu("SumOfSlices", arrays, attrs)
    finally:
        tf.disable_deterministic_ops()
    assert asked == [False, True]


def test_numbers_made_in_a_graph_on_the_gpu_are_those_of_the_cpu():
    drawn = []
    for place in ("/cpu:0", "/gpu:0"):
        with tf.Graph().as_default(), tf.Session() as session, tf.device(place):
            tf.set_random_seed(5)
            noise = tf.random_normal([4], mean=tf.constant(1.0), seed=3) + tf.cast(tf.range(4), tf.float32)
            drawn.append(session.run(noise + tf.linspace(0.0, 1.0, 4)))
    np.testing.assert_array_equal(drawn[0], drawn[1])


def test_an_op_that_cupy_has_not_says_where_it_can_be_computed(simulated, monkeypatch):
    from tests.cuda import cupy_stand_in

    monkeypatch.delitem(cupy_stand_in.LOOPS, "expm1")
    sentence = "Expm1: CuPy cannot compute this on a GPU: .*; compute it on the CPU: `with nbvars.device"
    with pytest.raises(UnimplementedError, match=sentence):
        on_gpu("Expm1", [np.ones(3)], {})


def test_a_library_that_cupy_does_not_find_is_named(monkeypatch):
    from nbvars.kernels.cuda.dense import compute_on
    from nbvars.kernels.cuda.memory import to_device

    def compute(x):
        raise ImportError("libcusolver.so.12: cannot open shared object file")

    sentence = "CuPy does not find a library of CUDA: got libcusolver.so.12, expected cuBLAS .*cuda13"
    with pytest.raises(ImportError, match=sentence):
        compute_on(0, compute, [to_device(np.ones(3), 0)], {})


@pytest.mark.parametrize("width", [0, 3])
def test_the_extreme_of_no_elements_is_what_no_number_exceeds(width):
    x = np.ones((0, width), np.int32)
    attrs = {"axis": (0,), "keepdims": False}
    for op_type in ("Max", "Min"):
        np.testing.assert_array_equal(on_gpu(op_type, [x], attrs)[0], on_cpu(op_type, [x], attrs)[0])


def test_the_stand_in_refuses_what_cupy_refuses(simulated):
    from tests.cuda import cupy_stand_in

    x = cupy_stand_in.asarray(np.ones(3))
    for refused in (
        lambda: np.asarray(x),
        lambda: x + np.ones(3),
        lambda: np.ones(3) + x,
        lambda: np.concatenate([x, np.ones(3)]),
        lambda: np.max(x, initial=0),
        lambda: np.ones(3, like=x),
        lambda: np.nanpercentile(x, 5),
        lambda: x.max(initial=0),
        lambda: x.__setitem__(0, np.ones(1)),
    ):
        with pytest.raises(TypeError):
            refused()
    with pytest.raises(NotImplementedError):
        np.maximum.reduce(x)
    assert float(x[0]) == 1
    assert cupy_stand_in.waits.pop() == "float"


def test_the_stand_in_knows_the_functions_of_the_cupy_that_is_installed():
    import inspect

    cupy = pytest.importorskip("cupy", reason="CuPy is not installed: pip install cupy-cuda13x")
    from tests.cuda import cupy_names

    for line in cupy_names.FUNCTIONS.splitlines():
        name, parameters = line.split("(", 1)
        function = cupy
        for part in name.split("."):
            function = getattr(function, part)
        known = re.findall(r"\w+(?=[,=)])", parameters.replace("=None", ""))
        assert set(known) <= set(inspect.signature(function).parameters), name
    for line in cupy_names.UFUNCS.splitlines():
        name, types = line.split()
        loops = getattr(cupy, name).types
        assert all(any(loop.startswith(char) for loop in loops) for char in types), name

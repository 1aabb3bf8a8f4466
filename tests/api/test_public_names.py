"""What ``import nbvars`` gives, and what it costs."""

from __future__ import annotations

import inspect
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import nbvars
from nbvars import kernels


def words(text):
    return text.split()


# Types and devices; tensors and their ops; variables, their updates and their collections.
NAMES = words(
    """
    DType as_dtype bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float16 bfloat16 float32 float64 complex64
    complex128 half double TensorShape Dimension DeviceSpec device list_devices errors

    Tensor constant convert_to_tensor zeros ones zeros_like ones_like fill eye range identity random_normal
    random_uniform truncated_normal matmul sigmoid tanh relu exp log sqrt square abs negative add subtract multiply
    divide maximum minimum pow reduce_sum reduce_mean reduce_max reduce_min reduce_prod argmax softmax gather reshape
    transpose expand_dims squeeze concat stack unstack split tile pad slice shape size rank one_hot where equal
    not_equal less less_equal greater greater_equal logical_and logical_or logical_not logical_xor reduce_any
    reduce_all reduce_logsumexp argmin add_n sign floor round cumsum clip_by_value is_nan is_finite tensordot norm
    linspace boolean_mask unique random_shuffle set_random_seed cast saturate_cast

    Variable IndexedSlices assign assign_add assign_sub scatter_sub scatter_add scatter_update scatter_mul scatter_div
    scatter_min scatter_max scatter_nd_sub scatter_nd_add scatter_nd_update batch_scatter_update gather_nd count_up_to
    GraphKeys all_variables global_variables trainable_variables local_variables get_collection add_to_collection
    executing_eagerly keras kernels
    """
)

MEMBERS = words(
    """
    name dtype shape get_shape device trainable constraint graph initial_value value read_value numpy eval ref
    initialized_value assign assign_add assign_sub scatter_sub scatter_add scatter_update scatter_mul scatter_div
    scatter_min scatter_max scatter_nd_sub scatter_nd_add scatter_nd_update batch_scatter_update gather_nd sparse_read
    count_up_to load is_initialized
    """
)

KERNELS = words(
    """
    assign assign_add assign_sub scatter_sub scatter_add scatter_update scatter_mul scatter_div scatter_min
    scatter_max cast count_up_to find_kernel
    """
)


@pytest.mark.parametrize("name", NAMES)
def test_promised_name_is_public(name):
    assert name in nbvars.__all__


def test_public_names_are_listed_once():
    assert len(set(nbvars.__all__)) == len(nbvars.__all__)


@pytest.mark.parametrize("name", nbvars.__all__)
def test_public_name_exists_and_is_documented(name):
    documented = inspect.getdoc(getattr(nbvars, name)) or ""
    assert len(documented.splitlines()[0]) > 10


@pytest.mark.parametrize("name", MEMBERS)
def test_member_of_variable_exists_and_is_documented(name):
    documented = inspect.getdoc(getattr(nbvars.Variable, name)) or ""
    assert len(documented.splitlines()[0]) > 10


@pytest.mark.parametrize("name", KERNELS)
def test_kernel_is_public_and_documented(name):
    assert name in kernels.__all__
    assert getattr(kernels, name).__doc__


def test_constructor_has_the_signature_of_the_page():
    parameters = list(inspect.signature(nbvars.Variable).parameters.values())
    assert [(parameter.name, parameter.default) for parameter in parameters] == [
        ("initial_value", None),
        ("trainable", True),
        ("collections", None),
        ("validate_shape", True),
        ("caching_device", None),
        ("name", None),
        ("variable_def", None),
        ("dtype", None),
        ("constraint", None),
        ("import_scope", None),
        ("use_resource", None),
        ("synchronization", None),
        ("aggregation", None),
    ]


@pytest.mark.parametrize("name", [name for name in MEMBERS if name.startswith(("assign", "scatter", "batch_"))])
def test_update_methods_and_functions_take_use_locking(name):
    for function in (getattr(nbvars.Variable, name), getattr(nbvars, name)):
        parameters = inspect.signature(function).parameters
        assert parameters["use_locking"].default is False
        assert parameters["name"].default is None


def test_version_is_given():
    assert nbvars.__version__.count(".") == 2
    assert Path(nbvars.__file__).with_name("py.typed").exists()


IMPORT = """
import json, sys
import nbvars
from nbvars.kernels.cpu.compiled import COMPILED
print(json.dumps({"compiled": len(COMPILED), "modules": sorted(sys.modules)}))
"""


@pytest.fixture(scope="module")
def imported(tmp_path_factory):
    """What a new process tells after ``import nbvars``, and the files that Numba made."""
    cache = tmp_path_factory.mktemp("cache")
    environment = os.environ | {"NUMBA_CACHE_DIR": str(cache), "PYTHONPATH": str(Path(nbvars.__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", IMPORT],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return {**json.loads(done.stdout), "files": [path for path in cache.rglob("*") if path.is_file()]}


def test_import_compiles_nothing(imported):
    assert imported["compiled"] == 0
    assert imported["files"] == []


@pytest.mark.parametrize("module", ["torch", "tensorflow", "jax", "matplotlib", "tqdm", "cupy", "numba_cuda", "pytest"])
def test_import_needs_no_other_library(imported, module):
    assert module not in imported["modules"]


@pytest.mark.parametrize("module", ["nbvars.demo", "nbvars.info", "nbvars.__main__"])
def test_import_leaves_the_commands_alone(imported, module):
    assert module not in imported["modules"]


def test_import_starts_no_thread():
    code = "import nbvars, threading; print(threading.active_count())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.strip() == "1"

from __future__ import annotations

import copy
import ctypes
import importlib.metadata
import importlib.util
import os
import pickle
import re
from types import SimpleNamespace

import pytest

from nbvars import devices
from nbvars.devices import DeviceSpec, list_devices, resolve_device
from nbvars.errors import InvalidArgumentError
from tests.conftest import run_python

# string, its fields, its full form
SPECS = [
    ("", {}, ""),
    ("/cpu:0", {"device_type": "CPU", "device_index": 0}, "/device:CPU:0"),
    ("cpu:0", {"device_type": "CPU", "device_index": 0}, "/device:CPU:0"),
    ("/cpu", {"device_type": "CPU"}, "/device:CPU:*"),
    ("/gpu:1", {"device_type": "GPU", "device_index": 1}, "/device:GPU:1"),
    ("/GPU:12", {"device_type": "GPU", "device_index": 12}, "/device:GPU:12"),
    ("/device:cpu:0", {"device_type": "CPU", "device_index": 0}, "/device:CPU:0"),
    ("/device:GPU:*", {"device_type": "GPU"}, "/device:GPU:*"),
    ("/device:TPU:3", {"device_type": "TPU", "device_index": 3}, "/device:TPU:3"),
    ("/job:ps", {"job": "ps"}, "/job:ps"),
    (
        "/job:ps/task:0/device:CPU:0",
        {"job": "ps", "task": 0, "device_type": "CPU", "device_index": 0},
        "/job:ps/task:0/device:CPU:0",
    ),
    (
        "/task:2/job:my-job_1/replica:1/gpu:*",
        {"job": "my-job_1", "replica": 1, "task": 2, "device_type": "GPU"},
        "/job:my-job_1/replica:1/task:2/device:GPU:*",
    ),
]


@pytest.fixture
def two_gpus(monkeypatch):
    monkeypatch.setattr(devices, "find_gpus", lambda: devices.Gpus(2, "13.0"))


@pytest.fixture
def fresh_count(monkeypatch):
    """Let the driver be asked anew, as if numba-cuda for CUDA 13 were installed."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "13.0.3")
    monkeypatch.delenv("NUMBA_ENABLE_CUDASIM", raising=False)
    monkeypatch.setattr(devices, "_process", 0)
    devices.find_gpus.cache_clear()
    yield
    devices.find_gpus.cache_clear()


@pytest.mark.parametrize(("string", "fields", "full"), SPECS)
def test_a_device_string_gives_its_fields_and_its_full_form(string, fields, full):
    spec = DeviceSpec.from_string(string)
    assert spec == DeviceSpec(**fields)
    assert hash(spec) == hash(DeviceSpec(**fields))
    assert spec.to_string() == str(spec) == full
    assert DeviceSpec.from_string(full) == spec


@pytest.mark.parametrize(
    "malformed",
    [
        "/",
        "//cpu:0",
        "/cpu:0/",
        " /cpu:0",
        "cpu0",
        "cuda:0",
        "/tpu:0",
        "/cpu:",
        "/cpu:-1",
        "/cpu:x",
        "/cpu:1.0",
        "/cpu:+1",
        "/cpu:\u0661",
        "/cpu:" + "1" * 5000,
        "/cpu:0:0",
        "/device:GPU",
        "/device::0",
        "/device:GPU:",
        "/device",
        "/job",
        "/job:",
        "/job:a b",
        "/job:ps:0",
        "/task:x",
        "/task:*",
        "/replica:-1",
        "/shard:0",
    ],
)
def test_a_malformed_device_string_is_a_value_error(malformed):
    with pytest.raises(ValueError, match=r"^device: a device string is malformed: got .*, expected a string such as"):
        DeviceSpec.from_string(malformed)


@pytest.mark.parametrize("twice", ["/cpu:0/gpu:0", "/job:a/job:a", "/task:0/cpu:0/task:1", "/cpu/device:CPU:0"])
def test_a_device_string_cannot_name_a_part_twice(twice):
    with pytest.raises(ValueError, match=f"names one part twice: got '{twice}', expected"):
        DeviceSpec.from_string(twice)


@pytest.mark.parametrize("wrong", [None, 0, b"/cpu:0", ["/cpu:0"]], ids=repr)
def test_a_device_that_is_no_string_is_a_type_error(wrong):
    with pytest.raises(TypeError, match=f"got {type(wrong).__name__}, expected a string such as"):
        DeviceSpec.from_string(wrong)


@pytest.mark.parametrize("field", ["replica", "task", "device_index"])
@pytest.mark.parametrize("wrong", ["0", 1.0, True], ids=repr)
def test_an_index_that_is_no_integer_is_a_type_error(field, wrong):
    expected = f"^DeviceSpec: {field} has the wrong type: got {type(wrong).__name__}, expected an integer$"
    with pytest.raises(TypeError, match=expected):
        DeviceSpec(**{field: wrong})


@pytest.mark.parametrize("field", ["replica", "task", "device_index"])
def test_a_negative_index_is_a_value_error(field):
    with pytest.raises(ValueError, match=f"^DeviceSpec: {field} is negative: got -1, expected 0 or more$"):
        DeviceSpec(**{field: -1})


@pytest.mark.parametrize("field", ["job", "device_type"])
def test_a_name_that_cannot_stand_in_a_device_string_is_refused(field):
    with pytest.raises(TypeError, match=f"{field} has the wrong type: got int, expected a string"):
        DeviceSpec(**{field: 0})
    for wrong in ("", "a/b", "a:b", "a b"):
        with pytest.raises(ValueError, match=f"got '{wrong}', expected letters"):
            DeviceSpec(**{field: wrong})


def test_parsing_replaces_every_field_and_returns_the_spec():
    spec = DeviceSpec(job="ps", task=1)
    assert spec.parse_from_string("/gpu:1") is spec
    assert spec == DeviceSpec(device_type="gpu", device_index=1)


def test_a_failed_parse_changes_nothing():
    spec = DeviceSpec(job="ps", task=1)
    with pytest.raises(ValueError, match="malformed"):
        spec.parse_from_string("/job:worker/nonsense")
    assert spec == DeviceSpec(job="ps", task=1)


def test_merging_takes_over_what_the_other_names():
    outer = DeviceSpec.from_string("/job:ps/task:1/cpu:0")
    merged = outer.make_merged_spec(DeviceSpec.from_string("/task:0/gpu:*"))
    assert merged.to_string() == "/job:ps/task:0/device:GPU:0"
    assert outer.to_string() == "/job:ps/task:1/device:CPU:0"
    assert outer.merge_from(DeviceSpec(replica=0)) is None
    assert outer.to_string() == "/job:ps/replica:0/task:1/device:CPU:0"


def test_specs_differ_when_a_field_differs():
    assert DeviceSpec.from_string("/cpu:0") != DeviceSpec.from_string("/cpu:1")
    assert DeviceSpec.from_string("/cpu:0") != DeviceSpec.from_string("/cpu:*")
    assert DeviceSpec.from_string("/cpu:0") != "/device:CPU:0"


def test_repr_shows_what_is_named():
    spec = DeviceSpec.from_string("/job:ps/task:0/cpu:0")
    assert repr(spec) == "DeviceSpec(job='ps', task=0, device_type='CPU', device_index=0)"
    assert repr(DeviceSpec()) == "DeviceSpec()"


def test_a_pickled_or_copied_spec_is_equal():
    spec = DeviceSpec.from_string("/job:ps/task:0/gpu:*")
    assert pickle.loads(pickle.dumps(spec)) == copy.copy(spec) == spec


def test_gpus_are_listed_after_the_cpu(two_gpus):
    assert list_devices() == ["/cpu:0", "/gpu:0", "/gpu:1"]


def make_driver(init_status=0, count_status=0, version=13000, num_devices=3):
    """Return a stand-in for the CUDA driver's library, which counts its calls."""
    driver = SimpleNamespace(num_inits=0)

    def init(flags):
        driver.num_inits += 1
        return init_status

    def get_count(pointer):
        pointer._obj.value = num_devices
        return count_status

    def get_version(pointer):
        pointer._obj.value = version
        return 0

    driver.cuInit, driver.cuDeviceGetCount, driver.cuDriverGetVersion = init, get_count, get_version
    return driver


def test_the_driver_is_asked_once(monkeypatch, fresh_count):
    driver = make_driver()
    monkeypatch.setattr(ctypes, "CDLL", lambda name: driver)
    assert [devices.find_gpus() for _ in range(3)] == [(3, "13.0", "", "")] * 3
    assert driver.num_inits == 1


@pytest.mark.parametrize(
    ("driver", "wrong", "remedy"),
    [
        (make_driver(init_status=100, num_devices=0), "no CUDA device was found", ""),
        (make_driver(num_devices=0), "no CUDA device was found", ""),
        (make_driver(count_status=3, num_devices=0), "the CUDA driver reports error 3", "; see nvidia-smi"),
        (make_driver(init_status=999, num_devices=0), "the CUDA driver reports error 999", "; see nvidia-smi"),
        (object(), "no CUDA driver was found", "; install the NVIDIA driver"),
        (
            make_driver(version=12080),
            "the CUDA driver is too old: it knows CUDA 12.8, the installed libraries need 13.0",
            "; update the driver, or install the extra for its CUDA: nbvars[cuda12]",
        ),
    ],
    ids=["no device", "none counted", "no count", "failure", "no driver's functions", "too old"],
)
def test_why_there_is_no_gpu_stands_in_the_error(monkeypatch, fresh_count, driver, wrong, remedy):
    monkeypatch.setattr(ctypes, "CDLL", lambda name: driver)
    assert list_devices() == ["/cpu:0"]
    with pytest.raises(InvalidArgumentError) as caught:
        resolve_device("/gpu:0")
    assert str(caught.value) == f"device: {wrong}: got '/gpu:0', expected one of ['/cpu:0']{remedy}"


def test_no_driver_means_no_gpus(monkeypatch, fresh_count):
    def load(name):
        raise OSError(f"{name}: cannot open shared object file")

    monkeypatch.setattr(ctypes, "CDLL", load)
    assert devices.find_gpus()[:3] == (0, "", "no CUDA driver was found")


def test_without_numba_cuda_the_driver_is_not_asked(monkeypatch, fresh_count):
    driver = make_driver()
    monkeypatch.setattr(ctypes, "CDLL", lambda name: driver)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert list_devices() == ["/cpu:0"]
    assert driver.num_inits == 0
    sentence = (
        "device: numba-cuda is not installed: got '/gpu:0', expected one of ['/cpu:0']; pip install nbvars[cuda13]"
    )
    with pytest.raises(InvalidArgumentError, match=re.escape(sentence)):
        resolve_device("/gpu:0")


def test_the_simulator_has_one_gpu_and_needs_no_driver(monkeypatch, fresh_count):
    driver = make_driver()
    monkeypatch.setattr(ctypes, "CDLL", lambda name: driver)
    monkeypatch.setenv("NUMBA_ENABLE_CUDASIM", "1")
    assert list_devices() == ["/cpu:0", "/gpu:0"]
    assert driver.num_inits == 0
    with pytest.raises(
        InvalidArgumentError, match=r"no such device was found: got '/gpu:1', expected one of \['/cpu:0', "
    ):
        resolve_device("/gpu:1")


def test_a_forked_child_of_a_process_that_used_cuda_cannot_use_it(monkeypatch, fresh_count):
    monkeypatch.setattr(ctypes, "CDLL", lambda name: make_driver())
    assert resolve_device("/gpu:0") == "/gpu:0"
    monkeypatch.setattr(os, "getpid", lambda: devices._process + 1)
    with pytest.raises(RuntimeError, match="CUDA cannot be used in a forked child: got the parent had used it before"):
        resolve_device("/gpu:0")
    assert resolve_device("/cpu:0") == "/cpu:0"


def test_importing_and_using_the_cpu_asks_no_driver_and_imports_no_cuda():
    run_python(
        "import ctypes, sys\n"
        "def load(name, *rest): raise AssertionError(name)\n"
        "import nbvars as tf\n"
        "ctypes.CDLL = load\n"
        "v = tf.Variable([1.0]); v.assign_add([2.0]); v.assign_add(1.0); v + v\n"
        "with tf.device('/cpu:0'): tf.identity(v)\n"
        "assert not [name for name in sys.modules if name.startswith(('numba.cuda', 'numba_cuda', 'cuda'))]"
    )


@pytest.mark.parametrize(
    "device",
    [
        None,
        "",
        "/cpu:0",
        "CPU:0",
        "/device:CPU:*",
        "/job:localhost",
        "/job:localhost/replica:0/task:0/device:CPU:0",
        DeviceSpec(),
        DeviceSpec(device_type="cpu"),
    ],
)
def test_these_all_mean_the_cpu(device):
    assert resolve_device(device) == "/cpu:0"


def test_a_gpu_that_is_there_resolves_to_its_short_name(two_gpus):
    assert resolve_device("/device:GPU:1") == "/gpu:1"
    assert resolve_device("/gpu:*") == "/gpu:0"


@pytest.mark.parametrize("device", ["/cpu:1", "/gpu:2", "/device:TPU:0", DeviceSpec(device_index=1)])
def test_a_device_that_is_not_there_is_refused(two_gpus, device):
    with pytest.raises(InvalidArgumentError, match=r"no such device was found: got .*, expected one of \['/cpu:0', "):
        resolve_device(device)


@pytest.mark.parametrize("device", ["/job:ps/task:0/device:CPU:0", "/task:1", "/replica:1/cpu:0"])
def test_a_device_of_another_machine_is_refused(device):
    sentence = f"a device of another machine cannot be used: got '{device}', expected one of"
    with pytest.raises(InvalidArgumentError, match=sentence):
        resolve_device(device)


def test_resolving_a_malformed_device_is_an_error():
    with pytest.raises(ValueError, match="malformed: got 'cpu0', expected"):
        resolve_device("cpu0")
    with pytest.raises(TypeError, match="got int, expected"):
        resolve_device(0)

"""``Saver``: processes that are killed, that share a folder or a variable, or fork while they save."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

import nbvars as tf
from tests.conftest import run_python


@pytest.mark.parametrize("num_processes", [1, 2])
def test_killed_saves_lose_nothing_and_damage_nothing(num_processes):
    command = [sys.executable, "-m", "tests.reliability.kill_during_save", "--kills", "10"]
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [*command, "--processes", str(num_processes)],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "10 kills" in done.stdout


SAVER = """
import numpy as np, nbvars as tf, sys
folder, name, value = sys.argv[1:]
variable = tf.Variable(np.zeros(50_000), name="v")
saver = tf.train.Saver([variable], max_to_keep=3)
for step in range(60):
    variable.assign(np.full(50_000, float(value)))
    saver.save(None, f"{folder}/{name}", step)
    assert tf.train.latest_checkpoint(folder) is not None
    assert tf.train.load_checkpoint(folder).has_tensor("v")
"""


@pytest.mark.parametrize("names", [("one", "two"), ("same", "same")])
def test_two_processes_may_save_to_one_folder(names, tmp_path):
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", SAVER, str(tmp_path), name, str(i)],
            env=environment,
            stderr=subprocess.PIPE,
            text=True,
        )
        for i, name in enumerate(names)
    ]
    for process in processes:
        _, text = process.communicate(timeout=120)
        assert process.returncode == 0, text
    assert tf.train.latest_checkpoint(tmp_path) is not None
    for file in tmp_path.glob("*.safetensors"):
        value = tf.train.load_variable(str(file).removesuffix(".safetensors"), "v")
        assert value[0] in (0.0, 1.0)
        assert (value == value[0]).all()
    assert not list(tmp_path.glob(".*"))


def test_a_value_is_saved_as_it_was_at_one_moment(tmp_path):
    variable = tf.Variable(np.zeros(2_000_000), name="v")
    saver = tf.train.Saver([variable])
    values = [np.full(2_000_000, float(i)) for i in range(2)]
    is_over = threading.Event()

    def update():
        while not is_over.is_set():
            for value in values:
                variable.assign(value, use_locking=True)

    thread = threading.Thread(target=update)
    thread.start()
    try:
        for step in range(10):
            value = tf.train.load_variable(saver.save(None, tmp_path / "model", step), "v")
            assert (value == value[0]).all()
    finally:
        is_over.set()
        thread.join()


def test_threads_may_share_a_saver(tmp_path):
    variable = tf.Variable(np.ones(100_000), name="v")
    saver = tf.train.Saver([variable], max_to_keep=3)
    failed = []

    def save(start):
        try:
            for step in range(start, start + 5):
                saver.save(None, tmp_path / "model", step)
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=save, args=(start,)) for start in (0, 100, 200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert len(list(tmp_path.glob("*.safetensors"))) == 3
    assert tf.train.latest_checkpoint(tmp_path) == saver.last_checkpoints[-1]


def test_a_child_that_is_forked_during_a_save_can_save(tmp_path):
    code = f"""
import os, threading, warnings, numpy as np, nbvars as tf
warnings.simplefilter("ignore", DeprecationWarning)
variable = tf.Variable(np.ones(200_000), name="v")
saver = tf.train.Saver([variable])
is_over = threading.Event()
def save():
    while not is_over.is_set():
        saver.save(None, {str(tmp_path / "parent")!r})
thread = threading.Thread(target=save)
thread.start()
for i in range(10):
    child = os.fork()
    if not child:
        try:
            saver.save(None, {str(tmp_path / "child")!r}, i)
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 0
is_over.set()
thread.join()
"""
    run_python(code)
    for name in ("parent", "child-9"):
        assert (tf.train.load_variable(tmp_path / name, "v") == 1).all()


MEMORY = """
import os, resource, sys, numpy as np, nbvars as tf
variables = [tf.Variable(np.ones(n << 20, np.uint8), name=f"v{n}") for n in (64, 30, 64)]
saver = tf.train.Saver(variables)
saver.save(None, sys.argv[1] + "/warm")
def peak():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmHWM")) << 10
def now():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS")) << 10
with open("/proc/self/clear_refs", "w") as file:
    file.write("5")
before = now()
saver.save(None, sys.argv[1] + "/model")
print((peak() - before) / (64 << 20))
"""


def test_a_save_needs_the_memory_of_the_largest_variable(tmp_path):
    if not os.access("/proc/self/clear_refs", os.W_OK):
        pytest.skip("the peak of a process's memory cannot be reset: needs Linux")
    code = f"import sys; sys.argv = ['', {str(tmp_path)!r}]\n{MEMORY}"
    assert float(run_python(code)) <= 1.1

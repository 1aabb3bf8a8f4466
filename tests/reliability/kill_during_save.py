"""Kills processes while they save: nothing that a save has returned may be lost, and no file may be damaged.

``python -m tests.reliability.kill_during_save --kills 200`` prints what it found; a loss is exit code 1.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import nbvars as tf

NUM_VARIABLES = 3
NUM_ELEMENTS = 200_000


def save_for_ever(folder: Path, name: str, first: int, acknowledged: int) -> None:
    """Save steps from ``first`` on; write each to the pipe ``acknowledged`` when its save has returned."""
    variables = [tf.Variable(np.zeros(NUM_ELEMENTS, np.int64), name=f"v{i}") for i in range(NUM_VARIABLES)]
    saver = tf.train.Saver(variables, max_to_keep=2)
    state = tf.train.get_checkpoint_state(folder)
    saver.recover_last_checkpoints(state.all_model_checkpoint_paths if state else [])
    for step in range(first, first + 1_000_000):
        for variable in variables:
            variable.assign(np.full(NUM_ELEMENTS, step))
        saver.save(None, folder / name, step)
        os.write(acknowledged, step.to_bytes(8, "little"))


def killed_savers(folder: Path, names: list[str], first: int, delay_s: float) -> int:
    """Have processes save, and kill them after a while; return the last step that one of them acknowledged, or -1."""
    readers, children = [], []
    for name in names:
        reader, writer = os.pipe()
        child = os.fork()
        if not child:
            try:
                save_for_ever(folder, name, first, writer)
            finally:
                os._exit(1)
        os.close(writer)
        readers.append(reader)
        children.append(child)
    time.sleep(delay_s)
    for child in children:
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        assert os.WTERMSIG(status) == signal.SIGKILL, "a saver ended by itself"
    last = -1
    for reader in readers:
        data = os.read(reader, 1 << 20)
        last = max(last, int.from_bytes(data[-8:], "little") if data else -1)
        os.close(reader)
    return last


def step_in(path: str) -> int:
    """Return the step that all variables of a checkpoint hold; all checksums are tested."""
    reader = tf.train.load_checkpoint(path)
    reader.verify()
    values = np.concatenate([reader.get_tensor(f"v{i}") for i in range(NUM_VARIABLES)])
    assert (values == values[0]).all(), f"{path} mixes several steps"
    return int(values[0])


def check(folder: Path, acknowledged: int) -> tuple[int, list[str]]:
    """Return the step of the latest checkpoint, and what is wrong with the folder."""
    wrong = []
    for file in folder.glob("*.safetensors"):
        try:
            step_in(str(file).removesuffix(".safetensors"))
        except (tf.errors.OpError, AssertionError) as error:
            wrong.append(f"damaged: {error}")
    latest = tf.train.latest_checkpoint(folder)
    step = -1 if latest is None else step_in(latest)
    if step < acknowledged:
        wrong.append(f"lost: step {acknowledged} was acknowledged, the latest is {step}")
    return step, wrong


def run(num_kills: int, seed: int, num_processes: int = 1) -> tuple[int, list[str]]:
    """Kill savers ``num_kills`` times; return the number of acknowledged steps, and all that went wrong."""
    delays, wrong = random.Random(seed), []
    # Savers of one folder have names of their own, as the last one that saves owns the file `checkpoint`.
    names = [f"model{i}" for i in range(num_processes)]
    num_acknowledged = 0
    with tempfile.TemporaryDirectory() as name:
        folder, step, listed = Path(name), 0, 0
        # Kernels are compiled, and libraries imported, before the processes begin.
        variables = {f"v{i}": tf.Variable(np.zeros(NUM_ELEMENTS, np.int64)) for i in range(NUM_VARIABLES)}
        for variable in variables.values():
            variable.assign(np.full(NUM_ELEMENTS, 0))
        tf.train.Saver(variables).save(None, folder / names[0], 0)
        for _ in range(num_kills):
            acknowledged = killed_savers(folder, names, step + 1, delays.uniform(0.0, 0.1))
            num_acknowledged += max(0, acknowledged - step)
            # With several, the latest may be a step behind: the state file is that of whoever saved last.
            listed, errors = check(folder, listed if num_processes > 1 else max(acknowledged, step))
            step = max(listed, acknowledged, step)
            wrong += errors
        tf.train.Saver([tf.Variable(0)]).save(None, folder / "end")
        wrong += [f"not swept: {path}" for path in folder.glob(".*nbvars-tmp")]
    return num_acknowledged, wrong


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    num_acknowledged, wrong = run(arguments.kills, arguments.seed, arguments.processes)
    for line in wrong:
        print(line)
    print(f"{arguments.kills} kills, {num_acknowledged} acknowledged saves, {len(wrong)} lost or damaged")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())

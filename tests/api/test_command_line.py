"""The command line: what it prints, its exit codes, and that wrong input gives a sentence, not a traceback."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import nbvars
from nbvars.__main__ import main
from nbvars.warmup import warmup

ROOT = Path(nbvars.__file__).parent.parent


@pytest.fixture(autouse=True)
def _threads_as_before() -> Iterator[None]:
    num_threads = nbvars.get_num_threads()
    yield
    nbvars.set_num_threads(num_threads)


@pytest.fixture
def text(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    words = ["".join(letters) for letters in rng.choice(list("aeioukrstn"), (60, 6))]
    path = tmp_path / "text.txt"
    path.write_text(" ".join(rng.choice(words, 5000)), encoding="utf-8")
    return path


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run Python with ``arguments``."""
    command = [sys.executable, *map(str, arguments)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=environment)


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str]:
    """Return the exit status and the message of a command that does not run."""
    with pytest.raises(SystemExit) as stop:
        main([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    assert out == ""
    assert isinstance(stop.value.code, int)
    return stop.value.code, err


def test_without_a_command_help_is_printed_and_the_status_is_2() -> None:
    done = run("-m", "nbvars")
    assert (done.returncode, done.stdout) == (2, "")
    assert re.search(r"info .*\n(.*\n)*.*warmup .*\n.*demo ", done.stderr)


def test_version_and_help(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["--version"], ["--help"], ["demo", "--help"]):
        with pytest.raises(SystemExit) as stop:
            main(arguments)
        assert stop.value.code == 0
        out, err = capsys.readouterr()
        assert out.startswith(
            f"nbvars {nbvars.__version__}\n" if arguments == ["--version"] else "usage: python -m nbvars"
        )
        assert err == ""


def test_help_imports_neither_the_demo_nor_optional_libraries() -> None:
    code = "import sys, nbvars.__main__ as m\ntry: m.main(['demo', '--help'])\nfinally: print(sorted(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert "nbvars.__main__" in done.stdout
    assert not re.search(r"'(nbvars\.demo|nbvars\.info|tqdm|matplotlib)'", done.stdout)


def test_info_says_the_same_in_both_forms(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", "--json"]) == 0
    info = json.loads(capsys.readouterr().out)
    assert info["nbvars"] == nbvars.__version__
    assert info["numpy"] == np.__version__
    assert info["devices"] == nbvars.list_devices()
    assert info["threads"] == nbvars.get_num_threads()
    assert isinstance(info["cached_kernels"], int)
    assert main(["info"]) == 0
    lines = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines() if " " in line)
    assert set(lines) <= set(info)
    assert lines["cpu"] == info["cpu"]


def test_warmup_compiles_once(capsys: pytest.CaptureFixture[str]) -> None:
    main(["warmup", "--dtypes", "float32,int64", "--ops", "scatter_sub", "count_up_to"])
    first = capsys.readouterr().out
    assert re.fullmatch(r"\d+ kernels compiled, \d+ found in the cache, in \d+\.\d s\n", first)
    main(["warmup", "--dtypes", "int64", "float32", "--ops", "scatter_sub,count_up_to"])
    assert capsys.readouterr().out.startswith("0 kernels compiled, 0 found in the cache")


def test_warmup_leaves_nothing_to_compile_for_a_variable() -> None:
    code = """if True:
        import numpy as np, nbvars
        from nbvars.kernels.cpu.compiled import COMPILED
        from nbvars.warmup import warmup
        warmup(["float32"], ["assign", "assign_sub", "scatter_add", "cast", "momentum_step", "momentum_step_rows"])
        before = len(COMPILED)
        v = nbvars.Variable(np.ones((4, 3), np.float32))
        v.assign(2.0).assign(v.numpy()).assign_sub(1.0).assign_sub(v.numpy()).assign(np.ones((3, 4), np.float32).T)
        slices = nbvars.IndexedSlices(np.ones((2, 3), np.float32), np.array([1, 1]))
        v.scatter_add(slices)
        optimizer = nbvars.train.MomentumOptimizer(0.1, 0.9)
        optimizer.apply_gradients([(slices, v)])
        optimizer.apply_gradients([(v.numpy(), v)])
        print(COMPILED[before:])"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_warmup_passes_over_what_a_dtype_does_not_have() -> None:
    done = warmup(["bool", "complex64"], ["count_up_to", "scatter_min", "cast", "adam_step", "adam_step_rows"])
    assert done[:2] == (0, 0)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--dtypes", "float33"], "unknown dtype: got 'float33', expected one of"),
        (["--ops", "scatter_pow"], "there is no such op: got 'scatter_pow', expected one of"),
    ],
)
def test_warmup_refuses_unknown_names(capsys: pytest.CaptureFixture[str], arguments: list[str], said: str) -> None:
    status, err = refused(capsys, "warmup", *arguments)
    assert status == 2
    assert said in err


def test_the_demo_trains_on_a_text_of_ones_own(text: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="the extra demo has it")
    plot = tmp_path / "loss.svg"
    done = run("-m", "nbvars", "demo", "--quick", "--text", text, "--threads", 2, "--save-plot", plot)
    assert (done.returncode, done.stderr) == (0, "")
    assert "text: 5,000 words, 60 different; threads: 2\n" in done.stdout
    assert re.search(r"words/s", done.stdout)
    losses = re.search(r"^loss: (.*)$", done.stdout, re.M)
    assert losses is not None
    assert float(losses[1].split()[-1]) < float(losses[1].split()[0])
    assert re.search(r"^digest [0-9a-f]{16}", done.stdout, re.M)
    assert "<svg" in plot.read_text(encoding="utf-8")


def test_the_demo_refuses_texts_that_cannot_be_read(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    status, err = refused(capsys, "demo", "--text", tmp_path / "none.txt")
    assert status == 1
    assert "No such file or directory" in err
    assert "none.txt" in err

    latin = tmp_path / "latin.txt"
    latin.write_bytes(b"d\xe9j\xe0 vu")
    status, err = refused(capsys, "demo", "--text", latin)
    assert status == 1
    assert "latin.txt: the text cannot be decoded: got byte 0xe9 at 1, expected UTF-8" in err

    short = tmp_path / "short.txt"
    short.write_text("too short")
    status, err = refused(capsys, "demo", "--text", short)
    assert status == 1
    assert "too few words" in err


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["--threads", "0"], 2, "got 0, expected an integer from 1 to 256"),
        (["--threads", "two"], 2, "invalid int value: 'two'"),
        (["--seed", "-1"], 2, "got '-1', expected an integer from 0"),
        (["--save-plot", "no/such/folder/loss.png"], 1, "the file cannot be written"),
        (["--save-plot", "loss.word"], 1, "this kind of picture is unknown: got 'loss.word', expected one of"),
        (["--sed", "1"], 2, "unrecognized arguments: --sed"),
    ],
)
def test_bad_values_are_refused_before_any_work(
    capsys: pytest.CaptureFixture[str], text: Path, arguments: list[str], status: int, said: str
) -> None:
    if "--save-plot" in arguments:
        pytest.importorskip("matplotlib", reason="the extra demo has it")
    assert (found := refused(capsys, "demo", "--text", text, *arguments))[0] == status
    assert said in found[1]


def test_a_plot_without_matplotlib_is_refused_before_training(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, text: Path
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.backend_bases", None)
    status, err = refused(capsys, "demo", "--text", text, "--save-plot", "loss.png")
    assert status == 1
    assert "nbvars[demo]" in err


@pytest.mark.skipif(os.name == "nt", reason="sends SIGINT, as POSIX systems have it")
def test_an_interrupt_ends_with_status_130_and_no_traceback(text: Path) -> None:
    command = [sys.executable, "-m", "nbvars", "demo", "--text", str(text)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment) as demo:
        assert demo.stdout is not None
        demo.stdout.readline()  # training begins
        demo.send_signal(signal.SIGINT)
        _, err = demo.communicate(timeout=30)
    assert (demo.returncode, err) == (130, "interrupted\n")

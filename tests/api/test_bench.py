"""The benchmarks: all that is compared agrees with NumPy, times are medians of turns, table and picture show them."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nbvars
from nbvars.__main__ import main
from nbvars.bench import command, libraries, optimizer, picture, running, saver, session, start_up, timing
from nbvars.bench.case import Case, expect_agreement
from nbvars.bench.comparisons import PANELS, Comparison, comparisons
from nbvars.bench.report import format_report, format_seconds, from_json, series_of, to_json
from nbvars.bench.running import Report, Result, run_comparison
from nbvars.bench.scatter import indices_of
from nbvars.bench.timing import Budget, Timing, measure, summarize

ONCE = Budget(least_rounds=1, most_rounds=1, round_s=1e-9)
SETTING = {
    "date": "2026-01-02T03:04:05+00:00",
    "cpu": "A Processor (znver9)",
    "cpu_features": ["fma"],
    "processors": 2,
    "system": "Linux x86_64",
    "load": 0.3,
    "threads": 1,
    "versions": {"nbvars": "1.2.3", "numpy": "2.4.0"},
}


@pytest.fixture(autouse=True)
def _as_before(restored_num_threads: None) -> Iterator[None]:
    processors = libraries.processors_at_hand()
    yield
    assert libraries.processors_at_hand() == processors


def case(number: float) -> Case:
    """Return a case whose state, an array of two, becomes ``number``."""
    return Case("state[...] = number", "state", state=np.zeros(2, np.float32), number=number)


def result(panel: str, name: str, remarks: dict[str, str], **seconds: float) -> Result:
    """Return a result with these times."""
    timings = {series: Timing(time, 0.9 * time, 1.1 * time) for series, time in seconds.items()}
    return Result(panel, name, 5, timings, dict.fromkeys(seconds, "run()"), remarks)


@pytest.fixture
def report() -> Report:
    """Return a report of three panels, one of which no table knows."""
    results = [
        result("dispatch", "assign, 16", {}, nbvars=2e-7, numpy=3e-7, torch=2e-5),
        result("dispatch", "assign, 1024", {"torch": "not timed: it failed"}, nbvars=2e-7, numpy=1e-7),
        result(
            "casts", "to float16", {"torch": "does less", "numpy": "does more"}, nbvars=1e-3, torch=1.5e-3, numpy=2.0
        ),
        result("steps", "momentum", {}, nbvars=1.0),
    ]
    return Report(SETTING, results)


@pytest.mark.parametrize("comparison", comparisons(quick=True), ids=lambda row: f"{row.panel}: {row.name}")
def test_every_comparison_agrees_with_numpy(comparison: Comparison) -> None:
    done = run_comparison(comparison, ["numpy", "python"], 1, ONCE)
    here = {name for name in comparison.series if libraries.library_of(name) in ("nbvars", "numpy", "python")}
    assert set(done.timings) == set(done.statements) == here
    assert all(time.seconds > 0 for time in done.timings.values())


def test_both_sizes_have_the_same_rows_but_for_processes() -> None:
    small, large = comparisons(quick=True), comparisons()
    assert [row.panel for row in small] == [row.panel for row in large if row.panel != "start-up"]
    assert list(dict.fromkeys(row.panel for row in large)) == list(PANELS)
    names = [(row.panel, row.name) for row in large]
    assert len(set(names)) == len(names)


def test_a_new_process_makes_its_update() -> None:
    for work in start_up.WORK[:2]:
        made = start_up.start_up("numpy", work)
        made.run()
        assert made.state() == (16 if work == "first update" else 0)
    ours = start_up.start_up("nbvars", "first update")
    ours.run()
    assert ours.state() == 16


def test_a_new_process_without_a_cache_has_a_folder_of_its_own() -> None:
    made = Case("printed = run(program)", "printed", run=start_up._run_without_cache, printed="", program=CACHE_FOLDER)
    made.run()
    assert "nbvars_bench_" in str(made.state())
    assert not Path(str(made.state()).strip()).exists()


CACHE_FOLDER = "import os; print(os.environ['NUMBA_CACHE_DIR'])"


def test_a_new_process_that_fails_says_why() -> None:
    with pytest.raises(RuntimeError, match="a new Python failed: ModuleNotFoundError: No module named 'no_such'"):
        start_up._run("import no_such")


def test_a_case_goes_on_where_it_was() -> None:
    counted = Case("x = x + step", "x", x=1, step=2)
    assert counted.run(3) > 0
    assert counted.state() == 7
    counted.run()
    assert counted.state() == 9


def test_a_case_may_have_lines() -> None:
    doubled = Case("for _ in range(2):\n    x = x * 2", "x", x=1)
    doubled.run(3)
    assert doubled.state() == 64


def test_ours_must_agree_to_the_bit_and_others_nearly() -> None:
    near = np.nextafter(np.float32(1), np.float32(2))
    made = case(near)
    made.run()
    expected = np.ones(2, np.float32)
    expect_agreement("torch index_put_", made, expected)
    with pytest.raises(
        ValueError, match=r"nbvars eager: the result differs at element 0: got 1\.0000001.*expected 1\.0"
    ):
        expect_agreement("nbvars eager", made, expected)
    with pytest.raises(ValueError, match=r"torch: the result differs at element 1"):
        expect_agreement("torch", made, np.array([1, 1.1], np.float32))
    with pytest.raises(
        ValueError, match=r"another kind: got float32 of shape \(2,\), expected float32 of shape \(3,\)"
    ):
        expect_agreement("torch", made, np.ones(3, np.float32))
    made = case(np.nan)
    made.run()
    with pytest.raises(ValueError, match="got nan"):
        expect_agreement("torch", made, expected)


def test_infinities_agree() -> None:
    made = case(np.inf)
    made.run()
    expect_agreement("nbvars", made, np.full(2, np.inf, np.float32))


def test_cases_take_turns_and_every_other_round_goes_backwards() -> None:
    order: list[str] = []

    def recorded(name: str) -> Case:
        return Case("order.append(name)", "order", order=order, name=name)

    rounds = measure({name: recorded(name) for name in "abc"}, Budget(4, 4, round_s=1e-9))
    assert "".join(order) == "aabbcc" + "abccba" * 2
    assert {name: len(seconds) for name, seconds in rounds.items()} == {"a": 4, "b": 4, "c": 4}


class Scripted(Case):
    """A case whose calls take as long as a list says, and then as its last element."""

    def __init__(self, *seconds: float) -> None:
        self.seconds, self.calls = list(seconds), list[int]()

    def run(self, calls: int = 1) -> float:
        """Return the next time."""
        self.calls.append(calls)
        return calls * (self.seconds.pop(0) if len(self.seconds) > 1 else self.seconds[0])


@pytest.mark.parametrize(
    ("seconds", "num_rounds"),
    [
        ([1.0], 5),  # all alike: settled at once
        ([1.0, *[1.0, 2.0] * 10], 20),  # never
        ([1.0, *[1.0, 2.0] * 3, *[1.5] * 20], 13),  # as soon as the quartiles are alike
    ],
)
def test_rounds_end_when_the_median_is_settled(seconds: list[float], num_rounds: int) -> None:
    rounds = measure({"a": Scripted(*seconds)}, Budget(5, 20, round_s=1.0, total_s=100))["a"]
    assert len(rounds) == num_rounds


def test_rounds_end_when_time_is_up() -> None:
    noisy = [1.0, *[1.0, 2.0] * 20]
    assert len(measure({"a": Scripted(*noisy)}, Budget(5, 20, round_s=1.0, total_s=0))["a"]) == 5


def test_a_round_is_so_many_calls_that_it_takes_its_time() -> None:
    short = Scripted(0.001)
    assert measure({"a": short}, Budget(2, 2, round_s=0.5))["a"] == pytest.approx([0.001, 0.001])
    assert short.calls == [1, 4, 16, 64, 256, 256, 500, 500]


def test_a_first_call_with_cold_caches_does_not_make_rounds_short() -> None:
    cold = Scripted(1.0, 0.001)
    measure({"a": cold}, Budget(2, 2, round_s=0.5))
    assert cold.calls == [1, 1, 4, 16, 64, 256, 256, 500, 500]


def test_a_summary_is_the_median_and_the_quartiles() -> None:
    assert summarize([5.0, 1.0, 2.0, 4.0, 3.0]) == (3.0, 2.0, 4.0)
    assert summarize([7.0]) == (7.0, 7.0, 7.0)


def comparison_of(make: Callable[[str], Case], *series: str) -> Comparison:
    """Return a comparison that no table has."""
    return Comparison("dense", "a row", make, series, {"numpy": "rounds", "jax": "is not wanted"})


def test_a_peer_that_is_wrong_or_fails_is_not_timed() -> None:
    def make(series: str) -> Case:
        if series == "python fails":
            raise RuntimeError("no such kernel\nand more")
        return case(3.0 if series == "python is wrong" else 2.0)

    row = comparison_of(make, "nbvars", "numpy", "python fails", "python is wrong", "jax")
    done = run_comparison(row, ["numpy", "python"], 1, ONCE)
    assert list(done.timings) == ["nbvars", "numpy"]
    assert done.remarks["numpy"] == "rounds"
    assert done.remarks["python fails"] == "not timed: RuntimeError: no such kernel"
    assert done.remarks["python is wrong"].startswith("not timed: ValueError: python is wrong: the result differs")
    assert "jax" not in done.remarks


def test_that_nbvars_is_wrong_is_an_error() -> None:
    row = comparison_of(lambda series: case(3.0 if series == "nbvars" else 2.0), "nbvars", "numpy")
    with pytest.raises(ValueError, match="nbvars: the result differs"):
        run_comparison(row, ["numpy"], 1, ONCE)


@pytest.mark.parametrize("uses_all_processors", [False, True])
def test_there_is_a_processor_for_each_thread(uses_all_processors: bool) -> None:
    seen: set[int] = set()

    def make(series: str) -> Case:
        seen.update((libraries.processors_at_hand(), nbvars.get_num_threads()))
        return case(1.0)

    expected = libraries.processors_at_hand() if uses_all_processors else 1
    row = comparison_of(make, "nbvars", "numpy")._replace(uses_all_processors=uses_all_processors)
    run_comparison(row, ["numpy"], 1, ONCE)
    assert seen == {expected}


def test_indices_are_what_they_are_called() -> None:
    assert np.unique(indices_of("unique", 100, 100)).size == 100
    assert indices_of("uniform", 100, 1000).max() < 100
    counts = np.sort(np.bincount(indices_of("zipf", 100, 10_000), minlength=100))[::-1]
    assert counts[0] > 1.7 * counts[1]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0.00 ns"),
        (1.23e-7, "123 ns"),
        (9.996e-6, "10.0 us"),
        (9.994e-6, "9.99 us"),
        (0.5, "500 ms"),
        (12.0, "12.0 s"),
    ],
)
def test_times_have_three_digits(seconds: float, text: str) -> None:
    assert format_seconds(seconds) == text


def test_the_table_shows_times_ratios_and_remarks(report: Report) -> None:
    lines = [line.rstrip() for line in format_report(report).splitlines()]
    assert lines[:2] == [
        "nbvars 1.2.3, numpy 2.4.0",
        "A Processor (znver9), 2 processors, load before 0.3; 1 thread; 2026-01-02",
    ]
    assert lines[5].split() == ["nbvars", "numpy", "torch"]
    assert lines[6].split() == ["assign,", "16", "200", "ns", "1.50x", "100x"]
    assert lines[7].split() == ["assign,", "1024", "200", "ns", "0.50x", "-*"]
    assert lines[8] == "  * torch: not timed: it failed"
    assert lines[12].split() == ["to", "float16", "1.00", "ms", "1.50x*", "2000x+"]
    assert lines[13:15] == ["  * torch: does less", "  + numpy: does more"]
    assert lines[-1].split() == ["momentum", "1.00", "s"]
    ends = [len(line) for line in (lines[5], lines[6])]
    assert ends[0] == ends[1]  # aligned


def test_json_has_all_of_it_and_is_read_back(report: Report, tmp_path: Path) -> None:
    text = to_json(report)
    found = json.loads(text)
    assert found["results"][0]["series"]["numpy"] == {
        "seconds": 3e-7,
        "low": pytest.approx(2.7e-7),
        "high": pytest.approx(3.3e-7),
        "ratio": 1.5,
        "statement": "run()",
    }
    assert found["versions"]["numpy"] == "2.4.0"
    path = tmp_path / "saved.json"
    path.write_text(text)
    assert from_json(path) == report


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"results": [{}]}', '{"results": []}', '{"results": 1}'])
def test_other_files_are_no_results(tmp_path: Path, text: str) -> None:
    path = tmp_path / "saved.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"these are no results: got .*, expected a file that --json wrote"):
        from_json(path)


def test_the_picture_is_one(report: Report, tmp_path: Path) -> None:
    image = pytest.importorskip("matplotlib.image", reason="the extra bench has it")
    for name, part in {"all.png": report, "one.png": report._replace(results=report.results[:1])}.items():
        picture.save_picture(part, tmp_path / name)
    both = [image.imread(tmp_path / name).shape[:2] for name in ("all.png", "one.png")]
    assert both[0][1] > both[1][1]  # two columns
    assert "matplotlib.pyplot" not in sys.modules


def test_columns_are_as_alike_as_can_be(report: Report) -> None:
    rows = report.results[:1]
    panels = [("a", rows * 9), ("b", rows * 2), ("c", rows * 3), ("d", rows * 2)]
    assert [[name for name, _ in column] for column in picture._columns(panels)] == [["a"], ["b", "c", "d"]]
    assert picture._columns(panels[:1]) == [panels[:1]]


def test_all_series_have_a_style_of_their_own() -> None:
    series = {name for row in comparisons() for name in row.series if name != "nbvars"}
    assert series == set(picture.STYLES)
    assert len(set(picture.STYLES.values())) == len(series)


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the command find three comparisons, and the least of rounds, and no peer but NumPy."""
    rows = [row for row in comparisons(quick=True) if row.panel in ("counter", "session")][:3]
    monkeypatch.setattr(command, "comparisons", lambda quick: rows)
    monkeypatch.setattr(command, "QUICK", ONCE)
    monkeypatch.setattr(libraries, "is_installed", lambda library: library in ("numpy", "python"))


@pytest.mark.usefixtures("few")
def test_the_command_prints_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "--quick", "--only", "COUNT", "8"]) == 0
    out, err = capsys.readouterr()
    assert f"numpy {np.__version__}" in out
    assert "count_up_to, 8 threads" in out
    assert "count_up_to, 1 thread" not in out
    assert err == "1 comparisons with numpy, python; threads: 1\n"


@pytest.mark.usefixtures("few")
def test_the_command_prints_or_saves_json(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    main(["bench", "--quick", "--only", "8", "--json"])
    printed = json.loads(capsys.readouterr().out)
    assert [row["name"] for row in printed["results"]] == ["count_up_to, 8 threads"]
    path = tmp_path / "saved.json"
    main(["bench", "--quick", "--only", "8", "--json", str(path)])
    assert capsys.readouterr().out.endswith(f"saved {path}\n")
    saved = from_json(path)
    assert saved.setting["versions"] == printed["versions"]
    main(["bench", "--load", str(path)])
    assert capsys.readouterr().out == format_report(saved) + "\n"


@pytest.mark.usefixtures("few")
def test_ctrl_c_shows_what_was_measured(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    results = iter([result("counter", "the first", {}, nbvars=1.0)])

    def interrupted(*arguments: Any) -> Result:
        try:
            return next(results)
        except StopIteration:
            raise KeyboardInterrupt from None

    monkeypatch.setattr(command, "run_comparison", interrupted)
    assert main(["bench"]) == 130
    out, err = capsys.readouterr()
    assert "the first" in out
    assert err.endswith("interrupted\n")


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["--only", "nothing"], 2, "no comparison has all of these words: got ['nothing'], expected parts"),
        (["--libraries", "numpy,pandas"], 2, "there is no such peer: got 'pandas', expected some of ['numpy', "),
        (
            ["--libraries", "torch"],
            2,
            "the library is not installed: got 'torch', expected some of ['numpy', 'python']",
        ),
        (["--threads", "0"], 2, "the processors are not so many: got 0, expected an integer from 1 to "),
        (["--threads", "1000"], 2, "the processors are not so many: got 1000, expected an integer from 1 to "),
        (["--threads", "two"], 2, "got 'two', expected an integer"),
        (["--plot", "bench.txt"], 1, "this kind of picture is unknown: got 'bench.txt'"),
        (["--plot", "no/folder/bench.png"], 1, "--plot: the file cannot be written"),
        (["--json", "no/folder/bench.json"], 1, "--json: the file cannot be written"),
        (["--load", "no_such.json"], 1, "No such file or directory: 'no_such.json'"),
    ],
)
def test_wrong_options_are_refused_before_anything_is_measured(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    status: int,
    said: str,
) -> None:
    if "--plot" in arguments:
        pytest.importorskip("matplotlib", reason="the extra bench has it")
    monkeypatch.setattr(command, "run", lambda *_: pytest.fail("it measures"))
    with pytest.raises(SystemExit) as stop:
        main(["bench", *arguments])
    out, err = capsys.readouterr()
    assert (stop.value.code, out) == (status, "")
    assert said in err


def test_without_matplotlib_the_message_names_the_extra(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.backend_bases", None)
    monkeypatch.setattr(command, "run", lambda *_: pytest.fail("it measures"))
    with pytest.raises(SystemExit):
        main(["bench", "--plot", "bench.png"])
    assert 'error: --plot needs matplotlib: install it by pip install "nbvars[bench]"' in capsys.readouterr().err


def test_the_setting_tells_machine_and_versions() -> None:
    setting = running.gather_setting(["numpy", "python"], 2)
    assert setting["versions"]["numpy"] == np.__version__
    assert setting["threads"] == 2
    assert "python" in setting["versions"]
    assert series_of([]) == []
    assert timing.DEFAULT.least_rounds >= 5


def test_rows_that_a_batch_names_twice_are_stepped_once() -> None:
    grads = optimizer._gradient(6, 2)
    indices = indices_of("uniform", 4, 6)
    assert np.unique(indices).size < indices.size
    made = optimizer.sparse("nbvars", "Adagrad", 4, 2, 6)
    made.run()
    expected, total = np.ones((4, 2)), np.full((4, 2), optimizer.START)
    for _ in range(2):  # one of them when it was made
        for row in np.unique(indices):
            grad = grads[indices == row].sum(0)
            total[row] += grad**2
            expected[row] -= optimizer.RATE * grad / np.sqrt(total[row])
    np.testing.assert_allclose(made.state(), expected, rtol=1e-5)


def test_a_training_step_by_hand_follows_the_numerical_gradient() -> None:
    rng = np.random.default_rng(0)
    images, labels = rng.random((5, session.FEATURES), np.float32), np.array([0, 9, 3, 3, 1])
    start = rng.standard_normal((session.FEATURES, session.CLASSES))

    def loss_at(weights: np.ndarray[Any, Any]) -> float:
        logits = images @ weights
        return float(np.mean(np.log(np.exp(logits).sum(-1)) - logits[np.arange(5), labels]))

    regression = session._Regression(start.astype(np.float32))
    regression.train(images, labels)
    for place in ((0, 0), (7, 3), (63, 9), (5, 4)):
        nudge = np.zeros_like(start)
        nudge[place] = 1e-4
        slope = (loss_at(start + nudge) - loss_at(start - nudge)) / 2e-4
        assert regression.weights[place] == pytest.approx(start[place] - session.RATE * slope, abs=1e-6)


@pytest.mark.parametrize("series", ["nbvars", "numpy", "python file"])
def test_what_is_saved_is_read_from_the_file_and_leaves_no_folder(
    series: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    saved, restored, loaded = (work(series, 400) for work in (saver.save, saver.restore, saver.load))
    with pytest.raises((FileNotFoundError, nbvars.errors.NotFoundError)):
        saved.state()
    for made in (saved, restored, loaded):
        made.run()
        np.testing.assert_array_equal(made.state(), np.random.default_rng(0).random(100, np.float32))
    assert len(list(tmp_path.iterdir())) == 3
    del saved, restored, loaded, made
    assert list(tmp_path.iterdir()) == []

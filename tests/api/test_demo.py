"""The demo: it learns, it repeats bit for bit, and the number of threads does not show."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nbvars
from nbvars import demo, loss_plot
from nbvars.kernels.cpu import scatter, threads
from nbvars.progress import progress

SEA = ["ship", "sail", "wave", "harbour", "anchor", "captain", "mast", "storm", "crew", "tide"]
KITCHEN = ["pan", "oven", "flour", "butter", "salt", "knife", "onion", "recipe", "sugar", "plate"]


@pytest.fixture(autouse=True)
def _threads_as_before() -> Iterator[None]:
    num_threads = nbvars.get_num_threads()
    yield
    nbvars.set_num_threads(num_threads)


@pytest.fixture(scope="module")
def corpus() -> demo.Corpus:
    """Return chapters that speak either of the sea or of the kitchen."""
    rng = np.random.default_rng(0)
    chapters = [" ".join(rng.choice(SEA if k % 2 else KITCHEN, 1000)) for k in range(20)]
    return demo.make_corpus(". ".join(chapters))


def test_the_result_is_the_same_for_any_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    num_parts: list[int] = []

    def run_parts(kernel: Any, parts: list[Any]) -> None:
        num_parts.append(len(parts))
        threads.run_parts(kernel, parts)

    monkeypatch.setattr(scatter, "run_parts", run_parts)
    monkeypatch.setattr(scatter, "PART_BYTES", 1 << 18)
    rng = np.random.default_rng(0)
    corpus = demo.make_corpus(" ".join("".join(rng.choice(list("abcdefghijkl"), 3)) for _ in range(30_000)))
    models, most_parts = [], []
    for num_threads in (1, 2, 4):
        nbvars.set_num_threads(num_threads)
        models.append(demo.train(corpus, 40, seed=1))
        most_parts.append(max(num_parts))
    assert most_parts[0] < most_parts[1]  # threads were in use
    assert len({model.digest() for model in models}) == 1
    np.testing.assert_array_equal(models[0].losses, models[2].losses)
    assert demo.train(corpus, 40, seed=2).digest() != models[0].digest()


def test_the_loss_falls_and_neighbours_are_of_one_subject(corpus: demo.Corpus) -> None:
    model = demo.train(corpus, 3000, seed=1)
    assert model.losses[-300:].mean() < 0.9 * model.losses[:300].mean()
    for word, subject in (("sail", SEA), ("oven", KITCHEN)):
        assert set(demo.nearest(corpus, model.in_vectors.numpy(), word, 5)) <= set(subject) - {word}


def test_batches_pair_words_that_stand_near_each_other() -> None:
    ids = np.arange(500)
    every_word_once = demo.Corpus([f"w{k}" for k in ids], np.ones(500, np.int64), ids, np.ones(500))
    centers, targets = next(demo.batches(every_word_once, np.random.default_rng(0)))
    assert targets.shape == (centers.size, 1 + demo.NUM_NEGATIVES)
    distances = np.abs(centers - targets[:, 0])
    assert distances.min() == 1
    assert distances.max() == demo.WINDOW


def test_gradients_are_the_slopes_of_the_loss() -> None:
    rng = np.random.default_rng(0)
    tables = rng.normal(size=(2, 6, 4)).astype(np.float32)
    centers, targets = np.array([2, 5]), np.array([[1, 0, 3], [4, 4, 1]])

    def loss(in_table: np.ndarray, out_table: np.ndarray) -> float:
        scores = np.einsum("nd,nkd->nk", in_table[centers], out_table[targets])
        scores[:, 1:] *= -1
        return float(np.log1p(np.exp(-scores)).sum())

    in_slices, out_slices = np.empty((2, 4), np.float32), np.empty((2, 3, 4), np.float32)
    one = np.float32(1)
    mean = demo.gradients(tables[0], tables[1], centers, targets, one, in_slices, out_slices)
    wide = tables.astype(np.float64)
    assert mean == pytest.approx(loss(*wide) / 2, rel=1e-5)

    found = np.zeros_like(wide)
    np.add.at(found[0], centers, in_slices)
    np.add.at(found[1], targets, out_slices)
    expected = np.zeros_like(wide)
    for at in np.ndindex(wide.shape):
        step = np.zeros_like(wide)
        step[at] = 1e-5
        expected[at] = (loss(*(wide + step)) - loss(*(wide - step))) / 2e-5
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_the_documentation_of_python_is_long_and_always_the_same() -> None:
    manual = demo.python_documentation(manual_only=True)
    assert manual == demo.python_documentation(manual_only=True)
    assert len(demo.make_corpus(manual).ids) > 20_000


def test_no_module_is_imported_for_its_docstrings() -> None:
    before = set(sys.modules)
    assert "A group of messages in a particular place." in demo.python_documentation()  # that of mailbox.Mailbox
    assert not {"turtle", "antigravity", "this"} & (set(sys.modules) - before)


def test_words_are_lower_case_and_of_letters() -> None:
    text = "Déjà vu_Über 42 x don't " * 300 + " ".join(f"{a}{b} " * 5 for a in "abcdef" for b in "gh")
    corpus = demo.make_corpus(text)
    assert corpus.words[:4] == ["don", "déjà", "vu", "über"]
    assert corpus.counts[0] == 300
    assert "x" not in corpus.words


def test_a_text_of_few_words_is_refused() -> None:
    with pytest.raises(ValueError, match=r"too few words .* got 400 in all, 1 different, expected at least 1000 "):
        demo.make_corpus("word " * 400)
    with pytest.raises(ValueError, match="got 0 in all"):
        demo.make_corpus("")


def test_a_short_text_of_frequent_words_ends() -> None:
    corpus = demo.make_corpus(" ".join(SEA + KITCHEN) * 60)
    assert np.isfinite(demo.train(corpus, 5, seed=1).losses).all()


def test_the_plot_is_a_picture(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="the extra demo has it")
    path = tmp_path / "loss.png"
    loss_plot.expect_plottable(path)
    loss_plot.save_plot(np.linspace(4, 2, 50, dtype=np.float32), path)
    assert path.read_bytes().startswith(b"\x89PNG")


def test_without_matplotlib_the_message_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.backend_bases", None)
    with pytest.raises(ImportError, match=r"nbvars\[demo\]"):
        loss_plot.expect_plottable(Path("loss.png"))


def test_progress_is_silent_without_a_terminal_and_without_tqdm(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert list(progress([1, 2, 3], 3, "step")) == [1, 2, 3]
    monkeypatch.setitem(sys.modules, "tqdm", None)
    assert list(progress([1, 2, 3], 3, "step")) == [1, 2, 3]
    assert capsys.readouterr() == ("", "")

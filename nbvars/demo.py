"""Word vectors from the text that every Python ships: the library's main job, and the example to read first.

Skip-gram with negative sampling (Mikolov et al. 2013, "Distributed Representations of Words and Phrases and their
Compositionality"): each word has a vector that learns to tell the words seen near it from words drawn at random. A
step touches a few thousand rows of two tables, so its gradient is a pair of ``IndexedSlices``, not two tables.
"""

from __future__ import annotations

import ast
import hashlib
import itertools
import re
import sys
import sysconfig
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

import nbvars
from nbvars.checks import message
from nbvars.loss_plot import save_plot
from nbvars.progress import progress

Floats = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]

WIDTH = 64
"""Length of a word's vector."""
WINDOW = 5
"""A word is paired with neighbours at most so far away; nearer ones more often."""
NUM_NEGATIVES = 5
"""Random words drawn against each true neighbour."""
BATCH = 2048
"""Pairs per step, at most; a small vocabulary has smaller steps, or the many slices of each row would overshoot."""
BLOCK = 1 << 20
"""Words of the text whose pairs are shuffled together."""
STEPS, QUICK_STEPS = 10_000, 2_000
LEARNING_RATE = 0.025
COMMON = 1e-4
"""Words more frequent than this share of the text are thinned out: they tell little of their neighbours."""
MIN_COUNT = 5
FEWEST_WORDS, FEWEST_DIFFERENT = 1000, 10
SHOWN_WORDS = ("class", "error", "file", "bytes", "import", "thread", "dictionary", "directory", "http", "month")


class Corpus(NamedTuple):
    """A text as numbers: its k-th word is ``words[ids[k]]``, one of ``counts[ids[k]]`` like it."""

    words: list[str]
    counts: Integers
    ids: Integers
    kept_share: npt.NDArray[np.float64]
    """The share of each word's occurrences that training looks at."""


class Model(NamedTuple):
    """What training gives: both tables, and the loss per pair in each step."""

    in_vectors: nbvars.Variable
    out_vectors: nbvars.Variable
    losses: Floats
    num_pairs: int
    seconds: float

    def digest(self) -> str:
        """Return a short SHA-256 of all bits of both tables."""
        tables = self.in_vectors.numpy().tobytes() + self.out_vectors.numpy().tobytes()
        return hashlib.sha256(tables).hexdigest()[:16]


def python_documentation(manual_only: bool = False) -> str:
    """Return the language manual and, unless ``manual_only``, the docstrings of the standard library."""
    from pydoc_data.topics import topics

    texts = [topics[name] for name in sorted(topics)]
    if not manual_only:
        library = Path(sysconfig.get_path("stdlib"))
        for name in sorted(sys.stdlib_module_names):
            # The sources are parsed, not imported: importing them all would run them all.
            for path in [library / f"{name}.py", *sorted((library / name).rglob("*.py"))]:
                if path.is_file() and not {"test", "tests", "idle_test"}.intersection(path.parts):
                    texts.extend(_docstrings(ast.parse(path.read_bytes())))
    return "\n".join(dict.fromkeys(texts))  # some modules are there twice, in Python and for C


def _docstrings(node: Any) -> Iterator[str]:
    yield ast.get_docstring(node) or ""
    for child in node.body:
        if isinstance(child, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            yield from _docstrings(child)


def own_text(path: Path) -> str:
    """Return the text in the UTF-8 file ``path``."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        wrong, got = "the text cannot be decoded", f"byte {error.object[error.start]:#04x} at {error.start}"
        raise ValueError(message(str(path), wrong, got, "UTF-8")) from error


def make_corpus(text: str) -> Corpus:
    """Number the words of ``text``, in lower case, that occur at least ``MIN_COUNT`` times."""
    tokens = re.findall(r"[^\W\d_]{2,}", text.lower())
    counts = sorted(Counter(tokens).items(), key=lambda item: (-item[1], item[0]))
    number = {word: k for k, (word, count) in enumerate(counts) if count >= MIN_COUNT}
    ids = np.array([number[token] for token in tokens if token in number], np.int64)
    if ids.size < FEWEST_WORDS or len(number) < FEWEST_DIFFERENT:
        wrong = f"too few words occur {MIN_COUNT} times or more"
        got = f"{ids.size} in all, {len(number)} different"
        raise ValueError(message("text", wrong, got, f"at least {FEWEST_WORDS} and {FEWEST_DIFFERENT}"))
    rarity = COMMON * ids.size / np.bincount(ids)
    # Section 2.3 of the paper, in the form that its authors' program has.
    return Corpus(list(number), np.bincount(ids), ids, np.minimum(np.sqrt(rarity) + rarity, 1))


def batches(corpus: Corpus, rng: np.random.Generator) -> Iterator[tuple[Integers, Integers]]:
    """Yield for ever ``centers [n]`` and ``targets [n, 1 + NUM_NEGATIVES]``, the true neighbour first."""
    num_pairs = min(BATCH, len(corpus.words))
    power = corpus.counts**0.75  # negatives: between the words' frequencies and all alike, as the authors found best
    negatives = np.repeat(np.arange(power.size), np.ceil(1e6 * power / power.sum()).astype(np.int64))
    for block in itertools.cycle(np.array_split(corpus.ids, -(-corpus.ids.size // BLOCK))):
        text = block[rng.random(block.size) < corpus.kept_share[block]]
        reach = rng.integers(1, WINDOW, text.size, endpoint=True)
        pairs = []
        for distance in range(1, WINDOW + 1):
            at = np.flatnonzero(reach >= distance)
            for near in (at - distance, at + distance):
                inside = (near >= 0) & (near < text.size)
                pairs.append(np.stack([text[at[inside]], text[near[inside]]], axis=1))
        shuffled = rng.permutation(np.concatenate(pairs))
        for first in range(0, len(shuffled), num_pairs):
            centers, neighbours = shuffled[first : first + num_pairs].T
            drawn = negatives[rng.integers(negatives.size, size=(centers.size, NUM_NEGATIVES))]
            yield np.ascontiguousarray(centers), np.column_stack([neighbours, drawn])


# nogil: other Python threads run meanwhile. fastmath: sums of products may be taken in another order, which is what
# lets them be vectorised; the order is fixed when compiled, so results still repeat bit for bit.
@njit(nogil=True, fastmath={"reassoc", "contract"})
def gradients(in_table, out_table, centers, targets, rate, in_slices, out_slices):  # type: ignore[no-untyped-def] # Numba's
    """Fill the slices with ``rate`` times the gradient of the loss, one slice per row used; return the mean loss."""
    loss = 0.0
    for i in range(centers.size):
        center, in_slice = in_table[centers[i]], in_slices[i]
        in_slice[:] = 0
        for k in range(targets.shape[1]):
            target, out_slice = out_table[targets[i, k]], out_slices[i, k]
            score = np.float32(0)
            for d in range(center.size):
                score += center[d] * target[d]
            # The model says that a pair with this score is a true one (k == 0) with this probability.
            probability = 1 / (1 + np.exp(-score))
            loss -= np.log(max(probability if k == 0 else 1 - probability, 1e-7))
            slope = np.float32(rate * (probability - (k == 0)))  # float64 would slow the loop below
            for d in range(center.size):
                in_slice[d] += slope * target[d]
                out_slice[d] = slope * center[d]
    return loss / centers.size


def count_steps(global_step: nbvars.Variable, num_steps: int) -> Iterator[int]:
    """Yield the number of each step until ``global_step`` reaches ``num_steps``."""
    try:
        while True:
            yield global_step.count_up_to(num_steps)
    except nbvars.errors.OutOfRangeError:
        return


def train(corpus: Corpus, num_steps: int, seed: int) -> Model:
    """Train vectors for the words of ``corpus``: the same bits for the same seed, whatever the number of threads."""
    rng = np.random.default_rng(seed)
    shape = (len(corpus.words), WIDTH)
    start = (rng.random(shape, np.float32) - np.float32(0.5)) / np.float32(WIDTH)
    in_vectors = nbvars.Variable(start, name="in_vectors")
    out_vectors = nbvars.Variable(np.zeros(shape, np.float32), name="out_vectors")
    global_step = nbvars.Variable(np.int64(0), name="global_step", trainable=False)

    # value() is a live view of a variable's memory: made once, it always shows the newest vectors, and no step copies
    # a table. The slices, too, are written to the same memory in every step.
    in_table, out_table = np.asarray(in_vectors.value()), np.asarray(out_vectors.value())
    in_slices = np.empty((BATCH, WIDTH), np.float32)
    out_slices = np.empty((BATCH, 1 + NUM_NEGATIVES, WIDTH), np.float32)

    losses, num_pairs, begin = np.empty(num_steps, np.float32), 0, time.perf_counter()
    steps = progress(count_steps(global_step, num_steps), num_steps, "step")
    for step, (centers, targets) in zip(steps, batches(corpus, rng), strict=False):
        size, rate = centers.size, np.float32(LEARNING_RATE * (1 - step / num_steps))
        into, out = in_slices[:size], out_slices[:size]
        losses[step] = gradients(in_table, out_table, centers, targets, rate, into, out)
        # A batch names frequent words many times; every one of their slices counts, in order, at any number of threads.
        in_vectors.scatter_sub(nbvars.IndexedSlices(into, centers))
        out_vectors.scatter_sub(nbvars.IndexedSlices(out, targets))
        num_pairs += size
    return Model(in_vectors, out_vectors, losses, num_pairs, time.perf_counter() - begin)


def nearest(corpus: Corpus, vectors: Floats, word: str, num_words: int = 6) -> list[str]:
    """Return the words whose vectors point most nearly the same way as that of ``word``."""
    directions = vectors - vectors.mean(axis=0)  # what all words have in common tells nothing
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    likeness = directions @ directions[corpus.words.index(word)]
    likeness[corpus.counts < 4 * MIN_COUNT] = -1  # too rare to have learnt much
    return [corpus.words[k] for k in np.argsort(-likeness, kind="stable") if corpus.words[k] != word][:num_words]


def report(corpus: Corpus, model: Model) -> None:
    """Print how training went, what the vectors know, and the digest."""
    pairs_per_s = model.num_pairs / model.seconds
    pairs_per_word = (WINDOW + 1) * corpus.kept_share[corpus.ids].mean()
    words_per_s = pairs_per_s / pairs_per_word
    print(f"trained in {model.seconds:.1f} s: {words_per_s:,.0f} words/s, {pairs_per_s:,.0f} pairs/s")
    print("loss:", " ".join(f"{part.mean():.2f}" for part in np.array_split(model.losses, 10)))
    vectors = model.in_vectors.numpy()
    shown = [word for word in SHOWN_WORDS if word in corpus.words]
    if len(shown) < len(SHOWN_WORDS) // 2:  # another text: words that are frequent, but not the most frequent
        num_different = len(corpus.words)
        shown = corpus.words[min(30, num_different // 4) :: max(1, num_different // 40)][:8]
    print("nearest words:")
    for word in shown:
        print(f"  {word:<12}{' '.join(nearest(corpus, vectors, word))}")
    print(f"digest {model.digest()}: the same for any number of threads")


def load_corpus(text: Path | None, quick: bool) -> Corpus:
    """Return the corpus that the command line asks for: ``OSError`` and ``ValueError`` tell what is wrong with it."""
    return make_corpus(own_text(text) if text else python_documentation(manual_only=quick))


def run(corpus: Corpus, quick: bool = False, seed: int = 1, plot: Path | None = None) -> None:
    """Train, report, and save the plot if one is wanted."""
    num_words, num_different = corpus.ids.size, len(corpus.words)
    print(f"text: {num_words:,} words, {num_different:,} different; threads: {nbvars.get_num_threads()}", flush=True)
    model = train(corpus, QUICK_STEPS if quick else STEPS, seed)
    report(corpus, model)
    if plot is not None:
        save_plot(model.losses, plot)
        print(f"saved {plot}")

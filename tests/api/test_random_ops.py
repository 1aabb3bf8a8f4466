"""Random tensors: their distributions, and what a seed fixes."""

from __future__ import annotations

import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import nbvars.ops as nb
from nbvars.dtypes import as_dtype
from nbvars.errors import InvalidArgumentError
from nbvars.ops import random_ops

FLOATING = ["float16", "bfloat16", "float32", "float64"]


@pytest.fixture(autouse=True)
def no_global_seed():
    yield
    random_ops._streams.restart(None)


def draw_all(seed=None):
    draws = [
        nb.random_normal([20], seed=seed),
        nb.random_uniform([20], seed=seed),
        nb.truncated_normal([20], seed=seed),
        nb.random_uniform([20], 0, 1000, "int64", seed=seed),
        nb.random_shuffle(np.arange(20), seed=seed),
    ]
    return [draw.numpy() for draw in draws]


def same(xs, ys):
    return all(np.array_equal(x, y) for x, y in zip(xs, ys, strict=True))


@pytest.mark.parametrize("seed", [None, 0, 7, -7])
def test_set_random_seed_starts_the_same_sequence(seed):
    nb.set_random_seed(42)
    first, second = draw_all(seed), draw_all(seed)
    assert not same(first, second)
    nb.set_random_seed(42)
    assert same(draw_all(seed), first)
    assert same(draw_all(seed), second)
    nb.set_random_seed(43)
    assert not same(draw_all(seed), first)


def test_an_op_seed_alone_fixes_the_sequence():
    first = draw_all(3)
    random_ops._streams.restart(None)
    assert same(draw_all(3), first)
    assert not same(draw_all(4), first)


def test_without_a_seed_draws_differ():
    first = draw_all()
    random_ops._streams.restart(None)
    assert not same(draw_all(), first)


def test_streams_of_different_seeds_do_not_disturb_each_other():
    nb.set_random_seed(1)
    expected = [nb.random_normal([5], seed=2).numpy(), nb.random_normal([5], seed=2).numpy()]
    nb.set_random_seed(1)
    got = [nb.random_normal([5], seed=2).numpy()]
    nb.random_normal([5], seed=3)
    nb.random_normal([5])
    got.append(nb.random_normal([5], seed=2).numpy())
    assert same(got, expected)


def test_threads_share_a_stream_without_repeating_numbers():
    nb.set_random_seed(5)
    expected = sorted(nb.random_uniform([100], 0, 2**40, "int64").numpy().tolist() for _ in range(40))
    nb.set_random_seed(5)
    with ThreadPoolExecutor(8) as pool:
        draws = pool.map(lambda _: nb.random_uniform([100], 0, 2**40, "int64").numpy().tolist(), range(40))
    assert sorted(draws) == expected


@pytest.mark.parametrize("dtype", FLOATING)
def test_random_normal_has_its_mean_and_deviation(dtype):
    x = nb.random_normal([20000], 2.0, 0.5, dtype, seed=1)
    assert x.dtype == dtype
    values = x.numpy().astype(np.float64)
    assert abs(values.mean() - 2) < 0.02
    assert abs(values.std() - 0.5) < 0.02


@pytest.mark.parametrize("dtype", FLOATING)
def test_truncated_normal_stays_within_two_deviations(dtype):
    values = nb.truncated_normal([20000], 1.0, 0.5, dtype, seed=1).numpy().astype(np.float64)
    assert values.min() >= 0
    assert values.max() <= 2
    assert abs(values.mean() - 1) < 0.02
    assert abs(values.std() - 0.5 * 0.8796) < 0.02


@pytest.mark.parametrize("dtype", FLOATING)
def test_random_uniform_never_reaches_maxval(dtype):
    x = nb.random_uniform([20000], 1, 3, dtype, seed=1)
    assert x.dtype == dtype
    values = x.numpy().astype(np.float64)
    assert values.min() >= 1
    assert values.max() < 3
    assert abs(values.mean() - 2) < 0.02


@pytest.mark.parametrize("dtype", ["int8", "int32", "int64", "uint64"])
def test_random_integers_cover_the_range(dtype):
    x = nb.random_uniform([1000], 3, 6, dtype, seed=1)
    assert x.dtype == dtype
    assert set(x.numpy().tolist()) == {3, 4, 5}


def test_parameters_are_broadcast():
    x = nb.random_normal([2, 3], mean=[0.0, 100.0, 200.0], stddev=0.0)
    np.testing.assert_array_equal(x, np.array([[0, 100, 200]] * 2, np.float32))
    with pytest.raises(ValueError, match="expected"):
        nb.random_normal([2], mean=[0.0, 1.0, 2.0])


def test_random_shuffle_keeps_the_rows_whole():
    x = np.arange(20).reshape(10, 2)
    shuffled = nb.random_shuffle(x, seed=1).numpy()
    assert not np.array_equal(shuffled, x)
    assert sorted(shuffled.tolist()) == x.tolist()
    assert int(nb.random_shuffle(3)) == 3
    assert nb.random_shuffle(x[:0]).shape == (0, 2)


@pytest.mark.parametrize("draw", [nb.random_normal, nb.random_uniform, nb.truncated_normal])
def test_shapes_of_any_size(draw):
    assert draw([]).shape == ()
    assert draw([0, 3]).shape == (0, 3)
    assert draw(np.array([2, 1])).shape == (2, 1)
    assert draw([2], dtype="bfloat16").dtype is as_dtype("bfloat16")


@pytest.mark.parametrize(
    ("draw", "error", "words"),
    [
        (lambda: nb.random_normal([2], dtype="int32"), TypeError, "got int32, expected a floating dtype"),
        (lambda: nb.random_normal([2], dtype="complex64"), TypeError, "got complex64, expected"),
        (lambda: nb.random_uniform([2], dtype="bool"), TypeError, "got bool, expected"),
        (lambda: nb.random_uniform([2], dtype="int32"), ValueError, "got None, expected an integer"),
        (lambda: nb.random_uniform([2], 5, 5, "int32"), InvalidArgumentError, r"got \[5, 5\)"),
        (lambda: nb.random_uniform([2], 2.0, 1.0), InvalidArgumentError, r"got \[2.0, 1.0\)"),
        (lambda: nb.random_normal([-1]), ValueError, r"got \(-1,\), expected 0 or more"),
        (lambda: nb.random_normal([2], seed=1.5), TypeError, "got 1.5, expected an integer"),
        (lambda: nb.set_random_seed("a"), TypeError, "got 'a', expected an integer"),
    ],
)
def test_bad_arguments_are_refused(draw, error, words):
    with pytest.raises(error, match=words):
        draw()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_draws_while_a_thread_of_its_parent_did():
    stop = threading.Event()

    def draw():
        while not stop.is_set():
            nb.random_normal([1000])

    drawing = threading.Thread(target=draw)
    drawing.start()
    try:
        for _ in range(20):
            child = os.fork()
            if child == 0:
                signal.alarm(20)  # a child that hangs is killed
                nb.random_normal([10])
                os._exit(0)
            assert os.waitpid(child, 0)[1] == 0
    finally:
        stop.set()
        drawing.join()


@pytest.mark.parametrize("bounds", [(0, np.inf), (np.nan, 1.0), (-3e38, 3e38)])
def test_uniform_refuses_a_range_wider_than_the_dtype(bounds):
    with pytest.raises(InvalidArgumentError, match=r"random_uniform: the range is too wide: got .*, expected a width"):
        nb.random_uniform([2], *bounds)

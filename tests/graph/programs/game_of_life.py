"""Play Conway's Life: control_dependencies count the generations and hold the next one back until it is computed."""

from __future__ import annotations

import numpy as np

import nbvars as tf

start = np.zeros((8, 8), np.int32)
start[[0, 1, 2, 2, 2], [1, 2, 0, 1, 2]] = 1  # a glider

board = tf.Variable(start, name="board")
generation = tf.Variable(0, name="generation", trainable=False)


def shifted(cells, down, right):
    cells = tf.concat([cells[-down:], cells[:-down]], 0) if down else cells
    return tf.concat([cells[:, -right:], cells[:, :-right]], 1) if right else cells


neighbours = tf.add_n([shifted(board, down, right) for down in (-1, 0, 1) for right in (-1, 0, 1) if down or right])
lives = tf.logical_or(tf.equal(neighbours, 3), tf.logical_and(tf.equal(neighbours, 2), tf.equal(board, 1)))
with tf.control_dependencies([lives]):
    count = generation.assign_add(1)
with tf.control_dependencies([count]):
    step = tf.group(board.assign(tf.cast(lives, tf.int32)))


def next_board(cells):
    shifts = [np.roll(cells, (down, right), (0, 1)) for down in (-1, 0, 1) for right in (-1, 0, 1) if down or right]
    around = np.sum(shifts, 0)
    return ((around == 3) | ((around == 2) & (cells == 1))).astype(np.int32)


expected = start
with tf.Session() as sess:
    sess.run(tf.initialize_all_variables())
    for number in range(1, 33):
        sess.run(step)
        expected = next_board(expected)
        cells, generations = sess.run([board, generation])
        np.testing.assert_array_equal(cells, expected)
        assert generations == number
np.testing.assert_array_equal(expected, start)  # a glider is home again after 4 x 8 steps on a torus of 8

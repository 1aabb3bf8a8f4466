"""Read digits with one softmax layer: the beginners' classic, on digits drawn here."""

from __future__ import annotations

import numpy as np

import nbvars as tf

NUM_PIXELS, NUM_DIGITS, RATE = 64, 10, 0.5
rng = np.random.default_rng(3)
strokes = rng.random((NUM_DIGITS, NUM_PIXELS)) < 0.4


def draw(count):
    digits = rng.integers(NUM_DIGITS, size=count)
    images = np.clip(strokes[digits] + rng.normal(0, 0.4, (count, NUM_PIXELS)), 0, 1)
    return images.astype(np.float32), np.eye(NUM_DIGITS, dtype=np.float32)[digits]


images, answers = draw(400)
test_images, test_answers = draw(200)

x = tf.placeholder("float", [None, NUM_PIXELS])
y_ = tf.placeholder("float", [None, NUM_DIGITS])
W = tf.Variable(tf.zeros([NUM_PIXELS, NUM_DIGITS]))
b = tf.Variable(tf.zeros([NUM_DIGITS]))

y = tf.softmax(tf.matmul(x, W) + b)
cross_entropy = -tf.reduce_mean(tf.reduce_sum(y_ * tf.log(y), 1))
slope = (y - y_) / tf.cast(tf.shape(y)[0], tf.float32)
train_step = tf.group(
    W.assign_sub(RATE * tf.matmul(tf.transpose(x), slope)),
    b.assign_sub(RATE * tf.reduce_sum(slope, 0)),
)
correct_prediction = tf.equal(tf.argmax(y, 1), tf.argmax(y_, 1))
accuracy = tf.reduce_mean(tf.cast(correct_prediction, "float"))


def softmax(values):
    powers = np.exp(values - values.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)


expected_weights, expected_biases = np.zeros((NUM_PIXELS, NUM_DIGITS)), np.zeros(NUM_DIGITS)
with tf.Session() as sess:
    sess.run(tf.initialize_all_variables())
    for _ in range(30):
        rows = rng.integers(len(images), size=50)
        loss, _ = sess.run([cross_entropy, train_step], {x: images[rows], y_: answers[rows]})
        predicted = softmax(images[rows] @ expected_weights + expected_biases)
        np.testing.assert_allclose(loss, -np.mean(np.sum(answers[rows] * np.log(predicted), 1)), rtol=1e-3)
        expected_slope = (predicted - answers[rows]) / len(rows)
        expected_weights -= RATE * images[rows].T @ expected_slope
        expected_biases -= RATE * expected_slope.sum(0)
    np.testing.assert_allclose(sess.run(W), expected_weights, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(sess.run(b), expected_biases, rtol=1e-3, atol=1e-5)

    predicted = softmax(test_images @ expected_weights + expected_biases)
    expected_accuracy = np.mean(predicted.argmax(1) == test_answers.argmax(1))
    got = accuracy.eval({x: test_images, y_: test_answers})
    np.testing.assert_allclose(got, expected_accuracy, rtol=1e-6)
    assert got > 0.9

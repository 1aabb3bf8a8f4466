"""The multiclass perceptron, in the names and argument orders of TensorFlow 0.x."""

import numpy as np

import nbvars as tf

rng = np.random.default_rng(4)
centers = np.array([[4.0, 0.0], [-4.0, 4.0], [-4.0, -4.0]])
answers = np.arange(60) % 3
points = (centers[answers] + rng.standard_normal((60, 2))).astype(np.float32)

x = tf.placeholder("float", [2], name="x")
answer = tf.placeholder(tf.int64, [], name="answer")
weights = tf.Variable(tf.zeros([3, 3]), name="weights")

with_bias = tf.concat(0, [x, [1.0]])
scores = tf.reduce_sum(tf.mul(weights, tf.expand_dims(with_bias, dim=0)), reduction_indices=1)
guess = tf.argmax(scores, dimension=0)
classes = tf.to_int64(tf.range(3))
direction = tf.sub(tf.to_float(tf.equal(classes, answer)), tf.to_float(tf.equal(classes, guess)))
step = tf.batch_matmul(tf.expand_dims(direction, 1), tf.pack([with_bias]))
train = tf.assign_add(weights, step)
left, right = tf.split(1, 2, tf.pack([tf.unpack(weights)[0], tf.neg(weights)[0]])[:, :2])
verdict = tf.select(tf.equal(guess, answer), 1.0, 0.0)

with tf.Session() as sess:
    sess.run(tf.initialize_all_variables())
    expected = np.zeros((3, 3), np.float32)
    for _ in range(5):
        for point, label in zip(points, answers, strict=True):
            sess.run(train, feed_dict={x: point, answer: label})
            extended = np.append(point, np.float32(1))
            guessed = np.argmax((expected * extended).sum(1))
            expected[label] += extended
            expected[guessed] -= extended
    np.testing.assert_allclose(sess.run(weights), expected, rtol=1e-5, atol=1e-5)
    right_ones = sum(sess.run(verdict, {x: point, answer: label}) for point, label in zip(points, answers, strict=True))
    assert right_ones == len(points)
    first = sess.run(weights)[0]
    np.testing.assert_array_equal(sess.run(left), [[first[0]], [-first[0]]])
    np.testing.assert_array_equal(sess.run(right), [[first[1]], [-first[1]]])

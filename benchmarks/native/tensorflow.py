"""By hand in TensorFlow: variables, a `tf.function` step with `GradientTape`, Adam written out."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import tensorflow as tf

BATCH = 32
SIZES = (64, 256, 256, 10)


def _parameters() -> list[tf.Variable]:
    rng = np.random.default_rng(0)
    found = []
    for i, o in zip(SIZES[:-1], SIZES[1:], strict=True):
        found.append(tf.Variable((rng.normal(size=(i, o)) / i**0.5).astype("float32")))
        found.append(tf.Variable(tf.zeros(o)))
    return found


def _forward(p: list, x: tf.Tensor) -> tf.Tensor:
    x = tf.nn.relu(tf.matmul(x, p[0]) + p[1])
    x = tf.nn.relu(tf.matmul(x, p[2]) + p[3])
    return tf.matmul(x, p[4]) + p[5]


def _loss(p: list, x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
    return tf.reduce_mean(
        tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=_forward(p, x))
    )


def _lstm_loss(p: list, x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
    kernel, recurrent_kernel, bias = (v.value() for v in p)
    # The product with the inputs, for all steps at once.
    projected = tf.transpose(tf.matmul(x, kernel) + bias, (1, 0, 2))
    steps, zeros = x.shape[1], tf.zeros_like(y)
    each = tf.TensorArray(tf.float32, steps).unstack(projected)

    def step(t: tf.Tensor, h: tf.Tensor, c: tf.Tensor) -> tuple:
        i, f, g, o = tf.split(each.read(t) + tf.matmul(h, recurrent_kernel), 4, axis=-1)
        c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(g)
        return t + 1, tf.sigmoid(o) * tf.tanh(c), c

    _, h, _ = tf.while_loop(
        lambda t, h, c: t < steps, step, (tf.constant(0), zeros, zeros), maximum_iterations=steps
    )
    return tf.reduce_mean((h - y) ** 2)


def epoch(x: np.ndarray, y: np.ndarray) -> Callable[[], object]:
    return _loop(_loss, _parameters(), x, y)


def lstm(x: np.ndarray, y: np.ndarray) -> Callable[[], object]:
    rng = np.random.default_rng(0)
    width = 4 * y.shape[-1]
    shapes = ((x.shape[-1], width), (y.shape[-1], width), (width,))
    p = [tf.Variable((rng.normal(size=s) / 8).astype("float32")) for s in shapes]
    return _loop(_lstm_loss, p, x, y)


def _loop(
    loss_of: Callable[..., tf.Tensor], p: list[tf.Variable], x: np.ndarray, y: np.ndarray
) -> Callable[[], object]:
    m = [tf.Variable(tf.zeros_like(v)) for v in p]
    n = [tf.Variable(tf.zeros_like(v)) for v in p]
    count, total = tf.Variable(0.0), tf.Variable(0.0)

    @tf.function(reduce_retracing=True)
    def step(x: tf.Tensor, y: tf.Tensor) -> None:
        with tf.GradientTape() as tape:
            loss = loss_of(p, x, y)
        gradients = tape.gradient(loss, p)
        count.assign_add(1.0)
        rate = 1e-3 * tf.sqrt(1 - 0.999**count) / (1 - 0.9**count)
        for v, a, b, g in zip(p, m, n, gradients, strict=True):
            a.assign(0.9 * a + 0.1 * g)
            b.assign(0.999 * b + 0.001 * g * g)
            v.assign_sub(rate * a / (tf.sqrt(b) + 1e-7))
        total.assign_add(loss)

    rng = np.random.default_rng(0)

    def run() -> float:
        order = rng.permutation(len(x))
        for i in range(0, len(x), BATCH):
            chosen = order[i : i + BATCH]
            step(tf.convert_to_tensor(x[chosen]), tf.convert_to_tensor(y[chosen]))
        return float(total.numpy())

    return run


def predict(x: np.ndarray) -> Callable[[], object]:
    p = _parameters()
    forward = tf.function(lambda x: _forward(p, x), reduce_retracing=True)

    def run() -> np.ndarray:
        parts = [forward(tf.convert_to_tensor(x[i : i + BATCH])) for i in range(0, len(x), BATCH)]
        return np.concatenate([part.numpy() for part in parts])

    return run


def dense(x: np.ndarray) -> Callable[[], object]:
    w, b = _parameters()[:2]
    x = tf.convert_to_tensor(x)
    return lambda: tf.matmul(x, w) + b


def stack(x: np.ndarray) -> Callable[[], object]:
    rng = np.random.default_rng(0)
    size = x.shape[1]
    weights = [
        tf.Variable((rng.normal(size=(size, size)) / 8).astype("float32")) for _ in range(10)
    ]
    bias, x = tf.Variable(tf.zeros(size)), tf.convert_to_tensor(x)

    def run() -> tf.Tensor:
        h = x
        for w in weights:
            h = tf.matmul(h, w) + bias
        return h

    return run


def add(x: np.ndarray) -> Callable[[], object]:
    x = tf.convert_to_tensor(x)
    return lambda: tf.add(x, x)

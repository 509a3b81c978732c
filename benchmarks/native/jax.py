"""By hand in JAX: a jitted step with donated state; Adam written out."""

from __future__ import annotations

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

BATCH = 32
SIZES = (64, 256, 256, 10)


def _parameters(seed: int = 0) -> list[tuple[jax.Array, jax.Array]]:
    rng = np.random.default_rng(seed)
    pairs = zip(SIZES[:-1], SIZES[1:], strict=True)
    return [
        (jnp.asarray(rng.normal(size=(i, o)) / i**0.5, jnp.float32), jnp.zeros(o)) for i, o in pairs
    ]


def _forward(parameters: list, x: jax.Array) -> jax.Array:
    for w, b in parameters[:-1]:
        x = jax.nn.relu(x @ w + b)
    w, b = parameters[-1]
    return x @ w + b


def _loss(parameters: list, x: jax.Array, y: jax.Array) -> jax.Array:
    logits = jax.nn.log_softmax(_forward(parameters, x))
    return -jnp.take_along_axis(logits, y[:, None], axis=1).mean()


def _lstm_loss(p: list, x: jax.Array, y: jax.Array) -> jax.Array:
    kernel, recurrent_kernel, bias = p
    zeros = jnp.zeros((x.shape[0], y.shape[-1]))

    def step(state: tuple, z: jax.Array) -> tuple:
        h, c = state
        i, f, g, o = jnp.split(z + h @ recurrent_kernel, 4, axis=-1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        h = jax.nn.sigmoid(o) * jnp.tanh(c)
        return (h, c), None

    # The product with the inputs, for all steps at once.
    projected = jnp.swapaxes(x @ kernel + bias, 0, 1)
    (h, _), _ = jax.lax.scan(step, (zeros, zeros), projected)
    return jnp.mean((h - y) ** 2)


def _step(loss_of: Callable[..., jax.Array], state: tuple, x: jax.Array, y: jax.Array) -> tuple:
    p, m, v, t, total = state
    loss, g = jax.value_and_grad(loss_of)(p, x, y)
    t = t + 1
    rate = 1e-3 * jnp.sqrt(1 - 0.999**t) / (1 - 0.9**t)
    m = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, m, g)
    v = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, v, g)
    p = jax.tree.map(lambda p, m, v: p - rate * m / (jnp.sqrt(v) + 1e-7), p, m, v)
    return p, m, v, t, total + loss


def epoch(x: np.ndarray, y: np.ndarray) -> Callable[[], object]:
    return _loop(_loss, _parameters(), x, y)


def lstm(x: np.ndarray, y: np.ndarray) -> Callable[[], object]:
    rng = np.random.default_rng(0)
    width = 4 * y.shape[-1]
    shapes = ((x.shape[-1], width), (y.shape[-1], width), (width,))
    return _loop(
        _lstm_loss, [jnp.asarray(rng.normal(size=s) / 8, jnp.float32) for s in shapes], x, y
    )


def _loop(
    loss_of: Callable[..., jax.Array], p: list, x: np.ndarray, y: np.ndarray
) -> Callable[[], object]:
    step = jax.jit(functools.partial(_step, loss_of), donate_argnums=0)
    zeros = jax.tree.map(jnp.zeros_like, p)
    state = (p, zeros, jax.tree.map(jnp.copy, zeros), jnp.zeros(()), jnp.zeros(()))
    rng = np.random.default_rng(0)

    def run() -> float:
        nonlocal state
        order = rng.permutation(len(x))
        for i in range(0, len(x), BATCH):
            chosen = order[i : i + BATCH]
            state = step(state, x[chosen], y[chosen])
        return float(state[-1])

    return run


def predict(x: np.ndarray) -> Callable[[], object]:
    forward, p = jax.jit(_forward), _parameters()

    def run() -> np.ndarray:
        parts = [forward(p, x[i : i + BATCH]) for i in range(0, len(x), BATCH)]
        return np.concatenate([np.asarray(part) for part in parts])

    return run


def dense(x: np.ndarray) -> Callable[[], object]:
    (w, b), x = _parameters()[0], jnp.asarray(x)
    return lambda: x @ w + b


def stack(x: np.ndarray) -> Callable[[], object]:
    rng = np.random.default_rng(0)
    size = x.shape[1]
    weights = [jnp.asarray(rng.normal(size=(size, size)) / 8, jnp.float32) for _ in range(10)]
    bias, x = jnp.zeros(size), jnp.asarray(x)

    def run() -> jax.Array:
        h = x
        for w in weights:
            h = h @ w + bias
        return h

    return run


def add(x: np.ndarray) -> Callable[[], object]:
    x = jnp.asarray(x)
    return lambda: jnp.add(x, x)

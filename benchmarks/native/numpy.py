"""By hand in NumPy: forward passes only."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

BATCH = 32
SIZES = (64, 256, 256, 10)


def _weights() -> list[tuple[np.ndarray, np.ndarray]]:
    rng = np.random.default_rng(0)
    pairs = zip(SIZES[:-1], SIZES[1:], strict=True)
    return [
        ((rng.normal(size=(i, o)) / i**0.5).astype("float32"), np.zeros(o, "float32"))
        for i, o in pairs
    ]


def predict(x: np.ndarray) -> Callable[[], object]:
    weights = _weights()

    def forward(h: np.ndarray) -> np.ndarray:
        for w, b in weights[:-1]:
            h = np.maximum(h @ w + b, 0)
        w, b = weights[-1]
        return h @ w + b

    return lambda: np.concatenate([forward(x[i : i + BATCH]) for i in range(0, len(x), BATCH)])


def dense(x: np.ndarray) -> Callable[[], object]:
    w, b = _weights()[0]
    return lambda: x @ w + b


def stack(x: np.ndarray) -> Callable[[], object]:
    rng = np.random.default_rng(0)
    size = x.shape[1]
    weights = [(rng.normal(size=(size, size)) / 8).astype("float32") for _ in range(10)]
    bias = np.zeros(size, "float32")

    def run() -> np.ndarray:
        h = x
        for w in weights:
            h = h @ w + bias
        return h

    return run


def add(x: np.ndarray) -> Callable[[], object]:
    x = np.array(x)
    return lambda: np.add(x, x)

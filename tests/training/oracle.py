"""The same program run with keraslite and with Keras, and its results compared."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import keraslite
from keraslite.core import tree

keras = pytest.importorskip("keras")
assert os.environ.get("KERAS_BACKEND") in (None, keras.backend.backend())

#: 20 samples in batches of 8: the last one has 4. (Few shapes: each is compiled.)
SAMPLES, BATCH = 20, 8


def data(seed: int = 0, features: int = 4, outputs: int = 1) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(SAMPLES, features)).astype("float32")
    return x, np.tanh(x[:, :outputs] + 0.1).astype("float32")


def sample_weights(seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0.2, 2.0, SAMPLES).astype("float32")


def fill(model: Any, seed: int = 5) -> Any:
    """Set all weights to values that depend on the seed and their shapes only."""
    rng = np.random.default_rng(seed)
    model.set_weights([rng.uniform(-0.6, 0.7, w.shape).astype("float32") for w in model.weights])
    return model


def dense(k: Any, units: int = 1, activation: str | None = None, **compiled: Any) -> Any:
    """A small model with one output, compiled with a quick optimizer."""
    model = k.Sequential(
        [k.Input((4,)), k.layers.Dense(3, "tanh"), k.layers.Dense(units, activation)]
    )
    compiled.setdefault("optimizer", k.optimizers.SGD(0.1))
    compiled.setdefault("loss", "mse")
    model.compile(**compiled)
    return fill(model)


def dense_eager(k: Any, *args: Any, **compiled: Any) -> Any:
    """`dense`, run line by line: quicker for what does not depend on graphs."""
    return dense(k, *args, run_eagerly=True, **compiled)


def plain(value: Any) -> Any:
    """Numbers and NumPy arrays in place of tensors and variables."""

    def leaf(x: Any) -> Any:
        if x is None or isinstance(x, (str, bool, int, float, np.ndarray, np.generic)):
            return x
        return keras.ops.convert_to_numpy(getattr(x, "value", x))

    return tree.map_structure(leaf, value)


def assert_same(ours: Any, theirs: Any, tolerance: float = 1e-5) -> None:
    """Equal structure (order of dicts too), close numbers, equal everything else."""
    ours, theirs = plain(ours), plain(theirs)
    _same_keys(ours, theirs)
    pairs = zip(tree.flatten_with_path(ours), tree.flatten_with_path(theirs), strict=True)
    for (where, a), (path, b) in pairs:
        assert where == path
        if isinstance(b, (str, bool, type(None))):
            assert a == b, where
        else:
            assert np.shape(a) == np.shape(b), where
            np.testing.assert_allclose(
                a, b, rtol=tolerance, atol=tolerance, err_msg=str(where), equal_nan=True
            )


def _same_keys(a: Any, b: Any) -> None:
    if isinstance(b, dict):
        assert list(a) == list(b), f"{list(a)} against {list(b)}"
        for key in b:
            _same_keys(a[key], b[key])


def check(run: Callable[[Any], Any], tolerance: float = 1e-5) -> Any:
    """`run(k)` gives the same with both libraries as `k`; returns ours."""
    ours = run(keraslite)
    assert_same(ours, run(keras), tolerance)
    return ours

"""Random numbers: repeatable by their seed, and distributed as they should be."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from keraslite import layers, ops, random
from keraslite.backend import engine

SHAPE = (40, 250)
#: name, arguments after the shape, mean, standard deviation, lowest, highest
SAMPLERS: list[tuple[str, dict[str, Any], float, float, float, float]] = [
    ("normal", {"mean": 1.0, "stddev": 2.0}, 1, 2, -np.inf, np.inf),
    ("uniform", {"minval": -1.0, "maxval": 3.0}, 1, 4 / 12**0.5, -1, 3),
    ("truncated_normal", {"stddev": 2.0}, 0, 2 * 0.8796, -4, 4),
    ("randint", {"minval": -2, "maxval": 8}, 2.5, 2.872, -2, 7),
    ("gamma", {"alpha": 2.0}, 2, 2**0.5, 0, np.inf),
    ("gamma", {"alpha": 0.5}, 0.5, 0.5**0.5, 0, np.inf),
    ("beta", {"alpha": 2.0, "beta": 3.0}, 0.4, 0.2, 0, 1),
    ("binomial", {"counts": 10, "probabilities": 0.3}, 3, 2.1**0.5, 0, 10),
]
IDS = [f"{name}-{i}" for i, (name, *_) in enumerate(SAMPLERS)]


def _draw(name: str, args: dict[str, Any], seed: Any, **more: Any) -> np.ndarray:
    return engine.to_numpy(getattr(random, name)(SHAPE, **args, seed=seed, **more))


@pytest.mark.parametrize("row", SAMPLERS, ids=IDS)
def test_distribution(row: tuple) -> None:
    name, args, mean, deviation, low, high = row
    found = _draw(name, args, 5).astype("float64")
    assert found.shape == SHAPE
    assert low <= found.min() and found.max() <= high
    error = deviation / found.size**0.5
    assert found.mean() == pytest.approx(mean, abs=5 * error)
    assert found.std() == pytest.approx(deviation, rel=0.06)


@pytest.mark.parametrize("row", SAMPLERS, ids=IDS)
def test_seeds(row: tuple) -> None:
    name, args, *_ = row
    np.testing.assert_array_equal(_draw(name, args, 5), _draw(name, args, 5))
    assert np.any(_draw(name, args, 5) != _draw(name, args, 6))
    generator = random.SeedGenerator(5)
    first, second = _draw(name, args, generator), _draw(name, args, generator)
    assert np.any(first != second)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_dtypes(dtype: str) -> None:
    for name, args, _, _, low, high in SAMPLERS:
        if name != "randint":
            found = getattr(random, name)((7, 3), **args, dtype=dtype, seed=1)
            assert engine.dtype(found) == dtype
            values = engine.to_numpy(found).astype("float64")
            assert np.all((values >= low) & (values <= high))
    values = engine.to_numpy(random.uniform((50_000,), dtype=dtype, seed=2)).astype("float64")
    assert values.min() >= 0 and values.max() < 1


def test_categorical() -> None:
    logits = np.log(np.array([[0.1, 0.2, 0.7], [0.6, 0.3, 0.1]], "float32"))
    found = engine.to_numpy(random.categorical(logits, 5000, seed=3))
    assert found.shape == (2, 5000) and found.dtype == np.int32
    shares = np.stack([np.bincount(row, minlength=3) / 5000 for row in found])
    np.testing.assert_allclose(shares, np.exp(logits), atol=0.04)


def test_shuffle() -> None:
    x = np.arange(60, dtype="float32").reshape(20, 3)
    found = engine.to_numpy(random.shuffle(x, seed=4))
    assert np.any(found != x)
    np.testing.assert_array_equal(found[np.argsort(found[:, 0])], x)
    across = engine.to_numpy(random.shuffle(x, axis=1, seed=4))
    np.testing.assert_array_equal(np.sort(across, 1), x)


def test_dropout() -> None:
    x = ops.ones((100, 100))
    found = engine.to_numpy(layers.Dropout(0.4, seed=1)(x, training=True))
    assert set(np.unique(found.round(4))) == {0, np.float32(1 / 0.6).round(4)}
    assert np.mean(found == 0) == pytest.approx(0.4, abs=0.03)

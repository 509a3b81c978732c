"""Portable random numbers: the expected ones stand here, so every engine draws them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import keraslite
from keraslite import config, layers, ops, random
from keraslite.backend import engine
from keraslite.random.seed_generator import SEED_DTYPE, draw_seed
from keraslite.random.threefry import threefry2x32, words

ONES = 2**32 - 1


@pytest.fixture(autouse=True)
def _portable() -> Iterator[None]:
    config.set_portable_random(True)
    yield
    config.set_portable_random(False)


def array(x: Any) -> np.ndarray:
    return engine.to_numpy(x)


# Known answers of Random123: https://github.com/DEShawResearch/random123 (kat_vectors)
@pytest.mark.parametrize(
    ("counter", "key", "expected"),
    [
        ((0, 0), (0, 0), (0x6B200159, 0x99BA4EFE)),
        ((ONES, ONES), (ONES, ONES), (0x1CB996FC, 0xBB002BE7)),
        ((0x243F6A88, 0x85A308D3), (0x13198A2E, 0x03707344), (0xC4923A9C, 0x483DF7A0)),
    ],
)
def test_known_answers(counter: Any, key: Any, expected: Any) -> None:
    def pair(values: Any) -> Any:
        return tuple(engine.convert(np.array([v], SEED_DTYPE)) for v in values)

    found = threefry2x32(pair(key), pair(counter))
    assert tuple(int(array(x)[0]) for x in found) == expected


def test_words_do_not_depend_on_how_many_there_are() -> None:
    long = array(words(9, draw_seed(3)))
    np.testing.assert_array_equal(array(words(4, draw_seed(3))), long[:4])
    assert not np.any(array(words(9, draw_seed(3), lane=1)) == long)


#: What is drawn, and what comes; integers and fractions of powers of two are exact.
EXACT: dict[str, tuple[Any, list[float]]] = {
    "uniform": (
        lambda: random.uniform((2, 3), seed=3) * 2.0**24,
        [3092460, 15993693, 13105536, 15469021, 10557232, 3236264],
    ),
    "uniform in bfloat16": (
        lambda: ops.cast(random.uniform((6,), dtype="bfloat16", seed=3), "float32") * 2.0**8,
        [47, 244, 199, 236, 161, 49],
    ),
    "randint": (lambda: random.randint((8,), -5, 20, seed=5), [4, 0, 0, 6, -4, 10, 11, 15]),
    "randint of tensors": (
        lambda: random.randint(
            (8,), ops.convert_to_tensor(-5), ops.convert_to_tensor(20), "int8", seed=5
        ),
        [4, 0, 0, 6, -4, 10, 11, 15],
    ),
    "categorical": (
        lambda: random.categorical(np.log([[0.1, 0.2, 0.7], [0.5, 0.4, 0.1]]), 5000, seed=6)[0, :9],
        [2, 2, 0, 2, 0, 2, 2, 2, 2],
    ),
    "shuffle": (lambda: random.shuffle(np.arange(10), seed=6), [7, 3, 0, 5, 1, 8, 9, 4, 2, 6]),
    "dropout": (
        lambda: random.dropout(np.ones((9,), "float32"), 0.5, seed=9) / 2,
        [1, 0, 1, 1, 0, 1, 1, 1, 0],
    ),
    "binomial": (lambda: random.binomial((2000,), 10.0, 0.3, seed=8)[:6], [3, 2, 4, 3, 5, 0]),
}
CLOSE: dict[str, tuple[Any, list[float]]] = {
    "normal": (
        lambda: random.normal((5,), seed=4),
        [0.00514061, 1.3146801, -0.971051, -0.19209667, 0.41799587],
    ),
    "truncated_normal": (
        lambda: random.truncated_normal((5,), seed=4),
        [0.18921214, -0.64093924, -0.2729347, 0.07443774, -0.61033106],
    ),
    "gamma": (
        lambda: random.gamma((20000,), 0.5, seed=7)[:4],
        [0.70680803, 0.00287541, 0.09698236, 0.5097929],
    ),
    "beta": (
        lambda: random.beta((20000,), 2.0, 3.0, seed=8)[:4],
        [0.41328773, 0.3482352, 0.29698774, 0.5949797],
    ),
}


@pytest.mark.parametrize("name", EXACT)
def test_equal_bit_by_bit(name: str) -> None:
    draw, expected = EXACT[name]
    np.testing.assert_array_equal(array(draw()).ravel(), expected)


@pytest.mark.parametrize("name", CLOSE)
def test_equal_closely(name: str) -> None:
    draw, expected = CLOSE[name]
    np.testing.assert_allclose(array(draw()), expected, atol=1e-6)


def test_a_generator_draws_the_same_one_after_another() -> None:
    generator = random.SeedGenerator(5)
    found = [float(array(random.uniform((), seed=generator))) * 2**24 for _ in range(3)]
    assert found == [5454035, 10685761, 1588300]


@pytest.mark.parametrize(
    ("draw", "mean", "variance"),
    [
        (lambda n: random.uniform(n, -1.0, 3.0, seed=1), 1, 16 / 12),
        (lambda n: random.normal(n, 2.0, 3.0, seed=1), 2, 9),
        (lambda n: random.truncated_normal(n, seed=1), 0, 0.7737),
        (lambda n: random.gamma(n, 0.3, seed=1), 0.3, 0.3),
        (lambda n: random.gamma(n, 5.0, seed=1), 5, 5),
        (lambda n: random.beta(n, 2.0, 3.0, seed=1), 0.4, 0.04),
        (lambda n: random.binomial(n, 10.0, 0.3, seed=1), 3, 2.1),
        (lambda n: random.randint(n, 0, 1000, seed=1), 499.5, 1e6 / 12),
    ],
)
def test_moments(draw: Any, mean: float, variance: float) -> None:
    found = array(draw((200, 251))).astype("float64")
    assert found.shape == (200, 251)
    error = np.sqrt(variance / found.size)
    assert abs(found.mean() - mean) < 4 * error
    np.testing.assert_allclose(found.var(), variance, rtol=0.04)


@pytest.mark.requires("trainable")
@pytest.mark.parametrize("portable", [True, False])
def test_gamma_and_beta_move_with_their_parameters(portable: bool) -> None:
    config.set_portable_random(portable)
    alpha = np.array([0.05, 0.5, 1, 3, 10], "float32")

    def mean(alpha: Any) -> Any:
        return ops.sum(ops.mean(random.gamma((20000, 5), alpha, seed=3), axis=0))

    def ratio(alpha: Any) -> Any:
        return ops.sum(ops.mean(random.beta((20000, 5), alpha, other, seed=4), axis=0))

    # The mean of gamma variates is alpha, that of beta variates alpha / (alpha + beta).
    other = engine.convert(alpha)
    np.testing.assert_allclose(array(ops.grad(mean)(alpha)), 1, atol=0.05)
    np.testing.assert_allclose(array(ops.grad(ratio)(alpha)), 0.25 / alpha, rtol=0.1)


def test_limits() -> None:
    found = array(random.uniform((20000,), 0.5, 1.0, "bfloat16", seed=1)).astype("float64")
    assert found.min() == 0.5 and found.max() < 1
    assert set(array(random.randint((999,), -128, 128, "int8", seed=1)).tolist()) <= set(
        range(-128, 128)
    )
    assert random.normal((0, 3), seed=1).shape == (0, 3)
    # Two variates that are both tiny have a ratio.
    assert np.isfinite(array(random.beta((20000,), 0.02, 0.02, "float16", seed=1))).all()
    assert tuple(random.uniform((), seed=1).shape) == ()
    with pytest.raises(ValueError, match="2\\*\\*32"):
        random.randint((2,), 5, 5, seed=1)


@pytest.mark.requires("trainable")
def test_a_compiled_step_draws_what_an_eager_one_draws() -> None:
    x = np.random.default_rng(0).normal(size=(20, 6)).astype("float32")
    histories = []
    for how in ({"run_eagerly": True}, {"jit_compile": True}, {}):
        keraslite.utils.set_random_seed(1)
        model = keraslite.Sequential(
            [
                keraslite.Input((6,)),
                layers.Dense(8),
                layers.Dropout(0.5),
                layers.GaussianNoise(0.3),
                layers.Dense(1),
            ]
        )
        model.compile("sgd", "mse", **how)
        # The last batch is smaller.
        history = model.fit(x, x[:, :1], batch_size=8, epochs=2, verbose=0)
        histories.append(history.history["loss"])
    np.testing.assert_allclose(histories[1], histories[0], rtol=1e-5)
    np.testing.assert_allclose(histories[2], histories[0], rtol=1e-5)


def test_the_engines_own_numbers_are_the_default() -> None:
    portable = array(random.uniform((4,), seed=3))
    config.set_portable_random(False)
    assert not np.any(array(random.uniform((4,), seed=3)) == portable)


@pytest.mark.parametrize(
    ("text", "variable", "expected"),
    [
        ("{}", "1", "True"),
        ('{"portable_random": true}', "", "True"),
        ('{"portable_random": true}', "0", "False"),
        ("{}", "", "False"),
        ("{}", "yes", "KERAS_PORTABLE_RANDOM"),
    ],
)
def test_the_setting(tmp_path: Any, text: str, variable: str, expected: str) -> None:
    (tmp_path / "keras.json").write_text(text)
    done = subprocess.run(
        [sys.executable, "-c", "from keraslite import config; print(config.portable_random())"],
        env={
            **os.environ,
            "KERAS_HOME": str(tmp_path),
            "KERAS_PORTABLE_RANDOM": variable,
            "PYTHONPATH": os.pathsep.join(sys.path),
        },
        capture_output=True,
        text=True,
    )
    assert expected in done.stdout + done.stderr


def test_the_setting_is_a_bool() -> None:
    with pytest.raises(ValueError, match="True or False"):
        config.set_portable_random("yes")

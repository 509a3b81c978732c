"""What is measured of layers: recurrent training steps, and building models of many layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.measure import in_turns
from benchmarks.programs import BATCH
from benchmarks.report import Row
from benchmarks.suites import _fit_once, _native, _rivals

# The highest ratio to `torch.nn.LSTM`, or to a scan written by hand, that we promise.
LSTM_LIMITS = {"jax": 1.0, "tensorflow": 1.0, "torch": 1.1}
BUILD_LIMIT = {"keras": 0.5}
LENGTH = 200


def layers(engine: str, quick: bool) -> list[Row]:
    """A training step of recurrent layers over (32, 64, 64); building functional models."""
    rounds = 3 if quick else 9
    rows = [] if engine == "numpy" else _recurrent(engine, rounds)
    for what, build in (("Dense", _chain), ("residual blocks", _blocks)):
        contenders = {rival: _builder(build, keras) for rival, keras in _rivals().items()}
        seconds = in_turns(contenders, rounds, 1)
        rows.append(Row(f"build {LENGTH} layers: {what}", "ms", seconds, 1, BUILD_LIMIT))
    return rows


def _recurrent(engine: str, rounds: int) -> list[Row]:
    rng = np.random.default_rng(0)
    steps = 20
    x = rng.normal(size=(steps * BATCH, 64, 64)).astype("float32")
    y = rng.normal(size=(steps * BATCH, 64)).astype("float32")
    # Sequences of different lengths, for the model that skips zeros.
    x *= np.arange(64)[:, None] < rng.integers(20, 65, (len(x), 1, 1))
    rows = []
    for name in ("LSTM", "GRU", "Bidirectional", "masked LSTM"):
        contenders: dict[str, Callable[[], object]] = {
            rival: _fit_once(_trained(keras, name), x, y) for rival, keras in _rivals().items()
        }
        limits = {}
        if name == "LSTM":
            contenders["by hand"] = _native(engine).lstm(x, y)
            limits["by hand"] = LSTM_LIMITS[engine]
        seconds = in_turns(contenders, rounds)
        rows.append(Row(f"{name}(64): a training step", "us", seconds, steps, limits))
    return rows


def _trained(keras: Any, name: str) -> Any:
    layers = keras.layers
    if name == "Bidirectional":
        layer = layers.Bidirectional(layers.LSTM(64), merge_mode="sum")
    else:
        layer = getattr(layers, name.removeprefix("masked "))(64)
    masks = [layers.Masking()] if name.startswith("masked") else []
    model = keras.Sequential([keras.Input((64, 64)), *masks, layer])
    model.compile(keras.optimizers.Adam(1e-3), "mse")
    return model


def _builder(build: Callable[[Any, Any], Any], keras: Any) -> Callable[[], object]:
    def run() -> object:
        inputs = keras.Input((16,))
        return keras.Model(inputs, build(keras.layers, inputs))

    return run


def _chain(layers: Any, x: Any) -> Any:
    for _ in range(LENGTH):
        x = layers.Dense(16, activation="relu")(x)
    return x


def _blocks(layers: Any, x: Any) -> Any:
    for _ in range(LENGTH // 5):
        y = layers.BatchNormalization()(layers.Dense(16)(x))
        x = layers.Add()([x, layers.Dropout(0.1)(layers.ReLU()(y))])
    return x

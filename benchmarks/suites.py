"""What is measured: training, calls, imports."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.measure import in_turns, repeat, seconds_of
from benchmarks.programs import BATCH, MODELS, compiled, data, mlp
from benchmarks.report import Row

# The highest ratio to the loop written by hand that we promise.
FIT_LIMITS = {"jax": 1.1, "tensorflow": 1.1, "torch": 0.8}


def _rivals() -> dict[str, Any]:
    import keras

    import keraslite

    return {"keraslite": keraslite, "keras": keras}


def _native(engine: str) -> Any:
    return importlib.import_module(f"benchmarks.native.{engine}")


# The same for the call of an op on small tensors. Others are not promised anything.
ADD_LIMITS = {"jax": 1.1, "torch": 1.5}


def fit(engine: str, quick: bool) -> list[Row]:
    """First epoch (with compiling) and steady steps of four models; throughput of `predict`."""
    steps, rounds = (60, 3) if quick else (200, 7)
    rows = []
    for name in MODELS:
        count = steps * BATCH if name in ("MLP", "LSTM") else steps * BATCH // 4
        x, y = data(name, count)
        contenders: dict[str, Callable[[], object]] = {}
        for rival, keras in _rivals().items():
            contenders[rival] = _fit_once(compiled(keras, name), x, y)
        if name == "MLP":
            contenders["by hand"] = _native(engine).epoch(x, y)
        first = {contender: [seconds_of(run)] for contender, run in contenders.items()}
        rows.append(Row(f"{name}: first epoch", "s", first))
        limits = {"keras": 1.0}
        if name == "MLP":
            limits["by hand"] = FIT_LIMITS[engine]
        seconds = in_turns(contenders, rounds, warmup=1)
        rows.append(Row(f"{name}: one step of fit", "us", seconds, count // BATCH, limits))
    rows.append(_throughput(engine, steps, rounds))
    return rows


def _fit_once(model: Any, x: np.ndarray, y: np.ndarray) -> Callable[[], object]:
    return lambda: model.fit(x, y, batch_size=BATCH, epochs=1, verbose=0)


def _throughput(engine: str, steps: int, rounds: int) -> Row:
    x, _ = data("MLP", steps * BATCH)
    contenders: dict[str, Callable[[], object]] = {
        rival: _predict(mlp(keras), x) for rival, keras in _rivals().items()
    }
    contenders["by hand"] = _native(engine).predict(x)
    return Row("MLP: predict, one batch", "us", in_turns(contenders, rounds), steps)


def _predict(model: Any, x: np.ndarray) -> Callable[[], object]:
    return lambda: model.predict(x, batch_size=BATCH, verbose=0)


def call(engine: str, quick: bool) -> list[Row]:
    """An op, symbolic ops, a `Dense`, ten of them in a model, `predict` of one sample."""
    rounds, times = (7, 50) if quick else (15, 200)
    x = np.random.default_rng(0).normal(size=(BATCH, 64)).astype("float32")
    native = _native(engine)
    rows = [_add(engine, 4 * rounds, 2 * times), *_chains(rounds // 3)]

    contenders = {"by hand": repeat(native.dense(x), times)}
    for rival, keras in _rivals().items():
        layer, tensor = keras.layers.Dense(256), keras.ops.convert_to_tensor(x)
        contenders[rival] = repeat(_call(layer, tensor), times)
    rows.append(Row("one Dense call", "us", in_turns(contenders, rounds), times, {"by hand": 3.0}))

    contenders = {"by hand": repeat(native.stack(x), times)}
    for rival, keras in _rivals().items():
        model = keras.Sequential([keras.Input((64,)), *(keras.layers.Dense(64) for _ in range(10))])
        contenders[rival] = repeat(_call(model, keras.ops.convert_to_tensor(x)), times)
    rows.append(
        Row("10-layer model call", "us", in_turns(contenders, rounds), times, {"by hand": 3.0})
    )

    contenders = {"by hand": repeat(native.predict(x[:1]), times)}
    for rival, keras in _rivals().items():
        contenders[rival] = repeat(_predict(mlp(keras), x[:1]), max(times // 10, 5))
    seconds = in_turns(contenders, rounds)
    seconds["by hand"] = [s * max(times // 10, 5) / times for s in seconds["by hand"]]
    rows.append(Row("predict of one sample", "us", seconds, max(times // 10, 5), {"keras": 1.0}))
    return rows


def _call(layer: Any, tensor: Any) -> Callable[[], object]:
    return lambda: layer(tensor)


def _add(engine: str, rounds: int, times: int) -> Row:
    x = np.ones((3, 4), "float32")
    contenders = {"by hand": repeat(_native(engine).add(x), times)}
    for rival, keras in _rivals().items():
        contenders[rival] = repeat(_add_call(keras.ops.add, keras.ops.convert_to_tensor(x)), times)
    limits = {"by hand": ADD_LIMITS[engine]} if engine in ADD_LIMITS else {}
    return Row("ops.add of 3 x 4", "us", in_turns(contenders, rounds), times, limits)


def _add_call(add: Callable[[Any, Any], object], tensor: Any) -> Callable[[], object]:
    return lambda: add(tensor, tensor)


def _chains(rounds: int) -> list[Row]:
    """Symbolic calls: models of nothing but a chain of ops, built from start to end."""
    contenders = {rival: _build_chain(keras, 200) for rival, keras in _rivals().items()}
    seconds = in_turns(contenders, rounds, 1)
    rows = [Row("symbolic op, chain of 200", "us", seconds, 200, {"keras": 1.0})]
    # Keras calls itself too deeply on a long one.
    long = {"keraslite": _build_chain(_rivals()["keraslite"], 1000)}
    return [*rows, Row("symbolic op, chain of 1,000", "us", in_turns(long, rounds, 1), 1000)]


def _build_chain(keras: Any, length: int) -> Callable[[], object]:
    def build() -> object:
        inputs = x = keras.Input((8,))
        for _ in range(length):
            x = keras.ops.add(x, 1.0)
        return keras.Model(inputs, x)

    return build


def imports(engine: str, quick: bool) -> list[Row]:
    """Whole processes that import and use one name; by hand is importing the engine alone."""
    rounds = 3 if quick else 7
    programs = {
        "keraslite": "import keraslite; keraslite.layers.Dense",
        "keras": "import keras; keras.layers.Dense",
        "by hand": f"import {engine}" + ("; import jax.numpy" if engine == "jax" else ""),
        "bare import of keraslite": "import keraslite",
    }
    environment = {**os.environ, "KERAS_BACKEND": engine, "TF_CPP_MIN_LOG_LEVEL": "3"}

    def process(code: str) -> Callable[[], object]:
        return lambda: subprocess.run(
            [sys.executable, "-c", code], check=True, env=environment, capture_output=True
        )

    seconds = in_turns({n: process(c) for n, c in programs.items()}, rounds, warmup=1)
    bare = seconds.pop("bare import of keraslite")
    return [
        Row("process: import, one layer class", "s", seconds, limits={"keras": 1.0}),
        Row("process: import keraslite alone", "s", {"keraslite": bare}),
    ]

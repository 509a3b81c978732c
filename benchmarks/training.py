"""What metrics cost in `fit`, what one prediction costs, and whether memory grows."""

from __future__ import annotations

import ctypes
import functools
import gc
import importlib
import os
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.measure import in_turns, repeat
from benchmarks.programs import BATCH, cnn, mlp
from benchmarks.report import Row

_PAGE = os.sysconf("SC_PAGE_SIZE")


# Metrics -----------------------------------------------------------------------------


def metrics(engine: str, quick: bool) -> list[Row]:
    """Steps of `fit` of a small CNN with three AUCs, and without metrics."""
    import keras as original

    import keraslite

    steps, rounds = (40, 3) if quick else (150, 11)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(steps * BATCH, 16, 16, 3)).astype("float32")
    y = rng.integers(0, 2, (steps * BATCH, 1)).astype("float32")
    contenders = {
        "keraslite": _epoch(keraslite, x, y, 3),
        "no metrics": _epoch(keraslite, x, y, 0),
        "keras": _epoch(original, x, y, 3),
        "keras, no metrics": _epoch(original, x, y, 0),
    }
    seconds = in_turns(contenders, rounds, warmup=3)
    limits = {"no metrics": 1 / 0.95, "keras": 1.0}
    return [Row("CNN: one step of fit with three AUCs", "us", seconds, steps, limits)]


def _epoch(keras: Any, x: np.ndarray, y: np.ndarray, areas: int) -> Callable[[], object]:
    keras.utils.set_random_seed(0)
    body = cnn(keras)
    body.pop()
    body.add(keras.layers.Dense(1, activation="sigmoid"))
    curves = [{}, {"curve": "PR"}, {"num_thresholds": 50}][:areas]
    found = [keras.metrics.AUC(**curve, name=f"auc_{i}") for i, curve in enumerate(curves)]
    body.compile("adam", "binary_crossentropy", metrics=found)
    return lambda: body.fit(x, y, batch_size=BATCH, epochs=1, verbose=0)


# One prediction ----------------------------------------------------------------------


def predict(engine: str, quick: bool) -> list[Row]:
    """`predict` of one sample against the compiled forward pass that was written by hand."""
    import keras as original

    import keraslite

    rounds, times = (7, 40) if quick else (31, 100)
    x = np.random.default_rng(0).normal(size=(1, 64)).astype("float32")
    native = importlib.import_module(f"benchmarks.native.{engine}")
    forward = getattr(native, "predict_compiled", native.predict)
    contenders = {"by hand": repeat(forward(x), times)}
    for name, keras in (("keraslite", keraslite), ("keras", original)):
        contenders[name] = repeat(_predict(mlp(keras), x), times)
    # So many calls that all have compiled what they compile.
    seconds = in_turns(contenders, rounds, warmup=1 + 2000 // times)
    limits = {"by hand": 2.0, "keras": 1.0}
    return [Row("predict of one sample", "us", seconds, times, limits)]


def _predict(model: Any, x: np.ndarray) -> Callable[[], object]:
    return lambda: model.predict(x, verbose=0)


# Memory ------------------------------------------------------------------------------


def memory(engine: str, quick: bool) -> list[Row]:
    """Megabytes by which the process grows in long runs, and in building models again."""
    import keraslite

    scale = 10 if quick else 1
    x, y = np.ones((BATCH, 64), "float32"), np.zeros((BATCH,), "int32")
    model = _trained(keraslite)

    def steps(count: int) -> None:
        model.fit(x, y, batch_size=BATCH, epochs=count, verbose=0)

    def predictions(count: int) -> None:
        for _ in range(count):
            model.predict_on_batch(x)

    def cycles(count: int, jit: bool | str = "auto") -> None:
        for _ in range(count):
            model = _trained(keraslite)
            model.jit_compile = jit
            model.fit(x, y, verbose=0)

    return [
        _growth("10,000 steps of fit", steps, 10_000 // scale, 5.0),
        _growth("10,000 calls of predict_on_batch", predictions, 10_000 // scale, 5.0),
        # TensorFlow never forgets what XLA compiled.
        *(
            _growth(what, functools.partial(cycles, jit=jit), 200 // scale, 0.5, each=True)
            for what, jit in (
                ("build, fit, delete: one cycle of 200, not compiled", False),
                ("build, fit, delete: one cycle of 200", "auto"),
            )
        ),
    ]


def _trained(keras: Any) -> Any:
    model = mlp(keras)
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


def _growth(
    what: str, run: Callable[[int], None], count: int, limit: float, each: bool = False
) -> Row:
    """The row of a run after one a quarter as long, in which caches and arenas fill."""
    run(count // 4)
    before = resident()
    run(count)
    grown = (resident() - before) / (count if each else 1)
    return Row(what, "MB", {"keraslite": [grown], "allowed": [limit]}, limits={"allowed": 1.0})


def resident() -> float:
    """Megabytes of memory that the process holds now, without what it keeps to use again."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * _PAGE / 2**20

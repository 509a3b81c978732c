"""Configs of a good model with faults at random places: they load, or fail in our own words."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any

import pytest

import keraslite as keras
from keraslite import layers
from keraslite.backend import engine
from keraslite.core.errors import LoadError
from tests.saving.attacks.world import World

# What reads a config is the same on all engines; those that compile take longer to build.
_MUTANTS = 150 if engine.capabilities.trainable else 1000
_CLASSES = (
    "Dense",
    "LSTM",
    "Lambda",
    "StringLookup",
    "Sequential",
    "Add",
    "Functional",
    "Adam",
    "",
)
_VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2, 10**9, 10**30, -(2**63), 0.5, -0.0, float("nan"), 1e308,
    "", "x", "relu", "../x", "A" * 3000, [], [None], [[]], [0, 1], {}, {"a": 1},
    {"class_name": "Dense", "config": {}}, {"class_name": "__tuple__", "config": {"value": [1]}},
    {"class_name": "__lambda__", "config": {"code": "4wEA"}},
    {"class_name": "function", "config": "system", "module": "os"},
)  # fmt: skip


def _good() -> Any:
    inputs = keras.Input((8, 3), name="in")
    x = layers.Conv1D(4, 3, padding="same", activation="relu", name="conv")(inputs)
    x = layers.BatchNormalization(name="norm")(x)
    x = layers.GRU(3, kernel_regularizer="l2", name="gru")(x)
    y = layers.Dense(3, kernel_initializer=keras.initializers.HeNormal(1), name="dense")(x)
    z = keras.ops.reshape(x + y, (-1, 3))
    model = keras.Model(inputs, layers.Dropout(0.5, name="drop")(z), name="net")
    model.compile(
        optimizer=keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(0.1, 10)),
        loss="mse",
        metrics=["mae", keras.metrics.MeanSquaredError()],
    )
    return model


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every container and key or index below `value`."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in pairs:
        yield value, key
        if isinstance(item, (dict, list)):
            yield from _places(item)


def _mutated(text: str, rng: random.Random) -> Any:
    config = json.loads(text)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        places = list(_places(config))
        if not places:
            break
        where, key = rng.choice(places)
        kind = rng.random()
        if kind < 0.15:
            del where[key]
        elif kind < 0.3 and isinstance(where, dict):
            where[rng.choice(("x", "units", "config", "class_name"))] = where.pop(key)
        elif kind < 0.45:
            other, at = rng.choice(places)
            where[key] = json.loads(json.dumps(other[at]))
        elif key == "class_name":
            where[key] = rng.choice(_CLASSES)
        else:
            where[key] = rng.choice(_VALUES)
    return config


@pytest.mark.filterwarnings("ignore")
def test_mutants(world: World) -> None:
    rng = random.Random(7)
    model = _good()
    model.save(world.folder / "good_graph.keras")
    keras.saving.load_model(world.folder / "good_graph.keras")
    text = json.dumps(keras.saving.serialize_keras_object(model))
    failed: dict[str, list[str]] = {}
    loaded = 0
    for number in range(_MUTANTS):
        config = _mutated(text, rng)
        path = world.keras_file(config)
        with world.guard.watching(path) as problems:
            try:
                keras.saving.load_model(path)
                loaded += 1
            except LoadError as error:
                if len(str(error)) > 1000 or path.name not in str(error):
                    problems.append(f"says {error}")
            except Exception as error:  # noqa: BLE001 - the class is what is tested
                problems.append(f"{type(error).__name__}: {error!s:.300}")
        if problems:
            failed[f"{number}"] = problems
    assert not failed, "\n".join(f"{name}: {problems}" for name, problems in failed.items())
    assert loaded < _MUTANTS * 0.7

"""Every argument of every class that files may name, with values that nobody should believe."""

from __future__ import annotations

import inspect
import random
from collections.abc import Iterator
from typing import Any

import pytest

import keraslite as keras
from keraslite.backend import engine
from keraslite.core import registry
from keraslite.core.configurable import parameters_of
from tests.saving.attacks.configs import _layer, _object, sequential
from tests.saving.attacks.world import World

_TRIED = 800
_BIG = 10**9
_SHAPES = ([None, 3], [None, 8, 3], [None, 8, 8, 3])
#: For parameters without a default, by their names.
_NEEDED: dict[str, Any] = {
    **dict.fromkeys(("units", "filters", "n", "pool_size", "output_size", "num_classes"), 2),
    **dict.fromkeys(("num_heads", "num_query_heads", "num_key_value_heads", "axes"), 1),
    **dict.fromkeys(("key_dim", "head_dim", "output_dim", "height", "width", "scale"), 2),
    **dict.fromkeys(("kernel_size", "input_dim", "num_bins", "num_tokens", "max_number"), 3),
    **dict.fromkeys(("rate", "stddev", "factor", "recall", "precision", "learning_rate"), 0.5),
    **dict.fromkeys(("sensitivity", "specificity", "initial_learning_rate", "decay_rate"), 0.5),
    **dict.fromkeys(("decay_steps", "first_decay_steps"), 10),
    **dict.fromkeys(("layers", "cells"), []),
    "equation": "ab,bc->ac",
    "output_shape": 4,
    "dims": [1],
    "target_shape": [3, 1],
    "function": {"class_name": "function", "config": "relu"},
    "fn": {"class_name": "function", "config": "mean_squared_error"},
    "activation": "relu",
    "layer": _layer("Dense", units=2),
    "target_class_ids": [0],
    "boundaries": [1.0],
    "values": [1.0, 2.0],
    "inner_optimizer": _object("keras.optimizers", "SGD", {"learning_rate": 0.1}),
    "mode": "int8",
    "features": {"a": "float"},
}


def _whole(area: str, form: Any, shape: Any) -> Any:
    """A model with an object in its place."""
    kind = area.removeprefix("keras.")
    compiled: dict[str, Any] = {"optimizer": "sgd", "loss": "mse"}
    layer = _layer("Dense", units=2)
    if kind == "layers":
        layer = form
    elif kind in ("initializers", "regularizers", "constraints"):
        layer["config"][f"kernel_{kind.removesuffix('s')}"] = form
    elif kind == "dtype_policies":
        layer["config"]["dtype"] = form
    elif kind == "optimizers.schedules":
        compiled["optimizer"] = _object("keras.optimizers", "SGD", {"learning_rate": form})
    else:
        place = {"optimizers": "optimizer", "losses": "loss"}.get(kind, "metrics")
        compiled[place] = [form] if place == "metrics" else form
    model = sequential([layer], compile_config=compiled)
    model["config"]["layers"][0]["config"]["batch_shape"] = shape
    return model


def _cases(canary: str) -> Iterator[tuple[str, Any]]:
    values = (_BIG, 10**30, -1, canary, [_BIG, _BIG])
    for area in registry.NAMESPACES:
        for name in registry._exported_names(area):
            cls = registry._export(area, name)
            if not inspect.isclass(cls):
                continue
            taken = parameters_of(cls)
            base = {
                key: _NEEDED[key]
                for key, parameter in taken.items()
                if parameter.default is parameter.empty and key in _NEEDED
            }
            for key in (*taken, "name", "dtype", "trainable"):
                for value in values:
                    form = _object(area, name, {**base, key: value})
                    for shape in _SHAPES if area == "keras.layers" else _SHAPES[:1]:
                        label = f"{name}({key}={value!r:.30}) on {shape}"
                        yield label, _whole(area, form, shape)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.skipif(engine.capabilities.trainable, reason="the arguments are the same on all")
def test_arguments(world: World) -> None:
    # Its windows are SciPy's, which it imports whatever their names are.
    keras.layers.STFTSpectrogram(window="blackman")
    cases = list(_cases(str(world.guard.canary / "words.txt")))
    assert len(cases) > 10_000
    failed = {}
    for name, config in random.Random(5).sample(cases, _TRIED):
        path = world.keras_file(config)

        def load(path: Any = path) -> Any:
            return keras.saving.load_model(path)

        problems = world.refused(load, path, must_fail=False)
        if problems:
            failed[name] = problems
    assert not failed, "\n".join(f"{name}: {problems}" for name, problems in failed.items())

"""Files between keraslite and Keras, both ways, and between engines.

Same predictions, weights, optimizer state, and the same training from there on.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import keraslite
from integration_tests.programs.exchanged_models import MODELS, Made, assert_same, contents, make
from keraslite.backend import engine

# Keras's own NumPy engine lacks convolutions and training: its files come from torch there.
os.environ.setdefault("KERAS_HOME", tempfile.mkdtemp(prefix="keraslite-tests-"))
_chosen = os.environ.get("KERAS_BACKEND")
os.environ["KERAS_BACKEND"] = engine.name if engine.capabilities.trainable else "torch"
keras = pytest.importorskip("keras")
if _chosen is None:
    del os.environ["KERAS_BACKEND"]
else:
    os.environ["KERAS_BACKEND"] = _chosen
if keras.backend.backend() == "numpy":
    pytest.skip("keras was imported before, with its NumPy engine", allow_module_level=True)

ROOT = Path(__file__).resolve().parent.parent
ENGINES = [e for e in ("jax", "torch", "tensorflow", "numpy") if importlib.util.find_spec(e)]
#: Small models on a busy machine: threads would wait for each other.
ONE_THREAD = {"OMP_NUM_THREADS": "1", "TF_NUM_INTRAOP_THREADS": "1"}
#: Dropout draws other numbers in each package; the rest must train alike.
TRAINED = [name for name in MODELS if name != "cnn"]


def prepare(k: Any, made: Made) -> Any:
    """Compile, and give the optimizer some history where the engine trains."""
    model = made.model
    model.compile(optimizer=adam(k), loss=made.loss, metrics=[metric_of(made)])
    if _trains(k):
        train(made)
    else:
        model.optimizer.build(model.trainable_variables)
    return model


def adam(k: Any) -> Any:
    # With a small epsilon, the first steps of Adam make much of rounding errors.
    return k.optimizers.Adam(0.01, epsilon=1e-3)


def metric_of(made: Made) -> str:
    return "accuracy" if made.loss.startswith("sparse") else "mae"


def _trains(k: Any) -> bool:
    return k is keras or engine.capabilities.trainable


def train(made: Made) -> None:
    # Tracing costs more than these few steps; where tensors are values, it costs less.
    made.model.run_eagerly = engine.capabilities.compiled and not engine.capabilities.functional
    made.model.fit(made.x, made.y, batch_size=8, epochs=1, verbose=0, shuffle=False)


@pytest.fixture(params=["from Keras", "to Keras"])
def pair(request: pytest.FixtureRequest) -> tuple[Any, Any]:
    """The package that writes, and the one that reads."""
    return (keras, keraslite) if request.param == "from Keras" else (keraslite, keras)


@pytest.mark.parametrize("name", MODELS)
def test_models_and_weights(name: str, pair: tuple[Any, Any], tmp_path: Path) -> None:
    writer, reader = pair
    made = make(writer, name)
    model = prepare(writer, made)
    expected = contents(writer, model, made.x)
    model.save(tmp_path / "m.keras")
    model.save_weights(tmp_path / "m.weights.h5")

    fresh = make(reader, name)
    loaded = reader.saving.load_model(tmp_path / "m.keras")
    assert_same(contents(reader, loaded, made.x), expected)
    config = loaded.get_compile_config()
    assert config["loss"] == made.loss and config["metrics"] == [metric_of(made)]

    other = fresh.model
    other.compile(optimizer=adam(reader), loss=made.loss)
    other.optimizer.build(other.trainable_variables)
    other.load_weights(tmp_path / "m.weights.h5")
    assert_same(contents(reader, other, made.x), expected)

    # What was loaded is saved like what was made.
    loaded.save(tmp_path / "again.keras")
    again = writer.saving.load_model(tmp_path / "again.keras")
    assert_same(contents(writer, again, made.x), expected)

    if name in TRAINED and _trains(writer) and _trains(reader):
        train(made)
        train(Made(loaded, made.x, made.y, made.loss))
        found = contents(reader, loaded, made.x)
        for key, value in contents(writer, model, made.x).items():
            np.testing.assert_allclose(found[key], value, rtol=1e-3, atol=1e-4, err_msg=key)


@pytest.mark.parametrize("name", [n for n in MODELS if n != "custom_model"])
def test_json(name: str, pair: tuple[Any, Any]) -> None:
    writer, reader = pair
    made = make(writer, name)
    model = reader.models.model_from_json(made.model.to_json())
    model.set_weights(made.model.get_weights())
    expected = contents(writer, made.model, made.x)
    assert_same(contents(reader, model, made.x), expected)


def test_all_engines_read_the_files_of_this_one(tmp_path: Path) -> None:
    for name in ("cnn", "text", "custom_model"):
        made = make(keraslite, name)
        model = prepare(keraslite, made)
        np.savez(tmp_path / name, **contents(keraslite, model, made.x))
        model.save(tmp_path / f"{name}.keras")
    program = ROOT / "integration_tests" / "programs" / "exchanged_models.py"
    readers = {
        name: subprocess.Popen(
            [sys.executable, program, tmp_path],
            env={**os.environ, "KERAS_BACKEND": name, "PYTHONPATH": str(ROOT), **ONE_THREAD},
            stderr=subprocess.PIPE,
            text=True,
        )
        for name in ENGINES
        if name != engine.name
    }
    for name, reader in readers.items():
        _, errors = reader.communicate(timeout=240)
        assert reader.returncode == 0, f"{name}:\n{errors[-3000:]}"

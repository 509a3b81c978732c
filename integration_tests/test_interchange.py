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
from integration_tests.programs.exchanged_models import (
    MODELS,
    Made,
    assert_close,
    assert_equal,
    contents,
    make,
    predictions,
)
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
#: Where training goes on after loading; compiling steps is what takes time here.
TRAINED = ("shared", "custom_model", "mixed")


def prepare(k: Any, made: Made) -> Any:
    """Compile the model, and make up a history for the optimizer."""
    model = made.model
    model.compile(optimizer=adam(k), loss=made.loss, metrics=[metric_of(made)])
    model.optimizer.build(model.trainable_variables)
    rng = np.random.default_rng(2)
    for variable in model.optimizer.variables:
        if "float" in str(variable.dtype) and len(variable.shape):
            variable.assign(rng.uniform(0.01, 0.1, variable.shape))
    model.optimizer.iterations.assign(3)
    return model


def adam(k: Any) -> Any:
    # With a small epsilon, the first steps of Adam make much of rounding errors.
    return k.optimizers.Adam(0.01, epsilon=1e-3)


def metric_of(made: Made) -> str:
    return "accuracy" if made.loss.startswith("sparse") else "mae"


def train(model: Any, made: Made) -> None:
    # Tracing costs more than these few steps; where tensors are values, it costs less.
    model.run_eagerly = not engine.capabilities.functional
    model.fit(made.x, made.y, batch_size=8, epochs=1, verbose=0, shuffle=False)


@pytest.fixture(params=["from Keras", "to Keras"])
def pair(request: pytest.FixtureRequest) -> tuple[Any, Any]:
    """The package that writes, and the one that reads."""
    return (keras, keraslite) if request.param == "from Keras" else (keraslite, keras)


@pytest.mark.parametrize("name", MODELS)
def test_models(name: str, pair: tuple[Any, Any], tmp_path: Path) -> None:
    writer, reader = pair
    made = make(writer, name)
    model = prepare(writer, made)
    expected = contents(writer, model)
    outputs = predictions(writer, model, made.x)
    model.save(tmp_path / "m.keras")
    model.save_weights(tmp_path / "m.weights.h5")

    make(reader, name)  # registers what is the user's own
    loaded = reader.saving.load_model(tmp_path / "m.keras")
    assert_equal(contents(reader, loaded), expected)
    assert_close(predictions(reader, loaded, made.x), outputs)
    config = loaded.get_compile_config()
    assert config["loss"] == made.loss and config["metrics"] == [metric_of(made)]

    # The architecture alone, and then the weights.
    if name == "custom_model":
        other = make(reader, name).model
    else:
        other = reader.models.model_from_json(model.to_json())
    other.compile(optimizer=adam(reader), loss=made.loss)
    other.optimizer.build(other.trainable_variables)
    other.load_weights(tmp_path / "m.weights.h5")
    assert_equal(contents(reader, other), expected)
    assert_close(predictions(reader, other, made.x), outputs)

    # What was loaded is saved like what was made.
    loaded.save(tmp_path / "again.keras")
    assert_equal(contents(writer, writer.saving.load_model(tmp_path / "again.keras")), expected)

    if name in TRAINED and engine.capabilities.trainable:
        train(model, made)
        train(loaded, made)
        found = contents(reader, loaded)
        for key, value in contents(writer, model).items():
            assert key != "weight 0" or np.any(value != expected[key])
            np.testing.assert_allclose(found[key], value, rtol=1e-3, atol=1e-4, err_msg=key)


def test_all_engines_read_the_files_of_this_one(tmp_path: Path) -> None:
    for name in ("cnn", "text", "custom_model"):
        made = make(keraslite, name)
        model = prepare(keraslite, made)
        found = {**contents(keraslite, model), "y": predictions(keraslite, model, made.x)}
        np.savez(tmp_path / name, **found)
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

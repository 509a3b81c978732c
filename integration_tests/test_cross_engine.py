"""One program on every engine: the same weights, the same losses."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

PROGRAM = Path(__file__).parent / "programs" / "train_everywhere.py"
TRAINING = [e for e in ("jax", "torch", "tensorflow") if importlib.util.find_spec(e)]
NAMES = ("mlp", "resnet", "transformer", "lstm")
REFERENCE = TRAINING[0]


def run(engine: str, *arguments: Path) -> dict:
    environment = {**os.environ, "KERAS_BACKEND": engine, "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(
        [sys.executable, PROGRAM, *arguments],
        env=environment, capture_output=True, text=True, timeout=600,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads((arguments[0] / "history.json").read_text())


@pytest.fixture(scope="module")
def histories(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict]:
    found = {}
    for engine in TRAINING:
        folder = tmp_path_factory.mktemp(engine)
        found[engine] = {**run(engine, folder), "folder": folder}
    return found


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("engine", TRAINING[1:])
def test_same_weights_and_losses(histories: dict, engine: str, name: str) -> None:
    one, other = histories[REFERENCE][name], histories[engine][name]
    np.testing.assert_allclose(other["weights"], one["weights"], rtol=1e-6)
    assert len(one["steps"]) == 50
    # Steps are undone from a running mean in float32, which costs some digits.
    np.testing.assert_allclose(
        np.cumsum(other["steps"]), np.cumsum(one["steps"]), rtol=1e-4
    )
    np.testing.assert_allclose(other["steps"], one["steps"], rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(other["loss"], one["loss"], rtol=1e-4)
    assert other["accuracy"] == one["accuracy"]


def test_numpy_evaluates_to_the_same_loss(histories: dict, tmp_path: Path) -> None:
    found = run("numpy", tmp_path, histories[REFERENCE]["folder"])
    for name in NAMES:
        np.testing.assert_allclose(
            found[name]["loss"], histories[REFERENCE][name]["loss"], rtol=1e-4, err_msg=name
        )

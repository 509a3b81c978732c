"""One program on every engine: the same weights, the same loss at every step."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = ROOT / "integration_tests" / "programs" / "train_everywhere.py"
TRAINING = [e for e in ("jax", "torch", "tensorflow") if importlib.util.find_spec(e)]
NAMES = ("mlp", "resnet", "transformer", "lstm")
STEPS, SAMPLES = 50, 128
TOLERANCE = 1e-4  # relative; float32 sums differ in their order

Run = Callable[[str], Path]


def run(engine: str, *folders: Path) -> None:
    """Run the program; the first folder is for what it makes."""
    variables = {
        "KERAS_BACKEND": engine,
        "PYTHONPATH": str(ROOT),
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "OMP_NUM_THREADS": "1",  # The models are small, and waiting threads slow a busy machine.
    }
    done = subprocess.run(
        [sys.executable, PROGRAM, *folders],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, f"{engine}:\n{done.stderr[-3000:]}"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """From an engine to the folder of what it trained; each engine trains once."""
    folders: dict[str, Path] = {}

    def folder_of(engine: str) -> Path:
        if engine not in folders:
            folder = tmp_path_factory.mktemp(engine)
            run(engine, folder)
            folders[engine] = folder
        return folders[engine]

    return folder_of


def results(folder: Path) -> dict[str, dict]:
    return json.loads((folder / "history.json").read_text())


def assert_same_evaluation(found: dict, expected: dict) -> None:
    np.testing.assert_allclose(found["loss"], expected["loss"], rtol=TOLERANCE)
    # One sample may stand on the line between two classes.
    assert abs(found["accuracy"] - expected["accuracy"]) < 1.5 / SAMPLES


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("engine", TRAINING[1:])
def test_the_same_weights_and_losses(trained: Run, engine: str, name: str) -> None:
    expected, found = (results(trained(e))[name] for e in (TRAINING[0], engine))
    np.testing.assert_allclose(found["weights"], expected["weights"], rtol=1e-6)
    assert len(expected["steps"]) == STEPS
    np.testing.assert_allclose(found["steps"], expected["steps"], rtol=TOLERANCE)
    assert_same_evaluation(found, expected)


@pytest.mark.parametrize("engine", TRAINING)
def test_numpy_evaluates_to_the_same_loss(trained: Run, engine: str, tmp_path: Path) -> None:
    run("numpy", tmp_path, trained(engine))
    found, expected = results(tmp_path), results(trained(engine))
    assert found.keys() == expected.keys() == set(NAMES)
    for name in NAMES:
        assert_same_evaluation(found[name], expected[name])

"""With portable random numbers a training with dropout is the same on every engine."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = ROOT / "integration_tests" / "programs" / "portable_dropout.py"
TRAINING = [e for e in ("jax", "torch", "tensorflow") if importlib.util.find_spec(e)]


def history(engine: str, portable: bool = True) -> dict[str, list[float]]:
    variables = {
        "KERAS_BACKEND": engine,
        "KERAS_PORTABLE_RANDOM": str(int(portable)),
        "PYTHONPATH": str(ROOT),
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "OMP_NUM_THREADS": "1",
    }
    done = subprocess.run(
        [sys.executable, PROGRAM],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, f"{engine}:\n{done.stderr[-3000:]}"
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def expected() -> dict[str, list[float]]:
    return history(TRAINING[0])


@pytest.mark.parametrize("engine", TRAINING[1:])
def test_the_same_history(expected: dict[str, list[float]], engine: str) -> None:
    found = history(engine)
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, rtol=1e-4)


def test_without_the_setting_the_history_is_another_one(expected: dict[str, list[float]]) -> None:
    found = history(TRAINING[0], portable=False)
    assert abs(found["loss"][0] - expected["loss"][0]) > 1e-3

"""The example that trains a language model and writes text runs on every engine that trains."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TRAINING = [e for e in ("jax", "torch", "tensorflow") if importlib.util.find_spec(e)]


def run(engine: str) -> subprocess.CompletedProcess[str]:
    variables = {
        "KERAS_BACKEND": engine,
        "PYTHONPATH": str(ROOT),
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "OMP_NUM_THREADS": "1",
    }
    return subprocess.run(
        [sys.executable, ROOT / "examples" / "generate_text.py", "--quick"],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=280,
    )


@pytest.mark.parametrize("engine", TRAINING)
def test_text_is_generated_with_and_without_a_cache(engine: str) -> None:
    done = run(engine)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "The following " in done.stdout
    speeds = re.findall(r"([\d,]+) tokens/s", done.stdout)
    assert len(speeds) == 2 and all(int(speed.replace(",", "")) > 0 for speed in speeds)


def test_an_engine_that_does_not_train_says_so() -> None:
    done = run("numpy")
    assert done.returncode and "does not train" in done.stderr

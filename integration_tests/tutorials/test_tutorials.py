"""Old tutorials run, on every engine that trains, and learn something."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parent
ROOT = FOLDER.parent.parent
TRAINING = [e for e in ("jax", "torch", "tensorflow") if importlib.util.find_spec(e)]
NOT_PROGRAMS = ("run_all", "test_tutorials")
PROGRAMS = sorted(p.stem for p in FOLDER.glob("*.py") if p.stem not in NOT_PROGRAMS)


@pytest.fixture(scope="module")
def results() -> dict[str, dict[str, dict]]:
    """From an engine to how each program went; filled when it is asked for."""
    return {}


def run_all(engine: str) -> dict[str, dict]:
    variables = {
        "KERAS_BACKEND": engine,
        "PYTHONPATH": str(ROOT),
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "OMP_NUM_THREADS": "1",
        "MPLBACKEND": "Agg",
        # The programs compile much and compute little.
        "XLA_FLAGS": " ".join(
            (
                "--xla_cpu_multi_thread_eigen=false",
                "--xla_backend_optimization_level=0",
                "--xla_llvm_disable_expensive_passes=true",
            )
        ),
    }
    done = subprocess.run(
        [sys.executable, FOLDER / "run_all.py"],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=290,
    )
    assert done.returncode == 0, f"{engine}:\n{done.stderr[-3000:]}"
    found = (json.loads(line) for line in done.stdout.splitlines() if line.startswith("{"))
    return {result["name"]: result for result in found}


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("engine", TRAINING)
def test_tutorial(results: dict[str, dict[str, dict]], engine: str, program: str) -> None:
    if engine not in results:
        results[engine] = run_all(engine)
    result = results[engine][program]
    assert result["error"] is None, f"{result['error']}\n{result['printed']}"

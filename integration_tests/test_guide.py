"""The engine in `docs/writing_an_engine.md` is found, predicts, and passes its part of the kit."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
GUIDE = ROOT / "docs" / "writing_an_engine.md"

PREDICT = """
import numpy as np
import keraslite as keras

model = keras.Sequential([
    keras.Input((3,)),
    keras.layers.Dense(4, activation="relu"),
    keras.layers.Dense(2, activation="softmax"),
])
found = model.predict(np.ones((5, 3), "float32"), verbose=0)
assert type(keras.backend.engine).__name__ == "TinyEngine"
np.testing.assert_allclose(found.sum(-1), 1, rtol=1e-6)
try:
    keras.ops.cos(1.0)
except NotImplementedError as error:
    print(error)
"""
# Names of tests: the verbs, and those ops that it has.
TESTS = """
    identity or arrays_go or memory_is_not or dtypes_of_what or storages or masks_live or
    (values_dtypes and float32 and (cos or matmul or reshape or tanh- or maximum or softmax-))
"""


@pytest.fixture(scope="module")
def variables(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment in which the engine of the guide is installed and chosen."""
    folder = tmp_path_factory.mktemp("tiny")
    blocks = re.findall(r"```python\n(.*?)```", GUIDE.read_text("utf-8"), re.DOTALL)
    (engine,) = (block for block in blocks if "class TinyEngine" in block)
    (folder / "tiny_engine.py").write_text(engine)
    (point,) = re.findall(r'^tiny = "(.*)"$', GUIDE.read_text("utf-8"), re.MULTILINE)
    info = folder / "tiny_engine-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: tiny-engine\nVersion: 1\n")
    (info / "entry_points.txt").write_text(f"[keraslite.backends]\ntiny = {point}\n")
    paths = os.pathsep.join([str(folder), str(ROOT)])
    return {**os.environ, "KERAS_BACKEND": "tiny", "PYTHONPATH": paths}


def _run(variables: dict[str, str], *args: str) -> str:
    done = subprocess.run(
        [sys.executable, *args],
        env=variables,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_it_predicts(variables: dict[str, str]) -> None:
    assert "The engine 'tiny' does not support `ops.cos`" in _run(variables, "-c", PREDICT)


def test_its_part_of_the_kit(variables: dict[str, str]) -> None:
    found = _run(variables, "-m", "keraslite.testing", "-k", " ".join(TESTS.split()))
    assert re.search(r"\d\d passed, \d+ skipped", found), found

"""The report of parity, on a few ops."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

from integration_tests.parity.known import KNOWN, Known, outside, reason

ROOT = Path(__file__).resolve().parent.parent
OPS = "add,exp,sum,get_item,softmax"
ENGINES = [e for e in ("numpy", "torch", "jax") if importlib.util.find_spec(e)]
CELL = {
    "op": "hypot", "case": "hypot float32 zero", "engine": "torch", "dtype": "float32",
    "sample": "zero", "check": "gradient",
}  # fmt: skip


def report(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "integration_tests.parity", *arguments],
        cwd=ROOT, capture_output=True, text=True, timeout=280,
    )  # fmt: skip


@pytest.mark.skipif(not importlib.util.find_spec("tensorflow"), reason="Keras runs on it here")
def test_a_few_ops_agree_on_all_engines(tmp_path: Path) -> None:
    file = tmp_path / "cells.json"
    done = report(
        "--quick", "--ops", OPS, "--engines", ",".join(ENGINES), "--json", str(file)
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    cells = json.loads(file.read_text())["cells"]
    assert {cell["op"] for cell in cells} == set(OPS.split(","))
    assert {cell["engine"] for cell in cells} == set(ENGINES)
    assert {cell["check"] for cell in cells} == {"forward", "gradient", "dtype"}
    assert all(cell["ok"] for cell in cells)
    assert all(engine in done.stdout for engine in ENGINES)


def test_an_unknown_op_is_an_error() -> None:
    done = report("--ops", "no_such_op", "--engines", "numpy")
    assert done.returncode == 2
    assert "no_such_op" in done.stderr


def test_reasons_hold_for_their_cells_only() -> None:
    assert "torch" in reason(CELL)
    assert reason({**CELL, "engine": "jax"}) == ""
    assert reason({**CELL, "excuse": "no complex numbers"}) == "no complex numbers"
    assert Known("why", op="a|b*").covers({**CELL, "op": "bc"})
    assert all(known.reason for known in KNOWN)
    assert outside("image.resize float32 special")
    assert not outside("image.resize float32 zero")

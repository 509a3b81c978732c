"""usage: python -m integration_tests.parity [--ops add,exp] [--engines jax,torch] [--quick]

Runs every op of the op table on every engine, each in a process of its own, over dtypes and
ordinary, zero, special (NaN, infinities), empty and broadcast samples. Compares values with
NumPy, gradients with differences of NumPy's values, and dtypes with Keras: on TensorFlow, and
where that differs, on its other engines. Prints the shares that agree and every cell that does
not; exits with 1 when one of these has no known reason.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

from integration_tests.parity import known

ROOT = Path(__file__).resolve().parent.parent.parent
ENGINES = ("numpy", "jax", "torch", "tensorflow")
CHECKS = {"forward": 99.5, "gradient": 99.0, "dtype": 100.0}

Cell = dict[str, Any]


def _run(module: str, engine: str, *arguments: str) -> None:
    variables = {
        "KERAS_BACKEND": engine,
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
    }
    done = subprocess.run(
        [sys.executable, "-m", f"integration_tests.parity.{module}", *arguments],
        env={**os.environ, **variables}, cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(f"{module} on {engine} failed:\n{done.stderr[-4000:]}")


def compare(engines: list[str], ops: str, quick: bool) -> tuple[list[Cell], dict[str, float]]:
    """All cells, and how many seconds each engine took."""
    cells: list[Cell] = []
    seconds: dict[str, float] = {}
    mode = "quick" if quick else "full"
    with tempfile.TemporaryDirectory() as folder:
        reference, result = str(Path(folder, "reference")), Path(folder, "result")
        # Where Keras is the reference it runs on TensorFlow, which has 64 bits for all it does.
        _run("reference", "tensorflow", reference, ops, mode)
        for engine in engines:
            _run("measure", engine, reference, str(result), ops, mode)
            found = json.loads(result.read_text())
            seconds[engine] = found["seconds"]
            for cell in found["cells"]:
                cells.append({**cell, "engine": engine})
        _ask_other_engines(cells, Path(folder, "elsewhere"), mode)
    for cell in cells:
        cell["reason"] = "" if cell["ok"] else known.reason(cell)
    return cells, seconds


def _ask_other_engines(cells: list[Cell], file: Path, mode: str) -> None:
    """A dtype that Keras gives on any of its engines is one of Keras's."""
    for engine in filter(importlib.util.find_spec, ENGINES):
        doubtful = [c for c in cells if c["check"] == "dtype" and not c["ok"]]
        if engine == "tensorflow" or not doubtful:
            continue  # The reference has asked there.
        asked = json.dumps(sorted({c["case"] for c in doubtful}))
        _run("elsewhere", engine, str(file), asked, mode)
        names = json.loads(file.read_text())
        for cell in doubtful:
            cell["ok"] = cell["found"].partition(",")[0] in names[cell["case"]]
            cell["found"] = "" if cell["ok"] else cell["found"]


def shares(cells: list[Cell]) -> dict[tuple[str, str], tuple[int, int]]:
    """(engine, check) -> how many cells agree, and how many there are."""
    found: dict[tuple[str, str], tuple[int, int]] = defaultdict(lambda: (0, 0))
    for cell in cells:
        key = cell["engine"], cell["check"]
        agree, count = found[key]
        found[key] = agree + cell["ok"], count + 1
    return dict(found)


def show(cells: list[Cell], seconds: dict[str, float]) -> None:
    """Print the shares, and what differs: op by op."""
    from rich.console import Console
    from rich.table import Table

    console = Console(width=None if sys.stdout.isatty() else 150)
    table = Table(title="Cells that agree with NumPy (values, gradients) and Keras (dtypes)")
    table.add_column("engine")
    for check, goal in CHECKS.items():
        table.add_column(f"{check} (goal {goal:g} %)", justify="right")
    table.add_column("seconds", justify="right")
    counted = shares(cells)
    for engine, taken in seconds.items():
        row = [engine]
        for check, goal in CHECKS.items():
            agree, count = counted.get((engine, check), (0, 0))
            share = 100 * agree / count if count else 100.0
            colour = "green" if share >= goal else "red"
            row.append(f"[{colour}]{share:.2f} %[/] of {count}" if count else "-")
        table.add_row(*row, f"{taken:.0f}")
    console.print(table)
    different = Table(title="Cells that do not agree", show_lines=False)
    for column in ("engine", "check", "case", "what came", "reason"):
        different.add_column(column, overflow="fold")
    for cell in sorted(cells, key=lambda c: (bool(c["reason"]), c["op"], c["case"])):
        if not cell["ok"]:
            why = cell["reason"] or "[red]not explained[/]"
            different.add_row(cell["engine"], cell["check"], cell["case"], cell["found"], why)
    if different.row_count:
        console.print(different)


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m integration_tests.parity", description=__doc__.partition("\n\n")[2]
    )
    parser.add_argument("--ops", default="", help="names of ops, with commas between")
    parser.add_argument("--engines", default="", help="the installed ones by default")
    parser.add_argument("--quick", action="store_true", help="one row of each op, two dtypes")
    parser.add_argument("--json", type=Path, help="file for all cells")
    arguments = parser.parse_args()
    # Only to look up the names: engines compute in processes of their own.
    os.environ["KERAS_BACKEND"] = "numpy"
    from integration_tests.parity.cases import cases

    asked = [name for name in arguments.ops.split(",") if name]
    if unknown := [name for name in asked if not cases([name], quick=True)]:
        parser.error(f"the op table has none of these: {', '.join(unknown)}")
    engines = [e for e in arguments.engines.split(",") if e]
    engines = engines or [e for e in ENGINES if importlib.util.find_spec(e)]
    cells, seconds = compare(engines, arguments.ops, arguments.quick)
    show(cells, seconds)
    if arguments.json:
        arguments.json.write_text(json.dumps({"seconds": seconds, "cells": cells}, indent=1))
    unexplained = [c for c in cells if not c["ok"] and not c["reason"]]
    if unexplained:
        print(f"{len(unexplained)} cells differ for no known reason.", file=sys.stderr)
    return 1 if unexplained else 0


if __name__ == "__main__":
    sys.exit(main())

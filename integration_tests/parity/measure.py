"""What one engine gives, compared with the reference.

usage: KERAS_BACKEND=... python -m integration_tests.parity.measure REFERENCE RESULT OPS MODE
"""

from __future__ import annotations

import json
import pickle
import sys
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from integration_tests.parity.cases import Case, cases, map_arrays
from integration_tests.parity.expected import Expected, finite
from keraslite import ops
from keraslite.backend import engine
from keraslite.core import tree
from keraslite.testing.table import TOLERANCE, wide

#: A check passed (True), failed (a text that says how), or does not apply (None).
Outcome = bool | str | None
_NARROWED = {"float64": "float32", "int64": "int32", "uint64": "uint32", "complex128": "complex64"}


def forward(case: Case, found: Sequence[np.ndarray], wanted: Expected) -> Outcome:
    """Whether the values are right."""
    assert wanted.values is not None
    if len(found) != len(wanted.values):
        return f"{len(found)} results, expected {len(wanted.values)}"
    relative, absolute = TOLERANCE.get(case.dtype, TOLERANCE["float32"])
    for value, reference in zip(found, wanted.values, strict=True):
        if value.shape != reference.shape:
            return f"shape {value.shape}, expected {reference.shape}"
        with np.errstate(all="ignore"):
            reference = wide(reference.astype(value.dtype))
        try:
            np.testing.assert_allclose(
                wide(value), reference,
                rtol=relative * case.row.loose, atol=absolute * case.row.loose,
            )  # fmt: skip
        except AssertionError:
            return _difference(wide(value), reference)
    return True


def _difference(value: np.ndarray, reference: np.ndarray) -> str:
    value, reference = np.ravel(value), np.ravel(reference)
    same = np.isclose(value, reference, equal_nan=True)
    worst = int(np.argmin(same))
    return f"{np.sum(~same)} of {value.size} differ: {value[worst]}, expected {reference[worst]}"


def dtypes(found: Sequence[str], wanted: Expected) -> Outcome:
    """Whether the dtypes are Keras's."""
    if wanted.dtypes is None:
        return None
    for name, allowed in zip(found, wanted.dtypes, strict=False):
        names = allowed if engine.capabilities.float64 else {_NARROWED.get(n, n) for n in allowed}
        if name not in names:
            return f"{name}, Keras has {' or '.join(sorted(names))}"
    return True


def gradient(case: Case, args: Sequence[Any], wanted: Expected) -> Outcome:
    """Whether the slope along some directions lies between those on either side."""
    if not (engine.capabilities.trainable and wanted.slopes):
        return None
    assert wanted.values is not None
    scale = [engine.convert(w.astype("float32")) for w in finite(wanted.values)]
    tensors = [x for x in tree.flatten(args) if _is_float(x)]

    def loss(*given: Any) -> Any:
        left = iter(given)
        filled = tree.map_structure(lambda x: next(left) if _is_float(x) else x, list(args))
        parts = zip(tree.flatten(case.call(filled)), scale, strict=True)
        return sum(ops.sum(ops.multiply(x, w)) for x, w in parts)

    count = len(tensors) if case.row.gradient is True else int(case.row.gradient)
    found = [wide(engine.to_numpy(g)) for g in ops.grad(loss, tuple(range(count)))(*tensors)]
    for slope in wanted.slopes:
        if not (np.isfinite(slope.left) and np.isfinite(slope.right)):
            return None
        parts = zip(found, slope.direction, strict=False)
        value = float(sum(np.sum(np.where(d != 0, g, 0.0) * d) for g, d in parts))
        low, high = sorted((slope.left, slope.right))
        room = slope.room * max(abs(low), abs(high), 1.0)
        if max(abs(low), abs(high)) > 1e5:
            return None  # A pole.
        if not low - room <= value <= high + room:
            return f"slope {value:.6g}, expected {low:.6g}" + (
                f" to {high:.6g}" if high - low > room else ""
            )
    return True


def _is_float(x: Any) -> bool:
    return engine.is_tensor(x) and "float" in engine.dtype(x)


def measure(case: Case, wanted: Expected) -> dict[str, Outcome]:
    """The outcome of each check."""
    if wanted.values is None:
        # Where NumPy has no answer there is nothing to agree with.
        return {"forward": f"no reference: {wanted.why}"} if case.sample == "ordinary" else {}
    outcomes: dict[str, Outcome] = {}
    args = map_arrays(engine.convert, case.arguments())
    try:
        found = tree.flatten(case.call(args))
        values = [engine.to_numpy(x) if engine.is_tensor(x) else np.asarray(x) for x in found]
        outcomes["forward"] = forward(case, values, wanted)
        names = [engine.dtype(x) if engine.is_tensor(x) else "?" for x in found]
        outcomes["dtype"] = dtypes(names, wanted)
    except Exception as error:  # noqa: BLE001 - any error of any engine is a cell of the report
        return {"forward": _said(error)}
    try:
        outcomes["gradient"] = gradient(case, args, wanted)
    except Exception as error:  # noqa: BLE001
        outcomes["gradient"] = _said(error)
    return outcomes


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:200]


def excuse(case: Case) -> str:
    """Why the table itself says that the row cannot work here."""
    for capability, reason in case.row.xfail.items():
        if capability == "always" or not getattr(engine.capabilities, capability):
            return reason
    return ""


def main() -> None:
    reference, result, names, mode = sys.argv[1:]
    warnings.simplefilter("ignore")
    wanted = pickle.loads(Path(reference).read_bytes())
    chosen = cases(names.split(",") if names else (), mode == "quick")
    if len(chosen) != len(wanted):
        raise SystemExit("The cases are others than those of the reference.")
    start = time.perf_counter()
    cells = [
        {
            "op": case.row.op, "case": case.id, "dtype": case.dtype, "sample": case.sample,
            "check": check, "ok": outcome is True, "found": "" if outcome is True else outcome,
            "excuse": excuse(case),
        }
        for case, each in zip(chosen, wanted, strict=True)
        for check, outcome in measure(case, each).items()
        if outcome is not None
    ]  # fmt: skip
    seconds = time.perf_counter() - start
    Path(result).write_text(json.dumps({"seconds": seconds, "cells": cells}))


if __name__ == "__main__":
    main()

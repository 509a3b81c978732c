"""What should come out: values from NumPy, slopes from differences of these, dtypes from Keras.

usage: python -m integration_tests.parity.reference FILE OPS MODE

Runs in a process of its own, in double precision.
"""

from __future__ import annotations

import operator
import pickle
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from integration_tests.parity.cases import Case, cases, map_arrays
from integration_tests.parity.expected import Expected, Slope, finite
from keraslite.core import tree
from keraslite.testing import oracle
from keraslite.testing.table import wide

DIRECTIONS = 3
# Powers of two: most samples move by exactly so much. Keras computes some ops in single
# precision, whatever it is given.
_STEP, _ROOM = 2.0**-20, 2e-3
_KERAS_STEP, _KERAS_ROOM = 2.0**-10, 1e-2

_asked_keras = False


def float_places(args: Sequence[Any]) -> list[np.ndarray]:
    """The float arrays among the arguments, in order."""
    found: list[np.ndarray] = []
    map_arrays(lambda x: found.append(x) if _is_float(x) else None, args)
    return found


def _is_float(x: np.ndarray) -> bool:
    return wide(x).dtype == "float64"


def _compute(case: Case, args: Sequence[Any]) -> list[np.ndarray]:
    with np.errstate(all="ignore"), warnings.catch_warnings(action="ignore"):
        found = case.row.reference(*args, **case.row.kwargs)
    return [np.asarray(x) for x in tree.flatten(found)]


def _replaced(args: Sequence[Any], floats: Sequence[np.ndarray]) -> list[Any]:
    given = iter(floats)
    return map_arrays(lambda x: next(given) if _is_float(x) else x, args)


def _slopes(case: Case, args: Sequence[Any], values: Sequence[np.ndarray]) -> list[Slope]:
    floats = float_places(args)
    count = len(floats) if case.row.gradient is True else int(case.row.gradient)
    clean = _clean(case, floats, values)
    if clean is None:
        return []
    step, room = (_KERAS_STEP, _KERAS_ROOM) if _asked_keras else (_STEP, _ROOM)
    scale = finite(values)
    rng = np.random.default_rng(0)

    def total(side: float, direction: Sequence[np.ndarray]) -> float:
        moved = [x + side * d for x, d in zip(floats, direction, strict=True)]
        parts = zip(_compute(case, _replaced(args, moved)), scale, strict=True)
        return float(sum(np.sum(np.where(w != 0, x, 0.0) * w) for x, w in parts))

    found = []
    for _ in range(DIRECTIONS):
        direction = [
            np.where(good & (i < count), rng.choice([-1.0, 1.0], good.shape), 0.0)
            for i, good in enumerate(clean)
        ]
        middle = total(0, direction)
        left = (middle - total(-step, direction)) / step
        right = (total(step, direction) - middle) / step
        found.append(Slope(direction, left, right, room))
    return found


def _clean(
    case: Case, floats: Sequence[np.ndarray], values: Sequence[np.ndarray]
) -> list[np.ndarray] | None:
    """Where each argument meets finite numbers only, on its way to a finite result."""
    good = np.all([np.isfinite(x) for x in values], axis=0) if case.elementwise else None
    if good is None:
        everywhere = all(np.all(np.isfinite(x)) for x in [*floats, *values])
        return [np.ones(x.shape, bool) for x in floats] if everywhere else None
    for x in floats:
        good = good & np.isfinite(x)
    found = []
    for x in floats:
        shape = (1,) * (good.ndim - x.ndim) + x.shape
        axes = tuple(i for i, n in enumerate(shape) if n == 1)
        found.append(np.all(good, axis=axes, keepdims=True).reshape(x.shape))
    return found


def keras_dtypes(case: Case, args: Sequence[Any]) -> list[set[str]] | None:
    """By Keras's symbolic rule, and as its calls have it: these do not always agree."""
    import keras

    found: list[list[str]] = []
    for make in (_symbol, lambda x: x, keras.ops.convert_to_tensor):
        try:
            with np.errstate(all="ignore"), warnings.catch_warnings(action="ignore"):
                function = operator.attrgetter(case.row.op)(keras.ops)
                result = function(*map_arrays(make, args), **case.row.kwargs)
            found.append(
                [keras.backend.standardize_dtype(x.dtype) for x in keras.tree.flatten(result)]
            )
        except Exception:  # noqa: BLE001 - Keras does not take these arguments
            continue
    if not found or len({len(names) for names in found}) > 1:
        return None
    return [set(names) for names in zip(*found, strict=True)]


def _symbol(x: np.ndarray) -> Any:
    import keras

    return keras.KerasTensor(x.shape, keras.backend.standardize_dtype(x.dtype))


def expected(case: Case) -> Expected:
    """The reference for one case."""
    global _asked_keras
    _asked_keras = False
    args = case.arguments()
    seen = map_arrays(wide, args)
    try:
        values = _compute(case, seen)
    except Exception as error:  # noqa: BLE001 - NumPy does not take these arguments
        return Expected(why=f"{type(error).__name__}: {error}"[:200])
    found = Expected(values, dtypes=keras_dtypes(case, args))
    if case.has_gradient:
        found.slopes = _slopes(case, seen, values)
    return found


def _keras_op(name: str, *args: Any, **kwargs: Any) -> Any:
    import keras

    global _asked_keras
    _asked_keras = True
    try:
        found = operator.attrgetter(name)(keras.ops)(*args, **kwargs)
    except Exception:  # noqa: BLE001 - an engine's own error
        return _keraslite_op(name, *args, **kwargs)
    return keras.tree.map_structure(keras.ops.convert_to_numpy, found)


#: keraslite's NumPy engine, for what TensorFlow has not in double precision.
_keraslite_op = oracle._source


def main() -> None:
    file, names, quick = Path(sys.argv[1]), sys.argv[2], sys.argv[3] == "quick"
    # Rows whose reference is Keras stay in double precision, for the sake of the differences.
    oracle.use(_keras_op)
    oracle._narrow = lambda x: x  # type: ignore[assignment]
    found = [expected(case) for case in cases(names.split(",") if names else (), quick)]
    file.write_bytes(pickle.dumps(found))


if __name__ == "__main__":
    main()

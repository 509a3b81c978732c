"""Tests that the rows of the op table generate."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
import pytest

import keraslite
from keraslite import ops
from keraslite.backend import engine
from keraslite.core import dtypes, tree
from keraslite.core.keras_tensor import KerasTensor
from keraslite.testing import image_rows, math_rows, nn_rows, rows, spatial_rows
from keraslite.testing.table import TOLERANCE, Fixed, Row, cast, fill, wide

ROWS = [
    *rows.ELEMENTWISE, *rows.BINARY, *rows.REDUCTIONS, *rows.SHAPING, *rows.INDEXING, *rows.LINALG,
    *math_rows.ROWS, *nn_rows.ROWS, *image_rows.ROWS, *spatial_rows.ROWS,
]  # fmt: skip


def _cases(found: list[tuple[Any, ...]]) -> list[Any]:
    return [pytest.param(*case, id="-".join([case[0].id, *case[1:]])) for case in found]


def _expected_failure(row: Row) -> None:
    for capability, reason in row.xfail.items():
        if capability == "always" or not getattr(engine.capabilities, capability):
            pytest.xfail(reason)


def _arrays(row: Row, dtype: str) -> list[Any]:
    """The arguments with NumPy arrays of this dtype for tensors."""
    return fill(row.args, lambda x: x.value if isinstance(x, Fixed) else cast(x, dtype))


def _map_arrays(fn: Any, args: list[Any]) -> list[Any]:
    """`fn` on the arrays among the arguments and in lists of arrays."""
    return [
        fn(x) if isinstance(x, np.ndarray)
        else [fn(y) for y in x] if isinstance(x, list) and isinstance(x[0], np.ndarray)
        else x
        for x in args
    ]  # fmt: skip


def _call(row: Row, args: list[Any]) -> Any:
    try:
        return operator.attrgetter(row.op)(ops)(*args, **row.kwargs)
    except NotImplementedError as error:
        # The op needs a kernel that the engine does not have; whatever else it refuses, it fails.
        if "does not support `ops." not in str(error):
            raise
        pytest.skip(str(error).partition(". ")[0])


def _specs(result: Any) -> list[tuple[tuple[Any, ...], str]]:
    return [
        (tuple(x.shape), x.dtype if isinstance(x, KerasTensor) else engine.dtype(x))
        for x in tree.flatten(result)
    ]


def _symbolic(row: Row, args: list[Any], known: bool) -> tuple[list[KerasTensor], Any]:
    """Symbolic inputs, with sizes known or not, and what the op gives for them."""
    inputs: list[KerasTensor] = []

    def make(x: np.ndarray) -> KerasTensor:
        shape = x.shape if known else (None,) * x.ndim
        inputs.append(KerasTensor(shape, dtypes.standardize_dtype(x.dtype)))
        return inputs[-1]

    filled = _map_arrays(make, args)
    return inputs, _call(row, filled)


@pytest.mark.parametrize(
    ("row", "dtype"), _cases([(row, dtype) for row in ROWS for dtype in row.dtypes])
)
def test_values_dtypes_and_shapes(row: Row, dtype: str) -> None:
    _expected_failure(row)
    args = _arrays(row, dtype)
    result = _call(row, _map_arrays(engine.convert, args))
    with np.errstate(all="ignore"):
        expected = row.reference(*_map_arrays(wide, args), **row.kwargs)
    relative, absolute = TOLERANCE.get(dtype, TOLERANCE["float32"])
    found, wanted = tree.flatten(result), tree.flatten(expected)
    assert len(found) == len(wanted)
    for value, reference in zip(found, wanted, strict=True):
        value = engine.to_numpy(value)
        assert value.shape == np.shape(reference)
        np.testing.assert_allclose(
            wide(value), np.asarray(reference).astype(wide(value).dtype),
            rtol=relative * row.loose, atol=absolute * row.loose,
        )  # fmt: skip
    # What was inferred is what came.
    _, inferred = _symbolic(row, args, known=True)
    inferred_specs, specs = _specs(inferred), _specs(result)
    if row.dynamic:
        assert [d for _, d in inferred_specs] == [d for _, d in specs]
    else:
        assert inferred_specs == specs


GRAPHS = [row for row in ROWS if not row.label or row.dynamic or row.op in ("get_item", "pad")]


@pytest.mark.parametrize("row", _cases([(row,) for row in GRAPHS]))
def test_graph_of_unknown_sizes_equals_eager(row: Row) -> None:
    _expected_failure(row)
    args = _arrays(row, row.dtypes[0])
    values = _map_arrays(engine.convert, args)
    if row.sizes:
        with pytest.raises(ValueError, match=row.op):
            _symbolic(row, args, known=False)
    inputs, outputs = _symbolic(row, args, known=row.sizes)
    eager = _call(row, values)
    for (shape, dtype), (real, real_dtype) in zip(_specs(outputs), _specs(eager), strict=True):
        assert dtype == real_dtype
        assert len(shape) == len(real)
        assert all(n is None or n == m for n, m in zip(shape, real, strict=True)), (shape, real)
    function = keraslite.Function(inputs, outputs)
    given: list[Any] = []
    _map_arrays(lambda x: given.append(engine.convert(x)), args)
    again = function(given)
    for x, y in zip(tree.flatten(again), tree.flatten(eager), strict=True):
        np.testing.assert_array_equal(wide(engine.to_numpy(x)), wide(engine.to_numpy(y)))


@pytest.mark.requires("trainable")
@pytest.mark.parametrize("row", _cases([(row,) for row in ROWS if row.gradient]))
def test_gradients_against_differences(row: Row) -> None:
    _expected_failure(row)
    args = _arrays(row, "float32")
    values = _map_arrays(engine.convert, args)
    floats = [v for v in tree.flatten(values) if engine.is_tensor(v) and "float" in engine.dtype(v)]
    weights = [
        np.random.default_rng(i).uniform(0.5, 1.5, x.shape).astype("float32")
        for i, x in enumerate(tree.flatten(_call(row, values)))
    ]

    def loss(*given: Any) -> Any:
        replaced = iter(given)
        filled = tree.map_structure(
            lambda v: next(replaced) if engine.is_tensor(v) and "float" in engine.dtype(v) else v,
            values,
        )
        parts = zip(tree.flatten(_call(row, filled)), weights, strict=True)
        return sum(ops.sum(ops.multiply(x, w)) for x, w in parts)

    count = len(floats) if row.gradient is True else int(row.gradient)
    found = ops.grad(loss, argnums=tuple(range(count)))(*floats)
    step = 1e-2
    rng = np.random.default_rng(0)
    for i, (x, gradient) in enumerate(zip(floats, found, strict=False)):
        # One random direction tests all elements at once.
        direction = rng.choice([-1.0, 1.0], tuple(x.shape)).astype("float32") * step / 2
        sides = []
        for sign in (1, -1):
            moved = list(floats)
            moved[i] = ops.add(x, sign * direction)
            sides.append(float(engine.to_numpy(loss(*moved))))
        slope = (sides[0] - sides[1]) / 2
        predicted = float(np.sum(engine.to_numpy(gradient) * direction))
        np.testing.assert_allclose(predicted, slope, rtol=3e-2, atol=3e-4)

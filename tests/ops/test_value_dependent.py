"""Ops whose results have a shape that values decide, where a compiled step has no values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from keraslite import ops
from keraslite.backend import Engine
from keraslite.core.errors import ValuesNeededError

X = np.array([1.0, 0.0, 2.0], "float32")
CASES: dict[str, Callable[[Any], Any]] = {
    "nonzero": ops.nonzero,
    "unique": ops.unique,
    "segment_sum": lambda x: ops.segment_sum(x, ops.cast(x, "int32")),
    "repeat": lambda x: ops.repeat(x, ops.cast(x, "int32")),
}


@pytest.mark.requires("compiled")
@pytest.mark.parametrize("name", CASES)
def test_compiled_step_computes_it_or_names_the_alternative(name: str, engine: Engine) -> None:
    x = ops.convert_to_tensor(X)
    expected = CASES[name](x)
    step = engine.compile_step(lambda batch: CASES[name](batch), [], True)
    try:
        found = step(x)
    except ValuesNeededError as error:
        message = str(error)
    else:
        for a, b in zip(*map(np.atleast_1d, map(np.asarray, (found, expected))), strict=True):
            np.testing.assert_array_equal(a, b)
        return
    assert message.startswith("ops."), message
    assert "compiled step" in message
    assert "run_eagerly=True" in message
    assert "(3,)" in message
    assert len(message) <= 600

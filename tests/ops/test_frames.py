"""From the user to the kernel it is two calls: the generated wrapper, and the kernel itself."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable
from types import CodeType, FrameType
from typing import Any

import numpy as np
import pytest

from keraslite import ops
from keraslite.backend import engine

MATRIX = np.array([[1.0, 2.0], [0.5, 3.0]], "float32")
CALLS: dict[str, Callable[[Any], Any]] = {
    "add": lambda x: ops.add(x, x),
    "multiply": lambda x: ops.multiply(x, x),
    "matmul": lambda x: ops.matmul(x, x),
    "exp": lambda x: ops.exp(x),
    "maximum": lambda x: ops.maximum(x, x),
    "sum": lambda x: ops.sum(x, 1),
    "mean": lambda x: ops.mean(x, -1),
    "relu": lambda x: ops.relu(x),
    "transpose": lambda x: ops.transpose(x),
}


def python_calls(run: Callable[[], object]) -> list[tuple[int, CodeType]]:
    """Depth and code of every Python function that `run` calls; `run` itself has depth 0."""
    found: list[tuple[int, CodeType]] = []
    depth = -1

    def profile(frame: FrameType, event: str, _: Any) -> None:
        nonlocal depth
        if event == "call":
            depth += 1
            found.append((depth, frame.f_code))
        elif event == "return":
            depth -= 1

    sys.setprofile(profile)
    try:
        run()
    finally:
        sys.setprofile(None)
    return found


@pytest.mark.parametrize("name", CALLS)
def test_two_frames_from_user_to_kernel(name: str) -> None:
    op = getattr(ops, name).op
    x = engine.convert(MATRIX)
    CALLS[name](x)  # What is cached or compiled at the first call is so now.
    (_, user), (depth, wrapper), *rest = python_calls(functools.partial(CALLS[name], x))
    assert user is CALLS[name].__code__
    assert (depth, wrapper.co_filename) == (1, f"<op {name}>")
    called = [code for depth, code in rest if depth == 2]
    # A kernel that is no Python function shows what it calls itself, if anything. Before it, some
    # engines' tensors compute their `dtype`.
    if inspect.isfunction(op.kernel):
        assert called[-1] is op.kernel.__code__
        assert not [code for code in called[:-1] if "keraslite" in code.co_filename]
    assert not [code for _, code in rest if code.co_filename.startswith("<op")]
    assert not [code for _, code in rest if "keraslite/core/op.py" in code.co_filename]

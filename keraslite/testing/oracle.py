"""Expected values of what NumPy has no function for: the NumPy engine, in a process of its own.

One engine is loaded per process, so the reference runs in a child that is started once and
fed over its standard input. keraslite's own tests put Keras in its place (`use`).
"""

from __future__ import annotations

import atexit
import functools
import importlib
import operator
import os
import pickle
import subprocess
import sys
import traceback
from collections.abc import Callable
from typing import Any

import numpy as np


def oracle(name: str) -> Callable[..., Any]:
    """A reference for a row of the op table: the op called `name`, as the oracle has it.

    Args:
        name: as in `keraslite.ops`, such as `"conv"` or `"image.resize"`.

    Returns:
        A function of NumPy arrays, which float64 ones are narrowed for.
    """

    def reference(*args: Any, **kwargs: Any) -> Any:
        return _source(name, *map(_narrow, args), **kwargs)

    return reference


def use(source: Callable[..., Any]) -> None:
    """Make `source(name, *args, **kwargs)` the oracle from now on."""
    global _source
    _source = source


def _narrow(x: Any) -> Any:
    return x.astype("float32") if isinstance(x, np.ndarray) and x.dtype.kind == "f" else x


def on_numpy(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """`function(*args, **kwargs)` under the NumPy engine; all of it must be picklable.

    Raises:
        RuntimeError: if the call fails there; with the traceback.
    """
    address = f"{function.__module__}:{function.__qualname__}"
    child = _child()
    assert child.stdin is not None and child.stdout is not None
    pickle.dump((address, args, kwargs), child.stdin)
    child.stdin.flush()
    ok, found = pickle.load(child.stdout)
    if not ok:
        raise RuntimeError(f"On the NumPy engine {address} failed:\n{found}")
    return found


def call_op(name: str, *args: Any, **kwargs: Any) -> Any:
    """The op called `name` of the engine of this process, with NumPy arrays as results."""
    from keraslite import ops
    from keraslite.backend import engine
    from keraslite.core import tree

    found = operator.attrgetter(name)(ops)(*args, **kwargs)
    return tree.map_structure(lambda x: engine.to_numpy(x) if engine.is_tensor(x) else x, found)


_source: Callable[..., Any] = functools.partial(on_numpy, call_op)


@functools.cache
def _child() -> subprocess.Popen:
    command = "from keraslite.testing.oracle import serve; serve()"
    # The same packages as here, wherever they were found.
    paths = os.pathsep.join(filter(None, sys.path))
    process = subprocess.Popen(
        [sys.executable, "-c", command],
        env={**os.environ, "KERAS_BACKEND": "numpy", "PYTHONPATH": paths},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    atexit.register(process.kill)
    return process


def serve() -> None:
    """Answer calls until the standard input ends; runs in the child."""
    requests, answers = sys.stdin.buffer, sys.stdout.buffer
    sys.stdout = sys.stderr  # What is printed must not get between the answers.
    while True:
        try:
            address, args, kwargs = pickle.load(requests)
        except EOFError:
            return
        module, _, attribute = address.partition(":")
        try:
            function = getattr(importlib.import_module(module), attribute)
            answer = (True, function(*args, **kwargs))
        except Exception:  # noqa: BLE001 - whatever it is, the parent raises it
            answer = (False, traceback.format_exc())
        pickle.dump(answer, answers)
        answers.flush()

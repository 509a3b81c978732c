"""Running a step as a function of its state, compiled or recorded anew each time."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import mlx.core as mx
import numpy as np

from keraslite.backend.support import tree
from keraslite_mlx.state import Call, tracing

Array = mx.array
Step = Callable[[Any], Any]


def compile_step(
    step: Step, variables: Sequence[Any], convert: Callable[[Any], Array], jit: bool | str
) -> Step:
    """See `Engine.compile_step`.

    `mx.compile` fuses elementwise operations into kernels of their own. On a GPU they are
    made at once; on a CPU a C++ compiler takes a second for each, so they are only made
    on request.
    """
    compiled = jit is True or (jit == "auto" and mx.default_device().type == mx.DeviceType.gpu)
    run = _Compiled(step, variables) if compiled else _recorded(step)

    def feed(x: Any) -> Any:
        return convert(x) if isinstance(x, np.ndarray) else x

    return lambda batch: run(tree.map_structure(feed, batch))


def _recorded(step: Step) -> Step:
    """`step`, whose results and assignments are computed together at its end."""

    def run(batch: Any) -> Any:
        call = Call()
        arrays = call.run(lambda: step(batch))
        mx.async_eval(arrays)
        return call.finish(arrays)

    return run


@contextlib.contextmanager
def _explained() -> Iterator[None]:
    """Say what to do about a step that looks at a value while it is compiled."""
    try:
        yield
    except ValueError as error:
        if "Attempting to eval" not in str(error):
            raise
        raise NotImplementedError(
            "The engine 'mlx' does not support looking at values that are computed in a compiled "
            "step, as a loop with a condition does. Compile the model with `jit_compile=False`."
        ) from error


class _Compiled:
    """A step compiled for each kind of batch, with the state as argument and result."""

    def __init__(self, step: Step, variables: Sequence[Any]) -> None:
        self.step = step
        self.variables = list({id(v): v for v in variables}.values())
        self.runs: dict[Any, tuple[Call, Callable[..., list[Array]]]] = {}

    def __call__(self, batch: Any) -> Any:
        leaves, spec = tree.split(batch)
        where = [i for i, x in enumerate(leaves) if isinstance(x, Array)]
        key = (spec, *((x.shape, x.dtype) if isinstance(x, Array) else x for x in leaves))
        if key not in self.runs:
            self.runs[key] = self._make(leaves, where, spec)
        call, run = self.runs[key]
        arrays = run([leaves[i] for i in where], [v._storage for v in self.variables])
        mx.async_eval(arrays)
        return call.finish(arrays)

    def _make(
        self, leaves: list[Any], where: list[int], spec: Any
    ) -> tuple[Call, Callable[..., list[Array]]]:
        call = Call(self.variables)
        known = {id(v) for v in self.variables}
        static = [None if isinstance(x, Array) else x for x in leaves]

        def pure(given: list[Array], values: list[Array]) -> list[Array]:
            filled = list(static)
            for i, x in zip(where, given, strict=True):
                filled[i] = x
            with tracing("compile"), _explained():
                arrays = call.run(lambda: self.step(tree.unflatten(spec, filled)), values)
            unknown = [v.path for v in call.written if id(v) not in known]
            if unknown:
                raise ValueError(
                    f"A compiled step assigned a variable that it was not given: {unknown[0]!r}. "
                    "Make it an attribute of the model, one of its layers, metrics or the "
                    "optimizer, so that it is tracked."
                )
            return arrays

        return call, mx.compile(pure)

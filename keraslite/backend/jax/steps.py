"""A stateful step as one compiled call that gives its old state's buffers away."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from keraslite.backend.jax.state import Packed, Unlisted, isolated, pack, strong

Array = Any
Variable = Any


class _Holder:
    def __init__(self) -> None:
        self._storage = object()


def _references() -> int:
    """How often an object counts that only its variable and a list of values hold."""
    variables = [_Holder()]
    values = [v._storage for v in variables]
    return sys.getrefcount(values[0])


_OWNED = _references()


class CompiledStep:
    """`step(batch)`, compiled for each signature of `batch`.

    Which variables the step writes is found while tracing; only these are outputs and
    only their buffers are donated. A buffer that anyone else still holds is copied first,
    so that a tensor read from a variable stays usable.
    """

    def __init__(self, step: Callable[[Any], Any], variables: Sequence[Variable]) -> None:
        self._step = step
        self._variables = list({id(v): v for v in variables}.values())
        self._places = {id(v): i for i, v in enumerate(self._variables)}
        self._written: list[int] = []
        self._run: Callable[..., Any] | None = None

    def _pure(self, batch: Packed, *values: Array) -> tuple[Packed, list[Array]]:
        with isolated(self._variables, values) as scope:
            outputs = self._step(batch.unpack())
        unknown = [v for key, v in scope.updated.items() if key not in self._places]
        if unknown:
            raise ValueError(
                f"A compiled step assigned a variable that it was not given: "
                f"{unknown[0].path!r}. Make it an attribute of the model, one of its layers, "
                "metrics or the optimizer, so that it is tracked."
            )
        new = {self._places[key] for key in scope.updated}.difference(self._written)
        if new and self._run is not None:
            raise Unlisted([self._variables[i] for i in new])
        self._written += sorted(new)
        state = [scope.state[id(self._variables[i])][1] for i in self._written]
        return pack(outputs), [strong(x) for x in state]

    def _prepare(self, batch: Packed, values: list[Array]) -> None:
        """Find what the step writes, then compile with these buffers donated."""
        self._run = None

        # JAX keeps traces by the identity of the function. A new one forgets those that
        # wrote less, and the compiled call takes over the trace made to find what is written.
        def traced(batch: Packed, *values: Array) -> tuple[Packed, list[Array]]:
            return self._pure(batch, *values)

        jax.jit(traced).eval_shape(batch, *values)
        self._run = jax.jit(traced, donate_argnums=[i + 1 for i in self._written])

    def __call__(self, batch: Any) -> Any:
        packed = pack(batch)
        values = [v._storage for v in self._variables]
        if self._run is None:
            self._prepare(packed, values)
        for i in self._written:
            if sys.getrefcount(values[i]) > _OWNED:
                values[i] = jnp.copy(values[i])
        try:
            outputs, state = self._run(packed, *values)
        except Unlisted:
            # Another signature writes more; nothing has been computed yet.
            self._prepare(packed, values)
            return self(batch)
        for i, value in zip(self._written, state, strict=True):
            self._variables[i]._storage = value
        return outputs.unpack()

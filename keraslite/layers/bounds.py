"""Integers that must lie in a range: indices into tables, and labels."""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from keraslite import ops
from keraslite.backend import engine
from keraslite.core.variable import Variable

#: `explain(value, place)`: the error for a value that was found, and where in the array.
Explain = Callable[[Any, "tuple[int, ...] | None"], ValueError]


def host_array(x: Any, waits: bool = False) -> np.ndarray | None:
    """`x` as an array, where that needs no waiting for a device unless `waits`."""
    if type(x) is np.ndarray:
        return x
    if not engine.is_tensor(x) or engine.is_ragged(x) or engine.is_sparse(x):
        return None
    found = engine.host_view(x)
    return engine.to_numpy(x) if found is None and waits else found


def check_array(x: np.ndarray, size: int, explain: Explain, ignored: Any = None) -> None:
    """Raise for the first number of an array that is not in `[0, size)`."""
    if x.size == 0 or (x.min() >= 0 and x.max() < size):
        return
    wrong = ((x < 0) | (x >= size)) & (x != ignored)
    if wrong.any():
        place = np.unravel_index(wrong.argmax(), wrong.shape)
        raise explain(x[place], tuple(map(int, place)))


def check_range(owner: object, x: Any, size: int, explain: Explain, ignored: Any = None) -> None:
    """Raise for numbers of a tensor that are not in `[0, size)`, on behalf of `owner`.

    At once where that is free: on the host. In a compiled step they are noted in a variable
    on the device, which `Bounds.check` reads later. An eager call on another device goes
    unchecked, for it would have to wait for all that was computed before.
    """
    bounds = Bounds.current.get()
    if engine.is_tracing():
        if bounds is not None and owner not in bounds.checked and 0 not in x.shape:
            bounds.note(x, size, explain, ignored)
    elif (array := host_array(x)) is not None:
        check_array(array, size, explain, ignored)


class Bounds:
    """The first number out of range in the compiled steps of a model.

    Args:
        checked: layers and losses whose numbers are looked at before the steps run.
    """

    current: contextvars.ContextVar[Bounds | None] = contextvars.ContextVar("bounds", default=None)

    def __init__(self, checked: Sequence[object] = ()) -> None:
        self.checked = checked
        #: Which of the places below, counted from 1, and the number.
        self.first = Variable(np.zeros(2, "int32"), trainable=False, name="out_of_range")
        self._places: list[Explain] = []

    def watched(self, step: Callable[[Any], Any]) -> Callable[[Any], Any]:
        """`step`, in which numbers out of range are noted."""

        def run(batch: Any) -> Any:
            with self._entered():
                return step(batch)

        return run

    @contextlib.contextmanager
    def _entered(self) -> Iterator[None]:
        token = self.current.set(self)
        try:
            yield
        finally:
            self.current.reset(token)

    def note(self, x: Any, size: int, explain: Explain, ignored: Any) -> None:
        """Compute whether a number is out of range, unless one was before."""
        self._places.append(explain)
        if ignored is not None:
            x = ops.where(ops.equal(x, ignored), 0, x)
        # Without a sign, negative numbers are the greatest: one reduction finds all.
        worst = ops.max(ops.cast(ops.cast(x, "int32"), "uint32"))
        found = ops.stack([len(self._places), ops.cast(worst, "int32")])
        first = self.first.value
        is_new = ops.logical_and(ops.greater_equal(worst, size), ops.equal(first[0], 0))
        self.first.assign(ops.where(is_new, ops.cast(found, "int32"), first))

    def check(self) -> None:
        """Raise for what was noted; waits for the steps that run."""
        if not self._places:
            return
        place, value = self.first.numpy().tolist()
        if place:
            self.first.assign(np.zeros(2, "int32"))
            raise self._places[place - 1](value, None)

"""Passes over data: which batches a pass has, and going on in the middle of one."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator
from typing import Any, Self

import numpy as np

from keraslite import config
from keraslite.backend import engine
from keraslite.training.data import Source


def _steps(source: Source, steps: int | None, most: int | None = None) -> int | None:
    """How many batches a pass has; None when only running dry tells."""
    if steps is not None and steps < 1:
        raise ValueError(f"The number of steps must be at least 1. Received: {steps}")
    found = steps if steps is not None else source.num_batches
    for limit in (config.max_steps_per_epoch(), most):
        if limit is not None:
            found = limit if found is None else min(found, limit)
    if found is None and source.endless:
        raise ValueError(
            "The data never end, so the number of steps must be given: `steps_per_epoch` for "
            "`fit`, `steps` for `evaluate` and `predict`."
        )
    return found


def _groups(batches: Iterator[Any], size: int, limit: int | None) -> Iterator[list[Any]]:
    """Lists of up to `size` batches, `limit` batches in all."""
    batches = itertools.islice(batches, limit)
    while group := list(itertools.islice(batches, size)):
        yield group


class Passes:
    """Batches of one source, pass after pass.

    Args:
        source: of the batches.
        steps: how many to take in a pass.
        continues: a pass that is shorter than the data goes on where the last one ended;
            the data begin again when they are exhausted.
        data: what the source was made of; its `get_state` and `set_state` are used if it has
            them.
        most: a limit of `steps`.
    """

    def __init__(
        self,
        source: Source,
        steps: int | None,
        continues: bool = False,
        data: Any = None,
        most: int | None = None,
    ) -> None:
        self.source = source
        self.steps = _steps(source, steps, most)
        #: Raises for batches that hold wrong values; None where all data were looked at.
        self.check: Callable[[Any], None] | None = None
        self._continues = (
            continues and steps is not None and not _restarts_each_epoch(source, steps)
        )
        self._open: Iterator[Any] | None = None
        stateful = hasattr(data, "get_state") and hasattr(data, "set_state")
        self._data = data if stateful else None
        self._is_iterator = hasattr(data, "__next__")
        self._arrival: dict[str, Any] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._open = None
        self.source.close()

    def take(self, epoch: int, size: int, start: int = 0) -> Iterator[list[Any]]:
        """Lists of up to `size` batches, without the first `start` of the pass."""
        self.source.on_epoch_begin(epoch)
        batches = self._batches(epoch, start)
        if self._arrival is not None:
            self._set_state(self._arrival)
        limit = None if self.steps is None else max(self.steps - start, 0)
        yield from _groups(batches, size, limit)
        self.source.on_epoch_end()

    def _batches(self, epoch: int, start: int = 0) -> Iterator[Any]:
        """A pass that is about to give the batch at `start`."""
        if not self._continues and self.source.random_access:
            return self.source.batches(epoch, start)
        opened, self._open = self._open, None
        first = None if opened is None else next(opened, None)
        if opened is None or first is None:
            opened = self.source.batches(epoch)
        else:
            opened = itertools.chain([first], opened)
        if self._continues:
            self._open = opened
        _leave_out(opened, start)
        return opened

    # Going on -----------------------------------------------------------------------

    def get_state(self) -> dict[str, Any]:
        """What the batches that follow depend on, besides the epoch and the batch."""
        numpy_name, *numpy_state = np.random.get_state(legacy=True)
        version, words, normal = random.getstate()
        return {
            "seed": self.source.seed,
            "numpy": [numpy_name, *numpy_state],
            "python": [version, np.array(words, "uint32"), normal],
            "engine": engine.random_state(),
            "data": None if self._data is None else self._data.get_state(),
        }

    def _set_state(self, state: dict[str, Any]) -> None:
        self._arrival = None
        np.random.set_state(tuple(state["numpy"]))
        version, words, normal = state["python"]
        random.setstate((version, tuple(words.tolist()), normal))
        if state["engine"] is not None:
            engine.set_random_state(state["engine"])
        if state["data"] is not None and self._data is not None:
            self._data.set_state(state["data"])

    def go_to(self, initial: int, epoch: int, batch: int, state: dict[str, Any]) -> None:
        """Go on at a batch of an epoch, as if `initial` and the epochs after it had been made.

        `state` is what `get_state` gave at that moment.
        """
        self.source.seed = state["seed"]
        for earlier in range(initial, epoch):
            self.source.on_epoch_begin(earlier)
            _leave_out(self._batches(earlier), self._count_to_leave_out())
            self.source.on_epoch_end()
        if batch:
            self._arrival = state  # Batches before that one are left out in `take`.
        else:
            self._set_state(state)

    def _count_to_leave_out(self) -> int | None:
        if self._continues or self._is_iterator:
            return self.steps
        # Many data sets draw a new order when the first batch of a pass is asked for.
        return 0 if self.source.random_access else 1


def _leave_out(batches: Iterator[Any], number: int | None) -> None:
    for _ in itertools.islice(batches, number):
        pass


def _restarts_each_epoch(source: Source, steps: int) -> bool:
    return source.num_batches is not None and source.num_batches <= steps

"""Limits to the memory and the work that building a model from a file may take."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator

from keraslite.core import dtypes
from keraslite.core.errors import UnsafeModelError, short
from keraslite.core.scopes import Scope, _Current


class MemoryBudget(Scope):
    """Inside, new variables may take so many bytes altogether.

    Args:
        size: in bytes.
        source: what they are made for, in messages.
    """

    current: _Current[MemoryBudget] = _Current("budget")

    def __init__(self, size: int, source: str) -> None:
        self.size = size
        self.source = source
        self.taken = 0

    @classmethod
    def reserve(cls, number: int, owner: str) -> None:
        """Count a list of so many values, where there is a budget.

        Raises:
            UnsafeModelError: if it does not fit.
        """
        budget = cls.current.get()
        if budget is not None:
            budget.take((number,), "int64", owner)

    def take(self, shape: tuple[int, ...], dtype: str, path: str) -> None:
        """Count a variable that is about to be made.

        Raises:
            UnsafeModelError: if it does not fit.
        """
        self.taken += math.prod(shape) * dtypes.numpy_dtype(dtype).itemsize
        if self.taken > self.size:
            raise UnsafeModelError(
                short(
                    f"Refused to build the model of {self.source!r}: with "
                    f"{short(path, 120)!r} of shape {short(str(shape), 80)} it takes "
                    f"{self.taken:,} bytes, more than the weights in the file account for."
                )
            )


class WorkBudget(Scope):
    """Inside, graphs may run so often as their configs account for, and objects have a limit.

    Models that call one another twice, each on another shape, would run the innermost one twice
    as often for each of them.
    """

    current: _Current[WorkBudget] = _Current("work")
    #: Nodes that may run in any case, and for each call that a config has.
    _FREE, _EACH = 2_000, 50
    #: Objects of one config: a few for each layer, and far more layers than the largest models.
    _OBJECTS = 50_000

    def __init__(self) -> None:
        self._left = self._FREE
        self._objects = 0

    @classmethod
    @contextlib.contextmanager
    def outermost(cls) -> Iterator[WorkBudget]:
        """The budget of what is made inside, unless a larger whole has one."""
        found = cls.current.get()
        if found is not None:
            yield found
            return
        with cls() as found:
            yield found

    def make(self) -> None:
        """Count an object that is about to be made.

        Raises:
            UnsafeModelError: if there are too many.
        """
        self._objects += 1
        if self._objects > self._OBJECTS:
            raise UnsafeModelError(f"The config has more than {self._OBJECTS:,} objects.")

    def earn(self) -> None:
        """Count a call that a config has."""
        self._left += self._EACH

    def spend(self, nodes: int) -> None:
        """Count a graph of so many nodes that is about to run.

        Raises:
            UnsafeModelError: if nothing is left.
        """
        self._left -= nodes
        if self._left < 0:
            raise UnsafeModelError(
                "The models in the config call one another far more often than it has calls."
            )

"""A limit to the memory that building a model from a file may take."""

from __future__ import annotations

import math

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

    def take(self, shape: tuple[int, ...], dtype: str, path: str) -> None:
        """Count a variable that is about to be made.

        Raises:
            UnsafeModelError: if it does not fit.
        """
        self.taken += math.prod(shape) * dtypes.numpy_dtype(dtype).itemsize
        if self.taken > self.size:
            raise UnsafeModelError(
                short(
                    f"Refused to build the model of {self.source!r}: with variable "
                    f"{short(path, 120)!r} of shape {short(str(shape), 80)} it takes "
                    f"{self.taken:,} bytes, more than the weights in the file account for."
                )
            )

"""What is compared: rows of the op table, in several dtypes, on several kinds of samples."""

from __future__ import annotations

import dataclasses
import itertools
import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from integration_tests.parity.known import outside
from keraslite import ops
from keraslite.core import shapes
from keraslite.testing.table import Fixed, Row, cast, fill, is_tensor
from keraslite.testing.test_ops import ROWS

SAMPLES = ("ordinary", "zero", "special", "empty", "broadcast")
#: dtypes that a row for the first one is good for as well.
_MORE = {
    "float32": ("float64",),
    "int32": ("int16", "int64"),
    "uint8": ("uint16", "uint32"),
}
_SPECIAL = (np.nan, np.inf, -np.inf, -0.0, 0.0)


@dataclasses.dataclass(frozen=True)
class Case:
    """One row in one dtype on one kind of sample.

    Attributes:
        row: of the op table.
        dtype: of its tensors.
        sample: "ordinary" for the row's own values; "zero"; "special" with NaN, infinities
            and both zeros among them; "empty"; "broadcast" with shapes that differ.
    """

    row: Row
    dtype: str
    sample: str

    @property
    def id(self) -> str:
        return f"{self.row.id} {self.dtype} {self.sample}"

    @property
    def elementwise(self) -> bool:
        """Whether each element of the result depends on one place of the arguments alone."""
        return _rule(self.row.op) in (shapes.same, shapes.broadcast) and not self.row.kwargs

    @property
    def has_gradient(self) -> bool:
        # Of a NaN or an infinity only elementwise ops keep the rest of the gradient clean.
        fits = self.sample != "special" or self.elementwise
        return bool(self.row.gradient) and self.dtype == "float32" and fits

    def arguments(self) -> list[Any]:
        """The arguments, with NumPy arrays of the dtype for tensors."""
        args = _resampled(self.row.args, self.sample, self.elementwise)
        return fill(args, lambda x: x.value if isinstance(x, Fixed) else cast(x, self.dtype))

    def call(self, args: Sequence[Any]) -> Any:
        """The op of the chosen engine."""
        return operator.attrgetter(self.row.op)(ops)(*args, **self.row.kwargs)


def cases(names: Sequence[str] = (), quick: bool = False) -> list[Case]:
    """All cases of these ops, or of all; always in the same order.

    Args:
        names: of ops; empty for all.
        quick: one row of each op, on its own values in two dtypes and on others in one.
    """
    found: list[Case] = []
    seen: set[str] = set()
    for row in ROWS:
        if names and row.op not in names:
            continue
        first = row.op not in seen
        seen.add(row.op)
        if quick and not first:
            continue
        kinds = tuple(row.dtypes)[:2] if quick else _dtypes(row)
        samples = [s for s in SAMPLES if s == "ordinary" or (first and _has(row, s))]
        found += [
            case
            for dtype, sample in itertools.product(kinds, samples)
            if (sample != "special" or "float" in dtype)
            and not (quick and sample != "ordinary" and dtype != kinds[0])
            and not outside((case := Case(row, dtype, sample)).id)
        ]
    return found


def map_arrays(fn: Callable[[np.ndarray], Any], args: Sequence[Any]) -> list[Any]:
    """`fn` on the arrays among the arguments and in lists of arrays."""
    return [
        fn(x)
        if isinstance(x, np.ndarray)
        else [fn(y) for y in x]
        if isinstance(x, list) and x and isinstance(x[0], np.ndarray)
        else x
        for x in args
    ]


def _rule(name: str) -> Any:
    op = getattr(operator.attrgetter(name)(ops), "op", None)
    return None if op is None else op.shape


def _dtypes(row: Row) -> list[str]:
    given = list(row.dtypes)
    if not any(is_tensor(x) and not isinstance(x, Fixed) for x in _flat(row.args)):
        return given[:1]  # Every tensor keeps its dtype.
    return given + [more for d in given for more in _MORE.get(d, ()) if more not in given]


def _flat(args: Sequence[Any]) -> list[Any]:
    return [y for x in args for y in (x if isinstance(x, list) else [x])]


def _floats(args: Sequence[Any]) -> list[np.ndarray]:
    return [x for x in _flat(args) if is_tensor(x) and not isinstance(x, Fixed)]


def _has(row: Row, sample: str) -> bool:
    count = len(_floats(row.args))
    if sample == "broadcast":
        return count == 2 and _rule(row.op) is shapes.broadcast
    return count > 0


def _resampled(args: Sequence[Any], sample: str, elementwise: bool) -> Sequence[Any]:
    if sample == "ordinary":
        return args
    ranks = [x.ndim for x in _floats(args)]
    counter = itertools.count()

    def change(x: Any) -> Any:
        if isinstance(x, Fixed):
            return x
        if sample == "zero":
            return np.zeros_like(x)
        if sample == "empty":
            # Tensors that broadcast get empty together; else the first one stands for a batch.
            chosen = x.ndim == max(ranks) if elementwise else next(counter) == 0
            return x[:0] if x.ndim and chosen else x
        if sample == "broadcast":
            return np.resize(x, (3, 1) if next(counter) == 0 else (1, 4))
        changed = x.copy()
        # Every second element stays, and no two tensors have the same pattern.
        places = changed.reshape(-1)[next(counter) % 2 :: 2]
        places[:] = np.resize(_SPECIAL, places.shape)
        return changed

    return fill(args, change)

"""Dtype rules: in which dtype an op computes, and which one its result has."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from keraslite.backend import engine
from keraslite.core import dtypes


class DtypeRule:
    """How the dtypes of tensor arguments decide the dtype they are computed in.

    Args:
        compute: from lattice names to the common dtype of the arguments; None leaves
            every argument as it is.
        output: dtype of the result where it is not the computing one.
        passing: the dtypes that need no change when all arguments have one of them;
            None for all.
        apart: arguments that take no part, by name: the dtype that they are cast to,
            or None to leave them as they are.
    """

    def __init__(
        self,
        compute: Callable[..., str] | None = None,
        output: str | None = None,
        passing: Sequence[str] | None = None,
        apart: Mapping[str, str | None] | None = None,
    ) -> None:
        self.compute = compute
        self.output = output
        self.passing = passing
        self.apart = dict(apart or {})
        # Engine dtype objects compare and hash fast; names would have to be made.
        self.native = (
            None if passing is None else frozenset(engine.native_dtype(d) for d in passing)
        )


def _accumulator(*names: str) -> str:
    """Sums and products: small integers widen to 32 bits, as in `jax.numpy`."""
    found = dtypes.promote(*names)
    if found in ("bool", "int8", "int16"):
        return "int32"
    return "uint32" if found in ("uint8", "uint16") else found


def _number(*names: str) -> str:
    """Arithmetic that booleans have none of: they count as int32."""
    found = dtypes.promote(*names)
    return "int32" if found == "bool" else found


def _first(*names: str) -> str:
    return dtypes.promote(names[0])


_NOT_BOOL = dtypes.INTS + dtypes.FLOATS + dtypes.COMPLEX

PROMOTE = DtypeRule(dtypes.promote)
FLOAT = DtypeRule(dtypes.promote_float, passing=dtypes.FLOATS + dtypes.COMPLEX)
NUMBER = DtypeRule(_number, passing=_NOT_BOOL)
COMPARE = DtypeRule(dtypes.promote, output="bool")
ACCUMULATE = DtypeRule(_accumulator, passing=(*dtypes.FLOATS, *dtypes.COMPLEX, "int32"))
KEEP = DtypeRule()
TO_BOOL = DtypeRule(output="bool")
TO_INDEX = DtypeRule(output="int32")


def like_first(**apart: str | None) -> DtypeRule:
    """Everything is cast to the dtype of the first tensor, except what is named."""
    return DtypeRule(_first, apart=apart)

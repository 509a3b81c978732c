"""`compiled`: a function as an inlined, jitted kernel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax


def compiled(fn: Callable[..., Any], *static: int) -> Callable[..., Any]:
    """`fn` jitted, with the positions in `static` as constants (hashable, positional)."""
    return jax.jit(fn, static_argnums=static, inline=True)


def frozen(x: Any) -> Any:
    """`x` with lists turned into tuples, to be hashable."""
    return tuple(frozen(item) for item in x) if isinstance(x, (list, tuple)) else x

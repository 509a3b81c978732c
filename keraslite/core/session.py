"""Process-wide state that a user may drop."""

from __future__ import annotations

import gc

from keraslite.backend import engine
from keraslite.core import naming


def clear_session(free_memory: bool = True) -> None:
    """Restart automatic names and drop the engine's global graphs and caches.

    Args:
        free_memory: also run the garbage collector.

    Example:
        >>> for _ in range(100):
        ...     keras.utils.clear_session()
        ...     model = make_model()
    """
    naming.reset()
    engine.clear()
    if free_memory:
        gc.collect()

"""`set_random_seed`: one seed for everything."""

from __future__ import annotations

import random

import numpy as np

from keraslite.backend import engine
from keraslite.random.seed_generator import reset_global_seed_generator


def set_random_seed(seed: int) -> None:
    """Seed Python's `random`, NumPy and the engine.

    Initial weights, dropout and the order of the data follow from it: programs give the same
    results again, and the same order on every engine.

    Args:
        seed: from 0 to 2**32 - 1.

    Raises:
        ValueError: for another seed.

    Example:
        >>> keras.utils.set_random_seed(42)
    """
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or not 0 <= seed < 2**32:
        raise ValueError(f"`seed` must be an integer from 0 to 2**32 - 1. Received: {seed!r}")
    random.seed(int(seed))
    np.random.seed(int(seed))
    engine.seed(int(seed))
    reset_global_seed_generator()

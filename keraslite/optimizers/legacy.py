"""Names of optimizers that Keras 2 had and no release of Keras 3 supports."""

from __future__ import annotations

from typing import Any

__all__ = ["Adagrad", "Adam", "Ftrl", "Optimizer", "RMSprop", "SGD"]


class LegacyOptimizer:
    """Says what to use in the place of an optimizer of Keras 2.

    Raises:
        ImportError: always.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise ImportError(
            "There are no `keras.optimizers.legacy` optimizers since Keras 3. Use the one of the "
            "same name in `keras.optimizers`; a `decay` becomes "
            "`learning_rate=keras.optimizers.schedules.InverseTimeDecay(...)`."
        )


Adagrad = Adam = Ftrl = Optimizer = RMSprop = SGD = LegacyOptimizer

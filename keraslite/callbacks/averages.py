"""`SwapEMAWeights`: evaluation with the moving averages of the weights."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from keraslite.callbacks.callback import Callback, Logs


class SwapEMAWeights(Callback):
    """Puts the moving averages of an optimizer in the place of the weights for evaluation.

    The optimizer must have been made with `use_ema=True`. The trained weights come back
    after evaluation and prediction.

    Args:
        swap_on_epoch: also between the end of an epoch and the beginning of the next one, so
            that callbacks after this one, such as `ModelCheckpoint`, see the averages.

    Raises:
        ValueError: if the optimizer keeps no averages.

    Example:
        >>> model.compile(keras.optimizers.Adam(use_ema=True, ema_momentum=0.9), "mse")
        >>> model.fit(x, y, validation_split=0.2, callbacks=[keras.callbacks.SwapEMAWeights()])
    """

    def __init__(self, swap_on_epoch: bool = False) -> None:
        super().__init__()
        self.swap_on_epoch = swap_on_epoch
        self._swapped = False

    def set_model(self, model: Any) -> None:
        super().set_model(model)
        self._swapped = False

    def _pairs(self) -> Iterator[tuple[Any, Any]]:
        """Trained variables with their averages."""
        optimizer = self.model.optimizer
        optimizer = getattr(optimizer, "inner_optimizer", optimizer)
        if not getattr(optimizer, "use_ema", False):
            raise ValueError(
                "SwapEMAWeights needs an optimizer that keeps averages. Make it with "
                f"`use_ema=True`. Received: {optimizer!r}"
            )
        if optimizer.built:
            yield from optimizer._averaged()

    def _swap(self, swapped: bool) -> None:
        """Have the averages in place (`swapped`) or the trained weights."""
        if swapped == self._swapped:
            return
        self._swapped = swapped
        for variable, average in self._pairs():
            value = variable.numpy()
            variable.assign(average.value)
            average.assign(value)

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        if self.swap_on_epoch:
            self._swap(False)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if not self.swap_on_epoch:
            return
        self._swap(True)
        if epoch + 1 == (self.params or {}).get("epochs") or self.model.stop_training:
            # `fit` ends with the averages in place, which they are already.
            for variable, average in self._pairs():
                average.assign(variable.value)
            self._swapped = False

    def on_test_begin(self, logs: Logs | None = None) -> None:
        self._swap(True)

    def on_test_end(self, logs: Logs | None = None) -> None:
        self._swap(False)

    def on_predict_begin(self, logs: Logs | None = None) -> None:
        self._swap(True)

    def on_predict_end(self, logs: Logs | None = None) -> None:
        self._swap(False)

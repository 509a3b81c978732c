"""`SwapEMAWeights`: evaluation with the moving averages of the weights."""

from __future__ import annotations

from typing import Any

from keraslite import ops
from keraslite.callbacks.callback import Callback, Logs
from keraslite.core.variable import Variable


class SwapEMAWeights(Callback):
    """Puts the optimizer's moving averages in the place of the weights where these are used.

    That is in evaluation, validation and prediction; afterwards the weights come back.

    Args:
        swap_on_epoch: also from the end of an epoch to the start of the next one, so that
            callbacks after this one, such as `ModelCheckpoint`, see the averages.

    Raises:
        ValueError: when it is used, if the optimizer has no `use_ema=True`.

    Example:
        >>> model.compile(keras.optimizers.Adam(use_ema=True), "mse")
        >>> model.fit(x, y, validation_split=0.2, callbacks=[keras.callbacks.SwapEMAWeights()])
    """

    def __init__(self, swap_on_epoch: bool = False) -> None:
        super().__init__()
        self.swap_on_epoch = swap_on_epoch
        self._kept: list[tuple[Variable, Any]] | None = None
        self._own_swap = False

    def get_state(self) -> dict[str, Any]:
        kept = None if self._kept is None else [ops.convert_to_numpy(v) for _, v in self._kept]
        return {"kept": kept}

    def set_state(self, state: dict[str, Any]) -> None:
        kept = state["kept"]
        self._kept = (
            None
            if kept is None
            else [
                (variable, ops.convert_to_tensor(value, variable.dtype))
                for (variable, _), value in zip(self._pairs(), kept, strict=True)
            ]
        )

    def _optimizers(self) -> list[Any]:
        optimizer = self.model.optimizer
        optimizer = getattr(optimizer, "inner_optimizer", optimizer)
        return list(getattr(optimizer, "optimizers", [optimizer]))

    def _pairs(self) -> list[tuple[Variable, Variable]]:
        """Weights and their averages; none before the first update."""
        averaging = [o for o in self._optimizers() if getattr(o, "use_ema", False)]
        if not averaging:
            raise ValueError(
                "SwapEMAWeights needs an optimizer that keeps moving averages: make it with "
                "`use_ema=True`."
            )
        return [p for o in averaging if o.built and int(o.iterations) for p in o._averaged()]

    def _put_averages(self) -> bool:
        """Whether the averages took the place of the weights just now."""
        pairs = self._pairs()
        if self._kept is not None or not pairs:
            return False
        self._kept = [(variable, ops.copy(variable.value)) for variable, _ in pairs]
        for variable, average in pairs:
            variable.assign(average.value)
        return True

    def _put_back(self) -> None:
        if self._kept is not None:
            for variable, value in self._kept:
                variable.assign(value)
            self._kept = None

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self._put_back()

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if self.swap_on_epoch:
            self._put_averages()

    def on_train_end(self, logs: Logs | None = None) -> None:
        # The optimizer has put the averages in place for good.
        self._kept = None

    def on_test_begin(self, logs: Logs | None = None) -> None:
        self._own_swap = self._put_averages()

    def on_test_end(self, logs: Logs | None = None) -> None:
        if self._own_swap:
            self._put_back()

    on_predict_begin, on_predict_end = on_test_begin, on_test_end

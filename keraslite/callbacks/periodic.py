"""What callbacks share that do something after every epoch, or every so many batches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from keraslite.callbacks.callback import Callback, Logs


class Periodic(Callback):
    """Calls `_act` after every epoch, or after every `save_freq` batches.

    Attributes:
        save_freq: "epoch", or the number of batches.
    """

    save_freq: int | str = "epoch"
    _state_attributes = ("_batches",)

    def __init__(self) -> None:
        super().__init__()
        self._epoch = 0
        self._batches = 0
        self._first_batch = 0

    def _set_frequency(self, frequency: Any, argument: str = "save_freq") -> None:
        if frequency != "epoch" and not (isinstance(frequency, int) and frequency > 0):
            raise ValueError(
                f"{type(self).__name__}: `{argument}` must be 'epoch' or a number of batches. "
                f"Received: {argument}={frequency!r}"
            )
        self.save_freq = frequency

    def _act(self, logs: Logs | None, batch: int | None) -> None:
        """Do it, after `batch` of `self._epoch`, or after that epoch when `batch` is None."""
        raise NotImplementedError

    def _idle_hooks(self) -> tuple[Callable[..., Any], ...]:
        if self.save_freq != "epoch":
            return ()
        return Periodic.on_train_batch_begin, Periodic.on_train_batch_end

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self._epoch = epoch

    def on_train_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        self._first_batch = batch

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        if self.save_freq == "epoch":
            return
        # One call may stand for several batches.
        before = self._batches // int(self.save_freq)
        self._batches += batch - self._first_batch + 1
        if self._batches // int(self.save_freq) > before:
            self._act(logs, batch)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        self._epoch = epoch
        if self.save_freq == "epoch":
            self._act(logs, None)

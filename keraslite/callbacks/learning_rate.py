"""Callbacks that set the learning rate: `LearningRateScheduler`, `ReduceLROnPlateau`."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from keraslite.callbacks.callback import Callback, Logs
from keraslite.callbacks.monitor import Monitor
from keraslite.core.errors import describe
from keraslite.utils.console import say


def _learning_rate(callback: Callback) -> float:
    optimizer = callback.model.optimizer
    if not hasattr(optimizer, "learning_rate"):
        raise ValueError(
            f"{type(callback).__name__} needs an optimizer with a `learning_rate`. "
            f"Received: {describe(optimizer)}"
        )
    return float(np.asarray(optimizer.learning_rate))


class LearningRateScheduler(Callback):
    """Sets the learning rate at the start of every epoch.

    Args:
        schedule: `f(epoch, learning_rate) -> float`, or `f(epoch) -> float`.
        verbose: 1 prints it.

    Example:
        >>> halve = lambda epoch, rate: rate / 2 if epoch % 10 == 9 else rate
        >>> model.fit(x, y, callbacks=[keras.callbacks.LearningRateScheduler(halve)])
    """

    def __init__(self, schedule: Callable[..., float], verbose: int = 0) -> None:
        super().__init__()
        self.schedule = schedule
        self.verbose = verbose

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        rate = _learning_rate(self)
        rate = self.schedule(epoch, rate) if _takes_two(self.schedule) else self.schedule(epoch)
        if isinstance(rate, bool) or not isinstance(rate, (int, float, np.number)):
            raise ValueError(
                f"The schedule must return a float. Received: {describe(rate)} for epoch {epoch}"
            )
        self.model.optimizer.learning_rate = float(rate)
        if self.verbose:
            say(f"\nEpoch {epoch + 1}: LearningRateScheduler setting learning rate to {rate}.")

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if logs is not None:
            logs["learning_rate"] = _learning_rate(self)


def _takes_two(function: Callable[..., Any]) -> bool:
    try:
        signature = inspect.signature(function)
    except ValueError:
        return True
    try:
        signature.bind(0, 0.0)
    except TypeError:
        return False
    return True


class ReduceLROnPlateau(Monitor):
    """Lowers the learning rate when a value has stopped improving.

    Args:
        monitor: name of the value in the logs.
        factor: what the learning rate is multiplied with, below 1.
        patience: epochs without improvement before it is lowered.
        verbose: 1 says so.
        mode: "min", "max", or "auto" to tell from the metric.
        min_delta: the least change that counts as an improvement.
        cooldown: epochs after lowering in which nothing is counted.
        min_lr: it is not lowered further.

    Raises:
        ValueError: for a `factor` of 1 or more.

    Example:
        >>> lower = keras.callbacks.ReduceLROnPlateau("val_loss", factor=0.2, patience=5)
        >>> model.fit(x, y, validation_split=0.2, callbacks=[lower])
    """

    _state_attributes = ("best", "wait", "cooldown_counter")

    def __init__(
        self,
        monitor: str = "val_loss",
        factor: float = 0.1,
        patience: int = 10,
        verbose: int = 0,
        mode: str = "auto",
        min_delta: float = 0.0001,
        cooldown: int = 0,
        min_lr: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(monitor, mode, min_delta)
        if factor >= 1.0:
            raise ValueError(f"`factor` must be below 1. Received: factor={factor}")
        self.factor = factor
        self.patience = patience
        self.verbose = verbose
        self.cooldown = cooldown
        self.min_lr = min_lr
        self.wait = 0
        self.cooldown_counter = 0

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.best = None
        self.wait = 0
        self.cooldown_counter = 0

    def in_cooldown(self) -> bool:
        """Whether epochs are not counted just now."""
        return self.cooldown_counter > 0

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if logs is not None:
            logs["learning_rate"] = _learning_rate(self)
        value = self._value(logs, "the learning rate is not reduced")
        if value is None:
            return
        if self.in_cooldown():
            self.cooldown_counter -= 1
            self.wait = 0
        if self._improves(value, self.best):
            self.best = value
            self.wait = 0
        elif not self.in_cooldown():
            self.wait += 1
            if self.wait >= self.patience:
                self._reduce(epoch)

    def _reduce(self, epoch: int) -> None:
        rate = _learning_rate(self)
        # The optimizer keeps it in single precision.
        if rate <= np.float32(self.min_lr):
            return
        rate = max(rate * self.factor, self.min_lr)
        self.model.optimizer.learning_rate = rate
        if self.verbose:
            say(f"\nEpoch {epoch + 1}: ReduceLROnPlateau reducing learning rate to {rate}.")
        self.cooldown_counter = self.cooldown
        self.wait = 0

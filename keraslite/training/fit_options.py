"""What `fit` can do beyond Keras: a limit of time, validation every few steps, fused steps."""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable
from typing import Any, Self

import numpy as np

from keraslite.backend import engine
from keraslite.callbacks import Callback, CallbackList, ProgbarLogger
from keraslite.core import tree

Logs = dict[str, Any]


class TimeLimit(Callback):
    """Stops training when the time is up.

    Args:
        limit: seconds or a `timedelta`, from the start of `fit`.
    """

    def __init__(self, limit: float | datetime.timedelta) -> None:
        super().__init__()
        seconds = limit.total_seconds() if isinstance(limit, datetime.timedelta) else limit
        if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or seconds <= 0:
            raise ValueError(
                "`max_time` must be a positive number of seconds or a `datetime.timedelta`. "
                f"Received: {limit!r}"
            )
        self._seconds = seconds

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self._end = time.monotonic() + self._seconds

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        if time.monotonic() >= self._end:
            self.model.stop_training = True


class ValidateEvery(Callback):
    """Validates after every `steps` steps of training, in the middle of epochs too.

    Args:
        steps: of training between two validations.
        validate: computes the results.

    Attributes:
        results: one dict a validation, with the `step`.
    """

    _state_attributes = ("_step", "results")

    def __init__(self, steps: int, validate: Callable[[], Logs]) -> None:
        super().__init__()
        self._every = positive("validation_every", steps)
        self._validate = validate
        self._batch = -1
        self._step = 0
        self.results: list[Logs] = []

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self._last: Logs = {}
        self._batch = -1

    def on_train_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        self._batch = batch - 1

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        before = self._step
        self._step += batch - self._batch
        if self._step // self._every == before // self._every:
            return
        # The means of the epoch go on afterwards.
        variables = self.model.metrics_variables
        kept = [np.array(v.numpy()) for v in variables]
        self._last = {f"val_{name}": value for name, value in self._validate().items()}
        for variable, value in zip(variables, kept, strict=True):
            variable.assign(value)
        self.results.append({"step": self._step, **self._last})

    def take(self) -> Logs:
        """The results of the last validation in this epoch."""
        return self._last


class Pace:
    """How many steps go into one call of the engine: one, until more of them would pay.

    Fusing costs another compilation, so single steps run for about as long as one first.
    """

    _LEAST_SECONDS = 0.25
    #: What one call may take; and the step for which this makes a difference.
    _CALL, _SHORT, _MOST = 0.02, 0.005, 32

    def __init__(self) -> None:
        self.size = 1
        self.is_settled = False
        self._compiled: float | None = None
        self._steps, self._seconds = 0, 0.0

    def __index__(self) -> int:
        return self.size

    def begin(self) -> Self:
        """A pass begins."""
        self._last = time.perf_counter()
        return self

    def note(self, outputs: Any) -> None:
        """One step more was made."""
        before, self._last = self._last, time.perf_counter()
        if self._compiled is None:
            self._compiled = self._last - before
            return
        self._steps += 1
        self._seconds += self._last - before
        if self._seconds < max(self._LEAST_SECONDS, self._compiled):
            return
        for leaf in tree.flatten(outputs)[:1]:
            engine.to_numpy(leaf)  # Steps may still be running.
        seconds = (self._seconds + time.perf_counter() - self._last) / self._steps
        if seconds < self._SHORT:
            self.size = min(int(self._CALL / seconds), self._MOST)
        self.is_settled = True


def watches_single_batches(watchers: CallbackList, kind: str) -> bool:
    """Whether someone wants to be called around every single batch."""
    coarse = (ProgbarLogger, TimeLimit)
    return any(
        not isinstance(callback, coarse)
        and (
            not isinstance(callback, Callback)
            or callback._needs(f"on_{kind}_batch_begin")
            or callback._needs(f"on_{kind}_batch_end")
        )
        for callback in watchers.callbacks
    )


def positive(name: str, value: Any) -> int:
    """`value` as a number of things, at least 1."""
    if isinstance(value, bool) or not hasattr(value, "__index__") or value < 1:
        raise ValueError(f"`{name}` must be an integer of at least 1. Received: {name}={value!r}")
    return int(value)

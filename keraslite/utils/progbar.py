"""`Progbar`: how far a loop is, as a bar or as one line at its end."""

from __future__ import annotations

import math
import os
import shutil
import sys
import time
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from keraslite.utils import console

_CELL = "\N{BOX DRAWINGS HEAVY HORIZONTAL}"
_BOLD, _GREEN, _GREY, _PLAIN = "\x1b[1m", "\x1b[32m", "\x1b[37m", "\x1b[0m"


class Progbar:
    """A bar with the time per step and values, redrawn a few times a second.

    On a terminal and in notebooks the line is written over. Elsewhere, as in log files, it is
    written once, at the end.

    Args:
        target: the number of steps, None when it is not known.
        width: cells of the bar.
        verbose: 0 silent, 1 a bar, 2 one line at the end.
        interval: least seconds between two drawings.
        stateful_metrics: names of values that are shown as given; others are averaged over
            the steps until the last one, which is shown as given.
        stateless_metrics: in place of `stateful_metrics`, the names of those averaged.
        unit_name: what a step is called.

    Example:
        >>> bar = keras.utils.Progbar(100)
        >>> for i in range(100):
        ...     bar.update(i + 1, values=[("loss", loss)])
        100/100 ━━━━━━━━━━━━━━━━━━━━ 1s 10ms/step - loss: 0.1234
    """

    def __init__(
        self,
        target: int | None,
        width: int = 20,
        verbose: int = 1,
        interval: float = 0.05,
        stateful_metrics: Iterable[str] | None = None,
        stateless_metrics: Iterable[str] | None = None,
        unit_name: str = "step",
    ) -> None:
        self.target = target
        self.width = width
        self.verbose = verbose
        self.interval = interval
        self.unit_name = unit_name
        self._stateful = set(stateful_metrics or ())
        self._averaged = None if stateless_metrics is None else set(stateless_metrics)
        self._values: dict[str, list[Any]] = {}  # name -> [sum, number of steps]
        self._seen = 0
        self._start = time.monotonic()
        self._first: float | None = None
        self._drawn = -math.inf
        self._length = 0
        self._live = verbose == 1 and console.is_live()

    def is_due(self) -> bool:
        """Whether an `update` before the end would draw; else it needs no values."""
        return self._live and time.monotonic() - self._drawn >= self.interval

    def update(
        self,
        current: int,
        values: Sequence[tuple[str, Any]] | None = None,
        finalize: bool | None = None,
    ) -> None:
        """Show that `current` steps are done.

        Args:
            current: number of steps.
            values: `(name, value)` pairs.
            finalize: whether this is the end; by default when `current` reaches `target`.
        """
        if finalize is None:
            finalize = self.target is not None and current >= self.target
        self._note(values or (), max(current - self._seen, 0), finalize)
        self._seen = current
        now = time.monotonic()
        if self._first is None and current:
            self._first = now
        if not self.verbose:
            return
        if finalize:
            self._write(self._line(current, now, done=True), end=True)
        elif self.is_due():
            self._write(self._line(current, now, done=False), end=False)
            self._drawn = now

    def add(self, n: int, values: Sequence[tuple[str, Any]] | None = None) -> None:
        """`update` with `n` steps more than before."""
        self.update(self._seen + n, values)

    def _note(self, values: Iterable[tuple[str, Any]], steps: int, finalize: bool) -> None:
        for name, value in values:
            averaged = (
                name not in self._stateful if self._averaged is None else name in self._averaged
            )
            number = isinstance(value, (int, float, np.number)) or getattr(value, "ndim", 1) == 0
            if not averaged or finalize or not number or name not in self._values:
                steps_now = max(steps, 1) if averaged and number and not finalize else 1
                self._values[name] = [value * steps_now if number else value, steps_now]
            else:
                entry = self._values[name]
                entry[0] += value * steps
                entry[1] += steps

    def _line(self, current: int, now: float, done: bool) -> str:
        elapsed, colour = now - self._start, self._live
        parts = [f"{current}/{self.target}" if self.target is not None else f"{current:7d}/Unknown"]
        if self.verbose == 1:
            if self.target is not None:
                digits = len(str(self.target))
                parts[0] = _style(f"{current:{digits}d}/{self.target}", _BOLD, colour)
                parts.append(self._bar(current, colour))
            per_step = self._seconds_per_step(current, now)
            left = (self.target or 0) - current
            clock = _seconds(elapsed) if done or self.target is None else _clock(per_step * left)
            parts.append(_style(clock, _BOLD, colour))
            head = f"{' '.join(parts)} {_duration(per_step)}/{self.unit_name}"
        else:
            per_step = elapsed / max(current, 1)
            head = f"{parts[0]} - {_seconds(elapsed)} - {_duration(per_step)}/{self.unit_name}"
        return head + "".join(f" - {k}: {_number(v, n)}" for k, (v, n) in self._values.items())

    def _bar(self, current: int, colour: bool) -> str:
        full = min(int(self.width * current / max(self.target or 1, 1)), self.width)
        if not colour:
            return _CELL * full + " " * (self.width - full)
        done = _style(_CELL * full, _GREEN, True) if full else ""
        return done + _style(_CELL * (self.width - full), _GREY, True)

    def _seconds_per_step(self, current: int, now: float) -> float:
        # The first step compiles; it would spoil the average.
        if self._first is not None and current > 1:
            return (now - self._first) / (current - 1)
        return (now - self._start) / max(current, 1)

    def _write(self, line: str, end: bool) -> None:
        if not self._live:
            console.say(line)
            return
        if not end:
            # A line that wraps could not be written over.
            line = _cut(line, shutil.get_terminal_size().columns - 1)
        shown = _visible(line)
        blanks = " " * max(self._length - shown, 0)
        self._length = shown
        sys.stdout.write(f"\r{line}{blanks}" + ("\n" if end else ""))
        sys.stdout.flush()


def _style(text: str, code: str, colour: bool) -> str:
    return f"{code}{text}{_PLAIN}" if colour and not os.environ.get("NO_COLOR") else text


def _visible(line: str) -> int:
    for code in (_BOLD, _GREEN, _GREY, _PLAIN):
        line = line.replace(code, "")
    return len(line)


def _cut(line: str, width: int) -> str:
    extra = _visible(line) - width
    # The values at the end have no escape codes in them.
    return line[:-extra] if 0 < extra < len(line.rpartition(_PLAIN)[2]) else line


def _number(value: Any, steps: int) -> str:
    if isinstance(value, str) or value is None or np.ndim(value):
        return str(value)
    value = float(value) / steps
    return f"{value:.4f}" if abs(value) > 1e-3 else f"{value:.4e}"


def _seconds(seconds: float) -> str:
    return f"{seconds:.0f}s"


def _clock(seconds: float) -> str:
    whole = int(seconds)
    if whole > 3600:
        return f"{whole // 3600}:{whole % 3600 // 60:02d}:{whole % 60:02d}"
    return f"{whole // 60}:{whole % 60:02d}" if whole > 60 else f"{whole}s"


def _duration(seconds: float) -> str:
    if seconds >= 1 or seconds == 0:
        return f"{seconds:.0f}s"
    return f"{seconds * 1e3:.0f}ms" if seconds >= 1e-3 else f"{seconds * 1e6:.0f}us"

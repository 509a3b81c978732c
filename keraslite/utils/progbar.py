"""`Progbar`: how far a loop is, as a bar or as one line at its end."""

from __future__ import annotations

import math
import os
import sys
import time
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from keraslite.utils import console

_CELL = "\N{BOX DRAWINGS HEAVY HORIZONTAL}"
Part = tuple[str, str]
"""Text and its style."""


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

    def _line(self, current: int, now: float, done: bool) -> list[Part]:
        elapsed = now - self._start
        if self.verbose == 1:
            per_step = self._seconds_per_step(current, now)
            parts = [(f"{current:7d}/Unknown", "")]
            clock = _seconds(elapsed)
            if self.target is not None:
                digits = len(str(self.target))
                parts = [(f"{current:{digits}d}/{self.target}", "bold"), (" ", "")]
                parts += self._bar(current)
                clock = clock if done else _clock(per_step * (self.target - current))
            parts += [(" ", ""), (clock, "bold"), (f" {_duration(per_step)}/{self.unit_name}", "")]
        else:
            per_step = elapsed / max(current, 1)
            steps = (
                f"{current}/{self.target}" if self.target is not None else f"{current:7d}/Unknown"
            )
            text = f"{steps} - {_seconds(elapsed)} - {_duration(per_step)}/{self.unit_name}"
            parts = [(text, "")]
        return parts + [(f" - {k}: {_number(v, n)}", "") for k, (v, n) in self._values.items()]

    def _bar(self, current: int) -> list[Part]:
        full = min(int(self.width * current / max(self.target or 1, 1)), self.width)
        coloured = self._live and not os.environ.get("NO_COLOR")
        rest = (_CELL if coloured else " ") * (self.width - full)
        return [(_CELL * full, "green"), (rest, "white")]

    def _seconds_per_step(self, current: int, now: float) -> float:
        # The first step compiles; it would spoil the average.
        if self._first is not None and current > 1:
            return (now - self._first) / (current - 1)
        return (now - self._start) / max(current, 1)

    def _write(self, parts: list[Part], end: bool) -> None:
        if not self._live:
            console.say("".join(text for text, _ in parts))
            return
        from rich.console import Console
        from rich.text import Text

        # Notebooks show terminal codes too; their own display would be a new one each time.
        screen = Console(file=sys.stdout, force_terminal=True, force_jupyter=False)
        line = Text.assemble(*parts, end="")
        shown = line.cell_len
        line.append(" " * max(self._length - shown, 0))
        self._length = shown
        if not end:
            # A line that wraps could not be written over.
            line.truncate(screen.width - 1)
        with screen.capture() as drawn:
            screen.print(line, soft_wrap=True, end="")
        sys.stdout.write("\r" + drawn.get() + "\n" * end)
        sys.stdout.flush()


def _number(value: Any, steps: int) -> str:
    if isinstance(value, str) or value is None:
        return str(value)
    # One number stands for an array, as of a metric with a value for each class.
    value = float(np.mean(value)) / steps
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

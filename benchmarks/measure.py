"""Timing in turns, so that a machine whose speed drifts is fair to all."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable


def seconds_of(run: Callable[[], object]) -> float:
    """How long one call takes."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def in_turns(
    contenders: dict[str, Callable[[], object]], rounds: int = 7, warmup: int = 2
) -> dict[str, list[float]]:
    """Seconds of each call, contender after contender, round after round.

    Args:
        contenders: name -> function to time, which must wait for its own result.
        rounds: counted calls of each.
        warmup: calls of each before, not counted.
    """
    for _ in range(warmup):
        for run in contenders.values():
            run()
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    gc.collect()
    for _ in range(rounds):
        for name, run in contenders.items():
            seconds[name].append(seconds_of(run))
    return seconds


def ratio(a: list[float], b: list[float]) -> float:
    """The median of `a / b`, pair by pair."""
    return statistics.median(x / y for x, y in zip(a, b, strict=True))


def repeat(function: Callable[[], object], times: int) -> Callable[[], object]:
    """A function that calls `function` so many times and returns the last result."""

    def run() -> object:
        result = None
        for _ in range(times):
            result = function()
        return result

    return run

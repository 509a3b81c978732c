"""Ctrl-C between the steps of a model, and not within one.

Half a step may leave a model without weights: where the old ones are given away to a compiled
step, they are gone until the new ones are stored.
"""

from __future__ import annotations

import contextlib
import functools
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any


class _Now(threading.local):
    in_step = False
    interrupted = False


_now = _Now()


def whole(step: Callable[..., Any]) -> Callable[..., Any]:
    """`step`, which Ctrl-C ends at its end within `between_steps`."""

    @functools.wraps(step)
    def run(*args: Any) -> Any:
        _now.in_step = True
        try:
            return step(*args)
        finally:
            _now.in_step = False
            if _now.interrupted:
                _now.interrupted = False
                raise KeyboardInterrupt

    return run


@contextlib.contextmanager
def between_steps() -> Iterator[None]:
    """Let Ctrl-C wait for the end of a step; a second one does not wait."""
    ours = threading.current_thread() is threading.main_thread()
    if not ours or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    signal.signal(signal.SIGINT, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _interrupt(number: int, frame: Any) -> None:
    if _now.in_step and not _now.interrupted:
        _now.interrupted = True
    else:
        _now.interrupted = False
        signal.default_int_handler(number, frame)

"""Saving while the program goes on: the state is copied at once and written by a thread."""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable
from typing import Any

from keraslite.backend import engine
from keraslite.core.serialization import serialize_keras_object
from keraslite.saving.walk import Snapshot


class Saving:
    """A save that is under way.

    Example:
        >>> saving = model.save("model.keras", asynchronous=True)
        >>> model.fit(x, y)
        >>> saving.join()
    """

    def __init__(self, path: str, write: Callable[[], None]) -> None:
        self.path = path
        self._write = write
        self._error: BaseException | None = None
        # Not a daemon: the interpreter waits for it before it exits.
        self._thread = threading.Thread(target=self._run, name=f"saving {path}")
        self._thread.start()

    def _run(self) -> None:
        _give_way()
        try:
            self._write()
        except BaseException as error:  # noqa: BLE001 - raised again by `join`
            self._error = error
        del self._write

    @property
    def done(self) -> bool:
        """Whether the file is complete, or its writing failed."""
        return not self._thread.is_alive()

    def join(self) -> None:
        """Wait until the file is on the disk.

        Raises:
            OSError: if it could not be written; any error is raised once, here, by the next
                save or, printed alone, at the exit of the program.
        """
        self._thread.join()
        error, self._error = self._error, None
        if error is not None:
            raise error


def _give_way() -> None:
    """Let the threads that train go first."""
    # Linux numbers threads like processes. A sandbox may forbid it: then both run alike.
    if sys.platform == "linux":
        thread = threading.get_native_id()
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, thread) + _NICE)
    time.sleep(0.001)  # The caller goes on at once, not after a turn of the interpreter.


# Not more: training waits for this thread while it has the interpreter.
_NICE = 5

_last: Saving | None = None
_turn = threading.RLock()


def finish() -> None:
    """Wait for a save under way.

    Raises:
        OSError: see `Saving.join`.
    """
    if _last is not None:
        _last.join()


def run(
    model: Any, path: str, write: Callable[[], None], asynchronous: bool = False
) -> Saving | None:
    """Write `path` after whatever is still being written; in one process when several train.

    Args:
        model: what `write` writes.
        path: of the file.
        write: makes the file from the state of the model.
        asynchronous: whether a thread does that, from a copy of the state.

    Raises:
        OSError: for this file, or the one before when that was asynchronous.
    """
    global _last
    with _turn:
        finish()
        if engine.process_index() != 0:
            return None
        if not asynchronous:
            write()
            return None
        snapshot = Snapshot(model, serialize_keras_object(model))

        def write_snapshot() -> None:
            try:
                with snapshot:
                    write()
            finally:
                snapshot.release()

        _last = Saving(path, write_snapshot)
        return _last


@atexit.register
def _at_exit() -> None:
    try:
        finish()
    except BaseException:  # noqa: BLE001 - nobody is left to catch it
        print("An asynchronous save failed:", file=sys.stderr)
        traceback.print_exc()

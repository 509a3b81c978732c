"""Workers that fetch the batches of a `PyDataset` ahead: threads, each with a process if asked.

Nothing here loads an engine: worker processes import this module.
"""

from __future__ import annotations

import collections
import contextlib
import itertools
import mmap
import multiprocessing
import os
import pickle
import queue
import signal
import threading
import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from multiprocessing import reduction
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, NamedTuple

from keraslite.core.errors import short
from keraslite.training.py_dataset import PyDataset

#: Seconds of waiting for one batch after which a worker that sleeps all the time hangs, and a
#: warning says for whom else it is waited.
PATIENCE = 8.0
#: Bytes from which on an array is worth memory of its own on its way between processes.
_LARGE = 2**18


class Workers:
    """The workers of one data set, which stay until they are closed.

    Processes get the data set as it is when a pass begins, if it has changed since the last
    one; what they change in it stays with them.

    Args:
        dataset: says how many workers there are, of which kind, and how long a batch may take.
    """

    def __init__(self, dataset: PyDataset) -> None:
        self._dataset = dataset
        self._name = type(dataset).__name__
        self._tasks: queue.SimpleQueue[tuple[int, Future] | None] = queue.SimpleQueue()
        self._busy: dict[int, _Worker] = {}
        self._processes: list[_Process] = []
        self._count = max(dataset.workers, 1)
        for number in range(1, self._count + 1):
            process = _Process(number) if dataset.use_multiprocessing else None
            if process is not None:
                self._processes.append(process)
            # A daemon: one that hangs must not keep the program from ending.
            threading.Thread(target=self._work, args=(number, process), daemon=True).start()

    def batches(self, order: Iterable[int]) -> Iterator[Any]:
        """The batches at these indices, in order, while workers fetch the next ones."""
        if self._processes:
            data = _pickled(self._dataset)
            for process in self._processes:
                process.data = data
        window = max(self._count, self._dataset.max_queue_size)
        indices = iter(order)
        waiting: collections.deque[tuple[int, Future]] = collections.deque()

        def ask(count: int) -> None:
            for index in itertools.islice(indices, count):
                waiting.append((index, Future()))
                self._tasks.put(waiting[-1])

        try:
            ask(window)
            while waiting:
                yield self._result(*waiting.popleft())
                ask(1)
        finally:
            for _, future in waiting:
                future.cancel()

    def close(self) -> None:
        """End the workers, whatever they do."""
        for _ in range(self._count):
            self._tasks.put(None)
        for process in self._processes:
            process.end()

    def _work(self, number: int, process: _Process | None) -> None:
        if process is None:
            name, place = f"worker thread {number}", f"self/task/{threading.get_native_id()}"
            fetch: Callable[[int], Any] = self._dataset.__getitem__
        else:
            name, place, fetch = process.name, process.pid, process.fetch
        worker = _Worker(name, f"/proc/{place}/schedstat")
        while (task := self._tasks.get()) is not None:
            index, future = task
            if not future.set_running_or_notify_cancel():
                continue
            self._busy[index] = worker
            try:
                future.set_result(fetch(index))
            except BaseException as error:  # noqa: BLE001 - whatever it is, `fit` raises it
                failure = RuntimeError(
                    short(
                        f"Batch {index} of `{self._name}` could not be fetched by {name}: "
                        + (str(error) if self._processes else summary(error))
                    )
                )
                failure.__cause__ = error.__cause__ if self._processes else error
                future.set_exception(failure)
            self._busy.pop(index, None)

    def _result(self, index: int, future: Future) -> Any:
        limit = self._dataset.timeout
        waited = 0.0
        while True:
            before = self._turns(index)
            patience = PATIENCE if limit is None else min(PATIENCE, limit - waited)
            with contextlib.suppress(TimeoutError):
                return future.result(patience)
            waited += patience
            if limit is None and before is not None and self._turns(index) == before:
                raise TimeoutError(
                    f"{self._late(index, waited)} It hangs: it did nothing at all. If it waits "
                    "for something slow, set the attribute `timeout` of the data set to the "
                    "seconds that a batch may take."
                )
            if limit is not None and waited >= limit:
                raise TimeoutError(
                    f"{self._late(index, waited)} It hangs, or the attribute `timeout` of the "
                    "data set must be larger."
                )
            if waited == PATIENCE:
                warnings.warn(
                    f"{self._late(index, waited)} The attribute `timeout` of a `PyDataset` sets "
                    "a limit in seconds.",
                    stacklevel=2,
                )

    def _turns(self, index: int) -> str | None:
        """Changes with every turn that the worker of a batch gets; None where nobody knows."""
        worker = self._busy.get(index)
        try:
            return None if worker is None else Path(worker.schedule).read_text()
        except OSError:
            return None  # Not Linux, or its end is just being noticed.

    def _late(self, index: int, seconds: float) -> str:
        worker = self._busy.get(index)
        name = "its worker" if worker is None else worker.name
        return f"Batch {index} of `{self._name}` was not fetched by {name} in {seconds:g} s."


class _Worker(NamedTuple):
    """A worker's name in messages, and the file with how often the system gave it a turn."""

    name: str
    schedule: str


def summary(error: BaseException) -> str:
    """An error in a line."""
    return short(f"{type(error).__name__}: {error}", 300)


def _pickled(dataset: PyDataset) -> bytes:
    try:
        return pickle.dumps(dataset)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise ValueError(
            short(
                f"`{type(dataset).__name__}` cannot be sent to worker processes: {error}. Keep "
                "what cannot be pickled out of it, or use `use_multiprocessing=False`."
            )
        ) from error


class _Process:
    """A process that fetches batches when it is asked.

    Attributes:
        data: the pickled data set.
    """

    def __init__(self, number: int) -> None:
        # Forked children of a process with a running engine may hang.
        context = multiprocessing.get_context("spawn")
        self.data = b""
        self._sent: bytes | None = None
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs,), daemon=True)
        self._process.start()
        # So that the pipe ends when the process does.
        theirs.close()
        self.pid = str(self._process.pid)
        self.name = f"worker process {number} (pid {self.pid})"

    def fetch(self, index: int) -> Any:
        """The batch at an index."""
        try:
            self._pipe.send((index, None if self.data == self._sent else self.data))
            self._sent = self.data
            # The process as well as the pipe: its own children may hold the pipe open.
            if self._pipe not in wait([self._pipe, self._process.sentinel]):
                raise EOFError
            found, error, trace = _receive(self._pipe)
        except (EOFError, OSError):
            self._process.join(1)
            raise RuntimeError(
                f"it died (exit code {self._process.exitcode}). It was killed (out of memory?), "
                "or the script lacks `if __name__ == '__main__':`. `use_multiprocessing=False` "
                "uses threads."
            ) from None
        if error is not None:
            raise RuntimeError(error) from RuntimeError(f"in the worker process\n{trace}")
        return found

    def end(self) -> None:
        """Kill it if it lives."""
        self._process.terminate()
        self._process.join(2)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        self._pipe.close()


def _serve(pipe: Connection) -> None:
    """What a worker process does: answer `(index, changed data set)` with a batch."""
    # Ctrl-C reaches all processes of a terminal; the first one ends its workers itself.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    dataset: Any = None
    with contextlib.suppress(EOFError, OSError):
        while True:
            index, data = pipe.recv()
            try:
                if data is not None:
                    dataset = pickle.loads(data)
                reply = _packed((dataset[index], None, None))
            except Exception as error:  # noqa: BLE001 - whatever it is, the parent raises it
                reply = _packed((None, summary(error), traceback.format_exc()))
            _send(pipe, *reply)


def _packed(value: Any) -> tuple[bytes, list[memoryview]]:
    """A pickled value, and the contents of its large arrays beside it."""
    buffers: list[pickle.PickleBuffer] = []
    shares = hasattr(os, "memfd_create")

    def stays(buffer: pickle.PickleBuffer) -> bool:
        large = shares and buffer.raw().nbytes >= _LARGE
        if large:
            buffers.append(buffer)
        return not large

    data = pickle.dumps(value, pickle.HIGHEST_PROTOCOL, buffer_callback=stays)
    return data, [buffer.raw() for buffer in buffers]


def _send(pipe: Connection, data: bytes, buffers: list[memoryview]) -> None:
    """Arrays go through memory that has no name, so that nothing stays when a process dies."""
    pipe.send((data, [buffer.nbytes for buffer in buffers]))
    for buffer in buffers:
        memory = os.memfd_create("batch")
        try:
            os.truncate(memory, buffer.nbytes)
            with mmap.mmap(memory, buffer.nbytes) as view:
                view[:] = buffer
            reduction.send_handle(pipe, memory, None)
        finally:
            os.close(memory)


def _receive(pipe: Connection) -> Any:
    data, sizes = pipe.recv()
    buffers = []
    for size in sizes:
        memory = reduction.recv_handle(pipe)
        buffers.append(mmap.mmap(memory, size))
        os.close(memory)
    return pickle.loads(data, buffers=buffers)


def _end_with_parent() -> None:
    """End this process, whatever it does, when the one that started it is gone."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)

"""Workers of a `PyDataset`: what they fetch, how they fail, and that none stays behind."""

from __future__ import annotations

import contextlib
import itertools
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import keraslite
from keraslite.backend import engine
from keraslite.training import workers as workers_module
from keraslite.training.data import make_source
from tests.training.worker_data import FAULTY, Faulty

LAYERS = 6


@pytest.fixture(scope="module")
def model() -> Any:
    layers = keraslite.layers
    model = keraslite.Sequential(
        [layers.Input((4,)), *(layers.Dense(8) for _ in range(LAYERS)), layers.Dense(1)]
    )
    model.compile("adam", loss="mse")
    return model


def use(model: Any, data: Any) -> None:
    run = model.fit if engine.capabilities.trainable else model.evaluate
    run(data, verbose=0)


@pytest.mark.parametrize("kind", ["thread", "process"])
def test_batches_come_in_order_and_see_what_changes_between_passes(kind: str) -> None:
    dataset = Faulty(workers=2, max_queue_size=3, use_multiprocessing=kind == "process")
    dataset.width = 2**16  # Large enough for shared memory.
    source = make_source(dataset, shuffle=True, seed=1)
    processes = []
    for epoch in range(2):
        batches = [x for x, _ in source.batches(epoch)]
        order = [int(x[0, 2]) for x in batches]
        assert sorted(order) == list(range(6)) and order != list(range(6))
        assert [int(x[0, 2]) for x, _ in source.batches(epoch, start=4)] == order[4:]
        assert {int(x[0, 0]) for x in batches} == {epoch}
        assert all((x[:, 2:] == x[0, 2]).all() and x.flags.writeable for x in batches)
        processes.append({int(x[0, 1]) for x in batches})
        source.on_epoch_end()
    # The same ones in both passes.
    assert len(set.union(*processes)) <= 2 and (os.getpid() in processes[0]) == (kind == "thread")
    source.close()
    dataset.limited = False
    with contextlib.closing(make_source(dataset)) as source:
        endless = source.batches(0, start=3)
        assert [int(x[0, 2]) for x, _ in itertools.islice(endless, 9)] == list(range(3, 12))
    assert multiprocessing.active_children() == []


FAULTS = [
    ("thread", "sleeps", TimeoutError, "did nothing at all"),
    ("process", "sleeps", TimeoutError, "did nothing at all"),
    ("thread", "raises", RuntimeError, "KeyError: 'bad row'"),
    ("thread", "hangs", TimeoutError, ""),
    ("process", "raises", RuntimeError, "KeyError: 'bad row'"),
    ("process", "hangs", TimeoutError, ""),
    ("process", "is killed", RuntimeError, "died .exit code -9"),
    ("process", "exits", RuntimeError, "died .exit code 3"),
    ("process", "cannot be pickled", RuntimeError, "[Pp]ickle"),
]


@pytest.mark.filterwarnings("ignore:Batch 3 of")  # Processes take their time to start.
@pytest.mark.parametrize(("kind", "fault", "error", "message"), FAULTS)
def test_faults_name_data_batch_and_worker(
    kind: str,
    fault: str,
    error: type[Exception],
    message: str,
    model: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    dataset = Faulty(fault, workers=2, use_multiprocessing=kind == "process")
    if fault == "sleeps":
        # Without a limit. A process must have begun by then.
        monkeypatch.setattr(workers_module, "PATIENCE", 0.4 if kind == "thread" else 2.0)
    elif fault == "hangs":
        dataset.timeout = 0.2 if kind == "thread" else 3.0
        message = f"in {dataset.timeout:g} s"
    begin = time.monotonic()
    pattern = rf"Batch {FAULTY} of `Faulty` .*worker {kind} [12].*{message}"
    with pytest.raises(error, match=pattern) as raised:
        use(model, dataset)
    assert time.monotonic() - begin < 10 and len(str(raised.value)) <= 600
    assert multiprocessing.active_children() == []
    use(model, Faulty(workers=2))


def test_a_batch_that_comes_late_has_a_warning(monkeypatch: pytest.MonkeyPatch, model: Any) -> None:
    monkeypatch.setattr(workers_module, "PATIENCE", 0.2)
    with pytest.warns(UserWarning, match=rf"Batch {FAULTY} of `Faulty`.*worker thread [12]"):
        use(model, Faulty("is slow", workers=2))


def test_data_that_cannot_be_sent(model: Any) -> None:
    dataset = Faulty(workers=2, use_multiprocessing=True)
    dataset.function = lambda: None
    with pytest.raises(ValueError, match="cannot be sent to worker processes"):
        use(model, dataset)
    assert multiprocessing.active_children() == []


@pytest.fixture
def ctrl_c() -> Iterator[None]:
    """Ctrl-C interrupts, also where the tests run behind a shell that has it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.requires("trainable")
@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_leaves_no_worker_and_a_model_that_works(model: Any) -> None:
    """At any moment: of a compiled step, between steps, while waiting for data."""
    x, y = np.ones((256, 4), "float32"), np.zeros((256, 1), "float32")
    use(model, Faulty())
    model.fit(x, y, batch_size=4, verbose=0)
    rng = np.random.default_rng(0)
    endless = Faulty(workers=2, use_multiprocessing=True)
    endless.limited = False
    interrupted = 0
    for attempt in range(16):
        delay = rng.uniform(0.01, 0.1) if attempt else 2.0
        timer = threading.Timer(delay, os.kill, (os.getpid(), signal.SIGINT))
        try:
            timer.start()
            if attempt:
                model.fit(x, y, batch_size=4, epochs=10_000, verbose=0)
            else:
                model.fit(endless, steps_per_epoch=10**6, verbose=0)
        except KeyboardInterrupt:
            interrupted += 1
        timer.join()
        assert multiprocessing.active_children() == []
        for w in [*model.weights, *model.optimizer.variables]:
            assert np.isfinite(w.numpy()).all()
    assert interrupted == 16 and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert np.isfinite(model.predict(x, verbose=0)).all()
    assert np.isfinite(model.fit(x, y, verbose=0).history["loss"]).all()


def test_without_tensorflow_and_killed() -> None:
    """The program is ended while its workers hang; they end with it."""
    here = Path(__file__)
    environment = {
        **os.environ,
        "KERAS_BACKEND": keraslite.backend.backend(),
        "PYTHONPATH": str(here.parents[2]),
    }
    program = subprocess.Popen(
        [sys.executable, here.with_name("worker_program.py")],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert program.stdout is not None
    lines = (line for line in program.stdout if not line.startswith("Found"))
    assert next(lines, None) == "1 1 4 5\n"
    workers = next(lines).split()
    assert len(workers) == 2 and all(_lives(pid) for pid in workers)
    program.send_signal(signal.SIGTERM)
    program.communicate(timeout=10)
    end = time.monotonic() + 5
    while any(_lives(pid) for pid in workers) and time.monotonic() < end:
        time.sleep(0.05)
    assert not any(_lives(pid) for pid in workers)


def _lives(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    return True

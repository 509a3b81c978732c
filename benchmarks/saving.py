"""Files: loading against Keras and the disk, background saves, faults."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measure import in_turns, seconds_of
from benchmarks.report import Row

MEGABYTES = 500
_ROOT = Path(__file__).parents[1]


def files(engine: str, quick: bool) -> list[Row]:
    """Loading of 200 layers and of 500 MB, the memory that it takes, background saves, faults."""
    rounds = 2 if quick else 5
    with tempfile.TemporaryDirectory() as folder:
        rows = [_layers(Path(folder), rounds), *_large(Path(folder), rounds)]
        if engine != "numpy":
            rows += _background(Path(folder), rounds)
    return [*rows, *_faults(quick)]


def _layers(folder: Path, rounds: int) -> Row:
    import keras

    import keraslite

    path = folder / "layers.keras"
    layers = [keraslite.layers.Dense(32) for _ in range(200)]
    keraslite.Sequential([keraslite.Input((32,)), *layers]).save(path)
    contenders = {
        name: _load(rival, path) for name, rival in (("keraslite", keraslite), ("keras", keras))
    }
    seconds = in_turns(contenders, rounds, warmup=1)
    return Row("load a model of 200 layers", "ms", seconds, limits={"keras": 1 / 3})


def _load(keras: Any, path: Path) -> Callable[[], object]:
    return lambda: keras.saving.load_model(path)


def _large(folder: Path, rounds: int) -> list[Row]:
    import keraslite

    size = int((MEGABYTES * 2**20 / 4 / 8) ** 0.5)

    def make() -> Any:
        layers = [keraslite.layers.Dense(size) for _ in range(8)]
        return keraslite.Sequential([keraslite.Input((size,)), *layers])

    rows = []
    for name in ("large.keras", "large.safetensors", "large.weights.h5"):
        path = folder / name
        model = make()
        load = _load(keraslite, path)
        if ".weights." in name:
            model.save_weights(path)
            load = functools.partial(model.load_weights, path)
        else:
            model.save(path)
        del model
        rows += _against_the_disk(path, load, rounds)
        if name == "large.keras":
            rows.append(_memory(path))
        path.unlink()
    return rows


def _against_the_disk(path: Path, load: Callable[[], object], rounds: int) -> list[Row]:
    # By hand: the bytes of the file in memory.
    contenders = {"keraslite": load, "by hand": path.read_bytes}
    warm = in_turns(contenders, rounds, warmup=1)
    cold: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, run in contenders.items():
            _forget(path)
            cold[name].append(seconds_of(run))
    what = f"load {MEGABYTES} MB of {path.suffixes[0]}"
    return [
        Row(f"{what}, from the disk", "ms", cold, limits={"by hand": 1.5}),
        Row(f"{what}, in the cache of the system", "ms", warm, limits={"by hand": 1.5}),
    ]


def _forget(path: Path) -> None:
    """Take a file out of the cache of the system."""
    with open(path, "rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _memory(path: Path) -> Row:
    """Bytes at the highest, less those of the loaded model, as a part of its weights."""
    import keraslite

    highest, over = 0, threading.Event()

    def watch() -> None:
        nonlocal highest
        while not over.wait(0.002):
            highest = max(highest, _resident())

    watcher = threading.Thread(target=watch)
    watcher.start()
    model = keraslite.saving.load_model(path)
    over.set()
    watcher.join()
    ratio = max(highest - _resident(), 0) / (MEGABYTES * 2**20)
    del model
    return Row("load: memory above the model, in weights", "x", {"keraslite": [ratio]})


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _background(folder: Path, rounds: int) -> list[Row]:
    """How long a save keeps training from going on, and by how much it delays the steps after.

    The model has 100 MB of weights and of Adam's state; the step is one of 256 samples. A delay
    is what ten steps take that follow the call of `save`, with the call, less ten steps alone.
    """
    import keraslite as keras

    model = keras.Sequential([keras.Input((1024,)), *(keras.layers.Dense(1024) for _ in range(8))])
    model.compile("adam", "mse")
    x = np.ones((256, 1024), "float32")

    def ten_steps() -> None:
        for _ in range(10):
            model.train_on_batch(x, x)

    ten_steps()
    model.save(folder / "m.keras", asynchronous=True).join()
    waits: dict[str, list[float]] = {"keraslite": [], "waiting": [], "one step": []}
    delays: dict[str, list[float]] = {"keraslite": [], "waiting": [], "one step": []}
    for _ in range(2 * rounds):
        alone = seconds_of(ten_steps)
        start = time.perf_counter()
        saving = model.save(folder / "m.keras", asynchronous=True)
        waits["keraslite"].append(time.perf_counter() - start)
        ten_steps()
        delays["keraslite"].append(time.perf_counter() - start - alone)
        saving.join()
        waiting = seconds_of(lambda: model.save(folder / "m.keras"))
        for seconds in (waits, delays):
            seconds["waiting"].append(waiting)
            seconds["one step"].append(alone / 10)
    return [
        Row("asynchronous save: until it returns", "ms", waits, limits={"one step": 0.05}),
        Row("asynchronous save: delay of the next ten steps", "ms", delays),
    ]


def _faults(quick: bool) -> list[Row]:
    """How many files of damaged or killed saves load silently wrong, or not at all."""
    kills, flips = (10, 100) if quick else (100, 1000)
    environment = {**os.environ, "KERAS_BACKEND": "numpy"}  # no engine takes part
    command = [sys.executable, "-m", "tests.saving.faults", str(kills), str(flips)]
    done = subprocess.run(
        command, cwd=_ROOT, env=environment, check=True, capture_output=True, text=True
    )
    rows = []
    for line in done.stdout.splitlines():
        what, good, bad = line.rsplit(",", 2)
        counts = {"keraslite": [float(bad)], "of": [float(good) + float(bad)]}
        rows.append(Row(f"{what}: lost, or silently wrong", "count", counts))
    return rows

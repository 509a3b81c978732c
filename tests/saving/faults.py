"""Faults in files and in the middle of saves, counted. Tests run a few, `benchmarks files` all."""

from __future__ import annotations

import os
import random
import signal
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

import keraslite as keras

FORMATS = ("m.keras", "m.weights.h5", "m.h5", "m.safetensors", "m.weights.json")


def model(value: float = 0.0) -> Any:
    """A small trained-looking model, all of whose variables have one value each."""
    made = keras.Sequential(
        [
            keras.Input((5,), name="input"),
            keras.layers.Dense(7, activation="relu", name="first"),
            keras.layers.BatchNormalization(name="norm"),
            keras.layers.Dense(3, name="last"),
        ],
        name="model",
    )
    made.compile(keras.optimizers.SGD(0.1, momentum=0.9, name="sgd"), "mean_squared_error")
    made.optimizer.build(made.trainable_variables)
    for number, variable in enumerate([*made.variables, *made.optimizer.variables]):
        variable.assign(np.full(variable.shape, value + number).astype(variable.dtype))
    return made


def save(made: Any, path: Path) -> None:
    if path.name.endswith(".weights.json"):
        made.save_weights(path, max_shard_size=400 / 2**30)
    elif ".weights." in path.name:
        made.save_weights(path)
    else:
        made.save(path)


def load(path: Path) -> Any:
    if ".weights." not in path.name:
        return keras.saving.load_model(path)
    made = model(-1000.0)
    made.load_weights(path)
    return made


def content(made: Any) -> tuple[list[np.ndarray], str]:
    state = made.get_weights() + [v.numpy() for v in made.optimizer.variables]
    return state, made.to_json()


def same(a: tuple[list[np.ndarray], str], b: tuple[list[np.ndarray], str]) -> bool:
    weights = len(a[0]) == len(b[0]) and all(map(np.array_equal, a[0], b[0]))
    return weights and a[1] == b[1]


# Damage ----------------------------------------------------------------------------------


def damage(
    folder: Path, name: str, changes: Callable[[int], Iterator[Callable[[bytes], bytes]]]
) -> Counter[str]:
    """What became of loading a file after each change: "named", "right", or a silent "wrong".

    Args:
        folder: empty.
        name: of the file, of `FORMATS`.
        changes: number of bytes of all files of the format -> what to do to them, each alone.
    """
    path = folder / name
    save(model(), path)
    files = sorted(folder.iterdir())
    whole = [file.read_bytes() for file in files]
    expected = content(load(path))
    found: Counter[str] = Counter()
    for change in changes(sum(map(len, whole))):
        data = change(b"".join(whole))
        for file, old in zip(files, whole, strict=True):
            file.write_bytes(data[: len(old)])
            data = data[len(old) :]
        found[_outcome(path, expected)] += 1
    return found


def _outcome(path: Path, expected: Any) -> str:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = content(load(path))
    except ValueError as error:
        return "named" if path.stem.split(".")[0] in str(error) else f"unnamed: {error}"
    except FileNotFoundError:
        return "named"
    return "right" if same(found, expected) else "wrong"


def bit_flips(count: int, seed: int = 0) -> Callable[[int], Iterator[Callable[[bytes], bytes]]]:
    """Single bits that flip, in places that differ."""

    def changes(size: int) -> Iterator[Callable[[bytes], bytes]]:
        for place in random.Random(seed).sample(range(8 * size), count):

            def flip(data: bytes, place: int = place) -> bytes:
                changed = bytearray(data)
                changed[place // 8] ^= 1 << place % 8
                return bytes(changed)

            yield flip

    return changes


def truncations(count: int) -> Callable[[int], Iterator[Callable[[bytes], bytes]]]:
    """Files that end early, after lengths all along the file, its very end among them."""

    def changes(size: int) -> Iterator[Callable[[bytes], bytes]]:
        for length in {*np.linspace(0, size - 1, count - 3, dtype=int), size - 2, size - 25}:
            yield lambda data, length=int(length): data[:length]

    return changes


# Kills -----------------------------------------------------------------------------------


def kill(folder: Path, name: str, count: int, seed: int = 0) -> Counter[str]:
    """Kill processes that save in a loop, at random moments; then load what there is.

    The processes are forks of this one, so that starting them takes no time.

    Returns:
        "old or new": one save, whole; "lost": no file, a damaged or a mixed one.
    """
    path = folder / name
    versions = [model(100.0 * i) for i in range(1, 6)]
    save(versions[0], path)
    start = time.perf_counter()
    save(versions[0], path)
    takes = time.perf_counter() - start
    found: Counter[str] = Counter()
    rng = random.Random(seed)
    for _ in range(count):
        child = os.fork()
        if not child:
            try:
                while True:
                    for version in versions:
                        save(version, path)
            finally:
                os._exit(1)
        time.sleep(rng.random() * 5 * takes)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        found["old or new" if _is_one_save(path) else "lost"] += 1
    save(versions[0], path)
    found["lost"] += _left(folder)
    return found


def _left(folder: Path) -> int:
    """Files of saves that were killed, after one that was not."""
    return sum(path.name.startswith(".") for path in folder.iterdir())


def stop_at(folder: Path, name: str) -> Counter[str]:
    """Like `kill`, at each of the calls that change files: open, write, sync, rename, unlink."""
    path = folder / name
    old, new = model(100.0), model(200.0)
    found: Counter[str] = Counter()
    for number in range(10_000):
        save(old, path)
        child = os.fork()
        if not child:
            try:
                _stop_after(number)
                save(new, path)
                os._exit(0)
            finally:
                os._exit(1)
        _, status = os.waitpid(child, 0)
        found["old or new" if _is_one_save(path) else "lost"] += 1
        if os.WIFEXITED(status) and os.WEXITSTATUS(status) == 0:
            found["lost"] += _left(folder)
            return found
    raise AssertionError("saving never ended")


_CALLS = {"open", "os.rename", "os.remove", "os.chmod", "os.truncate", "tempfile.mkstemp"}


def _stop_after(count: int) -> None:
    """Kill this process at the call of this number that changes files."""
    left = count

    def step() -> None:
        nonlocal left
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left -= 1

    def audit(event: str, arguments: tuple[Any, ...]) -> None:
        if event in _CALLS:
            step()

    def stepping(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            step()
            return function(*arguments)

        return call

    sys.addaudithook(audit)
    os.fsync = stepping(os.fsync)  # it has no event


def _is_one_save(path: Path) -> bool:
    """Whether all variables come from one save: each is its number and a multiple of 100."""
    try:
        made = load(path)
    except (OSError, ValueError):
        return False
    variables = [*made.variables, *made.optimizer.variables]
    base = {float(np.ravel(v.numpy())[0]) - i for i, v in enumerate(variables)}
    return len(base) == 1 and base.pop() % 100 == 0


def main(kills: int, flips: int) -> None:
    """Print `what,good,bad` of all faults, and which engines saving and loading imported."""
    for name in FORMATS:
        with tempfile.TemporaryDirectory() as folder:
            killed = kill(Path(folder), name, kills), stop_at(Path(folder), name)
        for what, found in zip(("at random moments", "at each step"), killed, strict=True):
            print(f"{name}: killed {what},{found['old or new']},{found['lost']}", flush=True)
        for what, changes in (("bit flips", bit_flips(flips)), ("truncations", truncations(60))):
            with tempfile.TemporaryDirectory() as folder:
                found = damage(Path(folder), name, changes) if flips else Counter()
            good = found["named"] + found["right"]
            print(f"{name}: {what},{good},{found.total() - good}", flush=True)
    others = ["jax", "torch", "tensorflow", "keras"]
    imported = sum(name in sys.modules for name in others)
    print(f"imports of other engines,{len(others) - imported},{imported}")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))

"""What importing costs and touches, and how the engine is chosen. Every case is a fresh process."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import keraslite

CHOSEN = keraslite.backend.backend()
FRAMEWORKS = {"jax", "torch", "tensorflow", "keras"}
FRAMEWORK_ALONE = f"import {CHOSEN}"  # a built-in engine is called as its package
LOAD = "import keraslite; keraslite.ops.add; keraslite.layers.Dense; keraslite.Model"
ENGINE = "import keraslite; keraslite.backend.engine"
NAME = "import keraslite; print(keraslite.backend.backend())"
ADDED_SECONDS = 0.3
NUMPY_SECONDS = 0.5
ROUNDS = 8

built_in_only = pytest.mark.skipif(
    importlib.util.find_spec(CHOSEN) is None, reason="there is no framework of the engine's name"
)


def python(code: str, **variables: str | None) -> subprocess.CompletedProcess[str]:
    """Run `code` in a new interpreter with these environment variables (None removes one)."""
    changed = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **variables}
    env = {name: value for name, value in changed.items() if value is not None}
    command = [sys.executable, "-c", code]
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=120)


def printed(code: str, **variables: str | None) -> str:
    """The last line that `code` prints."""
    done = python(code, **variables)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip().splitlines()[-1]


def error(code: str, **variables: str | None) -> str:
    """The last line of the traceback of `code`, which must fail."""
    done = python(code, **variables)
    assert done.returncode != 0, done.stdout
    return done.stderr.strip().splitlines()[-1]


# What importing loads, writes and costs -------------------------------------------------------


def frameworks_after(code: str, **variables: str | None) -> set[str]:
    report = "import sys, json; print(json.dumps(list(sys.modules)))"
    return FRAMEWORKS & set(json.loads(printed(f"{code}\n{report}", **variables)))


def test_importing_loads_no_framework() -> None:
    assert frameworks_after("import keraslite; keraslite.config, keraslite.backend") == set()


def test_numpy_loads_no_other_framework() -> None:
    assert frameworks_after(LOAD, KERAS_BACKEND="numpy") == set()


@built_in_only
def test_the_engine_loads_what_its_framework_loads() -> None:
    # TensorFlow imports keras by itself; nothing else may.
    assert frameworks_after(LOAD) == frameworks_after(FRAMEWORK_ALONE)


@built_in_only
def test_importing_writes_nothing(tmp_path: Path) -> None:
    def written(code: str) -> set[Path]:
        home = tmp_path / str(len(code))
        home.mkdir()
        printed(f"{code}\nprint('done')", HOME=str(home), KERAS_HOME=None, XDG_CACHE_HOME=None)
        return {path.relative_to(home) for path in home.rglob("*") if path.is_file()}

    assert written(LOAD) == written(FRAMEWORK_ALONE)


def cpu_seconds(before: str, goal: float, **variables: str | None) -> float:
    """What `LOAD` costs after `before`: the least of several processes, or one within the goal.

    Processor time and the least, because other work on the machine only ever adds. With
    compiled files, as for every user: the first process writes those that are missing.
    """
    code = f"from time import process_time as now\n{before}\n{LOAD}\nprint(now() - start)"
    least = float("inf")
    for _ in range(ROUNDS):
        found = printed(code, PYTHONDONTWRITEBYTECODE=None, **variables)
        least = min(least, float(found))
        if least < goal:
            break
    return least


@built_in_only
def test_importing_adds_little_to_the_framework() -> None:
    assert cpu_seconds(f"{FRAMEWORK_ALONE}; start = now()", ADDED_SECONDS) < ADDED_SECONDS


def test_a_whole_numpy_process_is_short() -> None:
    # The clock starts with the process: Python, NumPy and all else are in it.
    assert cpu_seconds("start = 0", NUMPY_SECONDS, KERAS_BACKEND="numpy") < NUMPY_SECONDS


# Choosing the engine --------------------------------------------------------------------------


def settings(home: Path, text: str) -> str:
    (home / "keras.json").write_text(text)
    return str(home)


def test_the_environment_chooses() -> None:
    assert printed(NAME, KERAS_BACKEND="numpy") == "numpy"


def test_the_file_chooses(tmp_path: Path) -> None:
    home = settings(tmp_path, '{"backend": "numpy", "floatx": "float64", "epsilon": 1e-5}')
    code = (
        "import keraslite as k; print(k.backend.backend(), k.config.floatx(), k.config.epsilon())"
    )
    assert printed(code, KERAS_HOME=home, KERAS_BACKEND=None) == "numpy float64 1e-05"


def test_the_environment_comes_before_the_file(tmp_path: Path) -> None:
    home = settings(tmp_path, '{"backend": "torch"}')
    assert printed(NAME, KERAS_HOME=home, KERAS_BACKEND="numpy") == "numpy"


@pytest.mark.parametrize(
    ("missing", "expected"),
    [
        (("jax", "torch", "tensorflow"), "numpy"),
        *[
            pytest.param(
                before,
                name,
                marks=pytest.mark.skipif(not importlib.util.find_spec(name), reason="missing"),
            )
            for before, name in (
                ((), "jax"),
                (("jax",), "torch"),
                (("jax", "torch"), "tensorflow"),
            )
        ],
    ],
)
def test_the_default_is_the_first_installed(
    tmp_path: Path, missing: tuple[str, ...], expected: str
) -> None:
    hide = f"import sys; sys.modules.update(dict.fromkeys({missing!r}))\n"
    assert printed(hide + NAME, KERAS_HOME=str(tmp_path), KERAS_BACKEND=None) == expected


def test_an_unknown_engine_names_the_valid_and_the_nearest() -> None:
    message = error(ENGINE, KERAS_BACKEND="pytorch")
    assert message.startswith("ValueError: ")
    for part in ("'pytorch'", "Did you mean 'torch'?", "jax, torch, tensorflow, numpy"):
        assert part in message
    assert len(message) <= 600


def test_a_missing_engine_names_the_pip_command() -> None:
    hide = "import sys; sys.modules['torch'] = None\n"
    message = error(hide + ENGINE, KERAS_BACKEND="torch")
    assert message.startswith("ImportError: ")
    for part in ("'torch'", 'pip install "keraslite[torch]"', "numpy"):
        assert part in message
    assert len(message) <= 600


def test_a_damaged_settings_file_is_named(tmp_path: Path) -> None:
    message = error(ENGINE, KERAS_HOME=settings(tmp_path, "{"))
    assert message.startswith("ValueError: ")
    assert str(tmp_path / "keras.json") in message


# Engines of other packages ---------------------------------------------------------------------


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder for PYTHONPATH with a distribution that registers two engines."""
    (tmp_path / "toy_engine.py").write_text(
        "from keraslite.backend.numpy import NumpyEngine\n"
        "class ToyEngine(NumpyEngine):\n"
        "    name = 'toy'\n"
        "class NoEngine: ...\n"
    )
    info = tmp_path / "toy_engine-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: toy-engine\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[keraslite.backends]\ntoy = toy_engine:ToyEngine\nbroken = toy_engine:NoEngine\n"
    )
    return tmp_path


def test_an_engine_of_another_package_computes(site: Path) -> None:
    code = (
        "import keraslite as k; "
        "print(k.backend.backend(), k.backend.engine.name, k.ops.convert_to_numpy(k.ops.add(1, 2)))"
    )
    assert printed(code, KERAS_BACKEND="toy", PYTHONPATH=str(site)) == "toy toy 3"


def test_another_package_is_loaded_only_when_chosen(site: Path) -> None:
    code = ENGINE + "; import sys; print('toy_engine' in sys.modules)"
    assert printed(code, KERAS_BACKEND="numpy", PYTHONPATH=str(site)) == "False"


def test_its_name_is_among_the_valid(site: Path) -> None:
    message = error(ENGINE, KERAS_BACKEND="toi", PYTHONPATH=str(site))
    assert "Did you mean 'toy'?" in message


def test_what_is_no_engine_is_refused(site: Path) -> None:
    message = error(ENGINE, KERAS_BACKEND="broken", PYTHONPATH=str(site))
    assert message.startswith("TypeError: ")
    assert "toy_engine:NoEngine" in message

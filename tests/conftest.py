"""What all tests share: no settings of the user, seeds, the engine and what it can do."""

from __future__ import annotations

import atexit
import os
import random
import shutil
import tempfile

import numpy as np
import pytest

# Before anything reads it. The real keras, which tests compare with, writes a file there.
os.environ["KERAS_HOME"] = tempfile.mkdtemp(prefix="keraslite-tests-")
atexit.register(shutil.rmtree, os.environ["KERAS_HOME"], ignore_errors=True)
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keraslite  # noqa: E402
from keraslite.backend import Engine  # noqa: E402
from keraslite.backend.contract import Capabilities  # noqa: E402


def _engine() -> Engine:
    return keraslite.backend.engine


def pytest_report_header() -> str:
    return f"engine: {keraslite.backend.backend()} (keraslite {keraslite.__version__})"


@pytest.fixture(scope="session")
def engine() -> Engine:
    """The chosen engine."""
    return _engine()


@pytest.fixture(scope="session")
def caps(engine: Engine) -> Capabilities:
    """What the chosen engine can do."""
    return engine.capabilities


@pytest.fixture(autouse=True)
def _seeded() -> None:
    random.seed(1337)
    np.random.seed(1337)
    if hasattr(getattr(keraslite, "utils", None), "set_random_seed"):
        keraslite.utils.set_random_seed(1337)


def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker in item.iter_markers("requires"):
        for capability in marker.args:
            if not getattr(_engine().capabilities, capability):
                pytest.skip(f"the engine {_engine().name!r} is not {capability}")

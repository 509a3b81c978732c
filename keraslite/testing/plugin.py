"""What pytest needs for the kit: fixtures, the `requires` marker, expected failures."""

from __future__ import annotations

import random
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

import keraslite
from keraslite.backend import Engine
from keraslite.backend.contract import Capabilities

OPTION = "--expected-failures"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        OPTION,
        metavar="FILE",
        help='TOML file of the failures that an engine knows about: "test_values[svd-*]" = "why"',
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "requires(*capabilities): skip unless the chosen engine has all of these"
    )
    path = config.getoption(OPTION, None)
    if path and not config.pluginmanager.has_plugin(ExpectedFailures.NAME):
        config.pluginmanager.register(ExpectedFailures.read(path), ExpectedFailures.NAME)


def pytest_report_header() -> str:
    return f"engine: {keraslite.backend.backend()} (keraslite {keraslite.__version__})"


def pytest_runtest_setup(item: pytest.Item) -> None:
    capabilities = keraslite.backend.engine.capabilities
    for marker in item.iter_markers("requires"):
        for capability in marker.args:
            if not getattr(capabilities, capability):
                pytest.skip(f"the engine {keraslite.backend.backend()!r} is not {capability}")


class ExpectedFailures:
    """Marks the tests that an engine is known to fail; one that passes is a failure then.

    Args:
        reasons: from the name of a test, in which `*` stands for anything, to why it fails.
    """

    NAME = "keraslite-expected-failures"

    def __init__(self, reasons: Mapping[str, str]) -> None:
        self._reasons = dict(reasons)
        self._found: set[str] = set()

    @classmethod
    def read(cls, path: str | Path) -> ExpectedFailures:
        """From a TOML file of names and reasons."""
        reasons = tomllib.loads(Path(path).read_text("utf-8"))
        for name, reason in reasons.items():
            if not isinstance(reason, str):
                raise pytest.UsageError(f'{path}: expected "test name" = "reason". Got: {name!r}')
        return cls(reasons)

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        for pattern, reason in self._reasons.items():
            wanted = re.compile(re.escape(pattern).replace(r"\*", ".*"))
            for item in items:
                if wanted.fullmatch(item.name):
                    self._found.add(pattern)
                    item.add_marker(pytest.mark.xfail(reason=reason, strict=True))

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        for pattern in sorted(self._reasons.keys() - self._found):
            terminalreporter.line(f"No test is called {pattern!r}, which is expected to fail.")


# Fixtures -----------------------------------------------------------------------------


@pytest.fixture(scope="session")
def engine() -> Engine:
    """The chosen engine."""
    return keraslite.backend.engine


@pytest.fixture(scope="session")
def caps(engine: Engine) -> Capabilities:
    """What the chosen engine can do."""
    return engine.capabilities


@pytest.fixture(autouse=True)
def _seeded() -> None:
    random.seed(1337)
    np.random.seed(1337)
    keraslite.utils.set_random_seed(1337)

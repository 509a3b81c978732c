"""One set of good files and canaries for all tests here."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import pytest

# The guard asks Linux who opened which file, and how much memory was taken.
collect_ignore_glob = [] if sys.platform == "linux" else ["test_*.py"]


@pytest.fixture(scope="package")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    from tests.saving.attacks.world import World

    folder = tmp_path_factory.mktemp("attacks")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        found = World(folder)
        yield found
        found.guard.close()

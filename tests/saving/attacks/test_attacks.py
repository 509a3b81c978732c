"""Files of strangers: every way to load one refuses, and does nothing else."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from pathlib import Path

import pytest

import keraslite as keras
from keraslite.backend import engine
from keraslite.core.budget import WorkBudget
from keraslite.core.errors import UnsafeModelError
from keraslite.models import functional_config
from tests.saving.attacks.corpus import LOADERS, OF_NO_ENGINE
from tests.saving.attacks.world import World

_TABLE = Path(__file__).with_name("table.txt")
_LEAST = 2_000
_CONFIGS = (".keras", ".h5", ".safetensors", "deserialize", "unset mode", "from_config")
_CONFIGS += ("from_json",)
_HDF5 = (".keras", ".keras weights", ".weights.h5", ".h5", ".h5 weights", ".weights.json")
_HDF5 += ("editor", "inspect")
#: Advisory -> the loaders that it concerns.
CONCERNS = {
    "CVE-2024-3660": _CONFIGS,
    "CVE-2025-1550": _CONFIGS,
    "CVE-2025-8747": _CONFIGS,
    "CVE-2025-9905": _CONFIGS,
    "CVE-2025-9906": _CONFIGS,
    "CVE-2025-12058": _CONFIGS,
    "CVE-2025-12060": ("get_file", ".keras", ".keras weights", "editor", "inspect"),
    "CVE-2025-12638": ("get_file",),
    "CVE-2025-49655": _CONFIGS,
    "CVE-2026-0897": _HDF5,
    "CVE-2026-1462": _CONFIGS,
    "CVE-2026-1669": _HDF5,
    "CVE-2026-12480": _HDF5,
    "CVE-2026-12481": ("unset mode", "from_config"),
}


def _marked(loader: str) -> object:
    skip = pytest.mark.skipif(
        loader in OF_NO_ENGINE and engine.capabilities.trainable,
        reason="no engine takes part: once, on the one that does not train, is enough",
    )
    return pytest.param(loader, marks=skip)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("loader", list(map(_marked, LOADERS)))
def test_attempts(world: World, loader: str) -> None:
    failed = {}
    for name, make, must_fail in LOADERS[loader]():
        load, files = make(world)
        problems = world.refused(load, *files, must_fail=must_fail)
        if problems:
            failed[name] = problems
    assert not failed, "\n".join(f"{name}: {problems}" for name, problems in failed.items())


def table() -> str:
    """Advisories and classes of attack by loader: how many attempts there are."""
    counts = {
        loader: Counter(
            word
            for attempt in attempts()
            for word in re.match(r"(?:(?:CVE-[\d-]+|A\d+) )+", attempt.name)[0].split()  # type: ignore[index]
        )
        for loader, attempts in LOADERS.items()
    }
    kinds = sorted(set(itertools.chain(*counts.values())), key=_order)
    widths = {loader: max(len(loader), 4) for loader in counts}
    lines = [f"{'':16}" + "".join(f"  {loader:>{widths[loader]}}" for loader in counts)]
    for kind in kinds:
        cells = (f"  {found[kind] or '':>{widths[loader]}}" for loader, found in counts.items())
        lines.append(f"{kind:16}" + "".join(cells))
    return "\n".join(lines) + "\n"


def _order(kind: str) -> tuple[bool, list[int]]:
    return kind.startswith("A"), [int(n) for n in re.findall(r"\d+", kind)]


def test_every_loader_is_attacked_in_every_way_that_concerns_it() -> None:
    assert _TABLE.read_text() == table(), f"write what `table()` gives to {_TABLE.name}"
    names = {loader: [x.name for x in attempts()] for loader, attempts in LOADERS.items()}
    for advisory, loaders in CONCERNS.items():
        missing = [x for x in loaders if not any(advisory in name for name in names[x])]
        assert not missing, f"{advisory} is not tried on {missing}"
    assert sum(map(len, names.values())) > _LEAST


def _chain(length: int) -> dict:
    """A graph whose layers stand in the order in which they cannot be called."""
    start = {"batch_shape": [None, 3], "name": "in"}
    entries = [{"class_name": "InputLayer", "config": start, "name": "in", "inbound_nodes": []}]
    for i in range(length):
        tensor = {
            "class_name": "__keras_tensor__",
            "config": {"shape": [None, 3], "keras_history": [f"r{i - 1}" if i else "in", 0, 0]},
        }
        call = {"args": [tensor], "kwargs": {}}
        config = {"name": f"r{i}"}
        entries.append(
            {"class_name": "ReLU", "config": config, "name": f"r{i}", "inbound_nodes": [call]}
        )
    ends = {"input_layers": [["in", 0, 0]], "output_layers": [[f"r{length - 1}", 0, 0]]}
    config = {"name": "net", "layers": entries[::-1], **ends}
    return {"class_name": "Functional", "config": config}


def test_the_order_of_a_graph_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = []
    arguments = functional_config._Builder._arguments
    monkeypatch.setattr(
        functional_config._Builder,
        "_arguments",
        lambda self, call: looks.append(call) or arguments(self, call),
    )
    model = keras.saving.deserialize_keras_object(_chain(50))
    assert len(model.layers) == 51 and len(looks) < 2 * 50


def test_objects_of_a_config_have_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(WorkBudget, "_OBJECTS", 52)
    assert keras.saving.deserialize_keras_object(_chain(50)).name == "net"
    with pytest.raises(UnsafeModelError, match="more than 52 objects"):
        keras.saving.deserialize_keras_object(_chain(51))

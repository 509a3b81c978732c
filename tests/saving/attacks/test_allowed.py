"""What a file may name: the whole list, kept by hand in `allowed.txt`.

A new class, function or op that files can reach fails here until somebody has looked at it:
making or calling it may compute, and nothing else. No files, no network, no code, no settings.
"""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

import keraslite as keras
from keraslite.core import registry, serialization
from keraslite.core.errors import LoadError
from keraslite.core.op_entries import _functions
from keraslite.utils.features import PARTS

_LIST = Path(__file__).with_name("allowed.txt")


def reachable() -> dict[str, list[str]]:
    """Every name that a config can lead to, by kind."""
    found = {
        area: [n for n in registry._exported_names(area) if registry._export(area, n) is not None]
        for area in registry.NAMESPACES
    }
    found["forms"] = list(serialization._READERS)
    found["parts of a FeatureSpace"] = list(PARTS)
    found["ops"] = list(_functions())
    return {kind: sorted(names) for kind, names in found.items()}


def written(found: dict[str, list[str]]) -> str:
    """The text of the list."""
    fill = textwrap.TextWrapper(96, initial_indent="  ", subsequent_indent="  ").fill
    return "".join(f"{kind}\n{fill(' '.join(names))}\n" for kind, names in found.items())


def _listed() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    kind = ""
    for line in _LIST.read_text().splitlines():
        if line.startswith("  "):
            found[kind] += line.split()
        else:
            kind = line
            found[kind] = []
    return found


def test_files_may_name_what_is_listed_and_nothing_else() -> None:
    listed, found = _listed(), reachable()
    assert listed.keys() == found.keys()
    for kind, names in found.items():
        new, gone = set(names) - set(listed[kind]), set(listed[kind]) - set(names)
        assert not new, f"{kind}: look at {sorted(new)}, then add them to {_LIST.name}"
        assert not gone, f"{kind}: {sorted(gone)} cannot be loaded any more"


def test_modules_that_files_may_name_are_public_namespaces() -> None:
    for module in registry.NAMESPACES.values():
        assert module.startswith("keraslite.")
    for module in (
        "os",
        "keraslite",
        "keras.config",
        "keras.utils.os",
        "keras.src.utils.file_utils",
    ):
        found = registry.builtin_object("path", module)
        assert found is None
        assert registry.builtin_object("get_file", module) is None


def test_loading_calls_no_functions(monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[object] = []
    monkeypatch.setitem(keras.saving.get_custom_objects(), "Custom>own", called.append)
    for module, name in ((None, "Custom>own"), ("keras.losses", "mean_squared_error")):
        form = {"module": module, "class_name": name, "config": {"x": 1}, "registered_name": name}
        with pytest.raises(LoadError, match="is no class"):
            keras.saving.deserialize_keras_object(form)
        with pytest.raises(LoadError, match="is no class"):
            keras.saving.deserialize_keras_object(form, custom_objects={name: called.append})
    assert not called


@pytest.mark.parametrize(
    "kind, name, arguments",
    [
        ("layers", "Dense", {"units": 2}),
        ("losses", "MeanSquaredError", {}),
        ("optimizers", "SGD", {}),
    ],
)
def test_nothing_registered_stands_in_for_a_built_in(
    kind: str, name: str, arguments: dict, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = getattr(getattr(keras, kind), name)
    impostor = type(name, (real,), {"__module__": "stranger"})
    for key in (name, f"keras.{kind}>{name}", f"Custom>{name}"):
        monkeypatch.setitem(keras.saving.get_custom_objects(), key, impostor)
    for module in (f"keras.{kind}", f"keras.src.{kind}.any", "keras", None):
        for registered in (None, name, f"Custom>{name}"):
            form = {
                "module": module,
                "class_name": name,
                "config": arguments,
                "registered_name": registered,
            }
            if module is None and registered not in (None, name):
                continue  # says itself that it is a registered object
            assert type(keras.saving.deserialize_keras_object(form)) is real
    monkeypatch.setitem(keras.saving.get_custom_objects(), "relu", impostor)
    assert keras.activations.deserialize("relu") is keras.activations.relu

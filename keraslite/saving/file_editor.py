"""`KerasFileEditor`: looking at and changing the weights in a file without their model."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import h5py
import numpy as np
from rich.console import Console
from rich.text import Text
from rich.tree import Tree as RichTree

from keraslite.core.errors import nearest, printable, short
from keraslite.saving.commit import replacing
from keraslite.saving.contents import open_contents
from keraslite.saving.errors import loading
from keraslite.saving.hdf5 import write_variables
from keraslite.saving.tree import Tree
from keraslite.saving.walk import walk
from keraslite.saving.weights import own_store


class KerasFileEditor:
    """The weights of a `.keras` or `.weights.h5` file, to look at, change and save again.

    Objects (layers, the optimizer) are named by their last name where that is unique, and by
    their path otherwise: `"dense"` or `"layers/dense"`.

    Args:
        filepath: of the file, which is read whole.

    Attributes:
        metadata, config: of the file; None for weights alone.
        weights_dict: nested dict of arrays by object and name; changes count.

    Raises:
        ValueError: for another extension, a damaged or an unsafe file.

    Example:
        >>> editor = keras.saving.KerasFileEditor("model.keras")
        >>> editor.summary()
        >>> editor.rename_object("layers/dense", "head")
        >>> editor.save("edited.weights.h5")
    """

    def __init__(self, filepath: str | os.PathLike[str]) -> None:
        self.filepath = os.fspath(filepath)
        if not self.filepath.endswith((".keras", ".weights.h5")):
            raise ValueError(
                "Expected a path that ends in `.keras` or `.weights.h5`. "
                f"Received: filepath={self.filepath!r}"
            )
        with loading(self.filepath), open_contents(self.filepath) as found:
            self.metadata: dict[str, Any] | None = found.metadata or None
            self.config: Any = found.config
            self.weights_dict: dict[str, Any] = _without_vars(found.weights)
        self.console = Console(highlight=False)

    def summary(self) -> None:
        """Print the objects, with the shapes and types of their weights."""
        tree = RichTree(Text(f"Weights in {self.filepath!r}"))
        _grow(tree, self.weights_dict)
        self.console.print(tree)

    def compare(self, reference_model: Any) -> dict[str, Any]:
        """Print how the file differs from a model.

        Args:
            reference_model: a built model.

        Returns:
            `{"status": "success" or "error", "error_count", "match_count"}`; counts weights and
            the objects that are on one side alone.
        """
        reference: dict[str, Any] = Tree()
        for path, saveable in walk(reference_model):
            store = own_store(saveable)
            if store:
                group = reference
                for name in path.split("/") if path else ():
                    group = group.setdefault(name, Tree())
                group.update(store)
        errors: list[str] = []
        matches = _compare(self.weights_dict, reference, "", errors)
        for error in errors:
            self.console.print(Text(printable(f"... {error}")))
        verdict = f"{len(errors)} differences" if errors else "the file fits the model"
        self.console.print(f"{matches} weights are alike; {verdict}.")
        status = "error" if errors else "success"
        return {"status": status, "error_count": len(errors), "match_count": matches}

    def rename_object(self, object_name: str, new_name: str) -> None:
        """Give an object another last name.

        Raises:
            ValueError: for an unknown or ambiguous name, or a new one that is taken.
        """
        parent, name = self._find(object_name)
        if new_name in parent:
            raise ValueError(f"There is an object {new_name!r} beside {object_name!r} already.")
        items = [(new_name if k == name else k, v) for k, v in parent.items()]
        parent.clear()
        parent.update(items)

    def delete_object(self, object_name: str) -> None:
        """Delete an object with all that is below it."""
        parent, name = self._find(object_name)
        del parent[name]

    def add_object(self, object_path: str, weights: Mapping[str, Any]) -> None:
        """Add an object.

        Args:
            object_path: whole path; what is above the last name must exist.
            weights: name -> array.

        Raises:
            ValueError: if the place is taken, or there is nothing above it.
        """
        _check_arrays(weights)
        above, _, name = object_path.strip("/").rpartition("/")
        parent = self.weights_dict
        if above:
            holder, last = self._find(above)
            parent = holder[last]
        if name in parent:
            raise ValueError(f"There is an object {object_path!r} already.")
        parent[name] = dict(weights)

    def add_weights(self, object_name: str, weights: Mapping[str, Any]) -> None:
        """Add weights (name -> array) to an object, or replace those it has."""
        _check_arrays(weights)
        parent, name = self._find(object_name)
        parent[name].update(weights)

    def delete_weight(self, object_name: str, weight_name: str) -> None:
        """Delete one weight of an object."""
        parent, name = self._find(object_name)
        if weight_name not in parent[name]:
            known = ", ".join(map(repr, parent[name]))
            raise ValueError(
                f"Object {object_name!r} has no weight {weight_name!r}. It has: {short(known)}"
            )
        del parent[name][weight_name]

    def save(self, filepath: str | os.PathLike[str]) -> None:
        """Write the weights as they are now to a `.weights.h5` file."""
        path = os.fspath(filepath)
        if not path.endswith(".weights.h5"):
            raise ValueError(
                f"Weights are saved to a path that ends in `.weights.h5`. Received: {path!r}"
            )
        with replacing(path) as file, h5py.File(file, "w") as root:
            _write(root, self.weights_dict)

    def resave_weights(self, filepath: str | os.PathLike[str]) -> None:
        """`save` under its other name."""
        self.save(filepath)

    def _find(self, object_name: str) -> tuple[dict[str, Any], str]:
        """The dict that holds an object, and its last name there."""
        wanted = object_name.strip("/")
        found: list[tuple[str, dict[str, Any], str]] = []
        known: list[str] = []

        def look(group: dict[str, Any], path: str) -> None:
            for name, item in group.items():
                if isinstance(item, dict):
                    where = f"{path}{name}"
                    known.append(where)
                    if wanted in (where, name):
                        found.append((where, group, name))
                    look(item, f"{where}/")

        look(self.weights_dict, "")
        found = [f for f in found if f[0] == wanted] or found
        if not found:
            hint = nearest(wanted, known) or nearest(wanted, [k.rpartition("/")[2] for k in known])
            raise ValueError(f"The file has no object {short(wanted, 80)!r}.{hint}")
        if len(found) > 1:
            paths = ", ".join(repr(f[0]) for f in found[:4])
            raise ValueError(f"Several objects are named {wanted!r}; pass a whole path: {paths}")
        return found[0][1], found[0][2]


def _without_vars(tree: Mapping[str, Any]) -> dict[str, Any]:
    """Arrays directly in their object; objects without any are left out."""
    found: dict[str, Any] = {}
    for name, item in tree.items():
        if not isinstance(item, Mapping):
            found[name] = np.asarray(item)
            continue
        inner = _without_vars(item)
        if name == "vars":
            found.update(inner)
        elif inner:
            found[name] = inner
    return dict(sorted(found.items(), key=lambda pair: _order(pair[0])))


def _order(name: str) -> tuple[bool, int, str]:
    return (not name.isdigit(), int(name) if name.isdigit() else 0, name)


def _grow(tree: RichTree, group: Mapping[str, Any]) -> None:
    for name, item in group.items():
        if isinstance(item, Mapping):
            _grow(tree.add(Text(printable(name), "bold")), item)
        else:
            tree.add(Text(printable(f"{name}: shape={tuple(item.shape)}, dtype={item.dtype}")))


def _check_arrays(weights: Any) -> None:
    if not isinstance(weights, Mapping) or not all(hasattr(v, "shape") for v in weights.values()):
        raise ValueError("`weights` must be a dict of arrays by name.")


def _compare(file: Any, model: Any, path: str, errors: list[str]) -> int:
    matches = 0
    for name in {**file, **model}:
        where = f"{path}/{name}"
        if name not in file or name not in model:
            sides = ("the file", "the model") if name in file else ("the model", "the file")
            item = file.get(name, model.get(name) if name in model else None)
            keys = f" (with {short(str(list(item)), 120)})" if isinstance(item, Mapping) else ""
            errors.append(f"{where}{keys} is in {sides[0]} and not in {sides[1]}")
        elif isinstance(file[name], Mapping):
            matches += _compare(file[name], model[name], where, errors)
        elif tuple(file[name].shape) != tuple(model[name].shape):
            ours, theirs = tuple(file[name].shape), tuple(model[name].shape)
            errors.append(f"{where} has shape {ours} in the file and {theirs} in the model")
        else:
            matches += 1
    return matches


def _write(group: h5py.Group, values: Mapping[str, Any]) -> None:
    arrays = {k: v for k, v in values.items() if not isinstance(v, Mapping)}
    if arrays:
        write_variables(group.create_group("vars"), arrays)
    for name, inner in values.items():
        if isinstance(inner, Mapping):
            _write(group.create_group(name), inner)

"""Weights of a model in one HDF5 file, in Keras's layout: `layers/dense/vars/0`."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import IO, Any

import h5py

from keraslite.backend import engine
from keraslite.core.errors import short
from keraslite.saving.hdf5 import open_weights, read_variables, write_variables
from keraslite.saving.tree import leaves
from keraslite.saving.walk import own_store, walk

# State that some versions of Keras write and none needs.
_OPTIONAL = {"optimizer", "seed_generator", "compile_metrics", "_metrics"}


def write_weights(model: Any, file: IO[bytes]) -> None:
    """Write the variables of a model, and those of its optimizer, to an open file."""
    with h5py.File(file, "w") as root:
        for path, saveable in walk(model):
            group = root.create_group(_vars(path))
            group.attrs["name"] = getattr(saveable, "name", type(saveable).__name__)
            write_variables(group, own_store(saveable))


def read_weights(
    model: Any,
    source: str | IO[bytes],
    path: str,
    skip_mismatch: bool = False,
    new: bool = False,
) -> None:
    """Assign the variables of a model from a file that `write_weights` or Keras wrote.

    Args:
        model: built, with the layers that the file has.
        source: the file.
        path: its name in messages.
        skip_mismatch: leave layers alone whose variables do not fit, with a warning.
        new: whether the model was made for this file. If not, everything is checked before
            anything is assigned: engines whose variables do not stay in their place take the
            memory for it, others read the file twice.

    Raises:
        ValueError: names the layers that are missing on either side, or the variable
            whose shape does not fit, or what is damaged. Nothing is assigned in these cases.
    """
    with open_weights(source, path) as root:
        assign_weights(model, root, path, skip_mismatch, new)


def assign_weights(
    model: Any, root: Any, path: str, skip_mismatch: bool = False, new: bool = False
) -> None:
    """`read_weights` from an open file, or from a `Tree` that reads like one."""
    found = list(walk(model))
    groups = {where: _own_group(root, where) for where, _ in found}
    problems = _differences(root, found, groups)
    problems += [
        problem
        for where, saveable in found
        if groups[where] is not None
        for problem in _misfits(saveable, groups[where], where)
    ]
    if problems and not skip_mismatch:
        raise ValueError(_listed(path, model, problems))
    if problems:
        warnings.warn(_listed(path, model, problems), stacklevel=4)
    stores: list[tuple[Any, Mapping[str, Any]]] = []
    for where, saveable in found:
        group = groups[where]
        if group is None or not hasattr(saveable, "load_own_variables"):
            continue
        if skip_mismatch and (_misfits(saveable, group, where) or _lacks(saveable, group)):
            continue
        stores.append((saveable, read_variables(group, path, getattr(root, "source", None))))
    if not new:
        # Only what is read straight into the model needs no memory beside it.
        in_place = all(engine.host_memory(x._storage) is not None for x in model.variables)
        for _, store in stores:
            for _, array in leaves(store):
                array.check() if in_place else array.read_ahead()
    for saveable, store in stores:
        saveable.load_own_variables(store)


def _vars(path: str) -> str:
    return f"{path}/vars" if path else "vars"


def _own_group(root: Any, path: str) -> Mapping[str, Any] | None:
    found = root.get(_vars(path))
    return found if isinstance(found, Mapping) else None


def own_variables(saveable: Any) -> list[Any] | None:
    """The variables that the default methods handle; None for methods of the user."""
    from keraslite.layers.layer import Layer

    if not isinstance(saveable, Layer):
        return None
    cls = type(saveable)
    if cls.save_own_variables is not Layer.save_own_variables:
        return None
    if cls.load_own_variables is not Layer.load_own_variables:
        return None
    return saveable._variables_in_file()


def _lacks(saveable: Any, group: Mapping[str, Any] | None) -> bool:
    own = own_variables(saveable)
    return bool(own) and (group is None or not len(group))


def _differences(
    root: Any, found: list[tuple[str, Any]], groups: Mapping[str, Mapping[str, Any] | None]
) -> list[str]:
    known = {_vars(where) for where, _ in found}
    missing = [where or x.name for where, x in found if _lacks(x, groups[where])]
    extra: list[str] = []

    def visit(name: str, item: Any) -> None:
        parts = name.split("/")
        holds = parts[-1] == "vars" and isinstance(item, Mapping) and len(item)
        if holds and name not in known and not _OPTIONAL.intersection(parts):
            extra.append("/".join(parts[:-1]) or "the model itself")

    root.visititems(visit)
    problems = []
    if missing:
        problems.append(f"the file has no variables for {_names(missing)}")
    if extra:
        problems.append(f"the model has no place for {_names(extra)} of the file")
    return problems


def _names(paths: list[str]) -> str:
    shown = ", ".join(repr(short(p, 80)) for p in paths[:6])
    return shown if len(paths) <= 6 else f"{shown} and {len(paths) - 6} more"


def _misfits(saveable: Any, group: Mapping[str, Any], where: str) -> list[str]:
    """Variables of another number or shape, for the methods that every layer has."""
    own = own_variables(saveable)
    if own is None or not len(group):
        return []
    if len(own) != len(group):
        hint = "" if saveable.built else " (it is not built)"
        return [f"{saveable.name!r} has {len(own)} variables{hint}, the file {len(group)}"]
    problems = []
    for i, variable in enumerate(own):
        item = group.get(str(i))
        if item is None or isinstance(item, Mapping):
            problems.append(f"the file lacks variable {i} of {where!r} ({variable.path!r})")
        elif tuple(item.shape) != tuple(variable.shape):
            problems.append(
                f"variable {variable.path!r} has shape {tuple(variable.shape)}, in the file "
                f"{tuple(item.shape)}"
            )
        elif item.dtype.kind == "c" and "complex" not in variable.dtype:
            problems.append(f"variable {variable.path!r} is real, in the file {item.dtype}")
    return problems


def _listed(path: str, model: Any, problems: list[str]) -> str:
    shown = "; ".join(problems[:4])
    more = f"; and {len(problems) - 4} more differences" if len(problems) > 4 else ""
    return short(
        f"The weights in {path!r} do not fit model {model.name!r}: {shown}{more}. Make the model "
        "with the same layers and shapes, or pass `skip_mismatch=True` to load what fits."
    )

"""The HDF5 format of Keras 1 and 2, and of Keras 3 for `.h5` and `.hdf5`: models and weights.

Attributes `model_config`, `training_config` and `keras_version` hold JSON and text; the group
`model_weights` has one group for each layer, whose attribute `weight_names` says which arrays it
has and in which order; `optimizer_weights` likewise. Files of weights have the layers at the top.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import IO, Any

import h5py
import numpy as np

from keraslite import losses
from keraslite.backend import engine
from keraslite.core.errors import short
from keraslite.core.registry import CustomObjectScope
from keraslite.core.serialization import serialize_keras_object
from keraslite.saving.archive import checked_json
from keraslite.saving.errors import DamagedFileError, damaged
from keraslite.saving.hdf5 import StoredArray, open_weights, write_variables
from keraslite.saving.legacy_config import modern
from keraslite.saving.legacy_training import assign_state, compile_arguments
from keraslite.saving.legacy_weights import converted

_ROOM = 60_000
"""Bytes of an attribute; HDF5 has none above 64 KiB."""
_OWN = "top_level_model_weights"
Stored = list[tuple[str, Any]]


# Writing ---------------------------------------------------------------------------------


def write_model(
    model: Any, file: IO[bytes], include_optimizer: bool = True, version: str = ""
) -> None:
    """Write a whole model, as Keras 3 does for `.h5`."""
    config = serialize_keras_object(model)
    with h5py.File(file, "w") as root:
        root.attrs["model_config"] = json.dumps(
            {"class_name": config["class_name"], "config": config["config"]}
        )
        _write_layers(root.create_group("model_weights"), model, version)
        _write_origin(root, version)
        training = config.get("compile_config")
        if not include_optimizer or not training:
            return
        optimizer = training.pop("optimizer")
        training["loss"] = _long_names(training.get("loss"))
        root.attrs["training_config"] = json.dumps({**training, "optimizer_config": optimizer})
        if model.optimizer is not None:
            _write_arrays(root.create_group("optimizer_weights"), model.optimizer.variables)


def _long_names(loss: Any) -> Any:
    """`mean_squared_error` for `mse`, which Keras does not read from these files."""
    if isinstance(loss, list):
        return [_long_names(x) for x in loss]
    if isinstance(loss, dict) and "class_name" not in loss:
        return {key: _long_names(x) for key, x in loss.items()}
    known = losses.CATALOG.names.get(loss) if isinstance(loss, str) else None
    return getattr(known, "__name__", loss)


def write_weights(model: Any, file: IO[bytes], version: str = "") -> None:
    """Write the weights of a model alone."""
    with h5py.File(file, "w") as root:
        _write_layers(root, model, version)


def _write_origin(group: h5py.Group, version: str) -> None:
    group.attrs["keras_version"] = version
    group.attrs["backend"] = engine.name


def _write_layers(group: h5py.Group, model: Any, version: str) -> None:
    _write_origin(group, version)
    _write_names(group, "layer_names", [layer.name for layer in model.layers])
    for layer in model.layers:
        _write_arrays(group.create_group(layer.name), _weights(layer))
    _write_arrays(group.create_group(_OWN), _own_weights(model))


def _write_arrays(group: h5py.Group, variables: Sequence[Any]) -> None:
    _write_names(group, "weight_names", [v.path for v in variables])
    write_variables(group, {v.path: v for v in variables})


def _write_names(group: h5py.Group, key: str, names: list[str]) -> None:
    """A list of strings, in several attributes if it is long."""
    encoded = [name.encode() for name in names]
    width = max(map(len, encoded), default=1)
    count = max(1, _ROOM // width)
    if len(encoded) <= count:
        group.attrs[key] = np.array(encoded, dtype=f"S{width}")
        return
    for number, start in enumerate(range(0, len(encoded), count)):
        group.attrs[f"{key}{number}"] = np.array(encoded[start : start + count], f"S{width}")


def _weights(layer: Any) -> list[Any]:
    """In the order of these files: those that are trained first."""
    return [*layer.trainable_weights, *layer.non_trainable_weights]


def _own_weights(model: Any) -> list[Any]:
    inner = {id(w) for layer in model.layers for w in layer.weights}
    return [w for w in _weights(model) if id(w) not in inner]


# Reading ---------------------------------------------------------------------------------


def read_model(
    path: str,
    make: Callable[[dict[str, Any], int], Any],
    custom_objects: dict[str, Any] | None,
    compile: bool,
) -> Any:
    """The model in a file of any release of Keras.

    Args:
        path: of the file.
        make: from a config in the form of Keras 3 and the bytes of the weights to the model.
        custom_objects: name -> class or function.
        compile: also restore the optimizer and its state, the loss and the metrics.

    Raises:
        ValueError: for a damaged or unsafe file, or one that holds weights alone.
    """
    with open_weights(path, path) as root:
        if "model_config" not in root.attrs:
            raise DamagedFileError(
                f"{path!r} has no 'model_config', so it holds weights at most. Make the model "
                "first, then call `model.load_weights(path)`."
            )
        weights = root.get("model_weights")
        version, _ = _origin(root if "keras_version" in root.attrs else weights)
        config = _json(root, "model_config", path)
        with CustomObjectScope(custom_objects):
            config = modern(config, None, version)
        if not isinstance(config, dict) or "class_name" not in config:
            raise damaged(path, "'model_config' does not describe a model")
        model = make(config, root.id.get_filesize())
        trained: dict[str, Any] = {}
        if weights is not None and not isinstance(weights, h5py.Group):
            raise damaged(path, "'model_weights' is no group")
        if weights is not None:
            if not model.built and len(_names(weights, "layer_names", path)):
                raise ValueError(
                    f"The model in {path!r} has no input shape, so it cannot be built. Make it "
                    "by hand, call it on data, then `model.load_weights(path)`."
                )
            trained = _assign(model, weights, path, skip_mismatch=False, origin=root)
        if compile and "training_config" in root.attrs:
            training = _json(root, "training_config", path)
            with CustomObjectScope(custom_objects):
                _compile(model, training, trained, root, version, path)
    return model


def _compile(
    model: Any, training: Any, trained: dict[str, Any], root: h5py.File, version: str, path: str
) -> None:
    if not isinstance(training, dict):
        raise damaged(path, "'training_config' is no dict")
    try:
        model.compile_from_config(compile_arguments(training, version))
    except (ValueError, TypeError) as error:
        error.add_note("With `compile=False` the model loads without its training configuration.")
        raise
    state = root.get("optimizer_weights")
    stored = _arrays(state, path) if isinstance(state, h5py.Group) else []
    if stored and model.optimizer is not None:
        assign_state(model.optimizer, trained, stored, path)


def read_weights(model: Any, path: str, by_name: bool = False, skip_mismatch: bool = False) -> None:
    """Assign the weights of a model from a file of weights or a whole model.

    Args:
        model: built.
        path: of the file.
        by_name: give each layer what the file has for a layer of that name, and leave the
            others alone; otherwise the layers with weights go by their order.
        skip_mismatch: leave layers alone whose weights do not fit, with a warning.

    Raises:
        ValueError: names the layers that do not fit; nothing is assigned then.
    """
    with open_weights(path, path) as root:
        inner = "layer_names" not in root.attrs and "layer_names0" not in root.attrs
        group = root.get("model_weights") if inner else root
        if not isinstance(group, h5py.Group):
            raise DamagedFileError(
                f"{path!r} is no legacy HDF5 file of weights: it has no 'layer_names'. Files that "
                "Keras 3 writes end in `.weights.h5`."
            )
        _assign(model, group, path, skip_mismatch, by_name, root)


def _assign(
    model: Any,
    group: h5py.Group,
    path: str,
    skip_mismatch: bool,
    by_name: bool = False,
    origin: h5py.Group | None = None,
) -> dict[str, Any]:
    """Assign what fits; the variables that are trained by their names in the file, in its order."""
    here = "keras_version" in group.attrs or origin is None
    version, ran_on = _origin(group if here else origin)
    stored: list[tuple[str, Stored]] = []
    for name in _names(group, "layer_names", path):
        inner = group.get(name)
        if not isinstance(inner, h5py.Group):
            raise damaged(path, f"it has no layer {short(name, 80)!r}")
        stored.append((name, _arrays(inner, path)))
    stored = [(name, arrays) for name, arrays in stored if arrays]
    problems: list[str] = []
    pairs: list[tuple[Any, str, Any]] = []
    for layer, name, arrays in _matched(model, stored, by_name, problems):
        values = converted(layer, [a for _, a in arrays], version, ran_on)
        names = [n for n, _ in arrays] if len(values) == len(arrays) else [""] * len(values)
        found = _fit(_weights(layer), list(zip(names, values, strict=True)))
        if isinstance(found, str):
            problems.append(f"layer {layer.name!r} (in the file {short(name, 80)!r}) {found}")
        else:
            pairs += found
    own = _arrays(group[_OWN], path) if isinstance(group.get(_OWN), h5py.Group) else []
    if own and not by_name:
        found = _fit(_own_weights(model), own)
        if isinstance(found, str):
            problems.append(f"the model itself {found}")
        else:
            pairs += found
    if problems:
        text = short(
            f"The weights in {path!r} do not fit model {model.name!r}: {'; '.join(problems[:4])}. "
            "Make the model with the same layers, or pass `skip_mismatch=True` to load what fits."
        )
        if not skip_mismatch:
            raise ValueError(text)
        warnings.warn(text, stacklevel=4)
    for variable, _, value in pairs:
        variable.assign(np.asarray(value))
    return {n or f"{i}": v for i, (v, n, _) in enumerate(pairs) if v.trainable}


def _matched(
    model: Any, stored: list[tuple[str, Stored]], by_name: bool, problems: list[str]
) -> list[tuple[Any, str, Stored]]:
    """Which layer gets what."""
    if by_name:
        arrays = dict(stored)
        return [(x, x.name, arrays[x.name]) for x in model.layers if x.name in arrays]
    layers = [x for x in model.layers if x.weights]
    arrays = dict(stored)
    if arrays.keys() == {x.name for x in layers}:
        return [(x, x.name, arrays[x.name]) for x in layers]
    if len(layers) != len(stored):
        problems.append(f"the model has {len(layers)} layers with weights, the file {len(stored)}")
        return []
    return [(x, name, a) for x, (name, a) in zip(layers, stored, strict=True)]


def _fit(variables: list[Any], stored: Stored) -> list[tuple[Any, str, Any]] | str:
    """Variables with name and array, or a sentence that says why there are none."""
    if len(variables) != len(stored):
        return f"has {len(variables)} variables, the file {len(stored)}"
    # By name where names say it all: the order depends on which layers were frozen.
    for parts in (2, 1):
        keys = [_tail(v.path, parts) for v in variables]
        names = [_tail(name, parts) for name, _ in stored]
        if len(set(keys)) == len(keys) and set(keys) == set(names):
            stored = [stored[names.index(key)] for key in keys]
            break
    for variable, (_, value) in zip(variables, stored, strict=True):
        if tuple(variable.shape) != tuple(value.shape):
            return (
                f"has {variable.name!r} of shape {tuple(variable.shape)}, the file "
                f"{tuple(value.shape)}"
            )
        if value.dtype.kind == "c" and "complex" not in variable.dtype:
            return f"has {variable.name!r} of {variable.dtype}, the file {value.dtype}"
    return [(v, *pair) for v, pair in zip(variables, stored, strict=True)]


def _tail(name: str, parts: int) -> tuple[str, ...]:
    return tuple(name.partition(":")[0].split("/")[-parts:])


def _arrays(group: h5py.Group, path: str) -> Stored:
    found: Stored = []
    for name in _names(group, "weight_names", path):
        item = group.get(name)
        if not isinstance(item, h5py.Dataset):
            raise damaged(path, f"{group.name!r} has no array {short(name, 120)!r}")
        found.append((name, StoredArray(item, path)))
    return found


def _names(group: h5py.Group, key: str, path: str) -> list[str]:
    parts = [key] if key in group.attrs else []
    while f"{key}{len(parts)}" in group.attrs:
        parts.append(f"{key}{len(parts)}")
    names = [_text(x, path) for part in parts for x in np.ravel(group.attrs[part])]
    places = {tuple(p for p in name.split("/") if p not in ("", ".")) for name in names}
    if len(places) < len(names):
        raise damaged(path, f"{key!r} of {short(group.name, 80)!r} names something twice")
    return names


def _text(value: Any, path: str) -> str:
    try:
        return value.decode() if isinstance(value, bytes) else str(value)
    except UnicodeDecodeError as error:
        raise damaged(path, error) from error


def _json(root: h5py.Group, key: str, path: str) -> Any:
    value = root.attrs[key]
    if not isinstance(value, (str, bytes)):
        raise damaged(path, f"{key!r} is no text")
    return checked_json(value, path, key)


def _origin(group: Any) -> tuple[str, str]:
    """The version of Keras that wrote it, and the engine; both are missing in the oldest."""
    attrs: Mapping[str, Any] = getattr(group, "attrs", {})
    version, ran_on = attrs.get("keras_version", "1"), attrs.get("backend", "")
    return tuple(x.decode() if isinstance(x, bytes) else str(x) for x in (version, ran_on))  # type: ignore[return-value]

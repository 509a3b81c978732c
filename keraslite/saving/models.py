"""`save_model`, `load_model`, `save_weights` and `load_weights`.

h5py is imported when a file is written or read, not before.
"""

from __future__ import annotations

import datetime
import functools
import json
import os
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from keraslite.core.budget import MemoryBudget
from keraslite.core.errors import LoadError, describe, short
from keraslite.core.serialization import (
    deserialize_keras_object,
    safe_mode_scope,
    serialize_keras_object,
)
from keraslite.saving import background
from keraslite.saving.archive import ASSETS, CONFIG, METADATA, WEIGHTS, Reader, Writer, checked_json
from keraslite.saving.commit import replacing
from keraslite.saving.errors import loading, refused
from keraslite.saving.folder import (
    FolderReader,
    FolderWriter,
    place_of,
    reader,
    replacing_folder,
)
from keraslite.saving.walk import Snapshot, walk
from keraslite.version import __version__

_SLACK = 64 * 2**20
_LEGACY = (".h5", ".hdf5")
_SAFETENSORS = ".safetensors"
_FORMAT = ".".join(__version__.split(".")[:3])
"""The release of Keras whose format this is."""


def save_model(
    model: Any,
    filepath: str | os.PathLike[str],
    overwrite: bool = True,
    zipped: bool | None = None,
    **kwargs: Any,
) -> background.Saving | None:
    """Write a model, its weights, its training configuration and optimizer to one file.

    A crash or a full disk at any moment leaves the old file.

    Args:
        model: built.
        filepath: ends in `.keras`; in `.safetensors`, for a file that other programs read; or
            in `.h5`, the legacy format of Keras 2.
        overwrite: False raises when the file exists.
        zipped: False writes a folder with the same members instead of a `.keras` file. Its
            name is the whole path; a crash leaves the old folder or the new one.
        **kwargs: `include_optimizer=False` leaves out how it was compiled;
            `asynchronous=True` copies the state and lets a thread write it.

    Returns:
        With `asynchronous=True`, an object whose `join()` waits for the file and raises what
        went wrong; so does the next save.

    Raises:
        ValueError: for another extension, or a model without variables.
        FileExistsError: see `overwrite`.
        OSError: if the file cannot be written.

    Example:
        >>> model.save("model.keras")
        >>> model = keras.saving.load_model("model.keras")
    """
    path = _path(filepath)
    include_optimizer = kwargs.pop("include_optimizer", True)
    asynchronous = kwargs.pop("asynchronous", False)
    _only(kwargs, "save_model", ("overwrite", "zipped", "include_optimizer", "asynchronous"))
    named = path.endswith((".keras", _SAFETENSORS, *_LEGACY))
    if zipped is False and named:
        raise ValueError(
            "With `zipped=False` a model is saved to a folder, whose name does not end like that "
            f"of a file. Received: filepath={path!r}"
        )
    if zipped is not False and (not named or path.endswith(".weights.h5")):
        raise ValueError(
            "A model is saved to a path that ends in `.keras` (or `.h5`, `.safetensors`); "
            f"`model.export(path)` makes other formats. Received: filepath={path!r}"
        )
    _check_built(model, "saving")
    path = path.rstrip(os.sep) if zipped is False else path
    _may_write(path, overwrite)
    _check_asynchronous(path, asynchronous)
    write = functools.partial(_write_model, model, path, include_optimizer)
    return background.run(model, path, write, asynchronous)


def _write_model(model: Any, path: str, include_optimizer: bool) -> None:
    if path.endswith(_LEGACY):
        from keraslite.saving import legacy_h5

        with replacing(path, sealed=True) as file:
            legacy_h5.write_model(model, file, include_optimizer, _FORMAT)
        return
    snapshot = Snapshot.current.get()
    config = serialize_keras_object(model) if snapshot is None else snapshot.config
    if not include_optimizer:
        config.pop("compile_config", None)
    now = datetime.datetime.now().strftime("%Y-%m-%d@%H:%M:%S")
    metadata = {"keras_version": _FORMAT, "date_saved": now}
    if path.endswith(_SAFETENSORS):
        from keraslite.saving.safetensors_file import write_safetensors

        with replacing(path) as file:
            write_safetensors(model, file, {**metadata, "config": json.dumps(config)})
        return
    if path.endswith(".keras"):
        with replacing(path, sealed=True) as file, Writer(file) as archive:
            _write_members(model, archive, metadata, config)
        return
    with replacing_folder(path) as folder, FolderWriter(folder) as members:
        _write_members(model, members, metadata, config)


def _write_members(
    model: Any, archive: Writer | FolderWriter, metadata: dict[str, Any], config: Any
) -> None:
    from keraslite.saving.weights import write_weights

    archive.add_json(METADATA, metadata)
    archive.add_json(CONFIG, config)
    with archive.member(WEIGHTS) as weights:
        write_weights(model, weights)
    _write_assets(model, archive)


def load_model(
    filepath: str | os.PathLike[str],
    custom_objects: dict[str, Any] | None = None,
    compile: bool = True,
    safe_mode: bool = True,
) -> Any:
    """The model in a file: `.keras`, `.safetensors`, or `.h5` of Keras 1, 2 or 3; or in a folder.

    Nothing is imported, opened or run on the file's behalf; its sizes are checked before
    memory is taken.

    Args:
        filepath: of the file.
        custom_objects: name -> class or function, for those that are not registered.
        compile: also restore the optimizer and its state, the loss and the metrics.
        safe_mode: False allows Python code (lambdas) in the file.

    Raises:
        FileNotFoundError: if there is no file.
        ValueError: for a damaged file, or one that asks for more than a model needs
            (`UnsafeModelError`), or names an unknown class.

    Example:
        >>> model = keras.saving.load_model("model.keras")
        >>> model.predict(x)
    """
    path = _path(filepath)
    if path.endswith(".weights.h5"):
        _must_exist(path)
        raise ValueError(
            f"{path!r} holds weights alone. Make the model first, then call "
            "`model.load_weights(path)`."
        )
    path = place_of(path)
    _must_exist(path)
    make = functools.partial(_make, path, custom_objects, compile, safe_mode)
    newer: list[str] = []
    try:
        with safe_mode_scope(safe_mode), loading(path):
            return _load(path, make, custom_objects, compile, newer)
    except LoadError as error:
        for note in newer:
            error.add_note(note)
        raise


def _load(
    path: str,
    make: Callable[[Any, int], Any],
    custom_objects: dict[str, Any] | None,
    compile: bool,
    newer: list[str],
) -> Any:
    if path.endswith(_LEGACY):
        from keraslite.saving.legacy_h5 import read_model

        return read_model(path, make, custom_objects, compile)
    if path.endswith(_SAFETENSORS):
        return _load_safetensors(path, make, newer)
    with reader(path) as archive:
        if METADATA in archive.names():
            newer += _check_version(path, archive.read_json(METADATA))
        return _load_archive(archive, make)


def _make(
    path: str,
    custom_objects: dict[str, Any] | None,
    compile: bool,
    safe_mode: bool,
    config: Any,
    size: int,
) -> Any:
    """The model that `config` describes, when the file has `size` bytes of weights for it."""
    if not isinstance(config, dict) or "class_name" not in config:
        raise refused(path, f"its config does not describe a model but is {describe(config)}")
    if not compile:
        config.pop("compile_config", None)
    from keraslite.saving import legacy_config  # noqa: F401 - registers what its models use

    # Optimizer slots may be absent from the file: two for each weight.
    with MemoryBudget(3 * size + _SLACK, path), loading(path, "config"):
        model = deserialize_keras_object(config, custom_objects=custom_objects, safe_mode=safe_mode)
    if not hasattr(model, "load_own_variables"):
        raise refused(path, f"it does not hold a model but {describe(model)}")
    return model


def _load_archive(archive: Reader | FolderReader, make: Callable[[Any, int], Any]) -> Any:
    from keraslite.saving.weights import read_weights

    config = archive.read_json(CONFIG)
    with archive.member(WEIGHTS) as weights:
        model = make(config, archive.size(WEIGHTS))
        _read_assets(model, archive)
        read_weights(model, weights, archive.path, new=True)
    return model


def _load_safetensors(path: str, make: Callable[[Any, int], Any], newer: list[str]) -> Any:
    from keraslite.saving.safetensors_file import read_header, read_safetensors

    metadata, _ = read_header(path)
    newer += _check_version(path, metadata)
    if "config" not in metadata:
        raise ValueError(
            f"{path!r} holds weights alone. Make the model first, then call "
            "`model.load_weights(path)`."
        )
    model = make(checked_json(metadata["config"], path, "config"), os.path.getsize(path))
    read_safetensors(model, path, new=True)
    return model


def save_weights(
    model: Any,
    filepath: str | os.PathLike[str],
    overwrite: bool = True,
    max_shard_size: float | None = None,
    **kwargs: Any,
) -> background.Saving | None:
    """Write the weights of a model, and the state of its optimizer, to one file or several.

    Args:
        model: built.
        filepath: ends in `.weights.h5`; in `.weights.json` for several files; in
            `.safetensors`; or in `.h5`, the legacy format (without the optimizer's state).
        overwrite: False raises when the file exists.
        max_shard_size: in GB; the weights go to files `x_00000.weights.h5`... of at most this
            size, of which `x.weights.json` is the index.
        **kwargs: `asynchronous`; see `save_model`.

    Returns:
        See `save_model`.

    Raises:
        ValueError: for another extension, or a model without variables.
        FileExistsError: see `overwrite`.
        OSError: if the file cannot be written.

    Example:
        >>> model.save_weights("model.weights.h5")
        >>> model.load_weights("model.weights.h5")
    """
    path = _path(filepath)
    asynchronous = kwargs.pop("asynchronous", False)
    _only(kwargs, "save_weights", ("overwrite", "max_shard_size", "asynchronous"))
    valid = (".weights.h5", ".weights.json", _SAFETENSORS, *_LEGACY)
    sharded = max_shard_size is not None
    if not path.endswith(valid[:2] if sharded else valid) or (
        path.endswith(".weights.json") and not sharded
    ):
        raise ValueError(
            "Weights are saved to a path that ends in `.weights.h5`, or with `max_shard_size` in "
            f"`.weights.json`. Received: filepath={path!r}, max_shard_size={max_shard_size}"
        )
    _check_built(model, "saving its weights")
    _check_asynchronous(path, asynchronous)
    if sharded:
        from keraslite.saving.sharded import index_of

        path = index_of(path)
    _may_write(path, overwrite)
    write = functools.partial(_write_weights, model, path, max_shard_size)
    return background.run(model, path, write, asynchronous)


def _write_weights(model: Any, path: str, max_shard_size: float | None) -> None:
    if max_shard_size is not None:
        from keraslite.saving.sharded import write_shards

        write_shards(model, path, max_shard_size)
        return
    with replacing(path, sealed=not path.endswith(_SAFETENSORS)) as file:
        if path.endswith(".weights.h5"):
            from keraslite.saving.weights import write_weights

            write_weights(model, file)
        elif path.endswith(_SAFETENSORS):
            from keraslite.saving.safetensors_file import write_safetensors

            write_safetensors(model, file, {"keras_version": _FORMAT})
        else:
            from keraslite.saving import legacy_h5

            legacy_h5.write_weights(model, file, _FORMAT)


def load_weights(
    model: Any,
    filepath: str | os.PathLike[str],
    skip_mismatch: bool = False,
    **kwargs: Any,
) -> None:
    """Assign the weights of a model from a file of any format.

    Args:
        model: built, with the layers that the file has.
        filepath: ends in `.weights.h5`, `.keras`, `.weights.json` (the index of several files),
            `.safetensors` or `.h5` (of Keras 1 and 2, and whole models of Keras 3).
        skip_mismatch: leave layers alone whose weights do not fit, with a warning.
        **kwargs: `by_name=True`, for `.h5` alone: layers of the same name get their weights,
            the others are left alone.

    Raises:
        FileNotFoundError: if there is no file.
        ValueError: names missing and extra layers and the variables whose shape differs.

    Example:
        >>> model.load_weights("model.weights.h5")
    """
    path = _path(filepath)
    by_name = kwargs.pop("by_name", False)
    _only(kwargs, "load_weights", ("skip_mismatch", "by_name"))
    legacy = path.endswith(_LEGACY) and not path.endswith(".weights.h5")
    if by_name and not legacy:
        raise ValueError(f"`by_name` is for legacy `.h5` files. Received: filepath={path!r}")
    if not path.endswith((".keras", ".weights.json", _SAFETENSORS, *_LEGACY)):
        raise ValueError(
            "Weights load from `.weights.h5`, `.keras`, `.weights.json`, `.safetensors` and `.h5` "
            f"files. Received: filepath={path!r}"
        )
    _check_built(model, "loading weights")
    _must_exist(path)
    from keraslite.saving.weights import read_weights

    with loading(path):
        if path.endswith(".keras"):
            with Reader(path) as archive, archive.member(WEIGHTS) as weights:
                read_weights(model, weights, path, skip_mismatch)
        elif path.endswith(".weights.h5"):
            read_weights(model, path, path, skip_mismatch)
        elif path.endswith(".weights.json"):
            from keraslite.saving.sharded import read_shards

            read_shards(model, path, skip_mismatch)
        elif path.endswith(_SAFETENSORS):
            from keraslite.saving.safetensors_file import read_safetensors

            read_safetensors(model, path, skip_mismatch)
        else:
            from keraslite.saving import legacy_h5

            legacy_h5.read_weights(model, path, by_name, skip_mismatch)


# Assets ----------------------------------------------------------------------------------


def _write_assets(model: Any, archive: Writer | FolderWriter) -> None:
    """What layers keep in files of their own, such as vocabularies."""
    for path, saveable in walk(model):
        if not hasattr(saveable, "save_assets"):
            continue
        with tempfile.TemporaryDirectory() as folder:
            saveable.save_assets(folder)
            for file in sorted(Path(folder).rglob("*")):
                if file.is_file():
                    inner = file.relative_to(folder).as_posix()
                    archive.add_bytes(f"{ASSETS}{path}/{inner}", file.read_bytes())


def _read_assets(model: Any, archive: Reader | FolderReader) -> None:
    names = [n for n in archive.names() if n.startswith(ASSETS) and not n.endswith("/")]
    for path, saveable in walk(model) if names else ():
        prefix = f"{ASSETS}{path}/"
        own = [n for n in names if n.startswith(prefix) and "/" not in n.removeprefix(prefix)]
        if not own or not hasattr(saveable, "load_assets"):
            continue
        with tempfile.TemporaryDirectory() as folder:
            for name in own:
                (Path(folder) / name.removeprefix(prefix)).write_bytes(archive.read(name))
            saveable.load_assets(folder)


# Arguments -------------------------------------------------------------------------------


def _path(filepath: Any) -> str:
    try:
        return os.fspath(filepath)
    except TypeError:
        raise ValueError(f"`filepath` must be a path. Received: {describe(filepath)}") from None


def _only(kwargs: dict[str, Any], function: str, valid: tuple[str, ...]) -> None:
    kwargs.pop("save_format", None)
    if kwargs:
        raise ValueError(
            f"{function} got unexpected arguments {', '.join(map(repr, kwargs))}. "
            f"Expected: {', '.join(valid)}"
        )


def _check_asynchronous(path: str, asynchronous: bool) -> None:
    if asynchronous and path.endswith(_LEGACY) and not path.endswith(".weights.h5"):
        raise ValueError(
            f"`asynchronous=True` is for other formats than the legacy `.h5`. Received: {path!r}"
        )


def _check_built(model: Any, doing: str) -> None:
    """Raise unless the model has its variables.

    Raises:
        ValueError: for a model that was never called or built.
    """
    if not model.built:
        raise ValueError(
            f"Model {model.name!r} is not built, so it has no weights: call it on data or "
            f"`model.build(input_shape)` before {doing}."
        )


def _may_write(path: str, overwrite: bool) -> None:
    if not overwrite and os.path.exists(path):
        raise FileExistsError(f"{path!r} exists. Pass `overwrite=True` to replace it.")


def _must_exist(path: str) -> None:
    if not os.path.exists(path):
        raise FileNotFoundError(f"There is no file {path!r}.")


def _check_version(path: str, metadata: Any) -> list[str]:
    """A sentence for errors when the file is newer than this release."""
    version = metadata.get("keras_version") if isinstance(metadata, dict) else None
    try:
        given = tuple(int(n) for n in str(version).split(".")[:2])
        ours = tuple(int(n) for n in _FORMAT.split(".")[:2])
    except ValueError:
        return []
    if given <= ours:
        return []
    text = short(
        f"{path!r} was written by Keras {version}; this release reads files up to "
        f"{_FORMAT}. Upgrade keraslite if it does not load."
    )
    if given[0] > ours[0]:
        raise LoadError(text)
    warnings.warn(text, stacklevel=4)
    return [text]

"""`save_model`, `load_model`, `save_weights` and `load_weights`.

h5py is imported when a file is written or read, not before.
"""

from __future__ import annotations

import datetime
import os
import tempfile
import warnings
from pathlib import Path
from typing import Any

from keraslite.core.budget import MemoryBudget
from keraslite.core.errors import describe, short
from keraslite.core.serialization import (
    deserialize_keras_object,
    safe_mode_scope,
    serialize_keras_object,
)
from keraslite.saving.archive import ASSETS, CONFIG, METADATA, WEIGHTS, Reader, Writer
from keraslite.saving.commit import replacing
from keraslite.saving.errors import name_file, refused
from keraslite.saving.walk import walk
from keraslite.version import __version__

_SLACK = 64 * 2**20
_FORMAT = ".".join(__version__.split(".")[:3])
"""The release of Keras whose format this is."""


def save_model(
    model: Any,
    filepath: str | os.PathLike[str],
    overwrite: bool = True,
    zipped: bool | None = None,
    **kwargs: Any,
) -> None:
    """Write a model, its weights, its training configuration and optimizer to one file.

    A crash or a full disk at any moment leaves the old file.

    Args:
        model: built.
        filepath: ends in `.keras`.
        overwrite: False raises when the file exists.
        zipped: only True (or None) for now.

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
    _only(kwargs, "save_model", ("overwrite", "zipped", "include_optimizer"))
    if path.endswith((".h5", ".hdf5")):
        raise ValueError(
            f"Whole models are not saved as HDF5 yet. Use the `.keras` format. Received: {path!r}"
        )
    if not path.endswith(".keras"):
        raise ValueError(
            "A model is saved to a path that ends in `.keras`; `model.export(path)` makes other "
            f"formats. Received: filepath={path!r}"
        )
    if zipped is False:
        raise ValueError("`zipped=False` (a folder instead of a file) is not supported yet.")
    _check_built(model, "saving")
    _may_write(path, overwrite)
    config = serialize_keras_object(model)
    if not include_optimizer:
        config.pop("compile_config", None)
    from keraslite.saving.weights import write_weights

    now = datetime.datetime.now().strftime("%Y-%m-%d@%H:%M:%S")
    with replacing(path) as file, Writer(file) as archive:
        archive.add_json(METADATA, {"keras_version": _FORMAT, "date_saved": now})
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
    """The model in a `.keras` file, of keraslite or of Keras.

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
    if path.endswith((".h5", ".hdf5")):
        _must_exist(path)
        raise ValueError(
            f"{path!r} is a whole model in the legacy HDF5 format, which is not supported yet. "
            "Save it again in the `.keras` format with the program that made it."
        )
    if Path(path).is_dir():
        raise ValueError(
            f"{path!r} is a folder, perhaps a SavedModel. `load_model` takes `.keras` files."
        )
    with Reader(path) as archive:
        newer = _check_version(archive)
        try:
            return _load(archive, custom_objects, compile, safe_mode)
        except RecursionError:
            raise refused(path, "it is nested too deeply") from None
        except (ValueError, TypeError) as error:
            name_file(error, path)
            if newer:
                error.add_note(newer)
            raise


def _load(
    archive: Reader, custom_objects: dict[str, Any] | None, compile: bool, safe_mode: bool
) -> Any:
    from keraslite.saving.weights import read_weights

    config = archive.read_json(CONFIG)
    if not isinstance(config, dict) or "class_name" not in config:
        raise refused(
            archive.path, f"its {CONFIG!r} does not describe a model but is {describe(config)}"
        )
    if not compile:
        config.pop("compile_config", None)
    # Optimizer slots may be absent from the file: two for each weight.
    budget = MemoryBudget(3 * archive.size(WEIGHTS) + _SLACK, archive.path)
    with safe_mode_scope(safe_mode), archive.member(WEIGHTS) as weights:
        with budget:
            model = deserialize_keras_object(
                config, custom_objects=custom_objects, safe_mode=safe_mode
            )
        if not hasattr(model, "load_own_variables"):
            raise refused(archive.path, f"it does not hold a model but {describe(model)}")
        _read_assets(model, archive)
        read_weights(model, weights, archive.path)
    return model


def save_weights(
    model: Any,
    filepath: str | os.PathLike[str],
    overwrite: bool = True,
    max_shard_size: float | None = None,
    **kwargs: Any,
) -> None:
    """Write the weights of a model, and the state of its optimizer, to one file.

    Args:
        model: built.
        filepath: ends in `.weights.h5`.
        overwrite: False raises when the file exists.
        max_shard_size: only None for now.

    Raises:
        ValueError: for another extension, or a model without variables.
        FileExistsError: see `overwrite`.
        OSError: if the file cannot be written.

    Example:
        >>> model.save_weights("model.weights.h5")
        >>> model.load_weights("model.weights.h5")
    """
    path = _path(filepath)
    _only(kwargs, "save_weights", ("overwrite", "max_shard_size"))
    if max_shard_size is not None:
        raise ValueError("`max_shard_size` is not supported yet: weights go to one file.")
    if not path.endswith(".weights.h5"):
        raise ValueError(
            f"Weights are saved to a path that ends in `.weights.h5`. Received: filepath={path!r}"
        )
    _check_built(model, "saving its weights")
    _may_write(path, overwrite)
    from keraslite.saving.weights import write_weights

    with replacing(path) as file:
        write_weights(model, file)


def load_weights(
    model: Any,
    filepath: str | os.PathLike[str],
    skip_mismatch: bool = False,
    **kwargs: Any,
) -> None:
    """Assign the weights of a model from a `.weights.h5` or `.keras` file.

    Args:
        model: built, with the layers that the file has.
        filepath: of the file.
        skip_mismatch: leave layers alone whose weights do not fit, with a warning.

    Raises:
        FileNotFoundError: if there is no file.
        ValueError: names missing and extra layers and the variables whose shape differs.

    Example:
        >>> model.load_weights("model.weights.h5")
    """
    path = _path(filepath)
    _only(kwargs, "load_weights", ("skip_mismatch",))
    _check_built(model, "loading weights")
    from keraslite.saving.weights import read_weights

    if path.endswith(".keras"):
        with Reader(path) as archive, archive.member(WEIGHTS) as weights:
            read_weights(model, weights, path, skip_mismatch)
    elif path.endswith(".weights.h5"):
        _must_exist(path)
        read_weights(model, path, path, skip_mismatch)
    elif path.endswith((".h5", ".hdf5")):
        raise ValueError(
            f"Weights in the legacy HDF5 format are not supported yet. Received: {path!r}"
        )
    else:
        raise ValueError(
            f"Weights load from `.weights.h5` and `.keras` files. Received: filepath={path!r}"
        )


# Assets ----------------------------------------------------------------------------------


def _write_assets(model: Any, archive: Writer) -> None:
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


def _read_assets(model: Any, archive: Reader) -> None:
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


def _check_version(archive: Reader) -> str | None:
    """A sentence for errors when the file is newer than this release; None when not."""
    if METADATA not in archive.names():
        return None
    found = archive.read_json(METADATA)
    version = found.get("keras_version") if isinstance(found, dict) else None
    try:
        given = tuple(int(n) for n in str(version).split(".")[:2])
        ours = tuple(int(n) for n in _FORMAT.split(".")[:2])
    except ValueError:
        return None
    if given <= ours:
        return None
    text = short(
        f"{archive.path!r} was written by Keras {version}; this release reads files up to "
        f"{_FORMAT}. Upgrade keraslite if it does not load."
    )
    if given[0] > ours[0]:
        raise ValueError(text)
    warnings.warn(text, stacklevel=4)
    return text

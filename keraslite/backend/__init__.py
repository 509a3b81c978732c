"""Choosing and loading the compute engine, and Keras's public `backend` names.

The engine is loaded when `keraslite.backend.engine` is first read. Built-in engines and
those of other packages (entry-point group `keraslite.backends`) take the same road.
"""

from __future__ import annotations

import difflib
import functools
import importlib
import importlib.util
import os
from typing import TYPE_CHECKING, Any

from keraslite import config
from keraslite.backend.contract import Capabilities, Engine, TensorSpec
from keraslite.core.old_names import missing

if TYPE_CHECKING:
    engine: Engine

ENTRY_POINTS = "keraslite.backends"

#: name -> (module:class, the package it needs, in the order in which a default is chosen)
_BUILT_IN = {
    "jax": ("keraslite.backend.jax:JaxEngine", "jax"),
    "torch": ("keraslite.backend.torch:TorchEngine", "torch"),
    "tensorflow": ("keraslite.backend.tensorflow:TensorflowEngine", "tensorflow"),
    "numpy": ("keraslite.backend.numpy:NumpyEngine", "numpy"),
}


def _plugins() -> dict[str, str]:
    from importlib import metadata

    return {point.name: point.value for point in metadata.entry_points(group=ENTRY_POINTS)}


def _checked(name: str, source: str) -> str:
    """`name`, if there is such an engine; `source` is who says it."""
    if name in _BUILT_IN or name in (plugins := _plugins()):
        return name
    names = [*_BUILT_IN, *plugins]
    near = difflib.get_close_matches(name.lower(), names, n=1, cutoff=0.4)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise ValueError(
        f"Unknown engine {name!r} (from {source}).{hint} Expected one of: {', '.join(names)}."
    )


@functools.cache
def _name() -> str:
    wanted = config.preferred_backend()
    if wanted is None:
        return next(name for name, (_, needs) in _BUILT_IN.items() if _has(needs))
    return _checked(wanted, "KERAS_BACKEND or keras.json")


def backend() -> str:
    """The name of the chosen engine; loads nothing.

    `KERAS_BACKEND` comes first, then `backend` in `keras.json`, then the first one
    installed of jax, torch, tensorflow and numpy.

    Example:
        >>> keras.config.backend()
        'jax'
    """
    return _name()


def set_backend(backend: str) -> None:
    """Choose the engine for processes where none is loaded yet.

    Raises:
        ValueError: for an unknown engine; says the nearest name.
        RuntimeError: once an engine is loaded; set `KERAS_BACKEND` and start again.
    """
    if is_loaded() and backend != _name():
        raise RuntimeError(
            f"The engine {_name()!r} is loaded already and cannot be replaced by {backend!r}. "
            f"Set the environment variable KERAS_BACKEND={backend} before importing."
        )
    os.environ["KERAS_BACKEND"] = _checked(backend, "set_backend")
    _name.cache_clear()


def load_engine(name: str) -> Engine:
    """Import the engine called `name` and return its one instance.

    Raises:
        ImportError: if the framework it needs is not installed; names the pip command.
    """
    if name in _BUILT_IN:
        address, needs = _BUILT_IN[name]
        if not _has(needs):
            raise ImportError(
                f"The engine {name!r} is chosen but {needs!r} is not installed. "
                f'Run `pip install "keraslite[{name}]"`, or set KERAS_BACKEND to an installed '
                f"engine: {', '.join(n for n, (_, p) in _BUILT_IN.items() if _has(p))}."
            )
    else:
        address = _plugins()[name]
    module, _, attribute = address.partition(":")
    found = getattr(importlib.import_module(module), attribute)()
    if not isinstance(found, Engine):
        raise TypeError(
            f"The entry point of the engine {name!r} ({address}) must name a subclass of "
            f"`keraslite.backend.Engine`. Received: {type(found).__name__}"
        )
    return found


def _has(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


def framework_of(x: object) -> str | None:
    """The built-in engine whose tensor `x` is, by the package of its type; imports nothing."""
    root = type(x).__module__.partition(".")[0].removesuffix("lib")
    return root if root in _BUILT_IN and root != "numpy" and hasattr(x, "shape") else None


@functools.cache
def _loaded() -> Engine:
    return load_engine(_name())


def is_loaded() -> bool:
    """Whether the engine has been imported."""
    return _loaded.cache_info().currsize > 0


# Keras's public names, from the modules that define them.
_PUBLIC = {
    "Variable": "keraslite.core.variable",
    "clear_session": "keraslite.core.session",
    "epsilon": "keraslite.config",
    "floatx": "keraslite.config",
    "get_uid": "keraslite.core.naming",
    "image_data_format": "keraslite.config",
    "is_float_dtype": "keraslite.core.dtypes:is_float",
    "is_int_dtype": "keraslite.core.dtypes:is_int",
    "is_keras_tensor": "keraslite.core.keras_tensor",
    "result_type": "keraslite.core.dtypes",
    "set_epsilon": "keraslite.config",
    "set_floatx": "keraslite.config",
    "set_image_data_format": "keraslite.config",
    "standardize_dtype": "keraslite.core.dtypes",
}


def __getattr__(name: str) -> Any:
    if name == "engine":
        value: Any = _loaded()
    elif name in _PUBLIC:
        module, _, attribute = _PUBLIC[name].partition(":")
        value = getattr(importlib.import_module(module), attribute or name)
    else:
        raise missing(__name__, name)
    globals()[name] = value
    return value


__all__ = ["Capabilities", "Engine", "TensorSpec", "backend", "engine", "load_engine"]

"""Settings of the process: default dtypes, data format and the choice of engine.

Each setting is taken from the environment, then from `keras.json` under `KERAS_HOME`
(`~/.keras` when unset), then from a default. The file is read at first use and never
written.
"""

from __future__ import annotations

import importlib
import json
import os
from pathlib import Path
from typing import Any

_FLOATS = ("bfloat16", "float16", "float32", "float64")
_FORMATS = ("channels_last", "channels_first")

_settings: dict[str, Any] = {
    "floatx": "float32",
    "epsilon": 1e-7,
    "image_data_format": "channels_last",
    "backend": None,
    "portable_random": False,
    "debug_nans": False,
}
_flags: dict[str, Any] = {
    "traceback_filtering": True,
    "interactive_logging": True,
    "flash_attention": None,
    "safe_mode": None,
    "max_epochs": None,
    "max_steps_per_epoch": None,
}


def keras_home() -> Path:
    """The directory for `keras.json`, data sets and caches.

    Example:
        >>> os.environ["KERAS_HOME"] = "/data/keras"
        >>> keras_home()
        PosixPath('/data/keras')
    """
    return Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras").expanduser()


def _one_of(name: str, value: Any, allowed: tuple[str, ...]) -> str:
    if value not in allowed:
        raise ValueError(f"`{name}` must be one of {', '.join(allowed)}. Received: {value!r}")
    return value


def _read_file() -> None:
    path = keras_home() / "keras.json"
    try:
        text = path.read_text(encoding="utf-8")
    except (FileNotFoundError, PermissionError, NotADirectoryError):
        return
    try:
        found = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"{path} is not valid JSON ({error}). Repair or delete it.") from error
    if not isinstance(found, dict):
        raise ValueError(f"{path} must hold a JSON object. Received: {type(found).__name__}")
    for key, setter in (
        ("floatx", set_floatx),
        ("epsilon", set_epsilon),
        ("image_data_format", set_image_data_format),
        ("portable_random", set_portable_random),
    ):
        if key in found:
            setter(found[key])
    _settings["backend"] = found.get("backend")


def preferred_backend() -> str | None:
    """The engine's name that the user asked for, or None for the first one installed."""
    return os.environ.get("KERAS_BACKEND") or _settings["backend"]


def floatx() -> str:
    """The default float dtype, `"float32"` unless set otherwise."""
    return _settings["floatx"]


def set_floatx(value: str) -> None:
    """Set the default float dtype.

    Args:
        value: `"bfloat16"`, `"float16"`, `"float32"` or `"float64"`. For training in
            half precision prefer `set_dtype_policy("mixed_bfloat16")`.

    Raises:
        ValueError: for another name.

    Example:
        >>> set_floatx("float64")
        >>> floatx()
        'float64'
    """
    _settings["floatx"] = _one_of("floatx", str(value), _FLOATS)


def epsilon() -> float:
    """The small number that keeps divisions and logarithms finite, 1e-7 by default."""
    return _settings["epsilon"]


def set_epsilon(value: float) -> None:
    """Set `epsilon()`."""
    _settings["epsilon"] = float(value)


def image_data_format() -> str:
    """The default layout of images, `"channels_last"` or `"channels_first"`."""
    return _settings["image_data_format"]


def set_image_data_format(data_format: str) -> None:
    """Set the default layout of images.

    Raises:
        ValueError: if `data_format` is neither `"channels_last"` nor `"channels_first"`.
    """
    _settings["image_data_format"] = _one_of("data_format", str(data_format), _FORMATS)


def portable_random() -> bool:
    """Whether one seed gives the same random numbers on all engines, False by default."""
    return _settings["portable_random"]


def set_portable_random(value: bool) -> None:
    """Choose between the engine's own random numbers and those that all engines share.

    An engine's own generator is the fastest; with portable numbers a training with dropout
    can be compared between engines. `KERAS_PORTABLE_RANDOM=1` in the environment, or
    `"portable_random": true` in `keras.json`, sets it from the start. A compiled step keeps
    what was set when it was compiled. Initial weights are the same everywhere in any case.

    Args:
        value: True for numbers that are the same on all engines.

    Raises:
        ValueError: if `value` is not a bool.

    Example:
        >>> set_portable_random(True)
        >>> keras.random.uniform((2,), seed=1)  # the same on every engine
    """
    if not isinstance(value, bool):
        raise ValueError(f"`portable_random` must be True or False. Received: {value!r}")
    _settings["portable_random"] = value


def debug_nans() -> bool:
    """Whether training looks for NaN and infinity after every step, False by default."""
    return _settings["debug_nans"]


def set_debug_nans(value: bool) -> None:
    """Let training end at the first step that brings NaN or infinity, with its place.

    The error names the update, and the layer whose output, weight or gradient was the first
    that is not finite. The weights are copied before every step, so it is for debugging; a
    step costs nothing more when it is off.

    Args:
        value: True to look.

    Raises:
        ValueError: if `value` is not a bool.

    Example:
        >>> keras.config.set_debug_nans(True)
        >>> model.fit(x, y)  # FloatingPointError: NaN or infinity at update 12, first in ...
    """
    if not isinstance(value, bool):
        raise ValueError(f"`debug_nans` must be True or False. Received: {value!r}")
    _settings["debug_nans"] = value


def standardize_data_format(data_format: str | None) -> str:
    """`data_format` checked, or the default where it is None."""
    if data_format is None:
        return image_data_format()
    return _one_of("data_format", str(data_format).lower(), _FORMATS)


def is_interactive_logging_enabled() -> bool:
    """Whether progress goes to standard output, with bars; else to the `keraslite` logger."""
    return _flags["interactive_logging"]


def enable_interactive_logging() -> None:
    """Show progress on standard output."""
    _flags["interactive_logging"] = True


def disable_interactive_logging() -> None:
    """Send progress to the `keraslite` logger in place of standard output."""
    _flags["interactive_logging"] = False


def is_traceback_filtering_enabled() -> bool:
    """Whether tracebacks leave out frames of the framework."""
    return _flags["traceback_filtering"]


def enable_traceback_filtering() -> None:
    """Leave frames of the framework out of tracebacks."""
    _flags["traceback_filtering"] = True


def disable_traceback_filtering() -> None:
    """Show whole tracebacks."""
    _flags["traceback_filtering"] = False


def is_flash_attention_enabled() -> bool | None:
    """True or False as set, None when the engine decides."""
    return _flags["flash_attention"]


def enable_flash_attention() -> None:
    """Ask for flash attention kernels; an engine without one raises."""
    _flags["flash_attention"] = True


def disable_flash_attention() -> None:
    """Never use flash attention kernels."""
    _flags["flash_attention"] = False


def _positive(name: str, value: int | None) -> int | None:
    if value is not None and (int(value) != value or value < 1):
        raise ValueError(f"`{name}` must be a positive integer or None. Received: {value!r}")
    return None if value is None else int(value)


def _limit(flag: str, variable: str) -> int | None:
    if _flags[flag] is not None:
        return _flags[flag]
    value = os.environ.get(variable)
    return int(value) if value else None


def max_epochs() -> int | None:
    """An upper limit on the epochs of every `fit`, for dry runs (`KERAS_MAX_EPOCHS`)."""
    return _limit("max_epochs", "KERAS_MAX_EPOCHS")


def set_max_epochs(max_epochs: int | None) -> None:
    """Limit the epochs of every `fit`; None lifts the limit."""
    _flags["max_epochs"] = _positive("max_epochs", max_epochs)


def max_steps_per_epoch() -> int | None:
    """An upper limit on steps in each epoch (`KERAS_MAX_STEPS_PER_EPOCH`)."""
    return _limit("max_steps_per_epoch", "KERAS_MAX_STEPS_PER_EPOCH")


def set_max_steps_per_epoch(max_steps_per_epoch: int | None) -> None:
    """Limit the steps of each epoch of `fit`, `evaluate` and `predict`; None lifts it."""
    _flags["max_steps_per_epoch"] = _positive("max_steps_per_epoch", max_steps_per_epoch)


def is_nnx_enabled() -> bool:
    """Whether layers are Flax NNX modules; never so here."""
    return False


def enable_unsafe_deserialization() -> None:
    """Let files and configs of this process bring Python code, such as lambdas.

    Only for files whose author you trust; `load_model(..., safe_mode=False)` is narrower.
    """
    _flags["safe_mode"] = False


# Settings that are kept beside what they set.
_ELSEWHERE = {
    "backend": "keraslite.backend",
    "set_backend": "keraslite.backend",
    "dtype_policy": "keraslite.dtype_policies",
    "set_dtype_policy": "keraslite.dtype_policies",
}


def __getattr__(name: str) -> Any:
    if name not in _ELSEWHERE:
        raise AttributeError(f"module 'keraslite.config' has no attribute {name!r}")
    return getattr(importlib.import_module(_ELSEWHERE[name]), name)


def _read_environment() -> None:
    text = os.environ.get("KERAS_PORTABLE_RANDOM", "")
    if text:
        set_portable_random(_one_of("KERAS_PORTABLE_RANDOM", text, ("0", "1")) == "1")


_read_file()
_read_environment()

"""Objects as JSON-ready dicts in Keras's forms, and back.

An object is `{"module", "class_name", "config", "registered_name"}`, with `build_config` and
`compile_config` where it has them; a few plain Python values have forms of their own.
Nothing here imports on a config's behalf: see `keraslite.core.registry`.
"""

from __future__ import annotations

import contextlib
import contextvars
import inspect
from collections.abc import Callable, Iterable, Iterator
from types import FunctionType
from typing import Any

import numpy as np

from keraslite import config as settings
from keraslite.backend import engine
from keraslite.core import dtypes, registry
from keraslite.core.budget import WorkBudget
from keraslite.core.configurable import parameters_of
from keraslite.core.errors import (
    BadConfigError,
    LoadError,
    UnsafeModelError,
    describe,
    nearest,
    short,
)
from keraslite.core.keras_tensor import KerasTensor
from keraslite.core.patterns import check_patterns

_safe: contextvars.ContextVar[bool | None] = contextvars.ContextVar("safe_mode", default=None)


# Safe mode -------------------------------------------------------------------------------


def is_safe_mode() -> bool:
    """Whether configs may not bring Python code; true unless somebody said otherwise."""
    here = _safe.get()
    if here is None:
        here = settings._flags["safe_mode"]
    return here is not False


@contextlib.contextmanager
def safe_mode_scope(safe_mode: bool | None) -> Iterator[None]:
    """Set the mode of everything that is deserialized inside; None leaves it."""
    token = _safe.set(_safe.get() if safe_mode is None else bool(safe_mode))
    try:
        yield
    finally:
        _safe.reset(token)


def refuse_if_safe(what: str) -> None:
    """Raise unless the user allowed unsafe configs.

    Args:
        what: names the member that asks for it, such as `"Layer 'a' holds a lambda"`.

    Raises:
        UnsafeModelError: in safe mode.
    """
    if is_safe_mode():
        raise UnsafeModelError(
            short(
                f"{what}, which can run any code on this machine. If you trust its source, pass "
                "`safe_mode=False` or call `keraslite.config.enable_unsafe_deserialization()`."
            )
        )


def check_patterns_of(config: dict[str, Any], argument: str) -> None:
    """Raise in safe mode if an argument in a config holds regular expressions that cost too much.

    Raises:
        UnsafeModelError: names the expression.
    """
    value = config.get(argument)
    if is_safe_mode() and isinstance(value, (dict, list, tuple)):
        check_patterns(value, argument)


# Plain values ------------------------------------------------------------------------------


def _form(name: str, **config: Any) -> dict[str, Any]:
    return {"class_name": name, "config": config}


def _array_form(name: str, array: np.ndarray) -> dict[str, Any]:
    dtype = dtypes.standardize_dtype(array.dtype)
    if array.dtype.kind == "V":  # bfloat16, float8: `tolist` would give their own scalars
        array = array.astype("float32")
    return _form(name, value=array.tolist(), dtype=dtype)


def _tensor_form(x: KerasTensor) -> dict[str, Any]:
    history = getattr(x, "_keras_history", None)
    place = (
        None
        if history is None
        else [history.operation.name, history.node_index, history.tensor_index]
    )
    return _form("__keras_tensor__", shape=x.shape, dtype=x.dtype, keras_history=place)


def _array_of(config: dict[str, Any]) -> np.ndarray:
    name = dtypes.standardize_dtype(config.get("dtype"))
    value = config.get("value")
    check_texts(x for x in np.asarray(value, object).flat if isinstance(x, str))
    return np.asarray(value).astype(name if name != "string" else str)


def check_texts(texts: Iterable[str]) -> None:
    """Raise if an array of texts takes far more memory than they do: all get the longest's.

    Raises:
        UnsafeModelError: for a few long texts among many short ones.
    """
    lengths = [len(text) for text in texts]
    if lengths and max(lengths) * len(lengths) > 4 * sum(lengths) + 2**22:
        raise UnsafeModelError(
            f"An array of {len(lengths):,} texts has one of {max(lengths):,} characters, which "
            "all of them would take."
        )


def _lambda_of(config: dict[str, Any]) -> Callable[..., Any]:
    from keraslite.core.lambdas import load_lambda

    refuse_if_safe("The config holds a Python lambda")
    return load_lambda(config)


#: Forms of values that are no objects of ours, by class name.
_READERS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "__numpy__": _array_of,
    "__tensor__": lambda c: engine.convert(_array_of(c), dtypes.standardize_dtype(c.get("dtype"))),
    "__keras_tensor__": lambda c: KerasTensor(tuple(c["shape"]), c.get("dtype", "float32")),
    "__slice__": lambda c: slice(*[deserialize_value(c[k]) for k in ("start", "stop", "step")]),
    "__ellipsis__": lambda c: Ellipsis,
    "__tuple__": lambda c: tuple(deserialize_value(v) for v in c["value"]),
    "__bytes__": lambda c: c["value"].encode("utf-8"),
    "__lambda__": _lambda_of,
}


# Writing -----------------------------------------------------------------------------------


def serialize_value(value: Any) -> Any:
    """A value of a config: as `serialize_keras_object`, activations by their plain names."""
    if isinstance(value, FunctionType) and registry.is_activation(value):
        return value.__name__
    return _serialize(value, serialize_value)


def serialize_keras_object(obj: Any) -> Any:
    """The JSON-ready form of an object, function, tensor, number or nested structure of them.

    Args:
        obj: objects need `get_config`.

    Returns:
        For an object `{"module", "class_name", "config", "registered_name"}`, with
        `build_config` and `compile_config` where it has them.

    Raises:
        TypeError: for an object without `get_config`.

    Example:
        >>> keras.saving.serialize_keras_object(keras.initializers.Zeros())["class_name"]
        'Zeros'
    """
    return _serialize(obj, serialize_keras_object)


def _serialize(obj: Any, inner: Callable[[Any], Any]) -> Any:
    if obj is None or isinstance(obj, (str, bool, int, float)):
        return obj
    if isinstance(obj, dict):
        return {key: inner(value) for key, value in obj.items()}
    if isinstance(obj, (list, tuple)):
        items = [inner(x) for x in obj]
        return items if isinstance(obj, list) else tuple(items)
    if isinstance(obj, np.generic) or (isinstance(obj, np.ndarray) and not obj.shape):
        return obj.item()
    if isinstance(obj, np.ndarray):
        return _array_form("__numpy__", obj)
    if isinstance(obj, KerasTensor):
        return _tensor_form(obj)
    if isinstance(obj, slice):
        parts = {k: inner(getattr(obj, k)) for k in ("start", "stop", "step")}
        return _form("__slice__", **parts)
    if obj is Ellipsis:
        return _form("__ellipsis__")
    if isinstance(obj, bytes):
        return _form("__bytes__", value=obj.decode("utf-8"))
    if engine.is_tensor(obj):
        return _array_form("__tensor__", engine.to_numpy(obj))
    if inspect.isroutine(obj) and not hasattr(obj, "get_config"):
        return _function(obj)
    if hasattr(obj, "get_config") and not inspect.isclass(obj):
        return _object(obj)
    raise TypeError(
        f"Cannot serialize {describe(obj)}: a class needs a `get_config` method that returns "
        "the arguments of its constructor."
    )


def _function(function: Any) -> dict[str, Any]:
    if getattr(function, "__name__", "") == "<lambda>":
        from keraslite.core.lambdas import dump_lambda

        return _form("__lambda__", **dump_lambda(function))
    kind = "function" if isinstance(function, FunctionType) else type(function).__name__
    name = registry.get_registered_name(function)
    return {"module": "builtins", "class_name": kind, "config": name, "registered_name": kind}


def _object(obj: Any) -> dict[str, Any]:
    from keraslite.core.op import OpCall
    from keraslite.core.op_entries import op_entry

    if isinstance(obj, OpCall):
        return op_entry(obj)
    cls = type(obj)
    module = registry.keras_module_of(cls)
    registered = None
    if module is None:
        module = None if cls.__module__ in ("__main__", "builtins") else cls.__module__
        registered = registry.get_registered_name(cls)
    elif cls.__name__ == "Functional":
        registered = cls.__name__
    found: dict[str, Any] = {
        "module": module,
        "class_name": registry.saved_name(cls),
        "config": obj.get_config(),
        "registered_name": registered,
    }
    build = obj.get_build_config() if hasattr(obj, "get_build_config") else None
    if build is not None:
        found["build_config"] = serialize_keras_object(build)
    if hasattr(obj, "get_compile_config"):
        found["compile_config"] = serialize_keras_object(obj.get_compile_config() or {})
    return found


# Reading -----------------------------------------------------------------------------------


def deserialize_value(value: Any) -> Any:
    """A value of a config: lists and dicts are searched, forms and objects are made."""
    if isinstance(value, dict):
        if _is_form(value):
            return _read(value, None)
        return {key: deserialize_value(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)([deserialize_value(x) for x in value])
    return value


def deserialize_keras_object(
    config: Any,
    custom_objects: dict[str, Any] | None = None,
    safe_mode: bool | None = True,
    **kwargs: Any,
) -> Any:
    """The object that `serialize_keras_object` described.

    Args:
        config: the description; lists and dicts of them are searched.
        custom_objects: name -> class or function, for names that are not registered.
        safe_mode: refuse Python code in the config. An outer `load_model(safe_mode=False)`
            and `enable_unsafe_deserialization` hold here too.

    Raises:
        ValueError: for a class or function that nobody exported, registered or passed.
        UnsafeModelError: for Python code in safe mode.
        TypeError: for a config that the class does not take.

    Example:
        >>> config = keras.saving.serialize_keras_object(keras.layers.Dense(3))
        >>> keras.saving.deserialize_keras_object(config).units
        3
    """
    named = kwargs.pop("module_objects", None)
    if kwargs:
        raise TypeError(f"deserialize_keras_object got unexpected arguments: {', '.join(kwargs)}")
    # A scope around this call has decided already; the argument's default cannot tell
    # "safe" from "not said".
    with (
        registry.CustomObjectScope(custom_objects),
        safe_mode_scope(False if safe_mode is False else None),
        _explaining(),
    ):
        if isinstance(config, str):
            found = registry.get_registered_object(config, module_objects=named)
            return config if found is None else found
        if isinstance(config, dict) and _is_form(config):
            return _read(config, named)
        return deserialize_value(config)


def _is_form(value: dict[str, Any]) -> bool:
    return "class_name" in value and "config" in value


@contextlib.contextmanager
def _explaining(form: dict[str, Any] | None = None) -> Iterator[None]:
    """Whatever is raised inside becomes a `LoadError` that names the object.

    Raises:
        ImportError: as it is, for packages that are not installed.
    """
    name = None if form is None else _label(form)
    try:
        yield
    except LoadError as error:
        if name is not None:
            error.enter(name)
        raise
    except ImportError:
        raise
    except RecursionError:
        raise UnsafeModelError("The config is nested too deeply.") from None
    except Exception as error:  # noqa: BLE001 - a constructor may raise anything for a wrong config
        kind = "" if isinstance(error, (ValueError, TypeError)) else f"{type(error).__name__}: "
        found = BadConfigError(f"{kind}{short(str(error), 480)}")
        raise (found if name is None else found.enter(name)) from error


def _label(form: dict[str, Any]) -> str:
    config = form["config"]
    own = config.get("name") if isinstance(config, dict) else None
    name = short(str(form["class_name"]), 60)
    return f"{name} {short(own, 60)!r}" if isinstance(own, str) else name


#: How many objects may be in one another; Python's own limit is not the same everywhere.
_NESTED = 100
#: Characters of a name, which costs as much in every path that it is part of.
_LONGEST_NAME = 500
_nesting: contextvars.ContextVar[int] = contextvars.ContextVar("nesting", default=0)


def _read(form: dict[str, Any], named: dict[str, Any] | None) -> Any:
    level = _nesting.get()
    if level == _NESTED:
        raise UnsafeModelError(f"The config has more than {_NESTED} objects in one another.")
    token = _nesting.set(level + 1)
    try:
        with _explaining(form), WorkBudget.outermost() as work:
            work.make()
            return _object_of(form, named)
    finally:
        _nesting.reset(token)


def _object_of(form: dict[str, Any], named: dict[str, Any] | None) -> Any:
    name, config = form["class_name"], form["config"]
    if not isinstance(name, str):
        raise UnsafeModelError(f"`class_name` must be a string. Received: {describe(name)}")
    if name in _READERS:
        if not isinstance(config, dict):
            raise UnsafeModelError(f"{name} needs a dict. Received: {describe(config)}")
        return _READERS[name](config)
    if name == "function":
        return find_function(config, named)
    if not isinstance(config, dict):
        raise UnsafeModelError(
            f"The config of {short(name, 80)!r} must be a dict. Received: {describe(config)}"
        )
    own = config.get("name")
    if isinstance(own, str) and len(own) > _LONGEST_NAME:
        raise UnsafeModelError(
            f"Its name has {len(own):,} characters; the limit is {_LONGEST_NAME}."
        )
    found = find_class(form, named)
    if inspect.isclass(found):
        return _make(found, form, config)
    from keraslite.core.op_entries import OpMaker

    if isinstance(found, OpMaker):
        return found(config)
    raise UnsafeModelError(f"{short(name, 80)!r} is no class, and loading calls no functions.")


def find_function(name: Any, named: dict[str, Any] | None = None) -> Any:
    """A function by the name that a config holds: passed, built-in or registered.

    Raises:
        ValueError: for an unknown one.
    """
    if not isinstance(name, str):
        raise UnsafeModelError(f"The config of a function is its name. Received: {describe(name)}")
    found = registry.passed_object(name)
    found = found if found is not None else (named or {}).get(name)
    found = found if found is not None else registry.builtin_object(name)
    if found is None:
        from keraslite.core.op_entries import op_function

        found = op_function(name)
    found = found if found is not None else registry.get_registered_object(name)
    if found is None or not callable(found):
        raise registry.unknown_object(name, "function")
    return found


def find_class(form: dict[str, Any], named: dict[str, Any] | None = None) -> Any:
    """The class, or maker of an op, that a config names.

    With a module of Keras, built-in classes come first: nobody's registered class can
    stand in for one of them.

    Raises:
        ValueError: for an unknown one.
    """
    name, module = form["class_name"], form.get("module")
    registered = form.get("registered_name")
    if not isinstance(module, (str, type(None))) or not isinstance(registered, (str, type(None))):
        raise UnsafeModelError("`module` and `registered_name` must be strings or None.")
    if isinstance(module, str):
        from keraslite.core.op_entries import op_maker

        found = registry.builtin_object(name, module) or op_maker(name, module)
        if found is not None:
            return found
    for key in (registered, name):
        if key and (found := registry.passed_object(key)) is not None:
            return found
    if module is None and registered in (None, name):
        found = (named or {}).get(name) or registry.builtin_object(name)
        if inspect.isclass(found):
            return found
    for key in (registered, name):
        if key and (found := registry.get_registered_object(key)) is not None:
            return found
    raise registry.unknown_object(
        registered or name, "class", module if registered is None else None
    )


def _make(cls: type, form: dict[str, Any], config: dict[str, Any]) -> Any:
    if not hasattr(cls, "from_config"):
        raise TypeError(f"Class {cls.__name__!r} needs a class method `from_config` to be loaded.")
    try:
        obj = cls.from_config(config)
    except TypeError as error:
        if isinstance(error, LoadError):
            raise
        raise _explained(cls, config, error) from error
    for key, method in (
        ("build_config", "build_from_config"),
        ("compile_config", "compile_from_config"),
    ):
        state = form.get(key)
        restore = getattr(obj, method, None)
        if state and restore is not None:
            restore(state)
    return obj


def _explained(cls: type, config: dict[str, Any], error: TypeError) -> BadConfigError:
    """Says which keys of a config the constructor does not take."""
    valid = parameters_of(cls)
    unknown = [key for key in config if key not in valid]
    hint = "".join(
        f" {short(str(key), 60)!r} is not an argument.{nearest(key, valid)}" for key in unknown[:3]
    )
    reason = short(str(error), 300)
    return BadConfigError(f"{cls.__name__} could not be made from its config: {reason}.{hint}")

"""Names of objects: Keras's public namespaces, users' registered objects, and `Catalog`.

What a file or a config may name is decided here: names that the public namespaces below
export, ops, and objects that the user registered or passed. Nothing else is looked up.
"""

from __future__ import annotations

import contextvars
import importlib
import inspect
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, TypeVar

from keraslite.core.errors import LoadError, describe, nearest, short, unknown_name
from keraslite.core.naming import to_snake_case

T = TypeVar("T")

#: Keras's module -> our module whose exports a file may name, in order of preference.
NAMESPACES: dict[str, str] = {
    "keras.layers": "keraslite.layers",
    "keras.initializers": "keraslite.initializers",
    "keras.regularizers": "keraslite.regularizers",
    "keras.constraints": "keraslite.constraints",
    "keras.activations": "keraslite.activations",
    "keras.losses": "keraslite.losses",
    "keras.metrics": "keraslite.metrics",
    "keras.optimizers": "keraslite.optimizers",
    "keras.optimizers.schedules": "keraslite.optimizers.schedules",
    "keras.models": "keraslite.models",
    "keras.random": "keraslite.random",
    "keras.dtype_policies": "keraslite.dtype_policies",
    "keras.quantizers": "keraslite.quantizers",
    "keras.utils": "keraslite.utils",
}
#: Namespaces of which a file may name functions too. Elsewhere only classes.
_OF_FUNCTIONS = ("keras.activations", "keras.losses", "keras.metrics")
#: Classes whose module in files is not the namespace that exports them.
_MODULE_IN_FILES = {
    "Functional": "keras.src.models.functional",
    "Sequential": "keras",
    "Model": "keras",
    "DTypePolicy": "keras",
    "FloatDTypePolicy": "keras",
}
# Older and private module names begin with these words in the place of `keras.`.
_ROOTS = (
    "keras.src.",
    "keras.engine.",
    "keras.",
    "tf_keras.src.",
    "tf_keras.",
    "tensorflow.keras.",
)
_PRIVATE = {"engine": "models", "saving": "models", "legacy": "layers"}


class UnknownObjectError(LoadError, TypeError):
    """A config names a class or function that nobody exported, registered or passed."""


# Users' objects ------------------------------------------------------------------------

_registered: dict[str, Any] = {}
_names: dict[Any, str] = {}
_scoped: contextvars.ContextVar[dict[str, Any] | None] = contextvars.ContextVar(
    "custom_objects", default=None
)


def register_keras_serializable(
    package: str = "Custom", name: str | None = None
) -> Callable[[T], T]:
    """Decorator: lets files name a class or function as `package>name`.

    Args:
        package: a word for your code, so that names of several packages do not clash.
        name: by default the name of the class or function.

    Raises:
        ValueError: for a class without `get_config`.

    Example:
        >>> @keras.saving.register_keras_serializable("my_package")
        ... class Scale(keras.layers.Layer):
        ...     pass
    """

    def decorate(target: T) -> T:
        if inspect.isclass(target) and not hasattr(target, "get_config"):
            raise ValueError(
                f"Cannot register class {target.__name__!r}: it has no `get_config` method, so "
                "it could not be saved."
            )
        registered = f"{package}>{name or getattr(target, '__name__', '')}"
        _registered[registered] = target
        _names[target] = registered
        return target

    return decorate


class CustomObjectScope:
    """Inside, configs may name these objects.

    Args:
        custom_objects: name -> class or function.

    Example:
        >>> with keras.saving.custom_object_scope({"Scale": Scale}):
        ...     layer = keras.layers.deserialize(config)
    """

    def __init__(self, custom_objects: dict[str, Any] | None) -> None:
        self.custom_objects = custom_objects or {}
        self._tokens: list[contextvars.Token] = []

    def __enter__(self) -> CustomObjectScope:
        self._tokens.append(_scoped.set({**(_scoped.get() or {}), **self.custom_objects}))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        _scoped.reset(self._tokens.pop())


custom_object_scope = CustomObjectScope


class CustomObjects:
    """Mixin of what is made of other objects: `from_config` takes the classes of those inside."""

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None
    ) -> Any:
        """An object made from what `get_config` gave.

        Args:
            config: the configuration.
            custom_objects: name -> your own class or function.
        """
        with CustomObjectScope(custom_objects):
            return super().from_config(config)  # type: ignore[misc]


def get_custom_objects() -> dict[str, Any]:
    """The dict of all registered objects; what you put in is registered too."""
    return _registered


def get_registered_name(obj: Any) -> str:
    """The name under which files know a class or function."""
    try:
        found = _names.get(obj)
    except TypeError:  # not hashable
        found = None
    return found or getattr(obj, "__name__", None) or type(obj).__name__


def get_registered_object(
    name: str,
    custom_objects: dict[str, Any] | None = None,
    module_objects: dict[str, Any] | None = None,
) -> Any:
    """The class or function registered as `name`, None when there is none.

    Args:
        name: as `get_registered_name` gives it.
        custom_objects: looked up first.
        module_objects: looked up last.
    """
    for source in (_scoped.get(), custom_objects, _registered, module_objects):
        if source and name in source:
            return source[name]
    return None


def passed_object(name: str, custom_objects: dict[str, Any] | None = None) -> Any:
    """What the user passed for `name`, by argument or by scope."""
    for source in (custom_objects, _scoped.get()):
        if source and name in source:
            return source[name]
    return None


# Built-in objects ------------------------------------------------------------------------


def _exported_names(keras_module: str) -> tuple[str, ...]:
    """The public names of one namespace; empty for one that does not exist."""
    address = NAMESPACES[keras_module]
    try:
        module = importlib.import_module(address)
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith("keraslite"):
            raise
        return ()
    return tuple(getattr(module, "__all__", ()))


def _export(keras_module: str, name: str) -> Any:
    """What one namespace exports as `name`; None when it is nothing a file may name."""
    if name not in _exported_names(keras_module):
        return None
    found = getattr(importlib.import_module(NAMESPACES[keras_module]), name)
    return found if _allowed(keras_module, found) else None


def _allowed(keras_module: str, found: Any) -> bool:
    if inspect.isclass(found):
        return hasattr(found, "from_config")
    if keras_module not in _OF_FUNCTIONS or not inspect.isfunction(found):
        return False
    return found.__name__ not in ("get", "serialize", "deserialize")


def _public_module(module: str) -> str | None:
    """`keras.layers` for `keras.src.layers.core.dense`; None when it is no module of Keras."""
    if module in NAMESPACES or module == "keras":
        return module
    for root in _ROOTS:
        if module.startswith(root):
            area, _, inner = module.removeprefix(root).partition(".")
            if area == "backend":  # one engine's own optimizers
                area, _, inner = inner.partition(".")[2].partition(".")
            if area == "optimizers" and inner.startswith("schedules"):
                area = "optimizers.schedules"
            area = "models" if root == "keras.engine." else _PRIVATE.get(area, area)
            return f"keras.{area}" if f"keras.{area}" in NAMESPACES else None
    return None


def builtin_object(name: str, module: str | None = None) -> Any:
    """The exported class or function called `name`, None when there is none.

    Args:
        name: of a class, or of a function of activations, losses or metrics.
        module: the module as a file writes it; None searches all namespaces.
    """
    public = None if module is None else _public_module(module)
    if module is not None and public is None:
        return None
    for area in NAMESPACES if public in (None, "keras") else (public,):
        found = _export(area, name)
        if found is not None:
            return found
    return None


def saved_name(cls: type) -> str:
    """The name that files have for a class, mostly its own."""
    return vars(cls).get("_saved_name", cls.__name__)


def keras_module_of(cls: type) -> str | None:
    """The module that files name for a class of ours, None for a user's class."""
    package, _, inner = cls.__module__.partition(".")
    if package != "keraslite":
        return None
    if cls.__name__ in _MODULE_IN_FILES:
        return _MODULE_IN_FILES[cls.__name__]
    area = inner.partition(".")[0]
    first = [m for m in NAMESPACES if m.split(".")[1] == area][::-1]
    for module in [*first, *NAMESPACES]:
        if _export(module, saved_name(cls)) is cls:
            return module
    return None


def is_activation(function: Any) -> bool:
    """Whether a function is a built-in activation, which configs write as a plain name."""
    ours = str(getattr(function, "__module__", "")).startswith("keraslite.")
    return ours and _export("keras.activations", function.__name__) is function


def unknown_object(name: Any, what: str, module: Any = None) -> UnknownObjectError:
    """The error for a class or function that configs may not name."""
    name = short(str(name), 80)
    source = "" if module is None else f" of module {short(str(module), 60)!r}"
    area = _public_module(module) if isinstance(module, str) else None
    if area in NAMESPACES:
        known = [n for n in _exported_names(area) if _export(area, n) is not None]
    else:
        known = [n.rpartition(">")[2] for n in (*_registered, *(_scoped.get() or ()))]
    decorator = '@keraslite.saving.register_keras_serializable("my_package")'
    return UnknownObjectError(
        short(
            f"Unknown {what} {name!r}{source}.{nearest(name, known)} If it is yours, put "
            f"`{decorator}` in front of it and import it before loading, or pass "
            f"`custom_objects={{{name!r}: ...}}`."
        )
    )


# Catalogs ------------------------------------------------------------------------------


class Catalog:
    """All objects of one kind, such as losses, found by name, config, class or as they are.

    Args:
        kind: one word for messages, `"loss"`.
        module: the module that files name, `"keras.losses"`.
        objects: classes and functions.
        aliases: further names, and names that would be ambiguous.
        base: the class of valid instances; None takes any callable.

    A function has its name; a class its own, in snake case and in lower case. Functions come
    before classes: `"mean_squared_error"` is the function where there are both.

    Example:
        >>> CATALOG = Catalog("loss", "keras.losses", [Huber, huber], {"Huber2": Huber}, Loss)
        >>> CATALOG.get("Huber")
        <Huber object ...>
    """

    def __init__(
        self,
        kind: str,
        module: str,
        objects: Iterable[Any],
        aliases: dict[str, Any] | None = None,
        base: type | None = None,
    ) -> None:
        self.kind = kind
        self.module = module
        self.base = base
        objects = list(objects)
        classes = [x for x in objects if inspect.isclass(x)]
        #: every valid name -> class or function; later entries win
        self.names: dict[str, Any] = {}
        self.names.update({x.__name__.lower(): x for x in classes})
        self.names.update({to_snake_case(x.__name__): x for x in classes})
        self.names.update({x.__name__: x for x in classes})
        self.names.update({x.__name__: x for x in objects if not inspect.isclass(x)})
        self.names.update(aliases or {})

    def find(self, name: str) -> Any:
        """The class or function called `name`; users' objects after built-in ones.

        Raises:
            ValueError: for an unknown name; says the nearest one.
        """
        found = passed_object(name)
        for candidate in (name, name.lower()):
            found = found if found is not None else self.names.get(candidate)
        found = found if found is not None else get_registered_object(name)
        if found is None:
            raise unknown_name(self.kind, name, self.names)
        return found

    def get(self, identifier: Any) -> Any:
        """The object that `identifier` stands for.

        Args:
            identifier: None, a name, a config, a class, a function or an instance.

        Raises:
            ValueError: for anything else; says the nearest name.
        """
        if identifier is None:
            return None
        if isinstance(identifier, str):
            return _instance(self.find(identifier))
        if isinstance(identifier, dict):
            return self.deserialize(identifier)
        if inspect.isclass(identifier):
            identifier = identifier()
        if self._is_one(identifier):
            return identifier
        raise self._not_one(identifier)

    def serialize(self, obj: Any) -> Any:
        """What configs hold for an object: a name, a config, or None."""
        from keraslite.core.serialization import serialize_value

        return serialize_value(obj)

    def deserialize(self, config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
        """The object for what `serialize` gave.

        Raises:
            ValueError: for an unknown name, or a config of another kind of object.
        """
        from keraslite.core.serialization import deserialize_keras_object

        with CustomObjectScope(custom_objects):
            if config is None or isinstance(config, str):
                return self.get(config)
            if not isinstance(config, dict) or "class_name" not in config:
                raise self._not_one(config)
            found = deserialize_keras_object(config, module_objects=self.names)
        if not self._is_one(found):
            raise self._not_one(found)
        return found

    def _is_one(self, obj: Any) -> bool:
        # A function will do wherever the instances themselves are callable.
        if self.base is not None and isinstance(obj, self.base):
            return True
        callables = self.base is None or any("__call__" in c.__dict__ for c in self.base.__mro__)
        return callables and callable(obj)

    def _not_one(self, value: Any) -> ValueError:
        return ValueError(
            f"Cannot make {_article(self.kind)} {self.kind} of {describe(value)}. Expected a name, "
            f"a config, {'a function' if self.base is None else f'a {self.base.__name__}'} or None."
        )


def exported(namespace: dict[str, Any]) -> list[Any]:
    """What a module, given by its `globals()`, names in `__all__` and has by now."""
    return [namespace[name] for name in namespace["__all__"] if name in namespace]


def _article(word: str) -> str:
    return "an" if word[:1] in "aeiou" else "a"


def _instance(found: Any) -> Any:
    return found() if inspect.isclass(found) else found

"""Configs of objects in the form that Keras had before version 3."""

from __future__ import annotations

from typing import Any

from keraslite.core import registry, serialization
from keraslite.core.errors import describe


def serialize_keras_object(instance: Any) -> Any:
    """`{"class_name": ..., "config": ...}` for an object, the name for a function.

    Args:
        instance: an object with `get_config`, a function, or None.

    Raises:
        ValueError: for anything else.
    """
    if instance is None:
        return None
    if hasattr(instance, "get_config"):
        name = registry.get_registered_name(type(instance))
        return {"class_name": name, "config": instance.get_config()}
    if hasattr(instance, "__name__"):
        return registry.get_registered_name(instance)
    raise ValueError(
        f"Cannot serialize {describe(instance)}: it needs a method `get_config`, or must be a "
        "function."
    )


def deserialize_keras_object(
    identifier: Any,
    module_objects: dict[str, Any] | None = None,
    custom_objects: dict[str, Any] | None = None,
    printable_module_name: str = "object",
) -> Any:
    """The object or function that `serialize_keras_object` described.

    Args:
        identifier: a config, a name, a function, or None.
        module_objects: name -> class or function, of one kind.
        custom_objects: the same, of the user; they come first.
        printable_module_name: the kind, for messages.

    Raises:
        ValueError: for an unknown name or another kind of identifier.
    """
    if identifier is None or callable(identifier):
        return identifier
    known = {**(module_objects or {}), **(custom_objects or {})}
    if isinstance(identifier, dict):
        if "class_name" not in identifier or "config" not in identifier:
            raise ValueError(
                "A config must be a dict with `class_name` and `config`. "
                f"Received: {describe(identifier)}"
            )
        cls = _found(identifier["class_name"], known, printable_module_name)
        with registry.CustomObjectScope(custom_objects):
            config = {
                k: serialization.deserialize_keras_object(v) if isinstance(v, dict) else v
                for k, v in identifier["config"].items()
            }
            return cls.from_config(config) if hasattr(cls, "from_config") else cls(**config)
    if isinstance(identifier, str):
        found = _found(identifier, known, printable_module_name)
        return found() if isinstance(found, type) else found
    raise ValueError(f"Cannot make a {printable_module_name} of {describe(identifier)}.")


def _found(name: str, known: dict[str, Any], kind: str) -> Any:
    found = known.get(name) or registry.get_registered_object(name)
    if found is None:
        raise registry.unknown_object(name, kind)
    return found


__all__ = ["deserialize_keras_object", "serialize_keras_object"]

"""Objects as `{"class_name", "config"}`, the form of Keras 2, and back."""

from __future__ import annotations

from typing import Any

from keraslite.core import serialization
from keraslite.core.errors import describe, unknown_name
from keraslite.core.registry import (
    CustomObjectScope,
    get_registered_name,
    get_registered_object,
)
from keraslite.saving.legacy_config import modern

__all__ = ["deserialize_keras_object", "serialize_keras_object"]


def serialize_keras_object(instance: Any) -> Any:
    """The form of an object; functions stand by their names, None is None.

    Args:
        instance: with `get_config`, or a named function.

    Raises:
        ValueError: for anything else.

    Example:
        >>> keras.legacy.saving.serialize_keras_object(keras.regularizers.L1())["class_name"]
        'L1'
    """
    if instance is None:
        return None
    if hasattr(instance, "get_config"):
        name = get_registered_name(type(instance))
        return {"class_name": name, "config": instance.get_config()}
    if hasattr(instance, "__name__"):
        return get_registered_name(instance)
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
    """The object for what `serialize_keras_object` gave; old argument names are understood.

    Args:
        identifier: a form, a name, a class or None.
        module_objects: name -> class or function, for names that are not built in.
        custom_objects: name -> class or function, looked up first.
        printable_module_name: what it should be, for messages.

    Returns:
        For a name the function of that name, or an instance of the class.

    Raises:
        ValueError: for an unknown name.
    """
    if identifier is None:
        return None
    with CustomObjectScope(custom_objects):
        if isinstance(identifier, str):
            found = get_registered_object(identifier, module_objects=module_objects)
            if found is None:
                raise unknown_name(printable_module_name, identifier, module_objects or ())
            return found() if isinstance(found, type) else found
        if isinstance(identifier, dict):
            return serialization.deserialize_keras_object(
                modern(identifier, version="3"), module_objects=module_objects
            )
    if hasattr(identifier, "__name__"):
        return identifier
    raise ValueError(f"Cannot make {printable_module_name} of {describe(identifier)}.")

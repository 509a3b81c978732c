"""Saving and loading models, and names for the objects in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from keraslite.core.registry import (
    CustomObjectScope,
    custom_object_scope,
    get_custom_objects,
    get_registered_name,
    get_registered_object,
    register_keras_serializable,
)
from keraslite.core.serialization import deserialize_keras_object, serialize_keras_object
from keraslite.saving.models import load_model, load_weights, save_model, save_weights

if TYPE_CHECKING:
    from keraslite.saving.file_editor import KerasFileEditor


def __getattr__(name: str) -> Any:
    # h5py is imported when a file is read or written, not before.
    if name == "KerasFileEditor":
        from keraslite.saving.file_editor import KerasFileEditor

        return KerasFileEditor
    raise AttributeError(f"module 'keraslite.saving' has no attribute {name!r}")


__all__ = [
    "CustomObjectScope",
    "KerasFileEditor",
    "custom_object_scope",
    "deserialize_keras_object",
    "get_custom_objects",
    "get_registered_name",
    "get_registered_object",
    "load_model",
    "load_weights",
    "register_keras_serializable",
    "save_model",
    "save_weights",
    "serialize_keras_object",
]

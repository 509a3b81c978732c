"""`keras.utils.legacy`: objects in the form that Keras had before version 3."""

from __future__ import annotations

from keraslite.saving.legacy_objects import deserialize_keras_object, serialize_keras_object

__all__ = ["deserialize_keras_object", "serialize_keras_object"]

"""Utilities: seeds, labels, progress, data, names of objects."""

from __future__ import annotations

from keraslite.config import (
    disable_interactive_logging,
    enable_interactive_logging,
    is_interactive_logging_enabled,
)
from keraslite.core.dtypes import standardize_dtype
from keraslite.core.graph import get_source_inputs
from keraslite.core.keras_tensor import is_keras_tensor
from keraslite.core.old_names import add_hints
from keraslite.core.registry import (
    CustomObjectScope,
    custom_object_scope,
    get_custom_objects,
    get_registered_name,
    get_registered_object,
    register_keras_serializable,
)
from keraslite.core.serialization import deserialize_keras_object, serialize_keras_object
from keraslite.core.session import clear_session
from keraslite.training.data import (
    PyDataset,
    pack_x_y_sample_weight,
    unpack_x_y_sample_weight,
)
from keraslite.utils import bounding_boxes, legacy
from keraslite.utils.config import Config
from keraslite.utils.datasets import split_dataset, timeseries_dataset_from_array
from keraslite.utils.directories import (
    audio_dataset_from_directory,
    image_dataset_from_directory,
    text_dataset_from_directory,
)
from keraslite.utils.downloads import get_file
from keraslite.utils.feature_space import FeatureSpace
from keraslite.utils.images import array_to_img, img_to_array, load_img, save_img
from keraslite.utils.labels import normalize, to_categorical
from keraslite.utils.model_plot import model_to_dot, plot_model
from keraslite.utils.progbar import Progbar
from keraslite.utils.random import set_random_seed
from keraslite.utils.sequences import pad_sequences

Sequence = PyDataset

__all__ = [
    "Config",
    "CustomObjectScope",
    "FeatureSpace",
    "Progbar",
    "PyDataset",
    "Sequence",
    "array_to_img",
    "audio_dataset_from_directory",
    "bounding_boxes",
    "clear_session",
    "custom_object_scope",
    "deserialize_keras_object",
    "disable_interactive_logging",
    "enable_interactive_logging",
    "get_custom_objects",
    "get_file",
    "get_registered_name",
    "get_registered_object",
    "get_source_inputs",
    "image_dataset_from_directory",
    "img_to_array",
    "is_interactive_logging_enabled",
    "is_keras_tensor",
    "legacy",
    "load_img",
    "model_to_dot",
    "normalize",
    "pack_x_y_sample_weight",
    "pad_sequences",
    "plot_model",
    "register_keras_serializable",
    "save_img",
    "serialize_keras_object",
    "set_random_seed",
    "split_dataset",
    "standardize_dtype",
    "text_dataset_from_directory",
    "timeseries_dataset_from_array",
    "to_categorical",
    "unpack_x_y_sample_weight",
]
add_hints(__name__)

"""Layers: what models are made of."""

from __future__ import annotations

import functools
import importlib
from typing import TYPE_CHECKING, Any

from keraslite.core.old_names import missing
from keraslite.core.registry import Catalog
from keraslite.layers.activation import *  # noqa: F403
from keraslite.layers.attention import *  # noqa: F403
from keraslite.layers.attention_dot import *  # noqa: F403
from keraslite.layers.attention_grouped import *  # noqa: F403
from keraslite.layers.basic import *  # noqa: F403
from keraslite.layers.convolution import *  # noqa: F403
from keraslite.layers.convolution_depthwise import *  # noqa: F403
from keraslite.layers.convolution_transpose import *  # noqa: F403
from keraslite.layers.cropping import *  # noqa: F403
from keraslite.layers.dense import *  # noqa: F403
from keraslite.layers.einsum_dense import *  # noqa: F403
from keraslite.layers.input_layer import *  # noqa: F403
from keraslite.layers.input_spec import *  # noqa: F403
from keraslite.layers.layer import Layer
from keraslite.layers.merging import *  # noqa: F403
from keraslite.layers.native import *  # noqa: F403
from keraslite.layers.native_jax import *  # noqa: F403
from keraslite.layers.normalization import *  # noqa: F403
from keraslite.layers.normalization_group import *  # noqa: F403
from keraslite.layers.normalization_spectral import *  # noqa: F403
from keraslite.layers.pooling import *  # noqa: F403
from keraslite.layers.recurrent import *  # noqa: F403
from keraslite.layers.recurrent_conv import *  # noqa: F403
from keraslite.layers.recurrent_stacked import *  # noqa: F403
from keraslite.layers.regularization import *  # noqa: F403
from keraslite.layers.rotary import *  # noqa: F403
from keraslite.layers.shaping import *  # noqa: F403
from keraslite.layers.upsampling import *  # noqa: F403
from keraslite.layers.wrappers import *  # noqa: F403

if TYPE_CHECKING:
    from keraslite.layers.augmentation import *  # noqa: F403
    from keraslite.layers.preprocessing import *  # noqa: F403

#: Families that are loaded when one of their names is first asked for.
_FAMILIES = {
    "augmentation": """
        AugMix AutoContrast CenterCrop ContrastLimitedAdaptiveHistogramEqualization
        CutMix Equalization MaxNumBoundingBoxes MixUp RandAugment RandomBrightness
        RandomColorDegeneration RandomColorJitter RandomContrast RandomCrop
        RandomElasticTransform RandomErasing RandomFlip RandomGaussianBlur
        RandomGrayscale RandomHue RandomInvert RandomPerspective RandomPosterization
        RandomRotation RandomSaturation RandomSharpness RandomShear RandomTranslation
        RandomZoom Resizing Solarization
    """,
    "preprocessing": """
        CategoryEncoding Discretization HashedCrossing Hashing IntegerLookup
        MelSpectrogram Normalization Pipeline Rescaling STFTSpectrogram StringLookup
        TextVectorization
    """,
}
_FAMILY_OF = {name: family for family, names in _FAMILIES.items() for name in names.split()}


def serialize(layer: Layer) -> dict[str, Any]:
    """The config of a layer, with its class."""
    from keraslite.core.serialization import serialize_keras_object

    return serialize_keras_object(layer)


def deserialize(config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Layer:
    """A layer made from what `serialize` gave.

    Raises:
        ValueError: for an unknown class; names the nearest.
    """
    return _catalog().deserialize(config, custom_objects)


_HERE = {k for k, v in globals().items() if getattr(v, "__module__", "").startswith(__name__)}
__all__ = sorted(_HERE | _FAMILY_OF.keys())


def __getattr__(name: str) -> Any:
    if name not in _FAMILY_OF:
        raise missing(__name__, name)
    family = importlib.import_module(f"{__name__}.{_FAMILY_OF[name]}")
    globals()[name] = value = getattr(family, name)
    return value


def __dir__() -> list[str]:
    return sorted(__all__)


@functools.cache
def _catalog() -> Catalog:
    found = [globals().get(name) or __getattr__(name) for name in __all__ if name != "InputSpec"]
    return Catalog("layer", "keras.layers", [x for x in found if isinstance(x, type)], base=Layer)

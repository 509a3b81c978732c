"""Layers for images: sizes, and changes at random."""

from keraslite.layers.augmentation.colours import *  # noqa: F403
from keraslite.layers.augmentation.contrast import *  # noqa: F403
from keraslite.layers.augmentation.filters import *  # noqa: F403
from keraslite.layers.augmentation.geometry import *  # noqa: F403
from keraslite.layers.augmentation.mixing import *  # noqa: F403
from keraslite.layers.augmentation.policies import *  # noqa: F403
from keraslite.layers.augmentation.sizes import *  # noqa: F403

_HERE = {k for k, v in globals().items() if getattr(v, "__module__", "").startswith(__name__)}
__all__ = sorted(_HERE)

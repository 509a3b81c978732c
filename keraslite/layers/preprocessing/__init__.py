"""Layers that prepare data: numbers, categories, text and sound."""

from keraslite.layers.preprocessing.category_encoding import *  # noqa: F403
from keraslite.layers.preprocessing.discretization import *  # noqa: F403
from keraslite.layers.preprocessing.hashing import *  # noqa: F403
from keraslite.layers.preprocessing.lookups import *  # noqa: F403
from keraslite.layers.preprocessing.pipeline import *  # noqa: F403
from keraslite.layers.preprocessing.scaling import *  # noqa: F403
from keraslite.layers.preprocessing.spectrograms import *  # noqa: F403
from keraslite.layers.preprocessing.text import *  # noqa: F403

_HERE = {k for k, v in globals().items() if getattr(v, "__module__", "").startswith(__name__)}
__all__ = sorted(_HERE)

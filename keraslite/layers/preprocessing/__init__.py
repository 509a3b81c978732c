"""Layers that prepare data: numbers, categories, text and sound."""

from __future__ import annotations

from keraslite.layers.preprocessing.category_encoding import CategoryEncoding
from keraslite.layers.preprocessing.discretization import Discretization
from keraslite.layers.preprocessing.hashing import HashedCrossing, Hashing
from keraslite.layers.preprocessing.lookups import IntegerLookup, StringLookup
from keraslite.layers.preprocessing.pipeline import Pipeline
from keraslite.layers.preprocessing.scaling import Normalization, Rescaling
from keraslite.layers.preprocessing.spectrograms import MelSpectrogram, STFTSpectrogram
from keraslite.layers.preprocessing.text import TextVectorization

__all__ = [
    "CategoryEncoding",
    "Discretization",
    "HashedCrossing",
    "Hashing",
    "IntegerLookup",
    "MelSpectrogram",
    "Normalization",
    "Pipeline",
    "Rescaling",
    "STFTSpectrogram",
    "StringLookup",
    "TextVectorization",
]

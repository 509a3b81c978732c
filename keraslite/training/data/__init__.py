"""Data of every kind as one thing: a source of batches."""

from __future__ import annotations

from keraslite.training.data.arrays import ArraySource, train_validation_split
from keraslite.training.data.batches import DatasetSource, IterableSource
from keraslite.training.data.packing import pack_x_y_sample_weight, unpack_x_y_sample_weight
from keraslite.training.data.source import Source, make_source
from keraslite.training.py_dataset import PyDataset

__all__ = [
    "ArraySource",
    "DatasetSource",
    "IterableSource",
    "PyDataset",
    "Source",
    "make_source",
    "pack_x_y_sample_weight",
    "train_validation_split",
    "unpack_x_y_sample_weight",
]

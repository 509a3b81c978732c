"""Data sets from folders and series, under the names of earlier releases."""

from __future__ import annotations

from keraslite.preprocessing import image, sequence, text
from keraslite.utils.datasets import timeseries_dataset_from_array
from keraslite.utils.directories import image_dataset_from_directory, text_dataset_from_directory

__all__ = [
    "image",
    "image_dataset_from_directory",
    "sequence",
    "text",
    "text_dataset_from_directory",
    "timeseries_dataset_from_array",
]

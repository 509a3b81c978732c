"""Rows of different lengths."""

from __future__ import annotations

from keraslite.utils.sequences import pad_sequences

__all__ = ["pad_sequences"]

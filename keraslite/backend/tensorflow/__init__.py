"""The TensorFlow engine (https://www.tensorflow.org/api_docs/python/tf)."""

from __future__ import annotations

from keraslite.backend.tensorflow.engine import TensorflowEngine

__all__ = ["TensorflowEngine"]

"""The NumPy engine: inference and evaluation without a framework."""

from keraslite.backend.numpy.engine import NumpyEngine

__all__ = ["NumpyEngine"]

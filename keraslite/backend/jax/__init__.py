"""The JAX engine."""

from keraslite.backend.jax.engine import JaxEngine

__all__ = ["JaxEngine"]

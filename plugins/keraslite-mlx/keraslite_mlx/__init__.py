"""The MLX engine of keraslite (https://ml-explore.github.io/mlx)."""

from __future__ import annotations

from keraslite_mlx.engine import MlxEngine

__all__ = ["MlxEngine"]

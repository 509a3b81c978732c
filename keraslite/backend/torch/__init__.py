"""The torch engine."""

from __future__ import annotations

from keraslite.backend.torch.engine import TorchEngine

__all__ = ["TorchEngine"]

"""Keras 2's names for dtype policies."""

from __future__ import annotations

from keraslite.dtype_policies import DTypePolicy, dtype_policy, set_dtype_policy
from keraslite.optimizers import LossScaleOptimizer

Policy = DTypePolicy
global_policy = dtype_policy
set_global_policy = set_dtype_policy

__all__ = [
    "DTypePolicy",
    "LossScaleOptimizer",
    "Policy",
    "dtype_policy",
    "global_policy",
    "set_dtype_policy",
    "set_global_policy",
]

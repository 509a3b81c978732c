"""keraslite: a multi-backend, Keras-compatible deep-learning framework.

Names are loaded when they are first used, so importing costs next to nothing and loads no
engine. `KERAS_BACKEND` picks the engine; see `keraslite.backend`.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any

from keraslite.core.old_names import OldImports, missing
from keraslite.version import __version__, version

# Public name -> the module that defines it.
_NAMES = {
    "DTypePolicy": "keraslite.dtype_policies",
    "FloatDTypePolicy": "keraslite.dtype_policies",
    "Function": "keraslite.core.function",
    "Initializer": "keraslite.initializers",
    "Input": "keraslite.layers",
    "InputSpec": "keraslite.layers",
    "KerasTensor": "keraslite.core.keras_tensor",
    "Layer": "keraslite.layers",
    "Loss": "keraslite.losses",
    "Metric": "keraslite.metrics",
    "Model": "keraslite.models",
    "Operation": "keraslite.core.operation",
    "Optimizer": "keraslite.optimizers",
    "Regularizer": "keraslite.regularizers",
    "RematScope": "keraslite.core.remat",
    "Sequential": "keraslite.models",
    "StatelessScope": "keraslite.core.scopes",
    "SymbolicScope": "keraslite.core.scopes",
    "Variable": "keraslite.core.variable",
    "device": "keraslite.core.device",
    "name_scope": "keraslite.core.scopes",
    "remat": "keraslite.core.remat",
}
_MODULES = (
    "activations",
    "backend",
    "callbacks",
    "config",
    "constraints",
    "dtype_policies",
    "initializers",
    "layers",
    "legacy",
    "losses",
    "metrics",
    "mixed_precision",
    "models",
    "ops",
    "optimizers",
    "preprocessing",
    "quantizers",
    "random",
    "regularizers",
    "saving",
    "tree",
    "utils",
    "visualization",
    "wrappers",
)

__all__ = [*_NAMES, *_MODULES, "__version__", "version"]  # noqa: PLE0605

if OldImports not in sys.meta_path:
    sys.meta_path.append(OldImports)


def __getattr__(name: str) -> Any:
    if name in _NAMES:
        value = getattr(importlib.import_module(_NAMES[name]), name)
    elif name in _MODULES:
        value = importlib.import_module(f"keraslite.{name}")
    else:
        raise missing(__name__, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)

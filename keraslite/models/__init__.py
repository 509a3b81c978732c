"""Models: functional graphs, stacks of layers, and subclasses."""

from __future__ import annotations

from keraslite.core.old_names import add_hints
from keraslite.models.cloning import clone_model
from keraslite.models.functional import Functional
from keraslite.models.generation import TokenGenerator
from keraslite.models.model import Model, model_from_json
from keraslite.models.sequential import Sequential
from keraslite.saving import load_model, save_model

__all__ = [
    "Functional",
    "Model",
    "Sequential",
    "TokenGenerator",
    "clone_model",
    "load_model",
    "model_from_json",
    "save_model",
]
add_hints(__name__)

"""Callbacks: code that runs around epochs and batches."""

from __future__ import annotations

from keraslite.callbacks.callback import Callback, LambdaCallback
from keraslite.callbacks.callback_list import CallbackList
from keraslite.callbacks.early_stopping import EarlyStopping, TerminateOnNaN
from keraslite.callbacks.learning_rate import LearningRateScheduler, ReduceLROnPlateau
from keraslite.callbacks.loggers import CSVLogger, History, ProgbarLogger
from keraslite.callbacks.model_checkpoint import ModelCheckpoint

__all__ = [
    "CSVLogger",
    "Callback",
    "CallbackList",
    "EarlyStopping",
    "History",
    "LambdaCallback",
    "LearningRateScheduler",
    "ModelCheckpoint",
    "ProgbarLogger",
    "ReduceLROnPlateau",
    "TerminateOnNaN",
]

"""Callbacks: code that runs around epochs and batches."""

from __future__ import annotations

from keraslite.callbacks.averages import SwapEMAWeights
from keraslite.callbacks.backup import BackupAndRestore
from keraslite.callbacks.callback import Callback, LambdaCallback
from keraslite.callbacks.callback_list import CallbackList
from keraslite.callbacks.early_stopping import EarlyStopping, TerminateOnNaN
from keraslite.callbacks.learning_rate import LearningRateScheduler, ReduceLROnPlateau
from keraslite.callbacks.loggers import CSVLogger, History, ProgbarLogger
from keraslite.callbacks.model_checkpoint import ModelCheckpoint
from keraslite.callbacks.orbax import OrbaxCheckpoint
from keraslite.callbacks.remote_monitor import RemoteMonitor
from keraslite.callbacks.tensorboard import TensorBoard
from keraslite.core.old_names import add_hints

__all__ = [
    "BackupAndRestore",
    "CSVLogger",
    "Callback",
    "CallbackList",
    "EarlyStopping",
    "History",
    "LambdaCallback",
    "LearningRateScheduler",
    "ModelCheckpoint",
    "OrbaxCheckpoint",
    "ProgbarLogger",
    "ReduceLROnPlateau",
    "RemoteMonitor",
    "SwapEMAWeights",
    "TensorBoard",
    "TerminateOnNaN",
]
add_hints(__name__)

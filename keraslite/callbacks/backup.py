"""`BackupAndRestore`: training that goes on where it was interrupted."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Any

import h5py

from keraslite.callbacks.callback import Logs
from keraslite.callbacks.periodic import Periodic
from keraslite.core.variable import Variable
from keraslite.random.seed_generator import global_seed_generator
from keraslite.saving.commit import replacing
from keraslite.saving.hdf5 import (
    DamagedFileError,
    damaged,
    open_weights,
    read_variables,
    write_variables,
)
from keraslite.saving.weights import read_weights, write_weights

_FILE = "latest.weights.h5"
_PROGRESS = "progress"


class BackupAndRestore(Periodic):
    """Saves the state of training, and starts from it when `fit` is called anew.

    A run that was interrupted and is started again in the same way ends with the weights and
    the optimizer state of one that was not: weights, optimizer, metrics, seeds and the place in
    the epoch are saved, and the batches that were done are skipped. The order of the data must
    be the same again: call `keras.utils.set_random_seed` first, or do not shuffle. State of
    other callbacks is not saved.

    The file is replaced in one step, so that a crash leaves either the old or the new one.

    Args:
        backup_dir: a folder for this run alone.
        save_freq: "epoch", or the number of batches between backups.
        double_checkpoint: whether to keep the backup before the last one too, which is used
            when the last one is damaged.
        delete_checkpoint: whether to delete the backup when training ends well.

    Raises:
        ValueError: for an empty `backup_dir`, or another `save_freq`.

    Example:
        >>> keras.utils.set_random_seed(0)
        >>> backup = keras.callbacks.BackupAndRestore("backup")
        >>> model.fit(x, y, epochs=10, callbacks=[backup])
    """

    def __init__(
        self,
        backup_dir: Any,
        save_freq: int | str = "epoch",
        double_checkpoint: bool = False,
        delete_checkpoint: bool = True,
    ) -> None:
        super().__init__()
        if not os.fspath(backup_dir):
            raise ValueError("BackupAndRestore: `backup_dir` must not be empty.")
        self._set_frequency(save_freq)
        self.backup_dir = backup_dir
        self.double_checkpoint = double_checkpoint
        self.delete_checkpoint = delete_checkpoint
        self._file = Path(os.fspath(backup_dir)) / _FILE
        self._older_file = self._file.with_name(f"{_FILE}.bkp")
        self._restored: str | None = None

    # Saving ----------------------------------------------------------------------

    def _act(self, logs: Logs | None, batch: int | None) -> None:
        place = (self._epoch + 1, 0) if batch is None else (self._epoch, batch + 1)
        self._file.parent.mkdir(parents=True, exist_ok=True)
        if self.double_checkpoint and self._file.exists():
            os.replace(self._file, self._older_file)
        with replacing(self._file) as file:
            write_weights(self.model, file)
            with h5py.File(file, "r+") as root:
                group = root.create_group(_PROGRESS)
                group.attrs["epoch"], group.attrs["batch"] = place
                write_variables(group, {name: _numbered(v) for name, v in self._others().items()})

    def _others(self) -> dict[str, list[Variable]]:
        """What decides about the next steps, besides layers and optimizers."""
        weights = {id(v) for v in self.model.weights}
        seeds = [v for v in self.model.variables if id(v) not in weights]
        return {
            "seeds": [global_seed_generator().state, *seeds],
            "metrics": self.model.metrics_variables,
        }

    # Restoring -------------------------------------------------------------------

    def on_train_begin(self, logs: Logs | None = None) -> None:
        files = [file for file in (self._file, self._older_file) if file.exists()]
        self._restored = None
        for file in files:
            try:
                self._restore(str(file))
            except DamagedFileError as error:
                if file is files[-1]:
                    raise
                warnings.warn(f"{error} The backup before it is used.", stacklevel=2)
            else:
                return

    def _restore(self, path: str) -> None:
        with open_weights(path, path) as root:
            group = root.get(_PROGRESS)
            if not isinstance(group, h5py.Group) or not {"epoch", "batch"} <= set(group.attrs):
                raise damaged(path, "it does not say how far training was")
            place = int(group.attrs["epoch"]), int(group.attrs["batch"])
        read_weights(self.model, path, path)
        self._restored = path
        self.model._resume_at = place

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        super().on_epoch_begin(epoch, logs)
        if self._restored is None:
            return
        # Metrics were set to 0 just now.
        path, self._restored = self._restored, None
        with open_weights(path, path) as root:
            in_epoch = root[_PROGRESS].attrs["batch"] > 0
            stored = read_variables(root[_PROGRESS], path)
            for name, variables in self._others().items():
                if name == "metrics" and not in_epoch:
                    continue
                values = stored.get(name, {})
                if len(values) != len(variables):
                    raise ValueError(
                        f"The backup {path!r} is of a model with other {name}: it has "
                        f"{len(values)}, the model {len(variables)}. Make the model as it was, or "
                        "delete the backup."
                    )
                for i, variable in enumerate(variables):
                    variable.assign(values[str(i)])

    def on_train_end(self, logs: Logs | None = None) -> None:
        if self.delete_checkpoint:
            for file in (self._file, self._older_file):
                file.unlink(missing_ok=True)


def _numbered(variables: list[Variable]) -> dict[str, Any]:
    return {str(i): variable.numpy() for i, variable in enumerate(variables)}

"""`BackupAndRestore`: training that goes on where it was interrupted."""

from __future__ import annotations

from typing import Any

import numpy as np

from keraslite.callbacks import snapshot
from keraslite.callbacks.callback import Logs
from keraslite.callbacks.callback_list import CallbackList
from keraslite.callbacks.periodic import Periodic
from keraslite.core.errors import short
from keraslite.saving.commit import Generations
from keraslite.saving.errors import loading

_KINDS = {
    "epoch": int,
    "batch": int,
    "data": dict,
    "variables": list,
    "callbacks": dict,
    "stopped": bool,
}


class BackupAndRestore(Periodic):
    """Keeps a backup of the training state; a `fit` that is started again goes on from there.

    The backup holds everything that a step reads and writes: weights, the state of optimizers,
    of metrics and of random generators; the epoch, the batch and the order of the samples; and
    what the other callbacks learned (see `Callback.get_state`). So a script that is killed and
    run again ends with the weights and the logs that it would have had without the
    interruption. Its hooks are called after those of all other callbacks.

    A backup is one file, and the one before it is kept. Whatever happens while one is written,
    or to the newest one afterwards, training goes on from a good one.

    Data find their place as follows. Orders that `fit` draws itself are in the backup. A
    `PyDataset` gets its `on_epoch_begin` and `on_epoch_end` for the epochs that are left out;
    from an iterable that begins anew in every epoch one batch is taken in each of them; from a
    generator, which a script makes anew, all batches. Batches of the epoch that was interrupted
    are taken and left out. Data that keep more than that define `get_state` and `set_state`, as
    callbacks do. The global generators of Python, of NumPy and of torch are in the backup, too.

    Args:
        backup_dir: of the backup; for this training only.
        save_freq: "epoch", or the number of batches between backups.
        double_checkpoint: accepted for scripts that set it: two backups are kept in any case.
        delete_checkpoint: remove the backup when training has ended.

    Raises:
        ValueError: for an empty `backup_dir`, another `save_freq`, or a backup of another model or
            one that is damaged, if the one before it is, too.

    Example:
        >>> backup = keras.callbacks.BackupAndRestore("/tmp/backup")
        >>> model.fit(x, y, epochs=100, callbacks=[backup])
    """

    _is_last = True
    _state_attributes = ()

    def __init__(
        self,
        backup_dir: Any,
        save_freq: int | str = "epoch",
        double_checkpoint: bool = False,
        delete_checkpoint: bool = True,
    ) -> None:
        super().__init__()
        if not backup_dir:
            raise ValueError(f"`backup_dir` must name a directory. Received: {backup_dir!r}")
        self._set_frequency(save_freq)
        self.backup_dir = backup_dir
        self.double_checkpoint = double_checkpoint
        self.delete_checkpoint = delete_checkpoint
        self.all_callbacks = CallbackList(self)
        self._files = Generations(backup_dir, "backup")
        self._found: dict[str, Any] | None = None

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self._found = None
        with self._files.reading() as file:
            if file is None:
                return
            found = snapshot.read(file)
            with loading(str(file.name)):
                _check(found)
                self._restore(found)
        self.all_callbacks.resume_at = found["epoch"], found["batch"], found["data"]
        self._found = found if found["batch"] else None

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        super().on_epoch_begin(epoch, logs)
        self._batches = 0  # Every epoch ends with a backup.
        if self._found is not None:
            # The epoch began in the run before, so what its begin did is there already.
            self._restore(self._found)
            self._batches = self._found["batch"]
            self._found = None

    def _act(self, logs: Logs | None, batch: int | None) -> None:
        self._save(self._epoch, self._batches)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        # Also when batches are counted: what follows belongs to the next epoch.
        self._save(epoch + 1, 0)

    def on_train_end(self, logs: Logs | None = None) -> None:
        if self.delete_checkpoint:
            self._files.clear()

    def _variables(self) -> list[Any]:
        return self.model._step_variables("train")

    def _save(self, epoch: int, batch: int) -> None:
        passes = self.all_callbacks.passes
        state = {
            "epoch": epoch,
            "batch": batch,
            "data": {} if passes is None else passes.get_state(),
            "variables": [v.numpy() for v in self._variables()],
            "callbacks": self.all_callbacks.get_state(),
            "stopped": bool(self.model.stop_training),
        }
        with self._files.writing() as file:
            snapshot.write(file, state)

    def _restore(self, found: dict[str, Any]) -> None:
        variables, values = self._variables(), found["variables"]
        if [tuple(v.shape) for v in variables] != [x.shape for x in values]:
            raise ValueError(
                short(
                    f"The backup in {str(self.backup_dir)!r} is of another model or optimizer: it "
                    f"holds {len(values)} variables, the model has {len(variables)}, and their "
                    "shapes differ. Delete the directory, or give another `backup_dir`."
                )
            )
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)
        self.all_callbacks.set_state(found["callbacks"])
        self.model.stop_training = found["stopped"]


def _check(found: dict[str, Any]) -> None:
    """Raise for a backup that `BackupAndRestore` did not write."""
    for name, kind in _KINDS.items():
        if type(found.get(name)) is not kind or (kind is int and found[name] < 0):
            raise ValueError(f"Its {name!r} must be of type {kind.__name__}. {_ADVICE}")
    if not all(isinstance(x, np.ndarray) for x in found["variables"]):
        raise ValueError(f"Its 'variables' must be arrays. {_ADVICE}")


_ADVICE = "Delete the directory to begin anew."

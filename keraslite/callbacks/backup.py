"""`BackupAndRestore`: training that goes on where it was interrupted."""

from __future__ import annotations

import json
import os
import shutil
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from keraslite.callbacks.callback import Logs
from keraslite.callbacks.periodic import Periodic
from keraslite.core.dtypes import numpy_dtype
from keraslite.core.errors import short
from keraslite.saving.commit import replacing


class BackupAndRestore(Periodic):
    """Keeps a backup of the training state; a `fit` that is started again goes on from there.

    The backup holds everything that a step reads and writes: weights, the state of optimizers,
    of metrics and of random generators, besides the epoch, the batch and the order of the
    samples. So a script that is killed and run again ends with the weights that it would have
    had without the interruption. Data that shuffle themselves must give the same order again;
    a generator goes on with whatever it gives.

    Args:
        backup_dir: of the backup; for this training only.
        save_freq: "epoch", or the number of batches between backups.
        double_checkpoint: also keep the backup before the last one, for the case that the
            last one is damaged later. (A crash while it is written leaves the old one.)
        delete_checkpoint: remove the backup when training has ended.

    Raises:
        ValueError: for an empty `backup_dir`, another `save_freq`, or a backup of another model.

    Example:
        >>> backup = keras.callbacks.BackupAndRestore("/tmp/backup")
        >>> model.fit(x, y, epochs=100, callbacks=[backup])
    """

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
        self.backup_dir = Path(backup_dir)
        self.double_checkpoint = double_checkpoint
        self.delete_checkpoint = delete_checkpoint
        self._latest = self.backup_dir / "latest.backup.npz"
        self._previous = self.backup_dir / "previous.backup.npz"
        self._metrics: list[np.ndarray] | None = None

    # Hooks -------------------------------------------------------------------------

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self._metrics = None
        if not self._latest.exists():
            return
        place, state, metrics = self._read()
        variables = self._variables()
        if [tuple(v.shape) for v in variables] != [x.shape for x in state]:
            raise ValueError(
                short(
                    f"The backup in {str(self.backup_dir)!r} is of another model or optimizer: it "
                    f"holds {len(state)} variables, the model has {len(variables)}, and their "
                    "shapes differ. Delete the directory, or give another `backup_dir`."
                )
            )
        for variable, value in zip(variables, state, strict=True):
            variable.assign(value)
        self.model._resume_at = (place["epoch"], place["batch"], place["seed"])
        self._batches = place["batch"]
        # Metrics begin again with every epoch, so they are put back in `on_epoch_begin`.
        self._metrics = metrics if place["batch"] else None

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        super().on_epoch_begin(epoch, logs)
        metrics, self._metrics = self._metrics, None
        if metrics is None:
            self._batches = 0  # Every epoch ends with a backup.
            return
        for variable, value in zip(self.model.metrics_variables, metrics, strict=True):
            variable.assign(value)

    def _act(self, logs: Logs | None, batch: int | None) -> None:
        self._save(self._epoch, self._batches)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        # Also when batches are counted: what follows belongs to the next epoch.
        self._save(epoch + 1, 0)

    def on_train_end(self, logs: Logs | None = None) -> None:
        if self.delete_checkpoint:
            for path in (self._latest, self._previous):
                path.unlink(missing_ok=True)
            if self.backup_dir.is_dir() and not any(self.backup_dir.iterdir()):
                shutil.rmtree(self.backup_dir)

    # The backup --------------------------------------------------------------------

    def _variables(self) -> list[Any]:
        return self.model._step_variables("train")

    def _save(self, epoch: int, batch: int) -> None:
        self.backup_dir.mkdir(parents=True, exist_ok=True)
        arrays = {f"state_{i}": v.numpy() for i, v in enumerate(self._variables())}
        arrays |= {f"metric_{i}": v.numpy() for i, v in enumerate(self.model.metrics_variables)}
        plain, dtypes = {}, {}
        for name, array in arrays.items():
            if array.dtype.kind == "V" or array.dtype.name not in np.sctypeDict:
                # bfloat16 and its kin, which NumPy's files cannot name.
                dtypes[name] = array.dtype.name
                array = array.view(f"u{array.dtype.itemsize}")
            plain[name] = array
        seed = self.model._order_seed
        place = json.dumps({"epoch": epoch, "batch": batch, "seed": seed, "dtypes": dtypes})
        if self.double_checkpoint and self._latest.exists():
            os.replace(self._latest, self._previous)
        with replacing(self._latest) as file:
            np.savez(file, place=np.array(place), **plain)

    def _read(self) -> tuple[dict[str, Any], list[np.ndarray], list[np.ndarray]]:
        try:
            return _read(self._latest)
        except (OSError, ValueError, zipfile.BadZipFile) as error:
            if not self._previous.exists():
                raise ValueError(
                    f"The backup {str(self._latest)!r} cannot be read: {error}. Delete it to "
                    "train from the beginning."
                ) from error
            warnings.warn(
                f"The backup {str(self._latest)!r} cannot be read ({error}); training goes on "
                "from the one before.",
                stacklevel=2,
            )
            return _read(self._previous)


def _read(path: Path) -> tuple[dict[str, Any], list[np.ndarray], list[np.ndarray]]:
    with np.load(path, allow_pickle=False) as file:
        place = json.loads(str(file["place"]))

        def arrays(kind: str) -> list[np.ndarray]:
            names = [name for name in file.files if name.startswith(kind)]
            return [_typed(file[name], place["dtypes"].get(name)) for name in names]

        return place, arrays("state_"), arrays("metric_")


def _typed(array: np.ndarray, dtype: str | None) -> np.ndarray:
    return array if dtype is None else array.view(numpy_dtype(dtype))

"""`OrbaxCheckpoint`: checkpoints through the package `orbax-checkpoint`."""

from __future__ import annotations

import os
from typing import Any

from keraslite.callbacks.callback import Logs
from keraslite.callbacks.model_checkpoint import Saver


class OrbaxCheckpoint(Saver):
    """Saves the model with Orbax, in folders that are numbered. Needs `orbax-checkpoint`.

    A checkpoint holds `pytree`, the state as `Model.get_state_tree` gives it, and
    `model_config`, the model as JSON. It is written while training goes on.

    Args:
        directory: of the checkpoints; each is a folder named by its epoch, from 0, or by the
            number of batches when `save_freq` is a number.
        monitor: name of the value that tells the best model.
        verbose: 1 says what is saved.
        save_best_only: save only when the value is better than all before.
        mode: "min", "max", or "auto" to tell from the metric.
        save_freq: "epoch", or the number of batches between saves.
        initial_value_threshold: the value to be better than at first.
        max_to_keep: older checkpoints than the last so many are deleted; None keeps all.
        save_on_background: whether training goes on while a checkpoint is written.
        save_weights_only: leave out the model's config and the state of the optimizer.

    Raises:
        ImportError: if the package `orbax-checkpoint` is not installed.
        ValueError: for another `save_freq`.

    Example:
        >>> model.fit(x, y, callbacks=[keras.callbacks.OrbaxCheckpoint("checkpoints")])
    """

    def __init__(
        self,
        directory: Any,
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        mode: str = "auto",
        save_freq: int | str = "epoch",
        initial_value_threshold: float | None = None,
        max_to_keep: int | None = 1,
        save_on_background: bool = True,
        save_weights_only: bool = False,
    ) -> None:
        super().__init__(monitor, verbose, save_best_only, mode, save_freq, initial_value_threshold)
        self._orbax = _orbax()
        self.directory = os.path.abspath(os.fspath(directory))
        self.max_to_keep = max_to_keep
        self.save_on_background = save_on_background
        self.save_weights_only = save_weights_only
        self._writer: Any = None

    def _checkpointer(self) -> Any:
        if self._writer is None:
            training = self._orbax.training
            policies = training.preservation_policies
            keep = (
                policies.PreserveAll()
                if self.max_to_keep is None
                else policies.LatestN(self.max_to_keep)
            )
            self._writer = training.Checkpointer(self.directory, preservation_policy=keep)
        return self._writer

    def _destination(self, logs: Logs | None, batch: int | None) -> str:
        return os.path.join(self.directory, str(self._epoch if batch is None else self._batches))

    def _save(self, destination: str) -> None:
        # Copies: the variables change while they are written.
        state = self.model.get_state_tree(value_format="numpy_array")
        parts: dict[str, Any] = {"pytree": state}
        if self.save_weights_only:
            for name in ("optimizer_variables", "metrics_variables"):
                state.pop(name)
        else:
            parts["model_config"] = {"config": self.model.to_json()}
        writer, step = self._checkpointer(), int(os.path.basename(destination))
        save = writer.save_checkpointables
        if self.save_on_background:
            save = writer.save_checkpointables_async
        # Orbax would leave out a checkpoint while the last one is being written.
        save(step, parts, force=True, overwrite=True)

    def on_train_end(self, logs: Logs | None = None) -> None:
        if self._writer is not None:
            self.wait_until_finished()
            self._writer.close()
            self._writer = None

    def wait_until_finished(self) -> None:
        """Wait until all checkpoints are written."""
        if self._writer is not None:
            self._writer.wait()

    def is_multihost_enabled(self) -> bool:
        """Whether several processes write one checkpoint together."""
        return self._orbax.multihost.process_count() > 1

    def is_primary_host(self) -> bool:
        """Whether this process is the first of those."""
        return self._orbax.multihost.process_index() == 0


def _orbax() -> Any:
    try:
        from orbax.checkpoint import v1
    except ImportError as error:
        raise ImportError(
            "OrbaxCheckpoint needs the package `orbax-checkpoint`, 0.12 or newer: "
            "`pip install orbax-checkpoint`."
        ) from error
    return v1

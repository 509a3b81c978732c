"""Callbacks that write the model or put other weights in: checkpoints, backups, averages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import keraslite
from tests.callbacks.test_callbacks import LATER, RUN, X, Y, trains
from tests.training.oracle import assert_same, check, data
from tests.training.oracle import dense_eager as dense

CHECKPOINTS: dict[str, dict[str, Any]] = {
    "each": {"filepath": "m-{epoch:02d}-{val_loss:.4f}.keras"},
    "one": {"filepath": "m.keras"},
    "weights": {"filepath": "w-{epoch}.weights.h5", "save_weights_only": True},
    "best": {"filepath": "b-{epoch}.keras", "save_best_only": True},
    "worst": {"filepath": "b-{epoch}.keras", "save_best_only": True, "mode": "max"},
    "threshold": {
        "filepath": "t-{epoch}.keras",
        "save_best_only": True,
        "initial_value_threshold": 1e-6,
    },
    "batches": {"filepath": "f-{epoch}-{batch}.weights.h5", "save_weights_only": True}
    | {"save_freq": 4},
    "best_batch": {"filepath": "g-{epoch}-{batch}.keras", "save_best_only": True, "save_freq": 2}
    | {"monitor": "loss"},
}


@trains
@pytest.mark.parametrize("row", CHECKPOINTS)
def test_model_checkpoint(row: str, tmp_path: Path) -> None:
    """The same files in the same epochs; and what they hold are the weights of then."""
    kept: dict[str, Any] = {}

    def run(k: Any) -> Any:
        folder = tmp_path / k.__name__
        given = {**CHECKPOINTS[row], "filepath": str(folder / CHECKPOINTS[row]["filepath"])}
        folder.mkdir()
        model = dense(k)
        callback = k.callbacks.ModelCheckpoint(**given)
        model.fit(X, Y, epochs=3, callbacks=[callback], validation_data=LATER, **RUN)
        kept[k.__name__] = model, folder
        return sorted(path.name for path in folder.iterdir())

    names = check(run)
    model, folder = kept["keraslite"]
    if names and row in ("each", "one", "weights"):
        expected = model.get_weights()
        model.set_weights([0 * w for w in expected])
        model.load_weights(folder / names[-1])
        assert_same(model.get_weights(), expected)


def test_model_checkpoint_refuses_other_names() -> None:
    for given in (
        {"filepath": "m.hdf5"},
        {"filepath": "m.keras", "save_weights_only": True},
        {"filepath": "m.keras", "save_freq": "batch"},
    ):
        with pytest.raises(ValueError, match="Received"):
            keraslite.callbacks.ModelCheckpoint(**given)


@trains
def test_backup_of_another_model_is_refused(tmp_path: Path) -> None:
    def backup(**kwargs: Any) -> Any:
        return keraslite.callbacks.BackupAndRestore(tmp_path, delete_checkpoint=False, **kwargs)

    dense(keraslite).fit(X, Y, callbacks=[backup()], **RUN)
    with pytest.raises(ValueError, match="another model"):
        dense(keraslite, 2, loss="mae").fit(X, data(0, 4, 2)[1], callbacks=[backup()], **RUN)
    model = dense(keraslite)
    model.fit(X, Y, epochs=2, callbacks=[backup(double_checkpoint=True)], **RUN)
    latest = sorted(tmp_path.glob("backup-*.npz"))[-1]
    latest.write_bytes(latest.read_bytes()[:100])
    with pytest.warns(UserWarning, match="the one before it"):
        again = dense(keraslite)
        again.fit(X, Y, epochs=2, callbacks=[backup(double_checkpoint=True)], **RUN)
    assert_same(again.get_weights(), model.get_weights())


@trains
@pytest.mark.parametrize("swap_on_epoch", [False, True])
def test_swap_averages(swap_on_epoch: bool) -> None:
    def run(k: Any) -> Any:
        seen: list[Any] = []

        class See(k.callbacks.Callback):
            def on_test_begin(self, logs=None):
                seen.append(self.model.get_weights())

            def on_epoch_end(self, epoch, logs=None):
                seen.append(self.model.get_weights())

        optimizer = k.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.5)
        model = dense(k, optimizer=optimizer)
        callbacks = [k.callbacks.SwapEMAWeights(swap_on_epoch), See()]
        history = model.fit(
            X, Y, epochs=2, callbacks=callbacks, validation_data=LATER, **RUN
        ).history
        return history, seen, model.get_weights()

    check(run)

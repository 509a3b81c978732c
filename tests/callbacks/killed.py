"""A training with much state. As a program, which gets a directory, it is killed on its way."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

import numpy as np

import keraslite as keras
from keraslite import callbacks

RNG = np.random.default_rng(0)
X = RNG.normal(size=(36, 3)).astype("float32")
Y = (X.sum(1) > 0).astype("int64")
EPOCHS = 4


class Rows(keras.utils.PyDataset):
    """Shuffles itself, by the global generator."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.rows = np.arange(36)

    def __len__(self) -> int:
        return 9

    def __getitem__(self, index: int) -> Any:
        rows = self.rows[4 * index : 4 * index + 4]
        return X[rows], Y[rows]

    def on_epoch_end(self) -> None:
        np.random.shuffle(self.rows)

    def get_state(self) -> dict[str, Any]:
        return {"rows": self.rows}

    def set_state(self, state: dict[str, Any]) -> None:
        self.rows = state["rows"]


class Kill(callbacks.Callback):
    """Draws a number at every call; kill -9 ends the process at one of them."""

    def __init__(self, after: int) -> None:
        super().__init__()
        self.left, self.drawn = after, 0.0

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.drawn += float(np.random.uniform())
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def get_state(self) -> dict[str, Any]:
        return {"drawn": self.drawn}

    def set_state(self, state: dict[str, Any]) -> None:
        self.drawn = state["drawn"]


def train(folder: Path, after: int = 0) -> dict[str, Any]:
    """All state at the end, logs and files; killed after so many batches if that is not 0."""
    keras.utils.set_random_seed(5)
    folder.mkdir(parents=True, exist_ok=True)
    model = keras.Sequential(
        [
            keras.Input((3,)),
            keras.layers.Dense(8, "tanh"),
            keras.layers.Dropout(0.3),
            keras.layers.BatchNormalization(),
            keras.layers.Dense(2, "softmax"),
        ]
    )
    optimizer = keras.optimizers.Adam(0.05, use_ema=True, gradient_accumulation_steps=2)
    model.compile(
        keras.optimizers.LossScaleOptimizer(optimizer, dynamic_growth_steps=3),
        "sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    kill = Kill(after)
    csv = folder / "log.csv"
    given = [
        # Its place does not matter.
        callbacks.BackupAndRestore(folder / "backup", save_freq=2),
        kill,
        callbacks.SwapEMAWeights(swap_on_epoch=True),
        callbacks.LearningRateScheduler(lambda epoch, rate: rate * 0.9),
        callbacks.EarlyStopping("loss", patience=9, restore_best_weights=True),
        callbacks.ReduceLROnPlateau("val_loss", patience=1, min_delta=0.5),
        callbacks.CSVLogger(csv),
        callbacks.ModelCheckpoint(
            str(folder / "best-{epoch}.weights.h5"),
            monitor="val_loss",
            save_best_only=True,
            save_weights_only=True,
        ),
    ]
    history = model.fit(
        Rows(workers=2),
        epochs=EPOCHS,
        verbose=0,
        class_weight={0: 1.0, 1: 2.0},
        callbacks=given,
        validation_data=(X[:8], Y[:8]),
    )
    return {
        "variables": [v.numpy() for v in model._step_variables("train")],
        "history": history.history,
        "epochs": history.epoch,
        "drawn": kill.drawn,
        "csv": csv.read_text(),
        "files": sorted(path.name for path in folder.iterdir()),
    }


if __name__ == "__main__":
    train(Path(sys.argv[1]), 14)

"""Callbacks: the best model is kept, training stops by itself, and logs are written."""

import csv
import os

import numpy as np
from sklearn.datasets import load_wine
from sklearn.preprocessing import scale

import keraslite as keras
from keraslite.callbacks import (
    CSVLogger,
    EarlyStopping,
    LambdaCallback,
    LearningRateScheduler,
    ModelCheckpoint,
    ReduceLROnPlateau,
    TensorBoard,
)
from keraslite.layers import Dense
from keraslite.models import Sequential

keras.utils.set_random_seed(4)

wine = load_wine()
order = np.random.permutation(len(wine.target))
order = order[:160]
x = scale(wine.data)[order].astype("float32")
y = wine.target[order]

model = Sequential([keras.Input(shape=(13,)), Dense(16, activation="relu"), Dense(3)])
model.compile(
    optimizer="rmsprop",
    loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    metrics=["accuracy"],
)


class Watcher(keras.callbacks.Callback):
    def on_train_begin(self, logs=None):
        self.losses, self.rates = [], []

    def on_train_batch_end(self, batch, logs=None):
        self.losses.append(logs["loss"])

    def on_epoch_end(self, epoch, logs=None):
        self.rates.append(float(np.asarray(self.model.optimizer.learning_rate)))
        assert set(logs) >= {"accuracy", "loss", "val_accuracy", "val_loss"}


watcher, seen = Watcher(), []
history = model.fit(
    x,
    y,
    validation_split=0.25,
    epochs=60,
    batch_size=20,
    verbose=0,
    callbacks=[
        watcher,
        LearningRateScheduler(lambda epoch, rate: rate if epoch else 0.01),
        ReduceLROnPlateau(monitor="val_loss", factor=0.5, patience=2, min_lr=1e-4),
        EarlyStopping(monitor="val_loss", patience=4, restore_best_weights=True),
        ModelCheckpoint("best.keras", monitor="val_loss", save_best_only=True),
        ModelCheckpoint("{epoch:02d}.weights.h5", save_weights_only=True),
        CSVLogger("training.csv"),
        TensorBoard(log_dir="logs"),
        LambdaCallback(on_epoch_begin=lambda epoch, logs: seen.append(epoch)),
    ],
)
epochs = len(history.epoch)
print("stopped after", epochs, "epochs")
assert 5 <= epochs < 60 and seen == list(range(epochs))
assert len(watcher.losses) == epochs * 6
assert watcher.rates[0] == np.float32(0.01) and watcher.rates[-1] < 0.01

with open("training.csv") as file:
    rows = list(csv.DictReader(file))
assert len(rows) == epochs
logged = [float(row["val_loss"]) for row in rows]
np.testing.assert_allclose(logged, history.history["val_loss"], rtol=1e-5)
files = [f for _, _, names in os.walk("logs") for f in names if f.startswith("events.out")]
assert files and os.path.exists(f"{epochs:02d}.weights.h5")

best = keras.models.load_model("best.keras")
held = x[-40:], y[-40:]
np.testing.assert_allclose(
    best.evaluate(*held, batch_size=20, verbose=0)[0], min(logged), rtol=0.05
)
assert model.evaluate(*held, batch_size=20, verbose=0)[1] > 0.9

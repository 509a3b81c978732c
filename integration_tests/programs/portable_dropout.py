"""Train an MLP with dropout on portable random numbers; print the history as JSON.

usage: KERAS_PORTABLE_RANDOM=1 portable_dropout.py
"""

from __future__ import annotations

import json

import numpy as np

import keraslite as keras
from keraslite import layers


def main() -> None:
    rng = np.random.default_rng(3)
    x = rng.normal(size=(400, 20)).astype("float32")
    y = (np.abs(x).sum(axis=1) * 10 % 5).astype("int32")
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input((20,)),
            layers.GaussianNoise(0.1),
            layers.Dense(32, activation="relu"),
            layers.Dropout(0.3),
            layers.Dense(32, activation="tanh"),
            layers.AlphaDropout(0.2),
            layers.Dense(5, activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(1e-2), "sparse_categorical_crossentropy")
    # Shuffled batches of a size that does not divide the number of samples.
    history = model.fit(x, y, batch_size=48, epochs=4, validation_split=0.2, verbose=0)
    print(json.dumps(history.history))


if __name__ == "__main__":
    main()

"""Several outputs: losses, weights and metrics in dicts."""

import numpy as np
from sklearn.datasets import load_digits
from sklearn.preprocessing import scale

import keraslite as keras
from keraslite import layers

keras.utils.set_random_seed(5)

digits = load_digits()
x = (digits.data / 16).astype("float32")
targets = {
    "digit": digits.target,
    "odd": (digits.target % 2).astype("float32"),
    "ink": scale(digits.data.sum(1)).astype("float32"),
}

inputs = keras.Input(shape=(64,), name="pixels")
hidden = layers.Dense(64, activation="relu")(inputs)
hidden = layers.Dense(64, activation="relu")(hidden)
outputs = {
    "digit": layers.Dense(10, activation="softmax", name="digit")(hidden),
    "odd": layers.Dense(1, activation="sigmoid", name="odd")(hidden),
    "ink": layers.Dense(1, name="ink")(hidden),
}
model = keras.Model(inputs, outputs)
model.compile(
    optimizer=keras.optimizers.Adam(3e-3),
    loss={
        "odd": "binary_crossentropy",
        "ink": keras.losses.MeanSquaredError(),
        "digit": "sparse_categorical_crossentropy",
    },
    loss_weights={"ink": 2.0, "digit": 1.0, "odd": 0.5},
    metrics={"digit": ["accuracy"], "odd": ["accuracy"], "ink": ["mae"]},
)
train = {name: y[:1408] for name, y in targets.items()}
test = {name: y[1408:1792] for name, y in targets.items()}
history = model.fit(
    x[:1408], train, epochs=12, batch_size=64, validation_data=(x[1408:1792], test), verbose=2
).history
assert {"loss", "digit_loss", "odd_loss", "ink_loss", "digit_accuracy", "ink_mae"} <= set(history)
total = np.array(history["digit_loss"]) + 0.5 * np.array(history["odd_loss"])
total += 2 * np.array(history["ink_loss"])
np.testing.assert_allclose(history["loss"], total, rtol=0.02)  # the last batch is smaller

results = model.evaluate(x[1408:1792], test, return_dict=True, batch_size=64, verbose=0)
print(results)
assert results["digit_accuracy"] > 0.85 and results["odd_accuracy"] > 0.85
assert results["ink_mae"] < 0.5 * np.abs(test["ink"]).mean()

found = model.predict(x[1408:1792], batch_size=64, verbose=0)
assert {name: y.shape for name, y in found.items()} == {
    "digit": (384, 10),
    "odd": (384, 1),
    "ink": (384, 1),
}
right = np.mean(found["digit"].argmax(-1) == test["digit"])
np.testing.assert_allclose(right, results["digit_accuracy"], rtol=1e-5)

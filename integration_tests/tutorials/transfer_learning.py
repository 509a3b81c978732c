"""Transfer learning: what was learnt of the digits 0 to 4 reads 5 to 9, with frozen layers."""

import numpy as np
from sklearn.datasets import load_digits

import keraslite as keras
from keraslite import layers

keras.utils.set_random_seed(3)

digits = load_digits()
x = (digits.images / 16).astype("float32")[..., None]
y = digits.target
low = y < 5

base = keras.Sequential(
    [
        layers.Conv2D(16, 3, padding="same"),
        layers.BatchNormalization(),
        layers.Activation("relu"),
        layers.Conv2D(32, 3, activation="relu"),
        layers.MaxPooling2D(),
        layers.Flatten(),
    ],
    name="base",
)
model = keras.Sequential([keras.Input((8, 8, 1)), base, layers.Dense(5, activation="softmax")])
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(x[low][:896], y[low][:896], epochs=5, batch_size=32, verbose=2)

# A new head on a base that stays as it is; batch normalization too.
base.trainable = False
inputs = keras.Input(shape=(8, 8, 1))
features = base(inputs, training=False)
outputs = layers.Dense(5, activation="softmax")(features)
new = keras.Model(inputs, outputs)
new.summary(show_trainable=True)
assert len(new.trainable_weights) == 2

frozen = base.get_weights()
x_new, y_new = x[~low], y[~low] - 5
new.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
new.fit(x_new[:704], y_new[:704], epochs=8, batch_size=32, verbose=2)
for before, after in zip(frozen, base.get_weights(), strict=True):
    np.testing.assert_array_equal(before, after)
loss, accuracy = new.evaluate(x_new[704:896], y_new[704:896], verbose=0)
print("accuracy with a frozen base:", accuracy)
assert accuracy > 0.85

# Fine tuning, slowly.
base.trainable = True
for layer in base.layers[:2]:
    layer.trainable = False
new.compile(keras.optimizers.Adam(1e-4), "sparse_categorical_crossentropy", metrics=["accuracy"])
new.fit(x_new[:704], y_new[:704], epochs=2, batch_size=32, verbose=2)
changed = [not np.array_equal(a, b) for a, b in zip(frozen, base.get_weights(), strict=True)]
assert len(new.trainable_weights) == 4 and sum(changed) == 2
assert new.evaluate(x_new[704:896], y_new[704:896], verbose=0)[1] >= accuracy - 0.05

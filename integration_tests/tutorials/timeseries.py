"""Time series: how a way through the mountains goes on, forecast from its last steps."""

import numpy as np
from matplotlib.cbook import get_sample_data

import keraslite as keras
from keraslite import layers

keras.utils.set_random_seed(7)
PAST = 8

elevation = np.load(get_sample_data("jacksboro_fault_dem.npz", asfileobj=False))["elevation"]
# Southwards along a meridian and back northwards along another, nine times in all.
meridians = elevation[:, ::50].T.astype("float32")
meridians[1::2] = meridians[1::2, ::-1].copy()
rises = np.diff(meridians.ravel())
rises = rises / rises.std()
split = len(rises) * 3 // 4


def windows(part, shuffle):
    return keras.utils.timeseries_dataset_from_array(
        part[:-PAST, np.newaxis],
        targets=part[PAST:],
        sequence_length=PAST,
        batch_size=64,
        shuffle=shuffle,
        seed=1,
    )


train, test = windows(rises[:split], True), windows(rises[split:], False)
for inputs, targets in test:
    print("inputs", inputs.shape, "targets", targets.shape)
    np.testing.assert_array_equal(np.asarray(inputs)[0, :, 0], rises[split : split + PAST])
    assert float(np.asarray(targets)[0]) == rises[split + PAST]
    break

inputs = keras.Input(shape=(PAST, 1))
x = layers.Conv1D(16, 3, activation="relu", padding="causal")(inputs)
x = layers.LSTM(16)(x)
model = keras.Model(inputs, layers.Dense(1)(x))
model.compile(keras.optimizers.Adam(0.01), "mse", metrics=["mae"])
model.fit(train, epochs=6, validation_data=test, verbose=2)

true = np.concatenate([np.asarray(y) for _, y in test])
error, naive = model.evaluate(test, verbose=0)[1], float(np.abs(true).mean())
print("mean error", error, "; if it were flat:", naive)
assert error < 0.85 * naive
found = model.predict(test, verbose=0)[:, 0]
np.testing.assert_allclose(np.abs(found - true).mean(), error, rtol=1e-3)

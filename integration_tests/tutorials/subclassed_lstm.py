"""Subclassing: an LSTM reads digits row by row."""

import numpy as np
from sklearn.datasets import load_digits

import keraslite as keras
from keraslite import layers

keras.utils.set_random_seed(1)


class RowReader(keras.Model):
    def __init__(self, units, num_classes=10):
        super().__init__()
        self.norm = layers.LayerNormalization()
        self.lstm = layers.LSTM(units)
        self.dropout = layers.Dropout(0.2)
        self.classifier = layers.Dense(num_classes)

    def call(self, inputs, training=False):
        x = self.lstm(self.norm(inputs))
        if training:
            x = self.dropout(x, training=training)
        return self.classifier(x)


digits = load_digits()
x = (digits.images / 16).astype("float32")
y = digits.target
x_train, y_train, x_test, y_test = x[:1408], y[:1408], x[1408:1792], y[1408:1792]

model = RowReader(32)
model.compile(
    optimizer=keras.optimizers.Adam(0.01),
    loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    metrics=[keras.metrics.SparseCategoricalAccuracy()],
)
model.fit(x_train, y_train, epochs=8, batch_size=64, verbose=2)
loss, accuracy = model.evaluate(x_test, y_test, verbose=0)
print("accuracy", accuracy)
assert accuracy > 0.75

model.save_weights("reader.weights.h5")
again = RowReader(32)
again(x_test[:1])
again.load_weights("reader.weights.h5")
for before, after in zip(model.get_weights(), again.get_weights(), strict=True):
    np.testing.assert_array_equal(before, after)

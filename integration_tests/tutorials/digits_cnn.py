"""Images: a convolutional Sequential model reads handwritten digits."""

import numpy as np
from sklearn.datasets import load_digits

import keraslite as keras
from keraslite.layers import Conv2D, Dense, Dropout, Flatten, MaxPooling2D
from keraslite.models import Sequential, load_model

keras.utils.set_random_seed(1)
batch_size, num_classes, epochs = 64, 10, 8

digits = load_digits()
x = digits.images.astype("float32")[..., np.newaxis] / 16
y = keras.utils.to_categorical(digits.target, num_classes)
x_train, y_train, x_test, y_test = x[:1408], y[:1408], x[1408:1792], y[1408:1792]

model = Sequential()
model.add(keras.Input(shape=(8, 8, 1)))
model.add(Conv2D(16, kernel_size=(3, 3), activation="relu", padding="same"))
model.add(Conv2D(32, (3, 3), activation="relu"))
model.add(MaxPooling2D(pool_size=(2, 2)))
model.add(Dropout(0.25))
model.add(Flatten())
model.add(Dense(64, activation="relu"))
model.add(Dropout(0.5))
model.add(Dense(num_classes, activation="softmax"))
model.summary()

model.compile(
    loss=keras.losses.categorical_crossentropy,
    optimizer=keras.optimizers.Adam(learning_rate=3e-3),
    metrics=["accuracy"],
)
history = model.fit(
    x_train,
    y_train,
    batch_size=batch_size,
    epochs=epochs,
    verbose=2,
    validation_batch_size=32,
    validation_data=(x_test, y_test),
)
score = model.evaluate(x_test, y_test, verbose=0)
print("Test loss:", score[0])
print("Test accuracy:", score[1])

assert score[1] > 0.85
assert history.history["val_accuracy"][-1] == score[1]
assert history.history["loss"][-1] < 0.5 * history.history["loss"][0]

model.save("digits.keras")
again = load_model("digits.keras")
for before, after in zip(model.get_weights(), again.get_weights(), strict=True):
    np.testing.assert_array_equal(before, after)

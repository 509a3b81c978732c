"""Augmented images from `ImageDataGenerator`, as tutorials had it before Keras 3."""

import numpy as np
from sklearn.datasets import load_digits

import keraslite as keras
from keraslite.layers import Conv2D, Dense, Flatten
from keraslite.preprocessing.image import ImageDataGenerator

keras.utils.set_random_seed(8)

digits = load_digits()
x = digits.images[..., np.newaxis]
y = keras.utils.to_categorical(digits.target)

train_gen = ImageDataGenerator(
    rescale=1.0 / 16, rotation_range=8, width_shift_range=0.1, height_shift_range=0.1
)
test_gen = ImageDataGenerator(rescale=1.0 / 16)
train = train_gen.flow(x[:1400], y[:1400], batch_size=50, seed=1)
test = test_gen.flow(x[1400:1700], y[1400:1700], batch_size=100, shuffle=False)
assert len(train) == 28 and next(train)[0].max() <= 1

model = keras.models.Sequential(
    [
        keras.Input((8, 8, 1)),
        Conv2D(16, 3, activation="relu"),
        Conv2D(16, 3, activation="relu"),
        Flatten(),
        Dense(10, activation="softmax"),
    ]
)
model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
model.fit(train, steps_per_epoch=28, epochs=6, validation_data=test, verbose=2)
accuracy = model.evaluate(test, verbose=0)[1]
print("accuracy", accuracy)
assert accuracy > 0.75
np.testing.assert_allclose(
    model.predict(test, verbose=0),
    model.predict(x[1400:1700] / 16, batch_size=100, verbose=0),
    atol=1e-5,
)

"""What tutorials of 2018 to 2023 do, in their words."""

import warnings

import numpy as np
from sklearn.datasets import load_digits

import keraslite as keras
from keraslite import backend as K
from keraslite.callbacks import EarlyStopping, ModelCheckpoint
from keraslite.layers import (
    LSTM,
    Activation,
    BatchNormalization,
    Conv2D,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    GlobalAveragePooling2D,
    Input,
    Lambda,
    LeakyReLU,
    MaxPool2D,
    TimeDistributed,
    add,
)
from keraslite.models import Model, Sequential, load_model, model_from_json
from keraslite.optimizers import SGD
from keraslite.preprocessing.sequence import pad_sequences
from keraslite.regularizers import l2
from keraslite.utils import to_categorical

warnings.simplefilter("ignore")  # `input_shape` of a first layer is discouraged now.
K.clear_session()
np.random.seed(42)
keras.utils.set_random_seed(42)

digits = load_digits()
X = digits.images.reshape(-1, 8, 8, 1).astype(K.floatx()) / 16.0
Y = to_categorical(digits.target)
assert K.image_data_format() == "channels_last" and K.epsilon() == 1e-7
X_train, Y_train, X_val, Y_val = X[:1408], Y[:1408], X[1408:1792], Y[1408:1792]

# A multilayer perceptron with everything by name.
model = Sequential()
model.add(Flatten(input_shape=(8, 8, 1)))
model.add(Dense(64, input_dim=64, kernel_initializer="he_normal", kernel_regularizer=l2(1e-4)))
model.add(Activation("relu"))
model.add(Dropout(0.2))
model.add(Dense(10, activation="softmax"))
model.compile(
    loss="categorical_crossentropy",
    optimizer=SGD(learning_rate=0.1, momentum=0.9, nesterov=True),
    metrics=["accuracy", "mse"],
)
callbacks = [
    EarlyStopping(monitor="val_loss", patience=5),
    ModelCheckpoint("mlp.keras", monitor="val_accuracy", mode="max", save_best_only=True),
]
hist = model.fit(
    X_train, Y_train, batch_size=32, epochs=6, verbose=0, validation_split=0.25, callbacks=callbacks
)
assert sorted(hist.history) == [*("accuracy", "loss", "mse", "val_accuracy", "val_loss", "val_mse")]
scores = model.evaluate(X_val, Y_val, verbose=0)
print("%s: %.2f%%" % (model.metrics_names[1], scores[1] * 100))  # noqa: UP031
assert scores[1] > 0.8
classes = np.argmax(model.predict(X_val, verbose=0), axis=1)
assert np.mean(classes == digits.target[1408:1792]) > 0.8
assert load_model("mlp.keras").optimizer.momentum == 0.9

# Architecture as JSON, weights as HDF5.
copy = model_from_json(model.to_json())
model.save_weights("mlp.weights.h5")
copy.load_weights("mlp.weights.h5")
for before, after in zip(model.get_weights(), copy.get_weights(), strict=True):
    np.testing.assert_array_equal(before, after)

# A residual network, weights of classes.
images = Input(shape=(8, 8, 1))
x = Conv2D(16, (3, 3), padding="same", kernel_initializer="he_uniform")(images)
x = LeakyReLU()(BatchNormalization()(x))
y = Conv2D(16, (3, 3), strides=(1, 1), padding="same", use_bias=False)(x)
x = MaxPool2D((2, 2))(add([x, y]))
x = GlobalAveragePooling2D()(Conv2D(32, 3, activation="relu")(x))
x = Lambda(lambda t: t * 2.0, output_shape=(32,))(x)
net = Model(inputs=images, outputs=Dense(10, activation="softmax")(x))
net.compile(optimizer="rmsprop", loss=["categorical_crossentropy"], metrics=["acc"])
history = net.fit(
    X_train,
    Y_train,
    batch_size=64,
    epochs=2,
    class_weight={i: 1.0 for i in range(10)},
    verbose=0,
)
assert history.history["acc"][-1] > history.history["acc"][0]
print([layer.name for layer in net.layers][:4], net.count_params(), net.output_shape)
middle = Model(inputs=net.input, outputs=net.layers[2].output)
assert middle.predict(X_val[:2], verbose=0).shape == (2, 8, 8, 16)
assert net.get_layer(index=1).get_weights()[0].shape == (3, 3, 1, 16)

# Single batches.
for _ in range(2):
    chosen = np.random.randint(0, len(X_train), 64)
    loss, acc = net.train_on_batch(X_train[chosen], Y_train[chosen])
assert np.isfinite(loss) and net.predict_on_batch(X_val[:32]).shape == (32, 10)

# Sequences.
sequences = pad_sequences([[1, 2, 3], [4, 5], [6]], maxlen=4, padding="post")
assert sequences.tolist() == [[1, 2, 3, 0], [4, 5, 0, 0], [6, 0, 0, 0]]
tagger = Sequential()
tagger.add(Embedding(10, 4, mask_zero=True))
tagger.add(LSTM(5, return_sequences=True, dropout=0.1))
tagger.add(TimeDistributed(Dense(2, activation="softmax")))
tagger.compile("adam", "sparse_categorical_crossentropy")
tagger.fit(sequences, sequences % 2, epochs=1, verbose=0)
assert tagger.predict(sequences, verbose=0).shape == (3, 4, 2)

"""Writes files with Keras 2 (`tf_keras`), and what its models predict, into a folder.

Run in a process of its own: `python keras_2_files.py FOLDER`.
"""

from __future__ import annotations

import os
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import h5py
import numpy as np


def data(*shape: int) -> np.ndarray:
    return np.random.RandomState(0).rand(*shape).astype("float32")


def main(folder: str) -> None:
    import tf_keras as k

    L = k.layers
    k.utils.set_random_seed(0)
    results: dict[str, np.ndarray] = {}

    def write(name: str, model: k.Model, *shapes: tuple[int, ...], **options: object) -> None:
        inputs = [data(*s) for s in shapes]
        inputs = inputs if len(inputs) > 1 else inputs[0]
        if options:
            model.compile(**options)
            targets = model.predict(inputs, verbose=0)
            targets = [t + 1 for t in targets] if isinstance(targets, list) else targets + 1
            model.fit(inputs, targets, epochs=2, verbose=0)
        outputs = model.predict(inputs, verbose=0)
        for i, x in enumerate(outputs if isinstance(outputs, list) else [outputs]):
            results[f"{name}/{i}"] = x
        model.save(f"{folder}/{name}.h5")
        model.save_weights(f"{folder}/{name}_weights.h5")

    dense = [
        L.Input((3,)),
        L.Dense(4, activation="hard_sigmoid", kernel_constraint="max_norm"),
        L.BatchNormalization(),
        L.LeakyReLU(0.3),
        L.PReLU(),
        L.Dense(2, kernel_regularizer="l2", kernel_initializer="identity"),
    ]
    write("dense", k.Sequential(dense, "net"), (4, 3), optimizer="adam", loss="mse", metrics="mae")

    a, b, shared = L.Input((3,), name="a"), L.Input((3,), name="b"), L.Dense(3)
    frozen = L.Dense(4, input_shape=(6,))
    frozen.trainable = False
    inner = k.Sequential([L.BatchNormalization(), frozen, L.Dense(3)], name="inner")
    entry = L.Input((3,))
    deeper = k.Model(entry, L.Dense(2)(L.Activation("tanh")(entry)), name="deeper")
    x = inner(L.Concatenate()([shared(a), shared(b)]))
    y = deeper(x)
    outputs = [L.Multiply()([y, y]), k.activations.relu(y) + 1.0, 2.0 * y - deeper(shared(a))]
    model = k.Model([a, b], outputs, name="graph")
    sgd = k.optimizers.SGD(0.1, momentum=0.9)
    write("graph", model, (4, 3), (4, 3), optimizer=sgd, loss=["mse", "mae", "mse"])

    import tensorflow as tf

    a = L.Input((4, 6))
    x = tf.transpose(tf.reshape(a, (-1, 2, 12)), [0, 2, 1])
    x = tf.clip_by_value(tf.concat([x, x], axis=1), 0.1, 0.9)
    x = tf.nn.softmax(tf.squeeze(tf.reduce_mean(x, axis=2, keepdims=True), axis=-1), axis=-1)
    x = tf.maximum(tf.stack([tf.exp(x), tf.sqrt(x) / 3.0], axis=1), tf.expand_dims(x, 1))
    y = tf.matmul(a[:, :, :4], a)[..., 0]
    write("ops", k.Model(a, [x[:, 1:, ::2], 1.0 - x[:, 0], y]), (3, 4, 6))

    cells = [L.LSTMCell(2, recurrent_activation="hard_sigmoid"), L.SimpleRNNCell(2)]
    recurrent = [
        L.Input((7,)),
        L.Embedding(5, 4, mask_zero=True),
        L.Bidirectional(L.LSTM(3, return_sequences=True)),
        L.GRU(3, return_sequences=True),
        L.GRU(3, reset_after=False, return_sequences=True),
        L.RNN(cells, return_sequences=True),
        L.TimeDistributed(L.Dense(2)),
        L.SimpleRNN(2),
    ]
    adam = k.optimizers.legacy.Adam(0.01, decay=0.1, beta_1=0.8)
    huber, metrics = k.losses.Huber(delta=0.5), [k.metrics.MeanSquaredError(name="q")]
    model = k.Sequential(recurrent)
    write("recurrent", model, (4, 7), optimizer=adam, loss=huber, metrics=metrics)

    images = [
        L.Input((8, 8, 3)),
        L.Conv2D(4, 3, padding="same"),
        L.SeparableConv2D(4, 3, strides=2),
        L.DepthwiseConv2D(3, padding="same"),
        L.Conv2DTranspose(2, 2),
        L.ZeroPadding2D(1),
        L.MaxPooling2D(),
        L.UpSampling2D(2),
        L.ThresholdedReLU(0.01),
        L.GlobalAveragePooling2D(),
        L.Reshape((1, 2)),
        L.LayerNormalization(),
        L.Flatten(),
    ]
    sgd = k.optimizers.legacy.SGD(0.01, momentum=0.5, nesterov=True)
    write("images", k.Sequential(images), (2, 8, 8, 3), optimizer=sgd, loss="mse")

    a = L.Input((5, 4))
    x, s, c = L.LSTM(3, return_sequences=True, return_state=True)(L.MultiHeadAttention(2, 3)(a, a))
    x = L.Reshape((1, 3))(L.GRU(3)(x, initial_state=s))
    model = k.Model(a, [L.Attention()([x, x]), L.Dot(-1)([s, c])])
    rms = k.optimizers.RMSprop(0.01, centered=True, momentum=0.2)
    options = {"loss": ["mse", "mse"], "metrics": [["mae"], ["mae"]], "loss_weights": [1.0, 2.0]}
    write("attention", model, (2, 5, 4), optimizer=rms, **options)

    k.mixed_precision.set_global_policy("mixed_float16")
    model = k.Sequential([L.Input((3,)), L.Dense(4), L.Dense(2, dtype="float32")])
    k.mixed_precision.set_global_policy("float32")
    write("mixed", model, (4, 3))

    class Net(k.Model):
        def __init__(self) -> None:
            super().__init__()
            self.first = L.Dense(2)
            self.stack = k.Sequential([L.Dense(3)])
            self.scale = self.add_weight(name="scale", shape=(2,))

        def call(self, x: object) -> object:
            return self.stack(self.first(x) * self.scale)

    model = Net()
    results["subclass/0"] = model(data(4, 3)).numpy()
    model.save_weights(f"{folder}/subclass_weights.h5")
    k.Sequential([L.Input((3,)), L.Lambda(lambda t: t * 2)]).save(f"{folder}/lambda.h5")

    # What cuDNN layers kept, read by the layers of today.
    random = np.random.RandomState(1)
    for name, gates in (("LSTM", 4), ("GRU", 3)):
        shapes = [(2, 3 * gates), (3, 3 * gates), (6 * gates,)]
        with h5py.File(f"{folder}/cudnn_{name}.h5", "w") as file:
            file.attrs.update(layer_names=np.array([b"r"]), keras_version="2.2.4")
            file.attrs["backend"] = "tensorflow"
            group = file.create_group("r")
            names = [f"r/{n}:0" for n in ("kernel", "recurrent_kernel", "bias")]
            group.attrs["weight_names"] = np.array(names, "S")
            for weight, shape in zip(names, shapes, strict=True):
                group[weight] = random.rand(*shape).astype("float32")
        model = k.Sequential([L.Input((4, 2)), getattr(L, name)(3, name="r")])
        model.load_weights(f"{folder}/cudnn_{name}.h5")
        results[f"cudnn_{name}/0"] = model.predict(data(2, 4, 2), verbose=0)
    np.savez(f"{folder}/results.npz", **results)


if __name__ == "__main__":
    main(sys.argv[1])

"""Writes files with Keras 2 (`tf_keras`), and what its models predict, into a folder.

Run in a process of its own: `python keras_2_files.py FOLDER`.
"""

from __future__ import annotations

import itertools
import os
import sys
from typing import Any

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import h5py
import numpy as np


def data(*shape: int) -> np.ndarray:
    return np.random.RandomState(0).rand(*shape).astype("float32")


def functions(k: Any, tf: Any, a: Any) -> list[Any]:
    """What a graph of tf.keras may call."""
    m, nn, backend = tf.math, tf.nn, k.backend
    image = a[..., None]
    found = [
        tf.matmul(a, a, transpose_b=True), tf.matmul(a, a, transpose_a=True), backend.transpose(a),
        backend.batch_dot(a, a, axes=2), tf.cast(a * 5.0, "int32"), tf.argmax(a, -1), tf.argmin(a),
        nn.leaky_relu(a - 0.5, 0.1), nn.silu(a), nn.gelu(a), nn.gelu(a, approximate=True),
        nn.elu(a - 0.5), nn.selu(a), nn.softplus(a), nn.softsign(a), nn.log_softmax(a),
        nn.l2_normalize(a, -1), m.l2_normalize(a), tf.where(a > 0.5, a, 0.0), -a, abs(a - 0.5),
        tf.gather(a, [0, 2], axis=1), tf.tile(a, [1, 2, 1]), tf.repeat(a, 2, axis=1),
        tf.pad(a, [[0, 0], [1, 1], [0, 0]], constant_values=2.0), tf.reverse(a, [1]),
        tf.split(a, 2, axis=-1)[1], tf.split(a, [1, 2, 3], axis=-1)[1], tf.unstack(a, axis=1)[1],
        tf.ones_like(a), tf.zeros_like(a), m.top_k(a, 2)[0], tf.one_hot(tf.cast(a * 3, "int32"), 3),
        tf.image.resize(image, (2, 2)), nn.max_pool2d(image, 2, 2, "VALID"), tf.stop_gradient(a),
        nn.avg_pool2d(image, 2, 1, "SAME"), nn.depth_to_space(tf.reshape(a, (-1, 2, 3, 4)), 2),
        tf.cumsum(a, axis=1), tf.identity(a), (a % 0.2) + (a // 0.3), a**2, 2.0**a, 1.0 / a,
        m.reduce_std(a, axis=1), m.reduce_variance(a, [1, 2]), tf.reduce_prod(a, 1, keepdims=True),
        m.reduce_logsumexp(a, 1), tf.reduce_any(a > 0.9, 1), tf.reduce_all(a >= 0.1, 1),
        m.rsqrt(a), m.log1p(a), m.erf(a), tf.sin(a) + tf.cos(a), tf.round(a * 3) - tf.sign(a),
        tf.divide(a, 2.0), m.divide_no_nan(a, 2.0), tf.logical_not((a > 0.1) & (a < 0.5)),
        tf.broadcast_to(a[:, :1], [3, 4, 6]), nn.bias_add(a, [1.0, 2, 3, 4, 5, 6]),
        k.activations.hard_sigmoid(a), tf.constant(np.ones(6, "f")) * a,
    ]  # fmt: skip
    return found


def operations(k: Any, tf: Any, a: Any) -> list[Any]:
    """The same in the form of TensorFlow 2.0 to 2.3."""
    from google.protobuf import json_format

    number = itertools.count()
    real, whole = {"type": "DT_FLOAT"}, {"type": "DT_INT32"}

    def op(name: str, inputs: Any, constants: Any = None, **attributes: Any) -> Any:
        many = (len(inputs) if isinstance(inputs, list) else 1) + len(constants or {})
        node = {"name": f"op_{next(number)}", "op": name, "input": ["x"] * many}
        node["attr"] = {"T": real, **attributes}
        definition = json_format.ParseDict(node, tf.compat.v1.NodeDef())
        config = {"node_def": definition.SerializeToString(), "name": node["name"]}
        config["constants"] = constants or {}
        return k.layers.deserialize({"class_name": "TensorFlowOpLayer", "config": config})(inputs)

    def whole_numbers(*values: int) -> np.ndarray:
        return np.array(values, "int32")

    masks = {"begin_mask": 1, "end_mask": 1, "shrink_axis_mask": 2}
    masks |= {"ellipsis_mask": 0, "new_axis_mask": 0}
    bits = {key: {"i": str(value)} for key, value in masks.items()}
    places = {1: whole_numbers(0, 1), 2: whole_numbers(0, 2), 3: whole_numbers(1, 1)}
    greater = op("Greater", a, {1: 0.5})
    deeper = op("ExpandDims", a, {1: 1}, Tdim=whole)
    return [
        op("AddV2", a, {1: 2.0}), op("Sub", a, {0: 2.0}), op("Mul", [a, a]), op("Relu", a),
        op("Mean", a, {1: whole_numbers(1)}, Tidx=whole, keep_dims={"b": True}),
        op("Reshape", a, {1: whole_numbers(-1, 24)}, Tshape=whole), op("Softmax", a),
        op("ConcatV2", [a, a], {2: 1}, Tidx=whole, N={"i": "2"}), deeper,
        op("Pack", [a, a], axis={"i": "1"}, N={"i": "2"}),
        op("StridedSlice", a, places, Index=whole, **bits),
        op("BatchMatMulV2", [a, a], adj_x={"b": False}, adj_y={"b": True}),
        op("Squeeze", deeper, squeeze_dims={"list": {"i": ["1"]}}),
        op("Transpose", a, {1: whole_numbers(0, 2, 1)}, Tperm=whole),
        op("SelectV2", [greater, a], {2: 0.0}),
    ]  # fmt: skip


def main(folder: str) -> None:
    import tensorflow as tf
    import tf_keras as k

    tf.config.run_functions_eagerly(True)  # compiling takes most of the time
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

    a = L.Input((4, 6))
    x = tf.transpose(tf.reshape(a, (-1, 2, 12)), [0, 2, 1])
    x = tf.clip_by_value(tf.concat([x, x], axis=1), 0.1, 0.9)
    x = tf.nn.softmax(tf.squeeze(tf.reduce_mean(x, axis=2, keepdims=True), axis=-1), axis=-1)
    x = tf.maximum(tf.stack([tf.exp(x), tf.sqrt(x) / 3.0], axis=1), tf.expand_dims(x, 1))
    y = tf.matmul(a[:, :, :4], a)[..., 0]
    write("ops", k.Model(a, [x[:, 1:, ::2], 1.0 - x[:, 0], y]), (3, 4, 6))

    a = L.Input((4, 6))
    write("functions", k.Model(a, functions(k, tf, a)), (3, 4, 6))
    tf.config.run_functions_eagerly(False)  # these layers need functions
    write("operations", k.Model(a, operations(k, tf, a)), (3, 4, 6))
    tf.config.run_functions_eagerly(True)

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

    nested = k.Sequential([L.Input((4, 2)), L.GRU(3, return_sequences=True)], name="inner")
    inner = L.TimeDistributed(k.Sequential([L.Input((4, 3)), L.LSTM(2, go_backwards=True)]))
    stack = [L.Input((2, 4, 2)), L.TimeDistributed(nested), inner, L.Bidirectional(L.LSTM(2))]
    write("nested", k.Sequential(stack), (3, 2, 4, 2))

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

"""Files of Keras 1 and 2: what `tf_keras` wrote, and files made after their documented form."""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import keraslite as keras
from keraslite import layers
from keraslite.core.errors import UnsafeModelError

GENERATOR = Path(__file__).with_name("keras_2_files.py")


def data(*shape: int) -> np.ndarray:
    return np.random.RandomState(0).rand(*shape).astype("float32")


def array(x: Any) -> np.ndarray:
    return keras.ops.convert_to_numpy(x)


# Keras 2 -----------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def files() -> Path:
    """Made once for all engines: starting Keras 2 takes long."""
    if importlib.util.find_spec("tf_keras") is None:
        pytest.skip("needs tf_keras, which is Keras 2")
    digest = hashlib.sha1(GENERATOR.read_bytes()).hexdigest()[:12]
    folder = Path(tempfile.gettempdir()) / f"keraslite-keras-2-{digest}-{os.getuid()}"
    with open(f"{folder}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the tests of another engine wait
        if not folder.exists():
            made = tempfile.mkdtemp(dir=folder.parent)
            subprocess.run([sys.executable, str(GENERATOR), made], check=True, capture_output=True)
            os.rename(made, folder)
    return folder


#: File -> shapes of the inputs, class of the optimizer, a slot that training filled.
MODELS: dict[str, tuple[list[tuple[int, ...]], str | None]] = {
    "dense": ([(4, 3)], "Adam"),
    "graph": ([(4, 3), (4, 3)], "SGD"),
    "ops": ([(3, 4, 6)], None),
    "functions": ([(3, 4, 6)], None),
    "operations": ([(3, 4, 6)], None),
    "nested": ([(3, 2, 4, 2)], None),
    "recurrent": ([(4, 7)], "Adam"),
    "images": ([(2, 8, 8, 3)], "SGD"),
    "attention": ([(2, 5, 4)], "RMSprop"),
    "mixed": ([(4, 3)], None),
}


@pytest.mark.parametrize("name", MODELS)
def test_models_of_keras_2(files: Path, name: str) -> None:
    shapes, optimizer = MODELS[name]
    inputs = [data(*s) for s in shapes]
    expected = dict(np.load(files / "results.npz"))
    tolerance = 2e-3 if name == "mixed" else 2e-5

    def check(model: Any) -> None:
        found = model.predict(inputs if len(inputs) > 1 else inputs[0], verbose=0)
        for i, x in enumerate(found if isinstance(found, list) else [found]):
            np.testing.assert_allclose(x, expected[f"{name}/{i}"], rtol=tolerance, atol=tolerance)

    model = keras.saving.load_model(files / f"{name}.h5")
    check(model)
    if optimizer is None:
        assert model.optimizer is None
    else:
        assert type(model.optimizer).__name__ == optimizer
        assert int(array(model.optimizer.iterations)) == 2
        assert all(float(abs(array(v)).sum()) for v in model.optimizer.variables[2:4])
    for by_name in (False, True):
        for variable in model.weights:
            variable.assign(variable * 0)
        model.load_weights(files / f"{name}_weights.h5", by_name=by_name)
        check(model)


def test_state_of_optimizers_of_keras_2(files: Path) -> None:
    model = keras.saving.load_model(files / "dense.h5")
    with h5py.File(files / "dense.h5") as file:
        stored = file["optimizer_weights/Adam/v/dense/kernel:0"][()]
    names = {v.name: v for v in model.optimizer.variables}
    np.testing.assert_array_equal(array(names["net_dense_kernel_velocity"]), stored)
    model = keras.saving.load_model(files / "recurrent.h5")
    schedule = model.optimizer.get_config()["learning_rate"]
    assert schedule["class_name"] == "InverseTimeDecay"
    assert schedule["config"]["decay_rate"] == pytest.approx(0.1)
    assert model.optimizer.beta_1 == pytest.approx(0.8)


def test_subclass_and_lambda_of_keras_2(files: Path) -> None:
    class Net(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.first = layers.Dense(2)
            self.stack = keras.Sequential([layers.Dense(3)])
            self.scale = self.add_weight(name="scale", shape=(2,))

        def call(self, x: Any) -> Any:
            return self.stack(self.first(x) * self.scale)

    model = Net()
    model(data(4, 3))
    model.load_weights(files / "subclass_weights.h5")
    expected = np.load(files / "results.npz")["subclass/0"]
    np.testing.assert_allclose(array(model(data(4, 3))), expected, rtol=1e-5)
    with pytest.raises(UnsafeModelError, match="'lambda' holds a Python lambda"):
        keras.saving.load_model(files / "lambda.h5")
    trusted = keras.saving.load_model(files / "lambda.h5", safe_mode=False)
    np.testing.assert_allclose(array(trusted(data(2, 3))), 2 * data(2, 3))


@pytest.mark.parametrize("name", ["LSTM", "GRU"])
def test_weights_of_cudnn(files: Path, name: str) -> None:
    model = keras.Sequential([keras.Input((4, 2)), getattr(layers, name)(3, name="r")])
    model.load_weights(files / f"cudnn_{name}.h5")
    expected = np.load(files / "results.npz")[f"cudnn_{name}/0"]
    found = model.predict(data(2, 4, 2), verbose=0)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


# Keras 1, and the first releases of Keras 2 ------------------------------------------------


def write_old(
    path: Path,
    config: dict[str, Any],
    weights: dict[str, list[np.ndarray]],
    version: str = "1.2.2",
    training: dict[str, Any] | None = None,
    state: list[np.ndarray] = (),  # type: ignore[assignment]
    engine: str | None = None,
) -> Path:
    """A whole model as Keras 1 wrote it."""

    def put(group: h5py.Group, name: str, arrays: list[np.ndarray]) -> None:
        names = [f"{name}_{i}".encode() for i in range(len(arrays))]
        group.attrs["weight_names"] = np.array(names, "S")
        for key, value in zip(names, arrays, strict=True):
            group[key] = value

    with h5py.File(path, "w") as file:
        file.attrs["keras_version"] = version.encode()
        if engine:
            file.attrs["backend"] = engine.encode()
        file.attrs["model_config"] = json.dumps(config).encode()
        group = file.create_group("model_weights")
        group.attrs["layer_names"] = np.array([n.encode() for n in weights], "S")
        for name, arrays in weights.items():
            put(group.create_group(name), name, arrays)
        if training:
            file.attrs["training_config"] = json.dumps(training).encode()
            put(file.create_group("optimizer_weights"), "param", list(state))
    return path


def dense_of_keras_1(name: str, units: int, **options: Any) -> dict[str, Any]:
    config = {"name": name, "output_dim": units, "init": "glorot_uniform", "activation": "linear"}
    config |= {"W_regularizer": None, "b_regularizer": None, "activity_regularizer": None}
    config |= {"W_constraint": None, "b_constraint": None, "bias": True, "input_dim": None}
    return {"class_name": "Dense", "config": {**config, "trainable": True, **options}}


def test_sequential_of_keras_1(tmp_path: Path) -> None:
    first = dense_of_keras_1(
        "d1",
        4,
        batch_input_shape=[None, 3],
        input_dtype="float32",
        input_dim=3,
        init="uniform",
        activation="hard_sigmoid",
        W_regularizer={"name": "WeightRegularizer", "l1": 0.0, "l2": 0.25},
        b_constraint={"name": "MaxNorm", "m": 2, "axis": 0},
    )
    norm = {"name": "bn", "mode": 0, "axis": -1, "epsilon": 0.01, "momentum": 0.9}
    norm |= {"gamma_regularizer": None, "beta_regularizer": None, "trainable": True}
    config = {
        "class_name": "Sequential",
        "config": [
            first,
            {"class_name": "BatchNormalization", "config": norm},
            {"class_name": "Dropout", "config": {"name": "drop", "p": 0.25, "trainable": True}},
            dense_of_keras_1("d2", 2),
        ],
    }
    k1, b1, k2, b2 = (data(*s) for s in ((3, 4), (4,), (4, 2), (2,)))
    gamma, beta, mean, variance = (data(4) + i for i in range(1, 5))
    weights = {"d1": [k1, b1], "bn": [gamma, beta, mean, variance], "drop": [], "d2": [k2, b2]}
    optimizer = {"lr": 0.02, "beta_1": 0.7, "beta_2": 0.99, "epsilon": 1e-8, "decay": 0.0}
    training = {
        "optimizer_config": {"class_name": "Adam", "config": optimizer},
        "loss": "mse",
        "metrics": ["mae"],
        "sample_weight_mode": None,
        "loss_weights": None,
    }
    slots = [x + j for j in (10, 20) for x in (k1, b1, gamma, beta, k2, b2)]
    state = [np.float32(5), *slots]
    path = write_old(tmp_path / "m.h5", config, weights, training=training, state=state)
    model = keras.saving.load_model(path)
    x = data(5, 3)
    h = np.clip(0.2 * (x @ k1 + b1) + 0.5, 0, 1)
    h = (h - mean) / np.sqrt(variance + 0.01) * gamma + beta
    np.testing.assert_allclose(model.predict(x, verbose=0), h @ k2 + b2, rtol=1e-4)
    d1, _, drop, _ = model.layers
    assert float(d1.kernel_regularizer.l2) == 0.25 and d1.bias_constraint.max_value == 2
    assert drop.rate == 0.25
    assert model.optimizer.beta_1 == 0.7 and int(array(model.optimizer.iterations)) == 5
    assert float(array(model.optimizer.learning_rate)) == pytest.approx(0.02)
    names = {v.name.removeprefix(f"{model.name}_"): v for v in model.optimizer.variables}
    np.testing.assert_array_equal(array(names["d2_kernel_velocity"]), k2 + 20)
    model.save(tmp_path / "again.keras")
    again = keras.saving.load_model(tmp_path / "again.keras")
    np.testing.assert_array_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))


def test_optimizer_state_in_the_order_of_names(tmp_path: Path) -> None:
    first = dense_of_keras_1("z", 4, batch_input_shape=[None, 3])
    config = {"class_name": "Sequential", "config": [first, dense_of_keras_1("a", 2)]}
    z, a = [data(3, 4), data(4)], [data(4, 2), data(2)]
    optimizer = {"class_name": "SGD", "config": {"lr": 0.1, "momentum": 0.5, "decay": 0.0}}
    training = {"optimizer_config": optimizer, "loss": "mse", "metrics": []}
    path = tmp_path / "m.h5"
    state = [np.float32(3), *(x + 10 for x in a + z)]
    write_old(path, config, {"z": z, "a": a}, "2.0.5", training, state)
    model = keras.saving.load_model(path)
    found = {v.name: array(v) for v in model.optimizer.variables}
    np.testing.assert_array_equal(found[f"{model.name}_z_kernel_momentum"], z[0] + 10)
    write_old(path, config, {"z": z, "a": a}, "2.0.5", training, state[:3])
    with pytest.warns(UserWarning, match="does not fit SGD; the optimizer begins anew"):
        keras.saving.load_model(path)


def test_graph_of_keras_1(tmp_path: Path) -> None:
    def merge(name: str, mode: str, *inputs: str) -> dict[str, Any]:
        config = {"name": name, "mode": mode, "concat_axis": -1, "dot_axes": -1}
        calls = [[[i, 0, 0] for i in inputs]]
        return {"class_name": "Merge", "name": name, "config": config, "inbound_nodes": calls}

    entry = {"batch_input_shape": [None, 3], "input_dtype": "float32", "name": "in"}
    dense = dense_of_keras_1("d", 3)
    config = {
        "class_name": "Model",
        "config": {
            "name": "g",
            "layers": [
                {"class_name": "InputLayer", "name": "in", "config": entry, "inbound_nodes": []},
                {**dense, "name": "d", "inbound_nodes": [[["in", 0, 0]], [["d", 0, 0]]]},
                merge("s", "sum", "in", "d"),
                {
                    **merge("c", "concat", "s"),
                    "inbound_nodes": [[["s", 0, 0], ["d", 1, 0]]],
                },
            ],
            "input_layers": [["in", 0, 0]],
            "output_layers": [["c", 0, 0]],
        },
    }
    kernel, bias = data(3, 3), data(3)
    weights = {"in": [], "d": [kernel, bias], "s": [], "c": []}
    model = keras.saving.load_model(write_old(tmp_path / "g.h5", config, weights))
    x = data(2, 3)
    y = x @ kernel + bias
    expected = np.concatenate([x + y, y @ kernel + bias], axis=-1)
    np.testing.assert_allclose(model.predict(x, verbose=0), expected, rtol=1e-5)


#: Mode of `Merge` -> what it gives of two matrices.
MODES: dict[str, Any] = {
    "sum": lambda a, b: a + b,
    "mul": lambda a, b: a * b,
    "ave": lambda a, b: (a + b) / 2,
    "max": np.maximum,
    "concat": lambda a, b: np.concatenate([a, b], axis=-1),
    "dot": lambda a, b: (a * b).sum(-1, keepdims=True),
    "cos": lambda a, b: (unit(a) * unit(b)).sum(-1, keepdims=True),
}


def unit(x: np.ndarray) -> np.ndarray:
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


@pytest.mark.parametrize("mode", MODES)
def test_merged_stacks_of_keras_1(tmp_path: Path, mode: str) -> None:
    """`Sequential([Merge([stack, Sequential([Merge([stack, stack]), ...])]), ...])`."""

    def stack(*layers: dict[str, Any]) -> dict[str, Any]:
        return {"class_name": "Sequential", "config": list(layers)}

    def merge(name: str, how: str, *branches: dict[str, Any]) -> dict[str, Any]:
        config = {"name": name, "mode": how, "concat_axis": -1, "dot_axes": -1}
        return {"class_name": "Merge", "config": {**config, "layers": list(branches)}}

    def first(name: str) -> dict[str, Any]:
        return stack(dense_of_keras_1(name, 4, batch_input_shape=[None, 3]))

    inner = stack(merge("m1", "sum", first("b"), first("c")), dense_of_keras_1("d", 4))
    last = merge("m2", mode, first("a"), inner)
    arrays = {n: [data(*s) + i / 9, data(4) - i / 9] for i, (n, s) in enumerate(
        {"a": (3, 4), "b": (3, 4), "c": (3, 4), "d": (4, 4)}.items()
    )}  # fmt: skip
    x = [data(5, 3), data(5, 3) + 1, data(5, 3) - 1]
    a, b, c = (v @ arrays[n][0] + arrays[n][1] for v, n in zip(x, "abc", strict=True))
    expected = MODES[mode](a, (b + c) @ arrays["d"][0] + arrays["d"][1])
    kernel = data(expected.shape[-1], 2)
    weights = {"a": arrays["a"], "b": arrays["b"], "c": arrays["c"], "m1": [], "d": arrays["d"]}
    weights |= {"m2": [], "z": [kernel, data(2)]}
    config = stack(last, dense_of_keras_1("z", 2))
    model = keras.saving.load_model(write_old(tmp_path / "m.h5", config, weights))
    found = model.predict(x, verbose=0)
    np.testing.assert_allclose(found, expected @ kernel + data(2), rtol=1e-4)


def test_nested_models_of_keras_1(tmp_path: Path) -> None:
    """Gates, and turned kernels, inside of models and wrappers."""
    convolution = {"name": "c", "nb_filter": 3, "filter_length": 2, "border_mode": "valid"}
    convolution |= {"batch_input_shape": [None, 4, 2], "bias": True}
    gru = {"name": "g", "output_dim": 2, "return_sequences": True, "inner_activation": "sigmoid"}
    both = {"name": "both", "layer": {"class_name": "GRU", "config": gru}, "merge_mode": "sum"}
    spread = {"class_name": "TimeDistributed", "config": {"name": "t"}}
    spread["config"]["layer"] = dense_of_keras_1("d", 2)
    inner = [{"class_name": "Convolution1D", "config": convolution}, spread]
    inner.insert(1, {"class_name": "Bidirectional", "config": both})
    random = np.random.RandomState(0)
    conv = [random.rand(2, 1, 2, 3), random.rand(3)]
    gates = [random.rand(*s) for _ in range(2) for _ in "zrh" for s in ((3, 2), (2, 2), (2,))]
    dense = [random.rand(2, 2), random.rand(2)]
    flat = {"class_name": "Flatten", "config": {"name": "f"}}
    nested = {"class_name": "Sequential", "config": inner}
    whole = {"class_name": "Sequential", "config": [nested, flat]}
    weights = {"sequential_1": [*conv, *gates, *dense], "f": []}
    path = write_old(tmp_path / "m.h5", whole, weights, engine="theano")
    stack = keras.saving.load_model(path).layers[0].layers
    np.testing.assert_allclose(array(stack[0].kernel), conv[0][::-1, 0], rtol=1e-6)
    backward = [np.concatenate(gates[9 + i :: 3], axis=-1) for i in range(3)]
    for weight, value in zip(stack[1].backward_layer.weights, backward, strict=True):
        np.testing.assert_allclose(array(weight), value, rtol=1e-6)
    np.testing.assert_allclose(array(stack[2].layer.kernel), dense[0], rtol=1e-6)


def test_layers_of_keras_1(tmp_path: Path) -> None:
    convolution = {
        "name": "c",
        "batch_input_shape": [None, 2, 5, 5],
        "nb_filter": 3,
        "nb_row": 2,
        "nb_col": 3,
        "init": "glorot_uniform",
        "activation": "relu",
        "border_mode": "same",
        "subsample": [1, 1],
        "dim_ordering": "th",
        "bias": True,
        "W_regularizer": None,
    }
    pool = {"name": "p", "pool_size": [2, 2], "border_mode": "valid", "strides": [2, 2]}
    stack = [
        {"class_name": "Convolution2D", "config": convolution},
        {"class_name": "MaxPooling2D", "config": {**pool, "dim_ordering": "th"}},
        {"class_name": "Flatten", "config": {"name": "f", "trainable": True}},
    ]
    kernel, bias = data(3, 2, 2, 3), data(3)
    config = {"class_name": "Sequential", "config": stack}
    weights = {"c": [kernel, bias], "p": [], "f": []}
    for engine, expected in (
        (None, kernel.transpose(2, 3, 1, 0)),
        ("theano", kernel.transpose(2, 3, 1, 0)[::-1, ::-1]),
    ):
        path = write_old(tmp_path / "c.h5", config, weights, engine=engine)
        layer, pooling, _ = keras.saving.load_model(path).layers
        np.testing.assert_array_equal(array(layer.kernel), expected)
        assert layer.kernel_size == (2, 3) and layer.padding == "same"
        assert layer.data_format == pooling.data_format == "channels_first"


def test_lstm_of_keras_1(tmp_path: Path) -> None:
    config = {
        "name": "r",
        "batch_input_shape": [None, 4, 2],
        "output_dim": 3,
        "init": "glorot_uniform",
        "inner_init": "orthogonal",
        "forget_bias_init": "one",
        "activation": "tanh",
        "inner_activation": "hard_sigmoid",
        "dropout_W": 0.0,
        "dropout_U": 0.0,
        "return_sequences": False,
        "go_backwards": False,
        "stateful": False,
        "unroll": False,
        "consume_less": "cpu",
        "input_dim": 2,
        "input_length": 4,
    }
    random = np.random.RandomState(3)
    gates = {g: [random.rand(*s).astype("f") for s in ((2, 3), (3, 3), (3,))] for g in "icfo"}
    arrays = [a for g in "icfo" for a in gates[g]]
    whole = {"class_name": "Sequential", "config": [{"class_name": "LSTM", "config": config}]}
    model = keras.saving.load_model(write_old(tmp_path / "r.h5", whole, {"r": arrays}))
    x = data(2, 4, 2)
    h = c = np.zeros((2, 3), "float32")

    def gate(g: str, t: int) -> np.ndarray:
        w, u, b = gates[g]
        return x[:, t] @ w + h @ u + b

    def hard(z: np.ndarray) -> np.ndarray:
        return np.clip(0.2 * z + 0.5, 0, 1)

    for t in range(4):
        i, f, o = (hard(gate(g, t)) for g in "ifo")
        c = f * c + i * np.tanh(gate("c", t))
        h = o * np.tanh(c)
    np.testing.assert_allclose(model.predict(x, verbose=0), h, rtol=1e-5)


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        ({"class_name": "MaxoutDense", "config": {"name": "x"}}, "MaxoutDense"),
        (
            {"class_name": "Merge", "config": {"name": "x", "mode": "lambda"}},
            "'x' of Keras 1 merges",
        ),
        ({"class_name": "TFOpLambda", "config": {"name": "x", "function": "io.read"}}, "io.read"),
        (
            {"class_name": "LSTM", "config": {"name": "x", "units": 2, "time_major": True}},
            "time_major",
        ),
    ],
)
def test_what_has_no_equal_is_named(tmp_path: Path, layer: Any, message: str) -> None:
    config = {"class_name": "Sequential", "config": [layer]}
    with pytest.raises(ValueError, match=message) as caught:
        keras.saving.load_model(write_old(tmp_path / "m.h5", config, {}))
    assert "m.h5" in str(caught.value) and len(str(caught.value)) <= 700

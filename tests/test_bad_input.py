"""The forty mistakes that users make most: one clear message each, the same on every engine.

Numbers in names are those of the list of forty; what has none is another mistake. What is
wrong about backends (37 and 38) is in `test_import.py`, since it needs processes of its own.
"""

from __future__ import annotations

import json
import threading
import warnings
import zipfile
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import keraslite as keras
from keraslite import layers
from keraslite.backend import engine

training = pytest.mark.requires("trainable")


def model(
    loss: str | None = "mse", units: int = 1, activation: str | None = None, **kwargs
) -> keras.Model:
    found = keras.Sequential([keras.Input((4,)), layers.Dense(units, activation, name="head")])
    if loss:
        found.compile("sgd", loss, **kwargs)
    return found


def two_outputs() -> keras.Model:
    x = keras.Input((4,), name="x")
    found = keras.Model(x, {"a": layers.Dense(1)(x), "b": layers.Dense(1)(x)})
    found.compile("sgd", {"a": "mse", "b": "mse"})
    return found


def list_of_outputs(loss: Any = "mse") -> keras.Model:
    x = keras.Input((4,))
    found = keras.Model(x, [layers.Dense(1, name="first")(x), layers.Dense(1, name="second")(x)])
    found.compile("sgd", loss)
    return found


def two_inputs() -> keras.Model:
    given = {name: keras.Input((4,), name=name) for name in ("left", "right")}
    found = keras.Model(given, layers.Dense(1)(layers.Concatenate()(list(given.values()))))
    found.compile("sgd", "mse")
    return found


def table(nested: bool = False) -> keras.Model:
    """A model of indices, or one with such a model inside."""
    stack = [keras.Input((2,), dtype="int32"), layers.Embedding(10, 2, name="table")]
    if nested:
        stack[1:] = [keras.Sequential([layers.Embedding(10, 2, name="table")])]
    found = keras.Sequential([*stack, layers.Flatten(), layers.Dense(1)])
    found.compile("sgd", "mse")
    return found


X = np.ones((8, 4), "float32")
Y = np.ones((8, 1), "float32")
LABELS = np.array([0, 1, 2, 3, 0, 1, 2, 0])
INDICES = np.array([[1, 2], [3, 10]] * 4)


def with_nan() -> np.ndarray:
    x = X.copy()
    x[5, 2] = np.nan
    return x


def generator(batches: int = 3, x: Any = X, y: Any = Y):
    for _ in range(batches):
        yield x, y


def labels_that_go_wrong():
    yield X, LABELS % 3
    yield X, LABELS


def classifier() -> keras.Model:
    return model("sparse_categorical_crossentropy", 3, "softmax")


class Unregistered(layers.Layer):
    def call(self, inputs):
        return inputs


@keras.saving.register_keras_serializable("tests")
class WithoutConfig(layers.Layer):
    def __init__(self, size, scale, **kwargs):
        super().__init__(**kwargs)

    def get_config(self):
        return super().get_config()


def load_without_config(path):
    keras.Sequential([keras.Input((4,)), WithoutConfig(3, 2.0)]).save(path / "m.keras")
    keras.models.load_model(path / "m.keras")


def save_object(path):
    class Locked(layers.Layer):
        def __init__(self, lock, **kwargs):
            super().__init__(**kwargs)

    keras.Sequential([keras.Input((4,)), Locked(threading.Lock())]).save(path / "m.keras")


def load_no_archive(path):
    (path / "m.keras").write_bytes(b"no archive")
    keras.models.load_model(path / "m.keras")


def load_newer(path):
    model(None).save(path / "m.keras")
    with zipfile.ZipFile(path / "m.keras") as old, zipfile.ZipFile(path / "n.keras", "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if name == "metadata.json":
                data = json.dumps({**json.loads(data), "keras_version": "9.9.9"})
            if name == "config.json":
                data = data.replace(b'"Dense"', b'"DenseOfTheFuture"')
            new.writestr(name, data)
    keras.models.load_model(path / "n.keras")


def load_other_shapes(path):
    model(None).save_weights(path / "m.weights.h5")
    model(None, 3).load_weights(path / "m.weights.h5")


def load_more_layers(path):
    saved = keras.Sequential([keras.Input((4,)), layers.Dense(4), layers.Dense(4)])
    saved.save_weights(path / "m.weights.h5")
    keras.Sequential([keras.Input((4,)), layers.Dense(4)]).load_weights(path / "m.weights.h5")


def save_unbuilt(path):
    keras.Sequential([layers.Dense(2)]).save(path / "m.keras")


def load_unregistered(path):
    found = keras.Sequential([keras.Input((4,)), Unregistered()])
    found.save(path / "m.keras")
    keras.models.load_model(path / "m.keras")


def load_damaged(path):
    model(None).save(path / "m.keras")
    data = (path / "m.keras").read_bytes()
    (path / "m.keras").write_bytes(data[: len(data) // 2])
    keras.models.load_model(path / "m.keras")


def load_weights_file(path):
    model(None).save_weights(path / "m.weights.h5")
    keras.models.load_model(path / "m.weights.h5")


def foreign_tensor():
    torch = pytest.importorskip("torch")
    if engine.is_tensor(torch.ones(1)):
        import jax.numpy

        return jax.numpy.ones((8, 4))
    return torch.ones((8, 4))


# name: (call, words that the message must hold)
FORWARD: dict[str, tuple[Callable[[], Any], list[str]]] = {
    "1 width": (
        lambda: model()(np.ones((2, 5), "float32")),
        ["axis -1 to have size 4", "(2, 5)"],
    ),
    "1 width of a layer": (
        lambda: (layer := layers.Dense(2, name="dense"), layer(X), layer(X[:, :3]))[-1],
        ["'dense'", "axis -1", "size 4", "size 3", "(8, 3)"],
    ),
    "2 batch axis": (lambda: layers.Dense(2, name="d")(X[0]), ["'d'", "x[None]", "(4,)"]),
    "2 batch axis of a model": (lambda: model()(X[0]), ["x[None]", "(4,)"]),
    "2 batch axis in predict": (lambda: model().predict(X[0], verbose=0), ["x[None]", "(4,)"]),
    "3 evaluate before compile": (lambda: model(None).evaluate(X, Y), ["compile", "evaluate"]),
    "8 label in evaluate": (
        lambda: classifier().evaluate(X, LABELS, verbose=0),
        ["label 3 in row 3", "from 0 to 2", "3 classes"],
    ),
    "24 input key": (
        lambda: two_inputs()({"left": X, "rigth": X}),
        ["['right']", "Did you mean 'rigth'?", "['left', 'right']"],
    ),
    "24 input key missing": (lambda: two_inputs()({"left": X}), ["['right']", "['left']"]),
    "24 array for a dict": (lambda: two_inputs()(X), ["dict", "['left', 'right']", "(8, 4)"]),
    "take": (
        lambda: keras.ops.take(np.ones((2, 3)), [[0, 1], [2, 3]], axis=-1),
        ["ops.take", "index 3", "size 3", "(2, 3)"],
    ),
    "25 activation": (lambda: layers.Dense(2, activation="rleu"), ["'rleu'", "'relu'"]),
    "25 loss": (lambda: model("msee"), ["'msee'", "'mse'"]),
    "25 optimizer": (lambda: model(None).compile("adaam"), ["'adaam'", "'adam'"]),
    "25 metric": (lambda: model(metrics=["acuracy"]), ["'acuracy'", "'accuracy'"]),
    "26 argument": (
        lambda: layers.Dense(2, actvation="relu"),
        ["Dense", "'actvation'", "'activation'"],
    ),
    "26 argument of Keras 1": (
        lambda: layers.Conv2D(3, 3, border_mode="same"),
        ["'border_mode'", "'padding'"],
    ),
    "26 metrics as the third argument": (
        lambda: model(None).compile("adam", "mse", ["accuracy"]),
        ["`loss_weights`", "`metrics=[...]`", "['accuracy']"],
    ),
    "26 argument of an optimizer": (
        lambda: keras.optimizers.Adam(learning_rte=0.1),
        ["Adam", "'learning_rte'", "'learning_rate'"],
    ),
    "26 argument of compile": (
        lambda: model(None).compile("sgd", metric=["mae"]),
        ["`compile`", "'metric'", "Did you mean 'metrics'?"],
    ),
    "26 argument of fit": (
        lambda: model().fit(X, Y, epoch=3),
        ["`fit`", "'epoch'", "Did you mean 'epochs'?"],
    ),
    "39 two frameworks": (lambda: layers.Dense(2, name="d")(foreign_tensor()), ["d", "ensor"]),
    "40 index": (
        lambda: layers.Embedding(10, 2, name="table")(INDICES),
        ["'table'", "from 0 to 9", "input_dim=10", "inputs[1, 1] = 10"],
    ),
    "40 negative index": (
        lambda: layers.Embedding(10, 2, name="table")(INDICES - 2),
        ["'table'", "inputs[0, 0] = -1"],
    ),
    "40 index in predict": (
        lambda: table().predict(INDICES, verbose=0),
        ["table'", "from 0 to 9", "inputs[1, 1] = 10"],
    ),
    "40 index in a generator": (
        lambda: table(nested=True).evaluate(generator(2, INDICES), verbose=0),
        ["table'", "inputs[1, 1] = 10"],
    ),
    "units": (lambda: layers.Dense(-3), ["units", "-3"]),
    "symbolic as array": (lambda: np.asarray(keras.Input((2,))), ["KerasTensor", "no value"]),
    "symbolic as condition": (lambda: bool(keras.Input((2,))), ["condition"]),
    "disconnected": (
        lambda: keras.Model(keras.Input((2,)), layers.Dense(1)(keras.Input((3,), name="lost"))),
        ["'lost'", "inputs"],
    ),
}

# name: (model, arguments of `fit`, words)
TRAINING: dict[str, tuple[Callable[[], Any], dict[str, Any], list[str]]] = {
    "class_weight": (classifier, {"class_weight": "balanced"}, ["a dict", "'balanced'"]),
    "1 width in fit": (model, {"x": X[:, :3]}, ["axis -1 to have size 4", "(None, 3)"]),
    "3 fit before compile": (lambda: model(None), {}, ["compile", "fit"]),
    "4 lengths": (model, {"y": Y[:5]}, ["`x` and `y`", "x: 8", "y: 5"]),
    "4 lengths of weights": (model, {"sample_weight": Y[:5, 0]}, ["sample_weight: 5"]),
    "5 broadcast targets": (model, {"y": X[:, :3]}, ["(None, 3)", "(None, 1)"]),
    "5 flat targets": (lambda: model(units=3), {"y": Y[:, 0]}, ["(None,)", "(None, 3)"]),
    "6 integers for categorical": (
        lambda: model("categorical_crossentropy", 3),
        {"y": LABELS % 3},
        ["sparse_categorical_crossentropy", "(None, 3)"],
    ),
    "7 one-hot for sparse": (
        classifier,
        {"y": np.eye(3)[LABELS % 3]},
        ["categorical_crossentropy", "integer labels"],
    ),
    "8 label": (classifier, {"y": LABELS}, ["label 3 in row 3", "from 0 to 2", "3 classes"]),
    "8 negative label": (classifier, {"y": LABELS - 1}, ["label -1 in row 0"]),
    "8 label of validation": (
        classifier,
        {"y": LABELS % 3, "validation_data": (X, LABELS)},
        ["label 3 in row 3"],
    ),
    "8 label in a later batch": (
        classifier,
        {"x": labels_that_go_wrong(), "y": None},
        ["label 3 in row 3"],
    ),
    "13 strings": (model, {"x": np.array([["a"] * 4] * 8)}, ["StringLookup"]),
    "14 ragged": (
        model,
        {"x": np.array([[1, 2, 3, 4]] * 7 + [[1, 2]], dtype=object)},
        ["`x`", "row 7", "4", "2", "pad_sequences"],
    ),
    "16 lists": (model, {"x": X.tolist()}, ["`x`", "np.array(x)"]),
    "17 empty": (model, {"x": X[:0], "y": Y[:0]}, ["0 samples"]),
    "17 empty generator": (model, {"x": generator(0), "y": None}, ["0 batches"]),
    "19 no tuple": (model, {"x": iter([X]), "y": None}, ["tuples", "of shape (8, 4)"]),
    "20 split of a generator": (
        model,
        {"x": generator(), "y": None, "validation_split": 0.2},
        ["validation_split", "generator", "validation_data"],
    ),
    "21 batch_size of a generator": (
        model,
        {"x": generator(), "y": None, "batch_size": 4},
        ["batch_size=4", "generator"],
    ),
    "22 list of losses": (
        lambda: list_of_outputs(["mse"]),
        {"y": [Y, Y]},
        ["2 output", "first, second", "`loss`", "length 1"],
    ),
    "23 one target": (list_of_outputs, {}, ["2 outputs", "first, second", "targets"]),
    "23 number of targets": (two_outputs, {"y": [Y, Y, Y]}, ["2 output", "targets"]),
    "24 keys of targets": (two_outputs, {"y": {"a": Y, "c": Y}}, ["'c'", "['a', 'b']"]),
    "24 missing key of targets": (two_outputs, {"y": {"a": Y}}, ["'b'"]),
    "40 index in fit": (table, {"x": INDICES}, ["table'", "from 0 to 9", "inputs[1, 1] = 10"]),
    "no targets": (model, {"y": None}, ["mean_squared_error", "needs targets"]),
    "epochs": (model, {"epochs": 2.5}, ["`epochs`", "2.5"]),
    "validation_freq": (
        model,
        {"validation_data": (X, Y), "validation_freq": 0},
        ["validation_freq=0", "at least 1"],
    ),
    "validation_every": (model, {"validation_every": 3}, ["validation_every=3", "validation_data"]),
    "max_time": (model, {"max_time": -1}, ["`max_time`", "-1", "timedelta"]),
    "verbose": (model, {"verbose": 7}, ["`verbose`", "7"]),
}

FILES: dict[str, tuple[Callable[[Any], Any], list[str]]] = {
    "27 unbuilt": (save_unbuilt, ["built"]),
    "28 unregistered": (load_unregistered, ["Unregistered", "register_keras_serializable"]),
    "29 arguments without get_config": (
        load_without_config,
        ["WithoutConfig", "'size'", "'scale'"],
    ),
    "29 objects without get_config": (save_object, ["lock", "get_config"]),
    "30 damaged": (load_damaged, ["m.keras"]),
    "31 no archive": (load_no_archive, ["m.keras", "no zip archive"]),
    "31 missing": (
        lambda path: keras.models.load_model(path / "no.keras"),
        ["no file", "no.keras"],
    ),
    "32 newer": (load_newer, ["n.keras", "9.9.9", "3.15.1"]),
    "33 shapes": (load_other_shapes, ["head/kernel", "(4, 3)", "(4, 1)", "skip_mismatch"]),
    "34 more layers": (load_more_layers, ["layers/dense_1", "skip_mismatch"]),
    "35 weights file": (load_weights_file, ["load_weights"]),
    "36 unwritable": (lambda path: model().save(path / "no" / "m.keras"), ["Cannot write", "no"]),
}

# name: (model, arguments of `fit`, words); they may be meant, so training goes on.
WARNINGS: dict[str, tuple[Callable[[], Any], dict[str, Any], list[str]]] = {
    "9 logits": (
        lambda: model("binary_crossentropy"),
        {},
        ["'binary_crossentropy'", "'head'", "from_logits=True", "'sigmoid'"],
    ),
    "9 logits of classes": (
        lambda: model("sparse_categorical_crossentropy", 3),
        {"y": LABELS % 3},
        ["'head'", "from_logits=True", "'softmax'"],
    ),
    "10 softmax of one unit": (
        lambda: model("mse", 1, "softmax"),
        {},
        ["'head'", "(None, 1)", "'sigmoid'"],
    ),
    "11 NaN": (model, {"x": with_nan()}, ["`x` holds NaN", "row 5 of 8", "(8, 4)"]),
    "11 NaN in targets": (model, {"y": with_nan()[:, 2:3]}, ["`y` holds NaN", "row 5 of 8"]),
    "11 NaN in a generator": (
        model,
        {"x": generator(1, with_nan()), "y": None},
        ["`x` holds NaN", "row 5 of 8"],
    ),
    "12 loss": (
        model,
        {"x": X * np.float32(1e30)},
        ["The loss is inf after epoch 1", "learning rate", "set_debug_nans"],
    ),
    "15 integers": (
        model,
        {"x": np.full((8, 4), 2**24 + 2)},
        ["16777216", "int64", "16777218", "float32"],
    ),
    "18 exhausted": (
        model,
        {"x": generator(), "y": None, "steps_per_epoch": 10},
        ["got 3 of 10", "repeat"],
    ),
    "monitor": (
        model,
        {"callbacks": [keras.callbacks.EarlyStopping("vall_loss")]},
        ["'vall_loss'", "Did you mean 'loss'?"],
    ),
}


class Looking(keras.Model):
    """A model of one's own, which looks up numbers that it computes."""

    def __init__(self) -> None:
        super().__init__()
        self.table = layers.Embedding(10, 2, name="table")
        self.head = layers.Dense(3, activation="softmax")

    def call(self, x):
        return self.head(self.table(x[:, 0] + 1))


def looking(loss: str = "sparse_categorical_crossentropy") -> keras.Model:
    found = Looking()
    found.compile("sgd", loss)
    return found


def tensors(*arrays: np.ndarray) -> list[Any]:
    return [engine.convert(x) for x in arrays]


ROWS = np.array([[1, 1], [8, 8]] * 4)
# name: (model, x, y, words): out of range where only the step, or the device, has the numbers.
RANGES: dict[str, tuple[Callable[[], Any], Any, Any, list[str]]] = {
    "indices": (looking, ROWS + 1, LABELS % 3, ["/table'", "from 0 to 9", "10", "input_dim"]),
    "negative indices": (looking, ROWS - 3, LABELS % 3, ["/table'", "from 0 to 9", "-1"]),
    "tensor of indices": (looking, *tensors(ROWS + 1, LABELS % 3), ["/table'", "10"]),
    "tensor of indices for a graph": (table, *tensors(INDICES, Y), ["table'", "10"]),
    "tensor of labels": (classifier, *tensors(X, LABELS), ["label 3 in row 3", "3 classes"]),
    "tensors of a generator": (
        classifier,
        lambda: generator(2, *tensors(X, LABELS)),
        None,
        ["label 3", "3 classes"],
    ),
}


@pytest.mark.parametrize("name", RANGES)
def test_ranges(name: str) -> None:
    make, x, y, words = RANGES[name]
    check(lambda: make().evaluate(x() if callable(x) else x, y, verbose=0), words)


@training
@pytest.mark.parametrize("name", RANGES)
def test_ranges_in_training(name: str) -> None:
    make, x, y, words = RANGES[name]
    fitted = make()
    check(lambda: fitted.fit(x() if callable(x) else x, y, verbose=0), words)
    if x is not RANGES["indices"][1]:
        return
    # Once said, it is forgotten.
    assert np.isfinite(fitted.fit(ROWS, y, verbose=0).history["loss"]).all()


def old_import(name: str) -> Callable[[], Any]:
    module, _, found = name.rpartition(".")
    return lambda: exec(f"from keraslite.{module} import {found}")


# What programs for Keras 1 and 2 say: (call, words)
OLD: dict[str, tuple[Callable[[], Any], list[str]]] = {
    "units": (lambda: layers.Dense(output_dim=3), ["Dense", "'output_dim'", "'units'"]),
    "init": (lambda: layers.Dense(3, init="uniform"), ["'init'", "'kernel_initializer'"]),
    "regularizer": (lambda: layers.Dense(3, W_regularizer="l2"), ["'kernel_regularizer'"]),
    "convolution": (
        lambda: layers.Convolution2D(nb_filter=3, nb_row=3, nb_col=3, subsample=(2, 2)),
        ["'filters'", "kernel_size=(nb_row, nb_col)", "'strides'"],
    ),
    "pooling": (lambda: layers.MaxPooling1D(pool_length=2), ["'pool_size'"]),
    "dropout": (lambda: layers.Dropout(p=0.5), ["'p'", "'rate'"]),
    "LSTM": (lambda: layers.LSTM(3, dropout_U=0.2), ["'recurrent_dropout'"]),
    "consume_less": (lambda: layers.LSTM(3, consume_less="gpu"), ["chosen by itself"]),
    "model": (lambda: keras.Model(input=1, output=2), ["`inputs` and `outputs`", "input, output"]),
    "epochs": (lambda: model().fit(X, Y, nb_epoch=3), ["`fit`", "'epochs'"]),
    "workers": (lambda: model().fit(X, Y, workers=3), ["PyDataset"]),
    "samples": (lambda: model().fit(X, Y, samples_per_epoch=3), ["'steps_per_epoch'"]),
    "class_mode": (lambda: model(class_mode="binary"), ["`compile`", "The loss and the metrics"]),
    "rate": (lambda: keras.optimizers.Adam(lr=0.1), ["Adam", "`learning_rate`"]),
    "optimizer": (lambda: keras.optimizers.adam(0.1), ["`keras.optimizers.Adam`"]),
    "period": (lambda: keras.callbacks.ModelCheckpoint("a.keras", period=3), ["'save_freq'"]),
    "gradients": (lambda: keras.callbacks.TensorBoard("a", write_grads=True), ["`train_step`"]),
    "l2": (lambda: keras.regularizers.L2(l=0.1), ["L2", "'l'", "'l2'"]),
    "fit_generator": (lambda: model().fit_generator, ["Sequential", "`fit` takes generators"]),
    "classes": (lambda: model().predict_classes, ["`predict(x).argmax(-1)`"]),
    "yaml": (lambda: model().to_yaml, ["`to_json`"]),
    "output_shape": (lambda: layers.Dense(2).output_shape, ["Dense", "`output.shape`"]),
    "reset_states": (lambda: keras.metrics.Mean().reset_states, ["`reset_state`"]),
    "cuDNN": (lambda: layers.CuDNNLSTM(3), ["keraslite.layers", "`keras.layers.LSTM`"]),
    "constraint": (lambda: keras.constraints.maxnorm(3), ["`keras.constraints.MaxNorm`"]),
    "np_utils": (lambda: keras.utils.np_utils, ["part of `keras.utils`"]),
    "objectives": (lambda: keras.objectives, ["part of `keras.losses`"]),
    "backend": (lambda: keras.backend.square(X), ["`keras.ops`"]),
    "backend function": (lambda: keras.backend.permute_dimensions, ["`keras.ops.transpose`"]),
    "sessions": (lambda: keras.backend.get_session(), ["no sessions"]),
    **{
        f"import {name}": (old_import(name), [word])
        for name, word in {
            "layers.CuDNNGRU": "`keras.layers.GRU`",
            "layers.Merge": "`keras.layers.Add`",
            "layers.convolutional.Conv2D": "part of `keras.layers`",
            "layers.advanced_activations.LeakyReLU": "part of `keras.layers`",
            "layers.experimental.preprocessing": "part of `keras.layers`",
            "engine.topology.Layer": "part of `keras.layers`",
            "utils.np_utils": "part of `keras.utils`",
            "utils.np_utils.to_categorical": "part of `keras.utils`",
            "utils.multi_gpu_model": "one device",
            "wrappers.scikit_learn.KerasClassifier": "part of `keras.wrappers`",
            "losses.Reduction": "'sum_over_batch_size'",
        }.items()
    },
}


@pytest.mark.parametrize("name", OLD)
def test_old_names(name: str) -> None:
    call, words = OLD[name]
    with pytest.raises((AttributeError, ImportError, TypeError, ValueError)) as caught:
        call()
    _check_words(str(caught.value), words)


def test_what_is_old_and_still_works() -> None:
    for make in (
        lambda: layers.Dense(3, input_dim=4),
        lambda: layers.Embedding(10, 3, input_length=5),
        lambda: layers.LSTM(3, implementation=2, unit_forget_bias=True),
        lambda: layers.LeakyReLU(alpha=0.3),
        lambda: layers.Convolution2D(3, (3, 3), input_shape=(5, 5, 1)),
        lambda: layers.InputLayer(input_shape=(3,), input_dtype="int32"),
        lambda: keras.Input(batch_shape=(2, 3)),
        lambda: keras.callbacks.ModelCheckpoint("a.h5"),
        lambda: keras.preprocessing.image.img_to_array,
    ):
        make()
    assert not hasattr(layers, "CuDNNLSTM") and not hasattr(model(), "fit_generator")


def check(call, words, *args) -> None:
    with pytest.raises((ValueError, TypeError, OSError)) as caught:
        call(*args)
    _check_words(str(caught.value), words)


def _check_words(message: str, words: list[str]) -> None:
    assert len(message) <= 600
    for word in words:
        assert word in message, message


def test_all_forty_are_here() -> None:
    names = [*FORWARD, *TRAINING, *FILES, *WARNINGS]
    numbers = {int(word) for word, *_ in map(str.split, names) if word.isdigit()}
    assert numbers == set(range(1, 41)) - {37, 38}


@pytest.mark.parametrize("name", FORWARD)
def test_forward(name: str) -> None:
    check(*FORWARD[name])


def _fit(name: str, table: dict[str, Any]) -> tuple[Callable[[], Any], list[str]]:
    make, given, words = table[name]
    given = {"x": X, "y": Y, "verbose": 0, **given}
    return lambda: make().fit(**given), words


@training
@pytest.mark.parametrize("name", TRAINING)
def test_training(name: str) -> None:
    check(*_fit(name, TRAINING))


@pytest.mark.parametrize("name", FILES)
def test_files(name: str, tmp_path) -> None:
    check(*FILES[name], tmp_path)


@training
@pytest.mark.parametrize("name", WARNINGS)
def test_warnings(name: str) -> None:
    call, words = _fit(name, WARNINGS)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call()
    _check_words(str(caught[0].message), words)


@training
def test_what_is_meant_is_left_alone() -> None:
    """Values that a loss ignores or a user's own loss may understand."""
    ignoring = keras.losses.SparseCategoricalCrossentropy(ignore_class=-1)
    fits = [
        (model(ignoring, 3, "softmax"), X, LABELS % 3 - 1 + (LABELS % 3 > 0)),
        (model(lambda y, p: keras.ops.mean(keras.ops.nan_to_num(y) - p, -1)), X, with_nan()),
        (model(keras.losses.BinaryCrossentropy(from_logits=True)), X, Y),
        (table(), INDICES % 10, Y),
    ]
    for fitted, x, y in fits:
        assert np.isfinite(fitted.fit(x, y, verbose=0).history["loss"]).all()

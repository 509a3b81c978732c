"""Functional models: what they may be called with, features, freezing, masks, clones, errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import keraslite
from keraslite import layers, ops
from tests.models.table import arrays, assert_same, fresh, keras, oracle_tensors, values

ONE = np.ones((2, 3), "float32")
TWO = 2 * ONE


def two_inputs(k: Any) -> Any:
    a, b = k.Input((3,), name="a"), k.Input((3,), name="b")
    return k.Model([a, b], [a + b, a - 2 * b], name="listed")


def dict_inputs(k: Any) -> Any:
    a, b = k.Input((3,), name="a"), k.Input((3,), name="b")
    return k.Model({"y": a, "x": b}, {"sum": a + b, "more": (a * b,)}, name="keyed")


def one_input(k: Any) -> Any:
    a = k.Input((3,), name="a")
    return k.Model(a, a * 2, name="plain")


def column(k: Any) -> Any:
    a = k.Input((3, 1), name="a")
    return k.Model(a, a * 2, name="column")


CALLS: list[tuple[Callable[[Any], Any], Any]] = [
    (two_inputs, [ONE, TWO]),
    (two_inputs, (ONE, TWO)),
    (two_inputs, {"b": TWO, "a": ONE}),
    (two_inputs, {"b": TWO, "a": ONE, "unused": ONE}),
    (dict_inputs, {"x": ONE, "y": TWO}),
    (one_input, ONE),
    (one_input, [ONE]),
    (one_input, {"a": ONE}),
    (one_input, ONE.astype("int32")),
    (one_input, ONE[..., None]),
    (column, ONE),
    (column, ONE[..., None]),
]


@pytest.mark.parametrize(("build", "inputs"), CALLS)
def test_calls(build: Callable[[Any], Any], inputs: Any) -> None:
    ours, theirs = fresh(build)
    assert_same(ours(inputs), theirs(oracle_tensors(inputs)))


WRONG_CALLS: list[tuple[Callable[[Any], Any], Any, str]] = [
    (two_inputs, ONE, "expects 2 input.*Received: 1"),
    (two_inputs, [ONE, ONE, ONE], "expects 2 input.*Received: 3"),
    (two_inputs, {"a": ONE, "c": ONE}, r"'listed' misses the input\(s\) \['b'\]"),
    (dict_inputs, {"x": ONE}, r"misses the input\(s\) .*Expected keys: \['x', 'y'\]"),
    (dict_inputs, [ONE, TWO], r"expects a dict with the keys \['x', 'y'\]"),
    (one_input, [ONE, ONE], "expects 1 input.*Received: 2"),
    (one_input, np.ones((2, 4)), r"'a' of model 'plain': expected shape=\(None, 3\)"),
    (one_input, np.ones((3,)), "If the batch axis is missing"),
    (one_input, np.ones((2, 3, 4)), r"Received: shape=\(2, 3, 4\)"),
    (one_input, None, "must not be None"),
]


@pytest.mark.parametrize(("build", "inputs", "message"), WRONG_CALLS)
def test_wrong_calls(build: Callable[[Any], Any], inputs: Any, message: str) -> None:
    ours, theirs = fresh(build)
    with pytest.raises(ValueError, match=message) as caught:
        ours(inputs)
    assert len(str(caught.value)) <= 600
    with pytest.raises(ValueError):
        theirs(inputs)


def _graphs() -> list[tuple[str, Callable[[], Any], str]]:
    a, other = keraslite.Input((3,), name="a"), keraslite.Input((3,), name="other")
    model = keraslite.Model
    same = layers.Dense(3, name="same")(layers.Dense(2, name="same")(a))
    return [
        ("disconnected", lambda: model(a, a + other), "'other'.*not among the model's inputs"),
        ("array as input", lambda: model(ONE, a), "`inputs` must hold symbolic .* ndarray"),
        ("layer as output", lambda: model(a, layers.Dense(2)), "`outputs` must hold .* Dense"),
        ("no output", lambda: model(a, []), "`outputs` is empty"),
        ("None", lambda: model(a, None), "`outputs` must hold .* NoneType"),
        ("twice", lambda: model([a, a], a + 1), "'a' is given twice"),
        ("equal names", lambda: model(a, same), "two layers named 'same'"),
        ("only inputs", lambda: model(inputs=a), "needs both `inputs` and `outputs`"),
        ("only outputs", lambda: model(outputs=a), "needs both `inputs` and `outputs`"),
    ]


@pytest.mark.parametrize(("what", "make", "message"), _graphs(), ids=lambda x: str(x)[:20])
def test_wrong_graphs(what: str, make: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        make()
    assert len(str(caught.value)) <= 600


def net(k: Any) -> Any:
    x = k.Input((3,), name="x")
    y = k.ops.relu(k.layers.Dense(4, name="first")(x))
    inner = k.Sequential([k.Input((4,)), k.layers.Dense(4, name="in_inner")], name="inner")
    y = k.layers.BatchNormalization(name="bn")(inner(y))
    tied = k.layers.Dense(4, name="tied")
    y = k.layers.Dropout(0.5, name="drop")(tied(y) + tied(y * 2))
    return k.Model(x, {"out": k.layers.Dense(2, name="last")(y)}, name="net")


def test_get_layer() -> None:
    model, theirs = fresh(net)
    assert [x.name for x in model.layers] == [x.name for x in theirs.layers]
    assert model.get_layer("first") is model.layers[1] is model.get_layer(index=1)
    assert model.get_layer(index=-1).name == "last"
    for arguments, message in (
        ({"name": "frist"}, "no layer 'frist'. Did you mean 'first'"),
        ({"name": "relu"}, "no layer 'relu'"),  # An op is no layer.
        ({"index": 9}, "has 7 layers. Received: index=9"),
        ({}, "Give a name or an index"),
        ({"name": "first", "index": 1}, "Give a name or an index"),
    ):
        with pytest.raises(ValueError, match=message):
            model.get_layer(**arguments)
        with pytest.raises(ValueError):
            theirs.get_layer(**arguments)


def test_features_share_the_layers() -> None:
    model, _ = fresh(net)
    features = keraslite.Model(model.inputs, model.get_layer("first").output)
    assert features.get_layer("first") is model.get_layer("first")
    kernel, bias = model.get_layer("first").get_weights()
    np.testing.assert_allclose(arrays(features(ONE)), ONE @ kernel + bias, rtol=1e-4, atol=1e-5)
    several = keraslite.Model(model.input, [model.get_layer(x).output for x in ("first", "bn")])
    assert [x.shape for x in several(ONE)] == [(2, 4), (2, 4)]
    # From a tensor in the middle: nothing above it is part of the model.
    tail = keraslite.Model(model.get_layer("bn").output, model.output["out"])
    assert [x.name for x in tail.layers][1:] == ["tied", "drop", "last"]
    assert tail(np.ones((2, 4), "float32")).shape == (2, 2)


def test_the_output_of_a_layer_used_twice_is_that_of_its_first_call() -> None:
    layer = keraslite.layers.Dense(3)
    first, second = keraslite.Input((2,)), keraslite.Input((2,))
    outputs = layer(first), layer(second)
    assert layer.input is first
    assert layer.output is outputs[0]
    assert second in [first, second] and [first, second].index(second) == 1
    assert keraslite.Model(first, layer.output).layers[1] is layer


# Freezing ------------------------------------------------------------------------------


def _freeze(names: list[str], value: bool = False) -> Callable[[Any], None]:
    def change(model: Any) -> None:
        for name in names:
            owner = model
            for part in name.split("/"):
                owner = owner.get_layer(part) if part else owner
            owner.trainable = value

    return change


def _in_turn(*changes: Callable[[Any], None]) -> Callable[[Any], None]:
    def change(model: Any) -> None:
        for each in changes:
            each(model)

    return change


def _kernel_only(model: Any) -> None:
    model.get_layer("first").kernel.trainable = False


@pytest.mark.parametrize(
    "change",
    [
        _freeze([""]),
        _freeze(["first", "bn"]),
        _freeze(["inner"]),
        _freeze(["inner/in_inner"]),
        _in_turn(_freeze([""]), _freeze([""], True)),
        _in_turn(_freeze([""]), _freeze(["last"], True)),
        _in_turn(_freeze(["inner"]), _freeze(["inner/in_inner"], True)),
        _kernel_only,
    ],
)
def test_freezing(change: Callable[[Any], None]) -> None:
    ours, theirs = fresh(net)
    for model in (ours, theirs):
        change(model)
    for name in ("trainable_weights", "non_trainable_weights"):
        assert [w.path for w in getattr(ours, name)] == [w.path for w in getattr(theirs, name)]
    for name in ("trainable_variables", "non_trainable_variables"):
        assert len(getattr(ours, name)) == len(getattr(theirs, name))
    assert [x.trainable for x in ours.layers] == [x.trainable for x in theirs.layers]


def test_frozen_batch_normalization_keeps_its_statistics() -> None:
    model, _ = fresh(net)
    bn = model.get_layer("bn")
    before = bn.moving_mean.numpy()
    bn.trainable = False
    model(values(4, 3), training=True)
    np.testing.assert_array_equal(bn.moving_mean.numpy(), before)
    bn.trainable = True
    model(values(4, 3), training=True)
    assert np.abs(bn.moving_mean.numpy() - before).max() > 0


# Masks and `training` --------------------------------------------------------------------


def spies(k: Any) -> tuple[type, type, list[Any]]:
    """A layer that notes what it is called with, one that stops masks, and the notes."""
    seen: list[Any] = []

    class Spy(k.layers.Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.supports_masking = True

        def call(self, x, training=None, mask=None):
            seen.append((self.name, training, mask))
            return x * 1.0

    class Stop(k.layers.Layer):
        def call(self, x):
            return x + 0.0

    return Spy, Stop, seen


def noted(k: Any, seen: list[Any]) -> list[Any]:
    def plain(mask: Any) -> Any:
        return None if mask is None else k.ops.convert_to_numpy(mask).astype(int).tolist()

    return sorted([(name, training, plain(mask)) for name, training, mask in seen], key=str)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("training", [True, False])
def test_masks_and_training_reach_every_layer(training: bool) -> None:
    tokens = np.array([[1, 2, 0], [3, 0, 0]], "int32")
    found = []
    for k in (keraslite, keras):
        spy, stop, seen = spies(k)
        ids = k.Input((3,), dtype="int32")
        x = spy(name="embedded")(k.layers.Embedding(5, 2, mask_zero=True)(ids))
        x = spy(name="after_dense")(k.layers.Dense(2)(x))
        inner = k.Model(ids, [x, spy(name="stopped")(stop()(x))], name="inner")
        kept, lost = inner(ids)
        joined = spy(name="added")(k.layers.add([kept, k.layers.Dropout(0.5)(kept)]))
        stack = k.Sequential([spy(name="in_stack"), k.layers.Dense(2)])
        model = k.Model(ids, [spy(name="end")(stack(joined)), spy(name="lost")(lost)])
        seen.clear()
        model(k.ops.convert_to_tensor(tokens), training=training)
        found.append(noted(k, seen))
    assert found[0] == found[1]
    assert ("end", training, [[1, 1, 0], [1, 0, 0]]) in found[0]


def test_what_the_graph_says_of_training_holds() -> None:
    """As the guides of Keras have it: `base(x, training=False)` stays so while fine-tuning."""
    spy, _, seen = spies(keraslite)
    x = keraslite.Input((3,))
    base = keraslite.Model(x, spy(name="spy")(x))
    model = keraslite.Model(x, base(x, training=False))
    seen.clear()
    model(ONE, training=True)
    assert seen == [("spy", False, None)]


@pytest.mark.filterwarnings("ignore")
def test_mask_given_by_the_user() -> None:
    mask = np.array([[True, False, True]])
    found = []
    for k in (keraslite, keras):
        spy, _, seen = spies(k)
        x, m = k.Input((3, 2)), k.Input((3,), dtype="bool")
        explicit = k.Model([x, m], spy(name="explicit")(x, mask=m))
        through = k.Model(x, spy(name="through")(x))
        seen.clear()
        data = k.ops.ones((1, 3, 2))
        explicit([data, k.ops.convert_to_tensor(mask)], training=False)
        through(data, mask=k.ops.convert_to_tensor(mask), training=False)
        found.append(noted(k, seen))
    assert found[0] == found[1]


# Clones --------------------------------------------------------------------------------


def test_clone_functions() -> None:
    model, _ = fresh(net)
    cloned_names, called_names = [], []

    def clone(layer: Any) -> Any:
        cloned_names.append(layer.name)
        if isinstance(layer, layers.Dropout):
            return layers.Identity(name=layer.name)
        return type(layer).from_config(layer.get_config())

    def call(layer: Any, *args: Any, **kwargs: Any) -> Any:
        called_names.append(layer.name)
        return layer(*args, **kwargs)

    copy = keraslite.models.clone_model(model, clone_function=clone, call_function=call)
    assert sorted(cloned_names) == sorted(x.name for x in model.layers[1:])
    assert isinstance(copy.get_layer("drop"), layers.Identity)
    assert called_names.count("tied") == 2 and called_names.count("inner") == 1
    copy.set_weights(model.get_weights())
    assert_same(copy(ONE), model(ONE))
    cloned_names.clear()
    keraslite.models.clone_model(model, clone_function=clone, recursive=True)
    assert "in_inner" in cloned_names and "inner" not in cloned_names


def test_clone_with_inputs() -> None:
    model, _ = fresh(net)
    entry = keraslite.Input((3,), batch_size=7, name="entry")
    copy = keraslite.models.clone_model(model, input_tensors=entry)
    assert copy.inputs[0].name == "entry" and copy.output_shape == (7, 2)
    for wrong, message in (
        ([entry, keraslite.Input((3,))], r"1 tensor\(s\). Received: 2"),
        (ONE, "must hold symbolic tensors"),
    ):
        with pytest.raises(ValueError, match=message):
            keraslite.models.clone_model(model, input_tensors=wrong)
    with pytest.raises(ValueError, match="`clone_function` must return a layer. Received: 3"):
        keraslite.models.clone_model(model, clone_function=lambda layer: 3)


def test_compile_config() -> None:
    def compiled(k: Any) -> Any:
        model = net(k)
        model.compile(
            "adam",
            loss={"out": "mse"},
            metrics={"out": ["mae", k.metrics.MeanSquaredError(name="own")]},
            loss_weights={"out": 2.0},
            jit_compile=False,
            steps_per_execution=3,
        )
        return model

    ours, theirs = fresh(compiled)
    config = ours.get_compile_config()
    found, expected = dict(config), theirs.get_compile_config()
    # Keras may write the place of an optimizer of one engine.
    assert found.pop("optimizer")["config"] == expected.pop("optimizer")["config"]
    assert found == expected
    again, _ = fresh(net)
    again.compile_from_config(config)
    assert again.get_compile_config() == config and again.optimizer.built
    assert keraslite.models.clone_model(ours).get_compile_config()["loss"] == config["loss"]


def test_ops_in_the_graph_are_read_from_symbols() -> None:
    x = keraslite.Input((4,))
    for use, message in ((bool, "condition"), (list, "iterated"), (float, "float")):
        with pytest.raises(TypeError, match=message):
            use(x)
    with pytest.raises(ValueError, match="do not broadcast"):
        _ = x + keraslite.Input((3,))
    assert ops.matmul(x, np.ones((4, 2), "float32")).shape == (None, 2)

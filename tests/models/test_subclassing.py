"""Subclasses of `Model`: what belongs to them, building, losses, metrics, configs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import keraslite
from tests.models.table import arrays, assert_same, fresh, keras, some_weights, subclassed, values

ONE = np.ones((2, 3), "float32")
BOTH = pytest.mark.parametrize("k", [keraslite, keras], ids=["keraslite", "keras"])


def owner(k: Any) -> Any:
    """State in every kind of place, before and after variables of its own."""

    def dense(name: str) -> Any:
        return k.layers.Dense(1, name=name)

    class Owner(k.Model):
        def __init__(self):
            super().__init__(name="owner")
            self.b = dense("b")
            self.w = self.add_weight(shape=(1,), name="w")
            self.a = dense("a")
            self.items = [dense("in_list"), self.a, "no layer"]
            self.keyed = {"z": dense("z"), "y": [dense("y")]}
            self.pair = (dense("in_tuple"),)
            self.nothing = None
            self.bn = k.layers.BatchNormalization(name="bn")
            self.unused = dense("unused")

        def build(self, input_shape):
            self.late = dense("late")
            self.counter = self.add_weight(shape=(), trainable=False, name="counter")
            self.v = self.add_weight(shape=(1,), name="v")

        def call(self, x):
            for layer in (self.b, self.bn, self.items[0], self.a, self.keyed["z"], self.pair[0]):
                x = layer(x)
            return self.late(self.keyed["y"][0](x)) + self.w

    return Owner()


def test_what_belongs_to_a_model() -> None:
    ours, theirs = fresh(owner)
    for model, k in ((ours, keraslite), (theirs, keras)):
        model(k.ops.ones((2, 3)))
    assert [x.name for x in ours.layers] == [x.name for x in theirs.layers]
    for name in ("weights", "variables", "trainable_weights", "non_trainable_weights"):
        assert [w.path for w in getattr(ours, name)] == [w.path for w in getattr(theirs, name)]
    assert ours.count_params() == theirs.count_params()
    assert ours.get_build_config() == theirs.get_build_config() == {"input_shape": (2, 3)}
    assert isinstance(ours.items, list) and type(ours.keyed) is dict
    # Lists stay open: what is added later is found too.
    ours.items.append(keraslite.layers.Dense(1, name="later"))
    assert "later" in [x.name for x in ours.layers]
    ours.b = None
    del ours.bn
    assert not {"b", "bn"} & {x.name for x in ours.layers}


class Pairs(keraslite.Model):
    """`call` with several arguments, of which one is a switch."""

    def __init__(self, units: int = 4, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units = units
        self.dense = keraslite.layers.Dense(units, name="dense")

    def call(self, x: Any, y: Any, both: bool = True, training: bool = False) -> Any:
        return self.dense(x) + self.dense(y) if both else self.dense(x)


class One(keraslite.Model):
    def __init__(self, units: int = 4, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units = units
        self.dense = keraslite.layers.Dense(units, name="dense")

    def call(self, x: Any) -> Any:
        return self.dense(x)


def test_several_arguments() -> None:
    model = Pairs(name="pairs")
    both, one = arrays(model(ONE, y=2 * ONE)), arrays(model(ONE, ONE, both=False))
    np.testing.assert_allclose(both, 3 * one, rtol=1e-5)
    assert model.get_build_config() == {"input_shape": (2, 3)}
    with pytest.raises(TypeError, match="'y'"):
        model(ONE)
    with pytest.raises(ValueError, match="its `call` needs x, y. Call it on data"):
        Pairs().build((None, 3))
    a, b = keraslite.Input((3,)), keraslite.Input((3,))
    graph = keraslite.Model([a, b], [model(a, y=b), model(a, b, both=False)])
    assert_same(graph([ONE, 2 * ONE]), [both, one])


def test_build() -> None:
    model = One(name="one")
    assert not model.built and model.weights == []
    model.build((None, 3))
    assert model.built and [w.path for w in model.weights] == [
        "one/dense/kernel",
        "one/dense/bias",
    ]
    assert model.get_build_config() == {"input_shape": (None, 3)}
    again = One()
    again.build_from_config(model.get_build_config())
    assert len(again.weights) == 2
    assert model.compute_output_shape((None, 3)) == (None, 4)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # Keras infers with uninitialized arrays.
@BOTH
def test_trees_as_arguments_and_results(k: Any) -> None:
    class Trees(k.Model):
        def __init__(self):
            super().__init__()
            self.dense = k.layers.Dense(2)

        def call(self, inputs, training=None):
            return {"sum": inputs["a"] + inputs["b"][0], "out": [self.dense(inputs["a"])]}

    model = Trees()
    x = k.ops.ones((2, 3))
    outputs = model({"a": x, "b": (x,)})
    assert outputs["sum"].shape == (2, 3) and outputs["out"][0].shape == (2, 2)
    assert model.get_build_config() == {"input_shape": {"a": (2, 3), "b": ((2, 3),)}}
    a, b = k.Input((3,), name="a"), k.Input((3,), name="b")
    graph = k.Model([a, b], model({"a": a, "b": (b,)}))
    assert sorted(graph([x, x])) == ["out", "sum"]


def test_in_a_functional_model() -> None:
    def build(k: Any) -> Any:
        x = k.Input((4,), name="x")
        net = subclassed(k)
        outputs = net(x)
        return k.Model(x, k.layers.Dense(1, name="end")(outputs["b"]), name="around")

    ours, theirs = fresh(build)
    assert [x.name for x in ours.layers] == ["x", "net", "end"]
    assert [w.path for w in ours.weights] == [w.path for w in theirs.weights]
    assert ours.output_shape == theirs.output_shape == (None, 1)
    for model in (ours, theirs):
        model.set_weights(some_weights(theirs))
    x = values(3, 4)
    for training in (False, True):
        assert_same(ours(x, training=training), theirs(x, training=training))


@BOTH
def test_that_calls_the_constructor_with_a_graph(k: Any) -> None:
    class Made(k.Model):
        def __init__(self, units, **kwargs):
            x = k.Input((3,), name="x")
            super().__init__(x, k.layers.Dense(units, name="d")(x), **kwargs)
            self.units = units

        def twice(self):
            return 2 * self.units

    model = Made(2, name="made")
    assert isinstance(model, Made) and type(model).__name__ == "Made" and model.twice() == 4
    assert model.input_shape == (None, 3) and model(k.ops.ones((2, 3))).shape == (2, 2)
    assert [w.path for w in model.weights] == ["d/kernel", "d/bias"]


# Losses and metrics ----------------------------------------------------------------------


def penalized(k: Any, simple: bool = False) -> Any:
    class Penalty(k.layers.Layer):
        def call(self, x):
            self.add_loss(k.ops.sum(x))
            return x

    class Penalized(k.Model):
        def __init__(self):
            super().__init__(name="penalized")
            self.penalty = Penalty()
            self.dense = k.layers.Dense(
                2,
                kernel_initializer="ones",
                kernel_regularizer="l1",
                activity_regularizer="l2",
            )
            self.mean = k.metrics.Mean(name="mean")
            self.inside = {"a": k.metrics.Mean(name="in_dict")}
            self.scale = self.add_weight(
                shape=(2,), regularizer="l2", initializer="ones", name="scale"
            )

        def call(self, x):
            x = self.penalty(x) if simple else self.penalty(self.penalty(x))
            x = self.dense(x) * self.scale
            self.add_loss([k.ops.mean(x), k.ops.max(x)])
            if not simple:
                self.mean.update_state(x)
            return x

    return Penalized()


def test_losses_are_those_of_the_last_call() -> None:
    ours, theirs = fresh(penalized)
    for scale in (1.0, 2.0):
        ours(scale * ONE)
        theirs(keras.ops.convert_to_tensor(scale * ONE))
        found, expected = arrays(ours.losses), arrays(theirs.losses)
        np.testing.assert_allclose(sorted(found), sorted(expected), rtol=1e-5)
    ours.dense.trainable = False
    assert len(ours.losses) == len(found) - 1
    assert [m.name for m in ours.metrics] == ["mean", "in_dict"]
    assert [w.path for w in ours.metrics_variables] == [w.path for w in theirs.metrics_variables]
    np.testing.assert_allclose(float(ours.mean.result()), float(theirs.mean.result()))


def test_symbolic_calls_leave_no_losses() -> None:
    x = keraslite.Input((3,))
    model = keraslite.Model(x, penalized(keraslite)(x))
    values_ = arrays(model.losses)  # Those of the weights, which have a value.
    assert len(values_) == 2
    model(ONE)
    assert len(model.losses) == 7
    with pytest.raises(ValueError, match="takes no symbolic tensor"):
        model.add_loss(keraslite.ops.sum(x))


def test_a_compiled_model_inside_another_keeps_its_loss_to_itself() -> None:
    inner = One()
    inner(ONE)
    inner.compile("sgd", "mse", metrics=["mae"])
    x = keraslite.Input((3,))
    outer = keraslite.Model(x, inner(x))
    outer.compile("sgd", "mse")
    assert outer.metrics[0] is not inner.metrics[0]
    assert [m.name for m in outer.metrics] == ["loss"]


@pytest.mark.requires("trainable")
def test_added_losses_are_trained() -> None:
    def history(model: Any, k: Any) -> dict[str, Any]:
        model.compile(k.optimizers.SGD(0.01), "mse")
        return model.fit(ONE, np.zeros((2, 2), "float32"), epochs=2, verbose=0).history

    # On jax, Keras neither updates metrics inside `call` nor adds two penalties of one layer.
    ours, theirs = fresh(lambda k: penalized(k, simple=True))
    expected = history(theirs, keras)["loss"]
    np.testing.assert_allclose(history(ours, keraslite)["loss"], expected, rtol=1e-4)
    logs = history(penalized(keraslite), keraslite)
    np.testing.assert_allclose(logs["loss"], np.add(expected, 6.0), rtol=1e-4)
    np.testing.assert_allclose(logs["mean"][0], 3.0, rtol=1e-5)


# State that comes too late -------------------------------------------------------------


def _late(k: Any, layer: Any) -> dict[str, Any]:
    """Assignments to a layer, and whether they give it new state."""
    return {
        "layer": (lambda: setattr(layer, "late", k.layers.Dense(1)), True),
        "in a list": (lambda: setattr(layer, "late", [1, [k.layers.Dense(1)]]), True),
        "metric": (lambda: setattr(layer, "late", k.metrics.Mean()), True),
        "seed": (lambda: setattr(layer, "late", k.random.SeedGenerator(1)), True),
        "variable": (lambda: setattr(layer, "late", k.Variable(np.ones(2))), True),
        "replaced": (lambda: setattr(layer, "inner", k.layers.Dense(1)), True),
        "weight": (lambda: layer.add_weight(shape=(2,)), True),
        "known": (lambda: setattr(layer, "again", [layer.inner]), False),
        "others": (lambda: setattr(layer, "numbers", [1, {"a": 2}]), False),
        "compiled": (lambda: layer.compile("sgd", "mse", metrics=["mae"]), False),
    }


class _Late:
    def __init__(self) -> None:
        super().__init__()
        self.inner = self.module.layers.Dense(2)

    def call(self, x):
        return self.inner(x)


@BOTH
@pytest.mark.parametrize("row", _late(None, None))
def test_layers_that_are_built_take_no_new_state(k: Any, row: str) -> None:
    model = type("Late", (_Late, k.Model), {"module": k})()
    model(ONE)
    change, refused = _late(k, model)[row]
    if refused:
        with pytest.raises(ValueError, match=r"\bbuilt\b"):
            change()
        assert len(model.layers) == 1 and len(model.weights) == 2
    else:
        change()


@BOTH
def test_calls_make_no_state(k: Any) -> None:
    class Makes(k.layers.Layer):
        def call(self, x):
            self.inner = k.layers.Dense(2)
            return self.inner(x)

    with pytest.raises(ValueError, match=r"\bbuilt\b"):
        Makes()(ONE)
    open_ended = k.Sequential([k.Input((3,)), k.layers.Dense(2)])
    open_ended.extra = k.layers.Dense(1)


def test_parts_built_in_a_trace_know_no_batch_size() -> None:
    class Stacked(keraslite.layers.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.stack = keraslite.Sequential([keraslite.layers.Dense(2)])

        def call(self, x):
            return self.stack(x)

    layer = Stacked()
    layer(keraslite.Input((3,)))
    assert layer.stack.input_shape == (None, 3) and layer.stack.output_shape == (None, 2)
    assert layer.stack.layers[0].get_build_config() == {"input_shape": (None, 3)}


# Configs and errors ----------------------------------------------------------------------


def test_config() -> None:
    model = One(7, name="mine")
    config = model.get_config()
    assert config["units"] == 7 and config["name"] == "mine"
    again = One.from_config(config)
    assert again.units == 7 and again.name == "mine"
    assert keraslite.models.clone_model(model).units == 7
    read = keraslite.models.model_from_json(model.to_json(), custom_objects={"One": One})
    assert isinstance(read, One) and read.units == 7
    with pytest.raises(ValueError, match="One"):
        keraslite.models.model_from_json(model.to_json())
    with pytest.raises(ValueError, match="functional models. Received: a model of type 'One'"):
        keraslite.models.clone_model(model, clone_function=lambda layer: layer)


def test_errors() -> None:
    class NoCall(keraslite.Model):
        pass

    class Taken(keraslite.Model):
        def __init__(self) -> None:
            super().__init__()
            self.layers = []

    assert NoCall().layers == [] and NoCall().weights == []
    with pytest.raises(NotImplementedError, match="'NoCall' must define `call"):
        NoCall()(ONE)
    with pytest.raises(AttributeError, match="Choose another name"):
        Taken()
    with pytest.raises(ValueError, match="count|no weights"):
        One().count_params()
    with pytest.raises(AttributeError, match="never called on a symbolic tensor"):
        _ = One().input
    model = One()
    model(ONE)
    with pytest.raises(ValueError, match="has 2 weights. Received: a list of 1"):
        model.set_weights([ONE])

"""`Sequential`: growing and shrinking, building late, errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import keraslite
from tests.models.table import assert_same, fresh, keras, oracle_tensors, values

BOTH = pytest.mark.parametrize("k", [keraslite, keras], ids=["keraslite", "keras"])


def dense(k: Any, name: str, units: int = 2) -> Any:
    return k.layers.Dense(units, name=name)


@BOTH
def test_unbuilt(k: Any) -> None:
    model = k.Sequential([dense(k, "a"), dense(k, "b")])
    assert not model.built and model.weights == [] and len(model.layers) == 2
    for name in ("inputs", "outputs", "input_shape", "output_shape", "input", "output"):
        assert not hasattr(model, name)
    with pytest.raises(ValueError):
        model.count_params()
    assert "build_input_shape" not in model.get_config()


@BOTH
def test_built_by_data(k: Any) -> None:
    model = k.Sequential([dense(k, "a", 3), dense(k, "b")])
    assert model(k.ops.ones((2, 4))).shape == (2, 2)
    assert model.built and model.input_shape == (2, 4) and model.output_shape == (2, 2)
    assert model.get_config()["build_input_shape"] == (2, 4)
    assert [layer.name for layer in model.layers] == ["a", "b"]
    # Another batch size is fine; other features are not.
    assert model(k.ops.ones((5, 4))).shape == (5, 2)
    with pytest.raises(ValueError):
        model(k.ops.ones((2, 3)))


@BOTH
@pytest.mark.parametrize("with_input", [True, False])
def test_add_and_pop_rebuild(k: Any, with_input: bool) -> None:
    model = k.Sequential([k.Input((4,))] if with_input else [])
    model.add(dense(k, "a", 3))
    model.add(dense(k, "b", 5))
    if not with_input:
        model.build((None, 4))
    assert model.output_shape == (None, 5) and len(model.weights) == 4
    assert model.pop().name == "b"
    assert model.built and model.output_shape == (None, 3) and len(model.weights) == 2
    model.add(dense(k, "c", 6))
    assert model.output_shape == (None, 6)
    model.pop()
    model.pop()
    assert model.layers == [] and model.weights == [] and not model.built


@BOTH
def test_a_layer_keeps_its_weights_when_the_stack_changes(k: Any) -> None:
    first = dense(k, "a", 3)
    model = k.Sequential([k.Input((4,)), first, dense(k, "b")])
    kernel = first.kernel
    model.pop()
    model.add(dense(k, "c", 7))
    assert first.kernel is kernel and model.weights[0] is kernel


@BOTH
def test_wrong_arguments(k: Any) -> None:
    model = k.Sequential([k.Input((4,)), dense(k, "a", 3)])
    wrong: list[Callable[[], Any]] = [
        lambda: model.add(3),
        lambda: model.add("dense"),
        lambda: model.add(k.layers.Dense),
        lambda: model.add(lambda x: x),
        lambda: model.add(k.Input((3,))),
        lambda: model.add(dense(k, "a")),
        lambda: k.Sequential([dense(k, "a"), dense(k, "a")]),
        lambda: k.Sequential([k.Input((3,)), k.Input((2,))]),
        lambda: k.Sequential().build((None, 3)),
        lambda: k.Sequential()(k.ops.ones((2, 3))),
    ]
    for make in wrong:
        with pytest.raises(ValueError):
            make()


def test_errors_say_what_to_do() -> None:
    with pytest.raises(ValueError, match=r"Make a layer of the class: `Dense\(...\)`"):
        keraslite.Sequential([keraslite.layers.Dense])
    with pytest.raises(ValueError, match="no layers to remove"):
        keraslite.Sequential().pop()
    with pytest.raises(ValueError, match=r"'s' needs a shape: `build\(\(None, 16\)\)`"):
        keraslite.Sequential([keraslite.layers.Dense(2)], name="s").build()
    with pytest.raises(AttributeError, match="'s' has no `output_shape` yet"):
        _ = keraslite.Sequential([keraslite.layers.Dense(2)], name="s").output_shape


@BOTH
def test_begins_with_a_functional_model(k: Any) -> None:
    x = k.Input((3,), name="x")
    base = k.Model(x, dense(k, "in_base", 4)(x), name="base")
    model = k.Sequential([base, dense(k, "head")], name="whole")
    assert model.built and model.input_shape == (None, 3)
    assert [layer.name for layer in model.layers] == ["base", "head"]
    assert [w.path for w in model.weights] == [
        "in_base/kernel",
        "in_base/bias",
        "whole/head/kernel",
        "whole/head/bias",
    ]


@BOTH
def test_several_inputs_in_the_first_layer(k: Any) -> None:
    model = k.Sequential([k.layers.Add(), dense(k, "a")])
    assert model([k.ops.ones((2, 3)), k.ops.ones((2, 3))]).shape == (2, 2)


@BOTH
def test_in_a_functional_model(k: Any) -> None:
    block = k.Sequential([dense(k, "a", 4), k.layers.ReLU()], name="block")
    x = k.Input((3,))
    model = k.Model(x, block(x) + block(x * 2))
    assert block.built and model.output_shape == (None, 4)
    assert [layer.name for layer in model.layers][1:] == ["block"]
    assert len(model.weights) == 2


@BOTH
def test_lengths_are_for_the_layers_to_judge(k: Any) -> None:
    """A stack takes other lengths than the first one that it saw: each layer knows its own."""

    class Block(k.layers.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.stack = k.Sequential([dense(k, "a", 4), k.layers.ReLU()])

        def call(self, x: Any) -> Any:
            return self.stack(x)

    x = k.Input((None, 3))
    model = k.Model(x, Block()(x))
    assert model.output_shape == (None, None, 4)
    for stack in (model, k.Sequential([k.Input((5, 3)), dense(k, "b", 4)])):
        for length in (5, 7):
            assert stack(k.ops.ones((2, length, 3))).shape == (2, length, 4)


@BOTH
def test_stacks_count_among_the_names_of_models(k: Any) -> None:
    k.utils.clear_session(free_memory=False)
    stack = k.Sequential([k.Input((3,)), dense(k, "a")])
    stack.add(dense(k, "b"))
    assert k.Model(stack.inputs, stack.outputs).name == "functional_2"


def test_clone_of_a_stack_that_data_built() -> None:
    def build(k: Any) -> Any:
        model = k.Sequential([dense(k, "a", 3), dense(k, "b")], name="s")
        model(k.ops.ones((2, 4)))
        return model

    ours, theirs = fresh(build)
    cloned, expected = keraslite.models.clone_model(ours), keras.models.clone_model(theirs)
    assert [w.path for w in cloned.weights] == [w.path for w in expected.weights]
    entry = keraslite.Input((4,), batch_size=7, name="entry")
    cloned = keraslite.models.clone_model(ours, input_tensors=entry)
    assert cloned.input_shape == (7, 4) and cloned.inputs[0].name == "entry"
    theirs.set_weights(ours.get_weights())
    cloned.set_weights(ours.get_weights())
    x = values(7, 4)
    assert_same(cloned(x), theirs(oracle_tensors(x)))


def test_config_keeps_what_is_frozen() -> None:
    model = keraslite.Sequential([keraslite.Input((4,)), dense(keraslite, "a")], trainable=False)
    again = keraslite.Sequential.from_config(model.get_config())
    assert not again.trainable and again.trainable_weights == []
    again.trainable = True
    assert len(again.trainable_weights) == 2
    assert_same(again(np.zeros((1, 4), "float32")), np.zeros((1, 2), "float32"))


class Holder(keraslite.Model):
    """A model that holds an unbuilt stack."""

    def __init__(self, stack: Any) -> None:
        super().__init__()
        self.stack = stack

    def call(self, x: Any) -> Any:
        return self.stack(x)


@pytest.mark.requires("trainable")
@pytest.mark.parametrize("hold", [lambda stack: stack, Holder], ids=["alone", "held"])
@pytest.mark.parametrize("first", ["Dense", "Dropout", "Identity"])
def test_built_by_fit(first: str, hold: Callable[[Any], Any]) -> None:
    layers = keraslite.layers
    makers = {"Dense": lambda: layers.Dense(3), "Dropout": lambda: layers.Dropout(0.5)}
    stack = keraslite.Sequential([makers.get(first, layers.Identity)(), layers.Dense(2)])
    model = hold(stack)
    model.compile("sgd", "mse")
    x = np.ones((4, 3), "float32")
    before = model.fit(x, x[:, :2], verbose=0).history["loss"]
    assert stack.built and np.isfinite(before).all()
    assert stack.input_shape[1:] == (3,) and stack.output_shape[1:] == (2,)
    assert model.predict(x, verbose=0).shape == (4, 2)

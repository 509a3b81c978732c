"""What calls leave behind: losses, the shapes that files tell, and what constructors refuse."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest

import keraslite
from keraslite.core.keras_tensor import KerasTensor

ONE = np.ones((2, 3), "float32")


def _values(k: Any, losses: list[Any]) -> list[float]:
    return [float(k.ops.convert_to_numpy(loss)) for loss in losses]


# Losses of calls -----------------------------------------------------------------------


def _adds(k: Any) -> Any:
    class Adds(k.layers.Layer):
        def call(self, x, on=True):
            if on:
                self.add_loss(k.ops.sum(x))
            return x

    return Adds()


def _composed(k: Any) -> Any:
    class Composed(k.layers.Layer):
        def __init__(self):
            super().__init__()
            self.a, self.b = _adds(k), _adds(k)
            self.d = k.layers.Dense(2, activity_regularizer="l2", kernel_initializer="ones")

        def call(self, x, all_of_them=True):
            x = self.a(x)
            return self.d(self.b(x) if all_of_them else x)

    return Composed()


def _repeated(k: Any, tensor: Callable[[Any], Any]) -> Any:
    layer = _adds(k)
    for factor in (1, 2, 3, 4):
        layer(tensor(factor * ONE))
        yield layer.losses
    layer(tensor(ONE), on=False)
    yield layer.losses


def _inside(k: Any, tensor: Callable[[Any], Any]) -> Any:
    layer = _composed(k)
    for factor in (1, 2, 3):
        layer(tensor(factor * ONE))
        yield layer.losses
    layer(tensor(ONE), all_of_them=False)
    yield layer.losses + layer.b.losses
    layer.b(tensor(5 * ONE))
    yield layer.losses
    layer(tensor(ONE), all_of_them=False)
    yield layer.losses


def _outside(k: Any, tensor: Callable[[Any], Any]) -> Any:
    layer = _adds(k)
    for factor in (1, 2):
        layer(tensor(factor * ONE))
        layer.add_loss(tensor(np.float32(7)))
        yield layer.losses


def _of_a_graph(k: Any, tensor: Callable[[Any], Any]) -> Any:
    inputs, shared = k.Input((3,)), _adds(k)
    model = k.Model(inputs, shared(shared(inputs)))
    yield model.losses
    for factor in (1, 2, 3):
        model(tensor(factor * ONE))
        yield model.losses


def _stateless(k: Any, tensor: Callable[[Any], Any]) -> Any:
    layer = _composed(k)
    layer(tensor(ONE))
    given = [[v.value for v in layer.trainable_variables], []]
    yield layer.stateless_call(*given, tensor(2 * ONE), return_losses=True)[2]
    yield layer.losses
    layer.stateless_call(*given, tensor(2 * ONE))
    yield layer.losses
    with k.StatelessScope(collect_losses=True) as scope:
        layer(tensor(3 * ONE))
    yield scope.losses


@pytest.mark.parametrize("case", [_repeated, _inside, _outside, _of_a_graph, _stateless])
def test_losses_are_those_of_the_last_outermost_call(case: Callable[..., Any]) -> None:
    found, expected = (
        [_values(k, losses) for losses in case(k, k.ops.convert_to_tensor)]
        for k in (keraslite, keras)
    )
    assert [len(losses) for losses in found] == [len(losses) for losses in expected]
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6)


# Shapes for files ----------------------------------------------------------------------


def _own(k: Any) -> Any:
    class Own(k.layers.Layer):
        def call(self, x):
            return x

    return Own()


STEPS = np.ones((2, 4, 3), "float32")
LAYERS: dict[str, tuple[Callable[[Any], Any], Any]] = {
    "Add": (lambda k: k.layers.Add(), [STEPS, STEPS]),
    "Dot": (lambda k: k.layers.Dot(2), [STEPS, STEPS]),
    "Flatten": (lambda k: k.layers.Flatten(), STEPS),
    "Reshape": (lambda k: k.layers.Reshape((12,)), STEPS),
    "Permute": (lambda k: k.layers.Permute((2, 1)), STEPS),
    "RepeatVector": (lambda k: k.layers.RepeatVector(2), ONE),
    "MaxPooling1D": (lambda k: k.layers.MaxPooling1D(), STEPS),
    "GlobalMaxPooling1D": (lambda k: k.layers.GlobalMaxPooling1D(), STEPS),
    "AdaptiveMaxPooling1D": (lambda k: k.layers.AdaptiveMaxPooling1D(2), STEPS),
    "ZeroPadding1D": (lambda k: k.layers.ZeroPadding1D(), STEPS),
    "Cropping1D": (lambda k: k.layers.Cropping1D(), STEPS),
    "UpSampling1D": (lambda k: k.layers.UpSampling1D(), STEPS),
    "Lambda": (lambda k: k.layers.Lambda(lambda x: x), STEPS),
    "Dropout": (lambda k: k.layers.Dropout(0.5), STEPS),
    "ReLU": (lambda k: k.layers.ReLU(), STEPS),
    "own": (_own, STEPS),
    "own, of a dict": (_own, {"a": STEPS, "b": STEPS}),
}


@pytest.mark.parametrize("name", LAYERS)
def test_build_config_of_layers_without_build(name: str) -> None:
    make, inputs = LAYERS[name]
    ours, theirs = make(keraslite), make(keras)
    assert ours.built == theirs.built
    ours(inputs), theirs(inputs)
    config = theirs.get_build_config()
    assert ours.built and ours.get_build_config() == config
    again = make(keraslite)
    again.build_from_config(config)
    assert again.get_build_config() == config


# Constructors --------------------------------------------------------------------------

OPTIONS: dict[str, tuple[Callable[[Any], Any], dict[str, Any]]] = {
    "Conv2D": (lambda k: k.layers.Conv2D, {"filters": 2, "pointwise_initializer": "ones"}),
    "DepthwiseConv2D": (lambda k: k.layers.DepthwiseConv2D, {"kernel_regularizer": "l2"}),
    "SeparableConv1D": (
        lambda k: k.layers.SeparableConv1D,
        {"filters": 2, "kernel_constraint": "non_neg"},
    ),
    "Conv2DTranspose": (lambda k: k.layers.Conv2DTranspose, {"filters": 2, "groups": 1}),
    "Conv1D, twice": (
        lambda k: k.layers.Conv1D,
        {"filters": 2, "strides": 2, "dilation_rate": 2},
    ),
    "ConvLSTM1D, twice": (
        lambda k: k.layers.ConvLSTM1D,
        {"filters": 2, "strides": 2, "dilation_rate": 2},
    ),
}


@pytest.mark.parametrize("name", OPTIONS)
def test_constructors_refuse(name: str) -> None:
    layer, options = OPTIONS[name]
    for k in (keraslite, keras):
        with pytest.raises((TypeError, ValueError)):
            layer(k)(kernel_size=3, **options)


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("name", ["DepthwiseConv2D", "SeparableConv2D"])
def test_steps_of_dilated_depthwise_windows(name: str, padding: str) -> None:
    if keras.backend.backend() == "numpy":
        pytest.skip("Keras's NumPy engine has no convolutions without another framework")
    filters = {"filters": 4} if name.startswith("Separable") else {}
    options = {"kernel_size": 3, "strides": 2, "dilation_rate": 2, "padding": padding, **filters}
    images = np.random.normal(size=(1, 11, 9, 2)).astype("float32")
    ours, theirs = (getattr(k.layers, name)(**options) for k in (keraslite, keras))
    theirs.build(images.shape)
    ours.build(images.shape)
    ours.set_weights(theirs.get_weights())
    np.testing.assert_allclose(
        keraslite.ops.convert_to_numpy(ours(images)),
        keras.ops.convert_to_numpy(theirs(images)),
        atol=1e-5,
    )


def test_lambda_with_the_shapes_of_several_outputs() -> None:
    layer = keraslite.layers.Lambda(lambda x: [x, x], output_shape=lambda shape: [shape, shape])
    assert [x.shape for x in layer(keraslite.Input((3,)))] == [(None, 3)] * 2


def test_lambda_functions_see_tensors_of_the_engine() -> None:
    seen = []

    def double(x):
        seen.append(type(x))
        return 2 * x

    output = keraslite.layers.Lambda(double)(keraslite.Input((3,)))
    assert output.shape == (None, 3) and seen and KerasTensor not in seen

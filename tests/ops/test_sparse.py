"""Sparse tensors: what takes them gives what Keras gives, all else says that it does not."""

from __future__ import annotations

import numpy as np
import pytest

import keraslite
from keraslite import layers, ops
from keraslite.backend import engine
from tests.layers.test_table import keras

D = np.array([[0, 1.5, 0], [2, 0, 0.5], [0, 0, 0], [0, -0.25, 0]], "float32")
#: Without zeros, so that nothing is divided by one.
FULL = np.arange(1, 13, dtype="float32").reshape(4, 3)
OTHER = np.array([[1, 0, 0], [3, 0, -1], [0, 0, 0], [0, 2, 0]], "float32")
NUMBERS = np.array([[0, 2, 0], [1, 0, 0]], "int32")

sparse_only = pytest.mark.requires("sparse")


def sparse(x: np.ndarray):
    return engine.to_sparse(engine.convert(x))


def numpy(x) -> np.ndarray:
    return engine.to_numpy(x)


def kind(x) -> tuple[bool, str, tuple]:
    return engine.is_sparse(x), engine.dtype(x), tuple(x.shape)


UNARY = """
    absolute negative sign square sqrt sin sinh tan tanh arcsin arcsinh arctan arctanh expm1 log1p
    floor ceil round real conj imag copy transpose squeeze exp log cos cosh reciprocal isfinite
""".split()  # noqa: SIM905
BINARY = {
    "sparse-sparse": lambda f: f(sparse(D), sparse(OTHER)),
    "sparse-dense": lambda f: f(sparse(D), FULL),
    "dense-sparse": lambda f: f(FULL, sparse(D)),
    "sparse-number": lambda f: f(sparse(D), 2.0),
}
#: Name -> a call on either package.
MORE = {
    "number-sparse": lambda k: k.ops.multiply(2.0, sparse(D)),
    "matmul dense": lambda k: k.ops.matmul(sparse(D), FULL.T),
    "matmul dense first": lambda k: k.ops.matmul(FULL.T, sparse(D)),
    "matmul sparse": lambda k: k.ops.matmul(sparse(D), sparse(OTHER.T)),
    "sum of rows": lambda k: k.ops.sum(sparse(D), axis=1),
    "sum kept": lambda k: k.ops.sum(sparse(D), axis=0, keepdims=True),
    "cast": lambda k: k.ops.cast(sparse(D), "float16"),
    "cast to ints": lambda k: k.ops.cast(sparse(D), "int32"),
    "reshape": lambda k: k.ops.reshape(sparse(D), (3, -1)),
    "flat": lambda k: k.ops.reshape(sparse(D), (-1,)),
    "expand_dims": lambda k: k.ops.expand_dims(sparse(D), 1),
    "squeeze": lambda k: k.ops.squeeze(k.ops.expand_dims(sparse(D), 0), 0),
    "transpose": lambda k: k.ops.transpose(k.ops.reshape(sparse(D), (2, 2, 3)), (1, 0, 2)),
    "concatenate": lambda k: k.ops.concatenate([sparse(D), sparse(OTHER)], axis=1),
    "concatenate mixed": lambda k: k.ops.concatenate([sparse(D), FULL]),
    "take": lambda k: k.ops.take(FULL, sparse(NUMBERS), axis=0),
    "one_hot": lambda k: k.ops.one_hot([0, 2, -1], 3, sparse=True),
    "flatten": lambda k: k.layers.Flatten()(k.ops.expand_dims(sparse(D), 1)),
    "concatenated layer": lambda k: k.layers.Concatenate()([sparse(D), sparse(D)]),
    "added layer": lambda k: k.layers.Add()([sparse(D), sparse(OTHER)]),
    "multiplied layer": lambda k: k.layers.Multiply()([sparse(D), sparse(OTHER)]),
    "reshaped layer": lambda k: k.layers.Reshape((3, 1))(sparse(D)),
}
CASES = {
    **{name: lambda k, name=name: getattr(k.ops, name)(sparse(D)) for name in UNARY},
    **{
        f"{name} {how}": lambda k, name=name, call=call: call(getattr(k.ops, name))
        for name in ("add", "subtract", "multiply", "divide", "maximum", "minimum")
        for how, call in BINARY.items()
        if (name, how) != ("divide", "sparse-sparse")
    },
    **MORE,
}


@sparse_only
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", CASES)
def test_as_in_keras(name: str) -> None:
    ours, theirs = CASES[name](keraslite), CASES[name](keras)
    assert kind(ours) == kind(theirs)
    np.testing.assert_allclose(
        numpy(ours), keras.ops.convert_to_numpy(theirs), rtol=1e-5, atol=1e-6
    )


ZERO_KEEPING = """
    relu relu6 leaky_relu elu selu silu gelu softsign celu hard_tanh soft_shrink trunc erf
    hard_shrink tanh_shrink deg2rad isnan isinf
""".split()  # noqa: SIM905
#: Beyond Keras, on some engine or on all: the result on dense tensors, and whether it is sparse.
BEYOND = {
    **{name: (lambda x, name=name: getattr(ops, name)(x), True) for name in ZERO_KEEPING},
    "sum": (lambda x: ops.sum(x), False),
    "mean": (lambda x: ops.mean(x), False),
    "mean of rows": (lambda x: ops.mean(x, axis=-1), True),
    "multiply by a row": (lambda x: ops.multiply(x, FULL[0]), True),
    "divide by a column": (lambda x: ops.divide(x, FULL[:, :1]), True),
    "add a row": (lambda x: ops.add(x, FULL[0]), False),
    "multiply to a larger shape": (lambda x: ops.multiply(x, np.ones((2, 1, 1), "float32")), None),
    "matmul of a batch": (lambda x: ops.matmul(x, np.ones((2, 3, 5), "float32")), False),
    "promoted": (lambda x: ops.add(ops.cast(x, "float16"), x), True),
    "operator": (lambda x: 3.0 * x if not engine.is_sparse(x) else ops.multiply(3.0, x), True),
    "activation": (lambda x: layers.Activation("relu")(x), True),
    "multi_hot": (lambda x: ops.multi_hot([[0, 2]], 3, sparse=engine.is_sparse(x)), True),
    "bincount": (lambda x: ops.bincount([0, 2, 2], sparse=engine.is_sparse(x)), True),
}


@sparse_only
@pytest.mark.parametrize("name", BEYOND)
def test_as_on_dense_tensors(name: str) -> None:
    call, wanted = BEYOND[name]
    found, expected = call(sparse(D)), call(engine.convert(D))
    if wanted is not None:
        assert engine.is_sparse(found) == wanted
    assert kind(found)[1:] == kind(expected)[1:]
    np.testing.assert_allclose(numpy(found), numpy(expected), rtol=1e-5, atol=1e-6)


@sparse_only
@pytest.mark.parametrize(
    "call",
    [
        lambda x: ops.softmax(x),
        lambda x: ops.max(x, axis=0),
        lambda x: ops.greater(x, 0),
        lambda x: ops.stack([x, x]),
        lambda x: layers.BatchNormalization()(x),
        lambda x: ops.softmax(keraslite.Input((3,), sparse=True)),
    ],
)
def test_all_else_says_that_it_takes_none(call) -> None:
    with pytest.raises(TypeError, match=r"takes no sparse tensors.*sparse=False"):
        call(sparse(D))


@pytest.mark.skipif(engine.capabilities.sparse, reason="the engine has sparse tensors")
def test_engines_without_say_so() -> None:
    with pytest.raises(NotImplementedError, match="does not support sparse tensors"):
        ops.one_hot([0, 1], 3, sparse=True)


@sparse_only
def test_tensors() -> None:
    x = sparse(D)
    assert ops.is_tensor(x) and engine.is_sparse(ops.convert_to_tensor(x))
    assert not engine.is_sparse(ops.convert_to_tensor(x, sparse=False))
    assert tuple(ops.shape(x)) == (4, 3) and ops.dtype(x) == "float32"
    np.testing.assert_array_equal(ops.convert_to_numpy(x), D)
    variable = keraslite.Variable(np.zeros_like(D))
    variable.assign(x)
    np.testing.assert_array_equal(variable.numpy(), D)


@sparse_only
def test_symbols_are_sparse_where_values_are() -> None:
    x = keraslite.Input((3,), sparse=True)
    assert x.sparse
    for make, wanted in (
        (lambda x: ops.relu(x), True),
        (lambda x: ops.exp(x), False),
        (lambda x: x + x, True),
        (lambda x: x + 1.0, False),
        (lambda x: x * 2.0, True),
        (lambda x: ops.matmul(x, FULL.T), False),
        (lambda x: ops.sum(x, axis=1), True),
        (lambda x: ops.sum(x), False),
        (lambda x: ops.concatenate([x, x]), True),
    ):
        assert make(x).sparse == wanted
    assert not layers.Dense(2)(x).sparse


@sparse_only
@pytest.mark.parametrize("activation", [None, "relu"])
def test_layers_and_models(activation) -> None:
    inputs = keraslite.Input((3,), sparse=True)
    outputs = layers.Dense(2, activation)(layers.Activation("tanh")(inputs))
    model = keraslite.Model(inputs, outputs)
    np.testing.assert_allclose(numpy(model(sparse(D))), numpy(model(D)), rtol=1e-5, atol=1e-6)
    predicted = model.predict(sparse(D), verbose=0)
    np.testing.assert_allclose(predicted, numpy(model(D)), rtol=1e-5, atol=1e-6)
    model.compile("sgd", "mse")
    losses = model.fit(sparse(D), np.ones((4, 2)), epochs=3, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    table = layers.Embedding(5, 2)
    np.testing.assert_array_equal(numpy(table(sparse(NUMBERS))), numpy(table(NUMBERS)))
    again = keraslite.Model.from_config(model.get_config())
    assert again.inputs[0].sparse


@sparse_only
def test_gradients_reach_dense_weights_and_steps_compile() -> None:
    w = keraslite.Variable(FULL.T[:, :2])
    x = sparse(D)

    def loss(x):
        product = ops.sum(ops.square(ops.matmul(x, w)))
        return product + ops.sum(ops.square(ops.multiply(x, w[:, 0])))

    def step(x):
        (value, _), grads = engine.value_and_grad(lambda: (loss(x), None), [w])
        return value, grads[0]

    expected = [numpy(v) for v in step(engine.convert(D))]
    for found in (step(x), engine.compile_step(step, [w])(x)):
        for a, b in zip(found, expected, strict=True):
            np.testing.assert_allclose(numpy(a), b, rtol=1e-4)

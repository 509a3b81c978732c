"""Ragged tensors: what takes them gives what Keras gives, all else says that it does not."""

from __future__ import annotations

import numpy as np
import pytest

import keraslite
from keraslite import layers, ops
from keraslite.backend import engine
from tests.layers.test_table import keras

pytestmark = pytest.mark.requires("ragged")

LENGTHS = np.array([3, 1, 0, 2])
PAIRS = np.linspace(-0.6, 0.9, 12, dtype="float32").reshape(6, 2)


def ragged(values: np.ndarray):
    return engine.to_ragged(engine.convert(values), engine.convert(LENGTHS))


def ids():
    return ragged(np.array([1, 2, 3, 4, 5, 6], "int32"))


def numbers():
    return ragged(PAIRS[:, 0])


def pairs():
    return ragged(PAIRS)


def rows(x):
    """Nested lists of ragged tensors and others."""
    return x.to_list() if engine.is_ragged(x) else engine.to_numpy(x).tolist()


COLUMN = np.array([[1.0], [2.0], [3.0], [4.0]], "float32")
UNARY = "exp abs relu sigmoid isnan cast stop_gradient zeros_like round gelu normalize softmax"
REDUCTIONS = "sum mean max min prod any std var"
#: Name -> a call on either package.
CASES = {
    **{
        name: lambda k, name=name: getattr(k.ops, name)(
            pairs(), *(["int32"] if name == "cast" else [])
        )
        for name in UNARY.split()
    },
    **{
        f"{name} of rows": lambda k, name=name: getattr(k.ops, name)(pairs()[:2], axis=1)
        for name in REDUCTIONS.split()
    },
    "sum of all": lambda k: k.ops.sum(numbers()),
    "sum inside": lambda k: k.ops.sum(pairs(), axis=-1),
    "add": lambda k: k.ops.add(numbers(), numbers()),
    "promoted": lambda k: k.ops.add(ids(), 1.5),
    "column": lambda k: k.ops.multiply(numbers(), COLUMN),
    "vector": lambda k: k.ops.multiply(pairs(), np.array([1, 2], "float32")),
    "where": lambda k: k.ops.where(k.ops.greater(numbers(), 0.1), numbers(), numbers()),
    "clip": lambda k: k.ops.clip(numbers(), 0, 0.5),
    "softmax of rows": lambda k: k.ops.softmax(numbers()),
    "lookup": lambda k: k.ops.take(PAIRS, ids() - 1, axis=0),
    "rows taken": lambda k: k.ops.take(pairs(), [3, 0], axis=0),
    "one_hot": lambda k: k.ops.one_hot(ids(), 7),
    "concatenate": lambda k: k.ops.concatenate([numbers(), numbers()], axis=1),
    "stack": lambda k: k.ops.stack([numbers(), numbers()]),
    "expand_dims": lambda k: k.ops.expand_dims(numbers(), 0),
    "squeeze": lambda k: k.ops.squeeze(k.ops.expand_dims(numbers(), 0), 0),
    "flip": lambda k: k.ops.flip(ids(), 1),
    "tile": lambda k: k.ops.tile(ids(), (1, 2)),
    "cumsum": lambda k: k.ops.cumsum(ids(), 1),
    "flat": lambda k: k.ops.reshape(pairs(), (-1,)),
    "dense": lambda k: k.ops.convert_to_tensor(numbers(), ragged=False),
    "numpy": lambda k: engine.convert(k.ops.convert_to_numpy(numbers())),
    "pooling": lambda k: k.layers.GlobalAveragePooling1D()(pairs()[:2]),
    "normalization": lambda k: k.layers.LayerNormalization()(pairs()),
    "batch": lambda k: k.layers.BatchNormalization()(pairs()),
    "batch in training": lambda k: k.layers.BatchNormalization()(pairs(), training=True),
    "activation": lambda k: k.layers.ELU()(pairs()),
    "joined": lambda k: k.layers.Concatenate()([pairs(), pairs()]),
    "averaged": lambda k: k.layers.Average()([pairs(), pairs()]),
    "integers": lambda k: k.layers.IntegerLookup(vocabulary=[1, 2, 3])(ids()),
    "counts": lambda k: k.layers.CategoryEncoding(7, output_mode="count")(ids()),
    "buckets": lambda k: k.layers.Hashing(3)(ids()),
    "many buckets": lambda k: k.layers.Hashing(3, output_mode="multi_hot")(ids()[:2]),
    "bins": lambda k: k.layers.Discretization(bin_boundaries=[0.0, 0.5])(numbers()),
    "counted bins": lambda k: k.layers.Discretization(
        bin_boundaries=[0.0, 0.5], output_mode="count"
    )(numbers()),
    "words": lambda k: k.layers.StringLookup(vocabulary=["a", "b"])(
        ragged(np.array(list("abcabc"), object))
    ),
    "counted words": lambda k: k.layers.StringLookup(vocabulary=["a", "b"], output_mode="count")(
        ragged(np.array(list("abcabc"), object))
    ),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", CASES)
def test_as_in_keras(name: str) -> None:
    ours, theirs = CASES[name](keraslite), CASES[name](keras)
    assert engine.is_ragged(ours) == engine.is_ragged(theirs)
    assert (engine.dtype(ours), tuple(ours.shape)) == (engine.dtype(theirs), tuple(theirs.shape))
    ours, theirs = rows(ours), rows(theirs)
    flat = [np.array([*_numbers(x)], "float64") for x in (ours, theirs)]
    np.testing.assert_allclose(*flat, rtol=1e-4, atol=1e-5)
    assert _lengths(ours) == _lengths(theirs)


def _numbers(x):
    return [y for item in x for y in _numbers(item)] if isinstance(x, list) else [x]


def _lengths(x):
    return [_lengths(item) for item in x] if isinstance(x, list) else None


@pytest.mark.parametrize(
    "call",
    [
        lambda: ops.transpose(pairs()),
        lambda: ops.sort(numbers()),
        lambda: ops.add(pairs(), ops.einsum("bti,ij->btj", pairs(), np.eye(2))),
        lambda: layers.LSTM(2)(pairs()),
        lambda: layers.Flatten()(pairs()),
        lambda: layers.MultiHeadAttention(1, 2)(pairs(), pairs()),
    ],
)
def test_all_else_says_that_it_takes_none(call) -> None:
    with pytest.raises(TypeError, match=r"takes no ragged tensors.*ragged=False"):
        call()


def test_other_numbers_of_axes_do_not_match() -> None:
    with pytest.raises(ValueError, match="same number of axes"):
        ops.add(pairs(), numbers())


class _Padding(keraslite.Model):
    def __init__(self) -> None:
        super().__init__()
        self.table, self.last = layers.Embedding(7, 4), layers.Dense(1)

    def call(self, x):
        padded = ops.convert_to_tensor(x, ragged=False)
        assert not engine.is_ragged(padded)
        return self.last(ops.mean(self.table(padded), axis=1))


def _declared() -> keraslite.Model:
    inputs = keraslite.Input((None,), dtype="int32", ragged=True)
    x = layers.Dropout(0.1)(layers.Dense(4, "relu")(layers.Embedding(7, 4)(inputs)))
    return keraslite.Model(inputs, layers.Dense(1)(layers.GlobalMaxPooling1D()(x)))


@pytest.mark.parametrize("make", [_declared, _Padding])
def test_models_train_and_predict(make) -> None:
    model, x, y = make(), ids(), np.array([[0.0], [1], [2], [3]])
    model.compile(keraslite.optimizers.Adam(0.05), "mse")
    # An empty row has no largest element.
    x, y = ops.take(x, [0, 1, 3], axis=0), y[:3]
    losses = model.fit(x, y, batch_size=2, epochs=8, verbose=0).history["loss"]
    assert np.isfinite(losses).all() and losses[-1] < losses[0]
    whole = model.predict(x, batch_size=3, verbose=0)
    assert whole.shape == (3, 1)
    if make is _declared:
        # Padding would change them, and rows of other batches do not.
        np.testing.assert_allclose(model.predict(x, batch_size=1, verbose=0), whole, rtol=1e-5)


def test_ragged_predictions_stay_ragged() -> None:
    model = keraslite.Sequential([layers.Embedding(7, 2)])
    found = model.predict(ids(), batch_size=2, verbose=0)
    assert engine.is_ragged(found)
    assert [len(row) for row in found.to_list()] == LENGTHS.tolist()

"""What layers say to bad arguments, inputs, masks and states: the same words on every engine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from keraslite import Input, initializers, layers, losses, metrics, regularizers
from keraslite.core.configurable import parameters_of


def ones(*shape: int) -> np.ndarray:
    return np.ones(shape, "float32")


# Ranks and channels ----------------------------------------------------------------------

# Constructor -> a shape that fits; whether it remembers its channels.
FITTING: dict[str, tuple[Callable[[], Any], tuple[int, ...], bool]] = {
    "Conv1D": (lambda: layers.Conv1D(2, 2), (2, 5, 3), True),
    "Conv2D": (lambda: layers.Conv2D(2, 2), (2, 5, 5, 3), True),
    "Conv3D": (lambda: layers.Conv3D(2, 2), (2, 4, 4, 4, 3), True),
    "Conv2DTranspose": (lambda: layers.Conv2DTranspose(2, 2), (2, 5, 5, 3), True),
    "DepthwiseConv2D": (lambda: layers.DepthwiseConv2D(2), (2, 5, 5, 3), True),
    "SeparableConv1D": (lambda: layers.SeparableConv1D(2, 2), (2, 5, 3), True),
    "MaxPooling1D": (lambda: layers.MaxPooling1D(), (2, 5, 3), False),
    "GlobalMaxPooling2D": (lambda: layers.GlobalMaxPooling2D(), (2, 5, 5, 3), False),
    "AdaptiveAveragePooling2D": (
        lambda: layers.AdaptiveAveragePooling2D(2),
        (2, 5, 5, 3),
        False,
    ),
    "Cropping2D": (lambda: layers.Cropping2D(), (2, 5, 5, 3), False),
    "ZeroPadding2D": (lambda: layers.ZeroPadding2D(), (2, 5, 5, 3), False),
    "UpSampling1D": (lambda: layers.UpSampling1D(), (2, 5, 3), False),
    "LSTM": (lambda: layers.LSTM(2), (2, 5, 3), True),
    "GRU": (lambda: layers.GRU(2), (2, 5, 3), True),
    "SimpleRNN": (lambda: layers.SimpleRNN(2), (2, 5, 3), True),
    "RNN": (lambda: layers.RNN(layers.LSTMCell(2)), (2, 5, 3), False),
    "Bidirectional": (lambda: layers.Bidirectional(layers.LSTM(2)), (2, 5, 3), True),
    "ConvLSTM2D": (lambda: layers.ConvLSTM2D(2, 2), (2, 2, 5, 5, 3), True),
    "SpatialDropout1D": (lambda: layers.SpatialDropout1D(0.5), (2, 5, 3), False),
    "RepeatVector": (lambda: layers.RepeatVector(2), (2, 3), False),
    "Permute": (lambda: layers.Permute((2, 1)), (2, 5, 3), False),
    "EinsumDense": (lambda: layers.EinsumDense("abc,cd->abd", (None, 4)), (2, 5, 3), False),
}


def refused(call: Callable[[], Any], *words: str, kind: Any = ValueError) -> None:
    with pytest.raises(kind) as caught:
        call()
    message = str(caught.value)
    assert len(message) <= 600
    for word in words:
        assert word in message, message


@pytest.mark.parametrize("name", FITTING)
def test_wrong_ranks_and_channels(name: str) -> None:
    make, shape, remembers = FITTING[name]
    for wrong in (shape[1:], (2, *shape)):
        refused(lambda wrong=wrong: make()(ones(*wrong)), "shape=")
        refused(lambda wrong=wrong: make()(Input(wrong[1:])), "shape=")
    if remembers:
        layer = make()
        layer(ones(*shape))
        other = (*shape[:-1], 4)
        refused(lambda: layer(ones(*other)), "size 3", str(other))


# Sizes -------------------------------------------------------------------------------------

SIZES: dict[str, Callable[[Any], Any]] = {
    "units": lambda n: layers.Dense(n),
    "input_dim": lambda n: layers.Embedding(n, 2),
    "output_dim": lambda n: layers.Embedding(2, n),
    "filters": lambda n: layers.Conv2D(n, 2),
    "kernel_size": lambda n: layers.Conv2D(2, n),
    "strides": lambda n: layers.Conv2D(2, 2, strides=n),
    "dilation_rate": lambda n: layers.Conv2D(2, 2, dilation_rate=n),
    "groups": lambda n: layers.Conv2D(2, 2, groups=n),
    "pool_size": lambda n: layers.MaxPooling2D(n),
    "output_size": lambda n: layers.AdaptiveMaxPooling2D(n),
    "size": lambda n: layers.UpSampling2D(n),
    "LSTMCell: `units": lambda n: layers.LSTM(n),
    "GRUCell: `units": lambda n: layers.GRUCell(n),
    "ConvLSTMCell: `filters": lambda n: layers.ConvLSTM1D(n, 2),
    "num_heads": lambda n: layers.MultiHeadAttention(n, 2),
    "key_dim": lambda n: layers.MultiHeadAttention(2, n),
    "value_dim": lambda n: layers.MultiHeadAttention(2, 2, value_dim=n),
    "output_shape": lambda n: layers.MultiHeadAttention(2, 2, output_shape=[n]),
    "head_dim": lambda n: layers.GroupQueryAttention(n, 2, 1),
    "EinsumDense: `output_shape": lambda n: layers.EinsumDense("ab,bc->ac", n),
    "power_iterations": lambda n: layers.SpectralNormalization(layers.Dense(2), n),
    "height": lambda n: layers.Resizing(n, 2),
}


@pytest.mark.parametrize("name", SIZES)
def test_sizes_must_be_positive_integers(name: str) -> None:
    for value in (0, -1, 2.5, "a"):
        refused(lambda value=value: SIZES[name](value), f"{name}`", f"Received: {value!r}"[:-1])


FORMATS = {
    "Conv2D": (2, 2),
    "Conv2DTranspose": (2, 2),
    "SeparableConv2D": (2, 2),
    "DepthwiseConv2D": (2,),
    "ConvLSTM2D": (2, 2),
    "MaxPooling2D": (),
    "GlobalMaxPooling2D": (),
    "AdaptiveMaxPooling2D": (2,),
    "Flatten": (),
    "Cropping2D": (),
    "ZeroPadding2D": (),
    "UpSampling2D": (),
    "SpatialDropout2D": (0.5,),
    "Resizing": (2, 2),
}


@pytest.mark.parametrize("name", FORMATS)
def test_unknown_data_formats(name: str) -> None:
    make = getattr(layers, name)
    refused(lambda: make(*FORMATS[name], data_format="frist"), "channels_last", "'frist'")


# Words of a few ------------------------------------------------------------------------------

_IMAGES = "Resizing RandomRotation RandomZoom RandomShear RandomElasticTransform"
# Argument -> names of what takes it, and what else these need.
CHOICES = {
    "padding": "Conv2D Conv1DTranspose DepthwiseConv2D SeparableConv1D ConvLSTM2D MaxPooling1D "
    "AveragePooling3D STFTSpectrogram",
    "interpolation": f"UpSampling2D {_IMAGES}",
    "fill_mode": _IMAGES,
    "mode": "RandomFlip STFTSpectrogram OrthogonalRegularizer VarianceScaling",
    "scaling": "STFTSpectrogram STFT",
    "window": "MelSpectrogram STFT",
    "side": "STFT",
    "distribution": "VarianceScaling",
    "merge_mode": "Bidirectional",
    "score_mode": "Attention",
    "output_mode": "Hashing CategoryEncoding Discretization IntegerLookup StringLookup "
    "TextVectorization HashedCrossing",
    "standardize": "TextVectorization",
    "split": "TextVectorization",
    "reduction": "MeanSquaredError SparseCategoricalCrossentropy Dice",
    "average": "F1Score FBetaScore",
    "class_aggregation": "R2Score",
    "summation_method": "AUC",
}
NEEDS: dict[str, dict[str, Any]] = {
    **dict.fromkeys(
        ("Conv2D", "Conv1DTranspose", "SeparableConv1D", "ConvLSTM2D"),
        {"filters": 2, "kernel_size": 2},
    ),
    "DepthwiseConv2D": {"kernel_size": 2},
    "Resizing": {"height": 2, "width": 2},
    "RandomRotation": {"factor": 0.1},
    "RandomZoom": {"height_factor": 0.1},
    "Bidirectional": {"layer": layers.LSTM(2)},
    "Hashing": {"num_bins": 3},
    "HashedCrossing": {"num_bins": 3},
    "CategoryEncoding": {"num_tokens": 3},
    "Discretization": {"num_bins": 3},
}


@pytest.mark.parametrize("argument", CHOICES)
def test_one_of_a_few_words(argument: str) -> None:
    for name in CHOICES[argument].split():
        where = next(
            m for m in (layers, losses, metrics, initializers, regularizers) if hasattr(m, name)
        )
        make = getattr(where, name)
        default = parameters_of(make)[argument].default
        wrong = f"{default}x"
        words = [f"`{argument}` must be one of", repr(wrong)]
        near = [f"Did you mean {default!r}?"] if isinstance(default, str) else []
        refused(
            lambda make=make, wrong=wrong, name=name: make(
                **NEEDS.get(name, {}), **{argument: wrong}
            ),
            *words,
            *near,
        )


# Everything else ---------------------------------------------------------------------------

X, IMAGE = ones(2, 3, 4), ones(1, 4, 4, 3)


def _stateful() -> Any:
    layer = layers.LSTM(2, stateful=True)
    layer(X)
    return layer(ones(3, 3, 4))


def _masked_statistics() -> Any:
    return layers.BatchNormalization()(X, mask=np.ones((2, 5), bool), training=True)


# A call -> words that its message must hold.
CASES: dict[str, tuple[Callable[[], Any], list[str]]] = {
    "padding": (lambda: layers.Conv2D(2, 2, padding="smae"), ["`padding`", "'smae'"]),
    "causal": (lambda: layers.Conv2D(2, 2, padding="causal"), ["'valid', 'same'"]),
    "length": (lambda: layers.Conv2D(2, (2, 2, 2)), ["`kernel_size`", "(2, 2, 2)"]),
    "window": (lambda: layers.Conv2D(2, 9)(IMAGE), ["window of 9", "size of 4"]),
    "pool": (lambda: layers.MaxPooling2D(9)(IMAGE), ["window of 9", "size of 4"]),
    "groups": (lambda: layers.Conv2D(4, 2, groups=2)(IMAGE), ["groups=2", "(1, 4, 4, 3)"]),
    "rate": (lambda: layers.LSTM(2, dropout=-0.5), ["`dropout`", "-0.5"]),
    "rate of attention": (lambda: layers.Attention(dropout=3.0), ["`dropout`", "3.0"]),
    "option": (lambda: layers.LSTM(2, return_sequence=True), ["'return_sequences'"]),
    "trainable": (lambda: layers.Dense(2, trainable="maybe"), ["`trainable`", "'maybe'"]),
    "no input": (lambda: layers.Dense(2)(), ["Dense", "'inputs'"]),
    "no value": (lambda: layers.MultiHeadAttention(2, 2)(X), ["'value'"]),
    "text": (lambda: layers.Embedding(3, 2)(np.array([["a"]])), ["StringLookup"]),
    "states": (
        lambda: layers.LSTM(2)(X, initial_state=[ones(2, 2)]),
        ["LSTM", "[(None, 2), (None, 2)]", "[(2, 2)]"],
    ),
    "sizes of states": (
        lambda: layers.GRU(2)(X, initial_state=[ones(2, 3)]),
        ["GRU", "[(None, 2)]", "[(2, 3)]"],
    ),
    "batch of states": (
        lambda: layers.GRU(2)(X, initial_state=[ones(3, 2)]),
        ["batch sizes", "the state has 3"],
    ),
    "states of both": (
        lambda: layers.Bidirectional(layers.LSTM(2))(X, initial_state=[ones(2, 2)] * 3),
        ["[(2, 2)]"],
    ),
    "stateful": (_stateful, ["batch sizes", "the input has 3", "the state has 2"]),
    "steps of a mask": (
        lambda: layers.LSTM(2)(X, mask=np.ones((2, 4), bool)),
        ["numbers of steps", "the mask has 4"],
    ),
    "mask of statistics": (_masked_statistics, ["axis 1", "the mask has 5"]),
    "axis": (lambda: layers.LayerNormalization(axis="a"), ["`axis`", "'a'"]),
    "bins": (lambda: layers.Hashing(2.5), ["Hashing", "`num_bins`", "2.5"]),
    "tokens": (lambda: layers.CategoryEncoding("a"), ["`num_tokens`", "'a'"]),
    "token out of range": (
        lambda: layers.CategoryEncoding(3)(np.array([[0, 3]])),
        ["CategoryEncoding", "from 0 to 2", "inputs[0, 1] = 3"],
    ),
    "no number": (lambda: layers.Rescaling("a"), ["Rescaling", "`scale`", "'a'"]),
    "no layer": (lambda: layers.Pipeline([3]), ["Pipeline", "3"]),
    "number of changes": (lambda: layers.RandAugment(num_ops=-1), ["`num_ops`", "-1"]),
    "axis of a channel": (lambda: layers.BatchNormalization(axis=1.5), ["`axis`", "1.5"]),
    "axis too far": (lambda: layers.BatchNormalization(axis=5)(X), ["axis 5", "(2, 3, 4)"]),
    "axes too far": (lambda: layers.RMSNormalization(axis=[1, 7])(X), ["axis 7"]),
    "shared axes": (lambda: layers.PReLU(shared_axes=[5])(X), ["`shared_axes`", "[5]"]),
    "sum": (lambda: layers.Add()([ones(2, 3), ones(2, 4)]), ["(Add)", "(2, 3), (2, 4)"]),
    "concatenation": (
        lambda: layers.Concatenate()([ones(2, 3), ones(3, 3)]),
        ["axis 0", "2 is not 3"],
    ),
    "axes of Dot": (lambda: layers.Dot((1, 2))([ones(2, 3)] * 2), ["(Dot)", "(1, 2)"]),
    "axes of no kind": (lambda: layers.Dot("a"), ["`axes`", "'a'"]),
    "sizes of Dot": (lambda: layers.Dot(1)([ones(2, 3), ones(2, 4)]), ["summed", "3", "4"]),
    "batches of Dot": (lambda: layers.Dot(1)([ones(2, 3), ones(4, 3)]), ["batch sizes"]),
    "shape": (lambda: layers.Reshape((5,))(X), ["(3, 4)", "(5,)"]),
    "no shape": (lambda: layers.Reshape("ab"), ["`target_shape`"]),
    "batches": (
        lambda: layers.MultiHeadAttention(2, 2)(X, ones(3, 3, 4)),
        ["batch sizes", "value has 3"],
    ),
    "no steps": (
        lambda: layers.MultiHeadAttention(2, 2)(ones(2, 4), ones(2, 4)),
        ["three axes", "query (2, 4)"],
    ),
    "axes of attention": (
        lambda: layers.MultiHeadAttention(2, 2, attention_axes=7)(X, X),
        ["`attention_axes`", "(7,)"],
    ),
    "scores of flash": (
        lambda: layers.MultiHeadAttention(2, 2, flash_attention=True)(
            X, X, return_attention_scores=True
        ),
        ["flash_attention=False"],
    ),
    "features": (lambda: layers.AdditiveAttention()([X, ones(2, 3, 5)]), ["query has 4"]),
    "mask of values": (
        lambda: layers.Attention()([X, X], mask=[None, np.ones((2, 7), bool)]),
        ["numbers of steps", "the mask has 7"],
    ),
    "equation": (lambda: layers.EinsumDense("ab,bc", 3), ["'abc,cd->abd'", "'ab,bc'"]),
    "sizes of an equation": (
        lambda: layers.EinsumDense("ab,bc->ac", (3, 4)),
        ["1 sizes", "(3, 4)"],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_messages(name: str) -> None:
    call, words = CASES[name]
    refused(call, *words, kind=(ValueError, TypeError))

"""The layers that are tested, with arguments and inputs. Each row generates tests."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np


@dataclasses.dataclass
class Row:
    """One layer in one configuration.

    Attributes:
        name: of the class.
        args: keyword arguments of the constructor; a `Row` stands for its layer.
        shapes: of the inputs, with the batch axis; several make a list.
        integers: the highest integer for integer inputs, 0 for floats.
        call: keyword arguments of the call.
        spread: several inputs are separate arguments, not a list.
        fixed: axes (after the batch) that must stay known when others become None.
        half: whether it is tested in mixed precision.
        tolerance: relative and absolute, against Keras.
    """

    name: str
    args: dict[str, Any] = dataclasses.field(default_factory=dict)
    shapes: Sequence[tuple[int, ...]] = ((2, 3),)
    integers: int = 0
    call: dict[str, Any] = dataclasses.field(default_factory=dict)
    spread: bool = False
    fixed: tuple[int, ...] | None = None
    half: bool = True
    tolerance: float = 1e-5

    @property
    def id(self) -> str:
        words = [f"{k}={_word(v)}" for k, v in {**self.args, **self.call}.items()]
        return "-".join([self.name, *words]).replace(" ", "")

    def make(self, keras: Any) -> Any:
        args = {k: _made(v, keras) for k, v in self.args.items()}
        return getattr(keras.layers, self.name)(**args)

    def inputs(self) -> list[np.ndarray]:
        rng = np.random.default_rng(3)
        if self.integers:
            return [rng.integers(0, self.integers, s).astype("int32") for s in self.shapes]
        return [rng.normal(size=s).astype("float32") for s in self.shapes]

    def apply(self, layer: Any, inputs: Sequence[Any], **kwargs: Any) -> Any:
        kwargs = {**self.call, **kwargs}
        if self.spread:
            return layer(*inputs, **kwargs)
        return layer(inputs[0] if len(self.shapes) == 1 else list(inputs), **kwargs)


def _word(value: Any) -> str:
    if isinstance(value, list):
        return f"[{','.join(map(_word, value))}]"
    return value.id if isinstance(value, Row) else str(value)


def _made(value: Any, keras: Any) -> Any:
    if isinstance(value, list):
        return [_made(v, keras) for v in value]
    return value.make(keras) if isinstance(value, Row) else value


IMAGE = ((2, 7, 6, 4),)
STEPS = ((2, 5, 4),)
VOLUME = ((2, 5, 5, 4, 2),)
PAIR = ((2, 3), (2, 3))

ROWS = [
    Row("Dense", {"units": 5, "activation": "relu"}),
    Row("Dense", {"units": 2, "use_bias": False, "kernel_regularizer": "l2"}, ((2, 4, 3),)),
    Row(
        "EinsumDense",
        {"equation": "abc,cde->abde", "output_shape": (None, 2, 3), "bias_axes": "de"},
        STEPS,
    ),
    Row(
        "EinsumDense", {"equation": "...x,xy->...y", "output_shape": 6, "activation": "tanh"}, STEPS
    ),
    Row("Conv1D", {"filters": 3, "kernel_size": 3, "padding": "causal", "dilation_rate": 2}, STEPS),
    Row("Conv1D", {"filters": 3, "kernel_size": 2, "strides": 2}, STEPS),
    Row("Conv2D", {"filters": 3, "kernel_size": 3, "padding": "same", "strides": 2}, IMAGE),
    Row("Conv2D", {"filters": 4, "kernel_size": (3, 2), "groups": 2, "activation": "relu"}, IMAGE),
    Row("Conv2D", {"filters": 3, "kernel_size": 3, "dilation_rate": 2, "use_bias": False}, IMAGE),
    Row(
        "Conv2D",
        {"filters": 3, "kernel_size": 2, "data_format": "channels_first", "use_bias": False},
        IMAGE,
    ),
    Row("Conv3D", {"filters": 2, "kernel_size": 2}, VOLUME),
    Row("MaxPooling1D", {"pool_size": 2, "padding": "same"}, STEPS),
    Row("MaxPooling2D", {}, IMAGE),
    Row("MaxPooling2D", {"pool_size": 3, "strides": 2, "padding": "same"}, IMAGE),
    Row("MaxPooling3D", {}, VOLUME),
    Row("AveragePooling1D", {"pool_size": 2}, STEPS),
    Row("AveragePooling2D", {"pool_size": 3, "strides": 1, "padding": "same"}, IMAGE),
    Row("AveragePooling3D", {"pool_size": 2}, VOLUME),
    Row("GlobalMaxPooling1D", {"keepdims": True}, STEPS),
    Row("GlobalMaxPooling2D", {"data_format": "channels_first"}, IMAGE),
    Row("GlobalAveragePooling1D", {}, STEPS),
    Row("GlobalAveragePooling2D", {}, IMAGE),
    Row("BatchNormalization", {}, IMAGE),
    Row("BatchNormalization", {"axis": 1, "scale": False}, STEPS, fixed=(1,)),
    Row(
        "BatchNormalization", {"renorm": True, "renorm_clipping": {"rmax": 1.2, "dmax": 0.5}}, IMAGE
    ),
    Row("LayerNormalization", {"epsilon": 1e-5}, STEPS),
    Row("LayerNormalization", {"axis": [2, 1], "center": False}, STEPS, fixed=(1, 2)),
    Row("LayerNormalization", {"rms_scaling": True}, STEPS),
    Row("Embedding", {"input_dim": 7, "output_dim": 3}, ((2, 5),), integers=7),
    Row("Dropout", {"rate": 0.4}, STEPS),
    Row("GaussianNoise", {"stddev": 0.3}, STEPS),
    Row("ActivityRegularization", {"l1": 0.1, "l2": 0.2}),
    Row("Flatten", {}, IMAGE),
    Row("Flatten", {"data_format": "channels_first"}, IMAGE),
    Row("Reshape", {"target_shape": (-1, 4)}, IMAGE),
    Row("Permute", {"dims": (2, 1)}, STEPS),
    Row("RepeatVector", {"n": 3}),
    Row("ZeroPadding2D", {"padding": ((1, 2), (0, 3))}, IMAGE),
    Row("Add", {}, PAIR),
    Row("Add", {}, ((2, 4, 3), (2, 3))),
    Row("Subtract", {}, PAIR),
    Row("Multiply", {}, PAIR),
    Row("Average", {}, PAIR),
    Row("Maximum", {}, PAIR),
    Row("Minimum", {}, PAIR),
    Row("Concatenate", {"axis": 1}, ((2, 3, 4), (2, 2, 4))),
    Row("Dot", {"axes": (2, 1), "normalize": True}, ((2, 3, 4), (2, 4, 5))),
    Row("Activation", {"activation": "gelu"}),
    Row("ReLU", {"max_value": 1.0, "negative_slope": 0.1, "threshold": 0.2}),
    Row("LeakyReLU", {"negative_slope": 0.2}),
    Row("ELU", {"alpha": 0.7}),
    Row("PReLU", {"shared_axes": [1]}, STEPS, fixed=(2,)),
    Row("Softmax", {"axis": 1}, STEPS),
    Row("Identity"),
    Row("Masking", {"mask_value": 0.0}, STEPS),
    Row("SimpleRNN", {"units": 3, "return_sequences": True}, STEPS),
    Row("GRU", {"units": 3}, STEPS),
    Row("GRU", {"units": 3, "reset_after": False, "return_sequences": True}, STEPS),
    Row("LSTM", {"units": 3}, STEPS),
    Row("LSTM", {"units": 3, "return_sequences": True, "go_backwards": True}, STEPS),
    Row("LSTM", {"units": 3, "return_state": True, "unroll": True}, STEPS, fixed=(1, 2)),
    Row("LSTM", {"units": 2, "activation": "relu", "use_bias": False}, STEPS),
    Row("Bidirectional", {"layer": Row("LSTM", {"units": 3, "name": "l"})}, STEPS, half=False),
    Row(
        "Bidirectional",
        {
            "layer": Row("GRU", {"units": 3, "return_sequences": True, "name": "g"}),
            "backward_layer": Row(
                "GRU",
                {"units": 3, "return_sequences": True, "go_backwards": True, "name": "h"},
            ),
            "merge_mode": "mul",
        },
        STEPS,
        half=False,
    ),
    Row(
        "Bidirectional",
        {
            "layer": Row(
                "SimpleRNN",
                {"units": 2, "return_state": True, "return_sequences": True, "name": "s"},
            ),
            "merge_mode": None,
        },
        STEPS,
        half=False,
    ),
    Row("TimeDistributed", {"layer": Row("Dense", {"units": 3, "name": "d"})}, STEPS, half=False),
    Row(
        "TimeDistributed",
        {"layer": Row("Conv1D", {"filters": 2, "kernel_size": 2, "name": "c"})},
        ((2, 3, 5, 4),),
        half=False,
    ),
    Row(
        "TimeDistributed",
        {"layer": Row("BatchNormalization", {"name": "b"})},
        STEPS,
        call={"training": True},
        fixed=(1, 2),
        half=False,
    ),
    Row("MultiHeadAttention", {"num_heads": 2, "key_dim": 3}, ((2, 4, 6), (2, 5, 6)), spread=True),
    Row(
        "MultiHeadAttention",
        {"num_heads": 2, "key_dim": 3, "value_dim": 4, "output_shape": 5},
        ((2, 4, 6), (2, 4, 6)),
        # With scores, for which Keras takes a path that allows another value_dim on jax.
        call={"use_causal_mask": True, "return_attention_scores": True},
        spread=True,
    ),
    Row(
        "MultiHeadAttention",
        {"num_heads": 1, "key_dim": 2},
        ((2, 4, 6), (2, 5, 6)),
        call={"return_attention_scores": True},
        spread=True,
    ),
]

SIGNAL = ((2, 8, 4),)
FIRST = {"data_format": "channels_first"}

TRANSPOSED = [
    Row("Conv1DTranspose", {"filters": 3, "kernel_size": 3, "strides": 2}, STEPS),
    Row("Conv1DTranspose", {"filters": 3, "kernel_size": 2, "dilation_rate": 2}, STEPS),
    Row(
        "Conv2DTranspose",
        {"filters": 3, "kernel_size": 3, "strides": 2, "padding": "same", "activation": "tanh"},
        IMAGE,
    ),
    Row(
        "Conv2DTranspose",
        {"filters": 2, "kernel_size": 3, "strides": (2, 3), "output_padding": (1, 2)},
        IMAGE,
    ),
    Row("Conv2DTranspose", {"filters": 2, "kernel_size": 2, "use_bias": False, **FIRST}, IMAGE),
    Row("Conv3DTranspose", {"filters": 2, "kernel_size": 2, "strides": 2}, VOLUME),
]

BY_CHANNEL = [
    Row("DepthwiseConv1D", {"kernel_size": 3, "depth_multiplier": 2}, STEPS),
    Row("DepthwiseConv2D", {"kernel_size": 3, "padding": "same", "strides": 2}, IMAGE),
    Row("DepthwiseConv2D", {"kernel_size": 2, "use_bias": False, **FIRST}, IMAGE),
    Row("SeparableConv1D", {"filters": 3, "kernel_size": 3, "depth_multiplier": 2}, STEPS),
    Row(
        "SeparableConv2D",
        {"filters": 3, "kernel_size": (2, 3), "dilation_rate": 2, "activation": "tanh"},
        IMAGE,
    ),
    Row(
        "SeparableConv2D",
        {"filters": 3, "kernel_size": 2, "use_bias": False, **FIRST},
        IMAGE,
    ),
]

MARGINS = [
    Row("Cropping1D", {"cropping": (1, 2)}, STEPS),
    Row("Cropping1D", {"cropping": 2}, STEPS),
    Row("Cropping2D", {}, IMAGE),
    Row("Cropping2D", {"cropping": (1, 2), **FIRST}, ((2, 3, 7, 6),)),
    Row("Cropping3D", {"cropping": ((1, 0), 1, (0, 1))}, ((2, 5, 5, 4, 2),)),
    Row("Cropping3D", {"cropping": 1, **FIRST}, ((2, 2, 5, 5, 4),)),
    Row("ZeroPadding1D", {"padding": (1, 2)}, STEPS),
    Row("ZeroPadding1D", {"padding": 2, **FIRST}, STEPS),
    Row("ZeroPadding3D", {"padding": (1, 0, 2)}, VOLUME),
    Row("ZeroPadding3D", {**FIRST}, VOLUME),
]

UPSAMPLING = [
    Row("UpSampling1D", {"size": 3}, STEPS),
    Row("UpSampling2D", {"size": (2, 1)}, IMAGE),
    Row("UpSampling2D", {"size": 3, **FIRST}, IMAGE),
    Row("UpSampling2D", {"interpolation": "bilinear"}, IMAGE, tolerance=1e-4),
    Row(
        "UpSampling2D",
        {"size": (1, 2), "interpolation": "bilinear", **FIRST},
        IMAGE,
        tolerance=1e-4,
    ),
    Row("UpSampling3D", {"size": (1, 2, 3)}, VOLUME),
]

ADAPTIVE = [
    Row("AdaptiveAveragePooling1D", {"output_size": 3}, SIGNAL),
    Row("AdaptiveAveragePooling2D", {"output_size": (3, 2), **FIRST}, IMAGE),
    Row("AdaptiveAveragePooling3D", {"output_size": 2}, VOLUME),
    Row("AdaptiveMaxPooling1D", {"output_size": 3, **FIRST}, SIGNAL),
    Row("AdaptiveMaxPooling2D", {"output_size": (3, 4)}, IMAGE),
    Row("AdaptiveMaxPooling3D", {"output_size": 2}, VOLUME),
]

NORMALIZATIONS = [
    Row("GroupNormalization", {"groups": 2}, IMAGE),
    Row("GroupNormalization", {"groups": -1, "axis": 1, "scale": False}, IMAGE, fixed=(1,)),
    Row("RMSNormalization", {}, STEPS),
    Row("RMSNormalization", {"axis": [1, 2], "epsilon": 1e-3}, STEPS, fixed=(1, 2)),
    Row("UnitNormalization", {}, STEPS),
    Row("UnitNormalization", {"axis": [1, 2]}, STEPS),
    Row(
        "SpectralNormalization",
        {"layer": Row("Dense", {"units": 3, "name": "d"})},
        half=False,
    ),
]

NOISE = [
    Row("AlphaDropout", {"rate": 0.2, "noise_shape": (None, 1, 4)}, STEPS),
    Row("GaussianDropout", {"rate": 0.2, "seed": 3}, STEPS),
    Row("SpatialDropout1D", {"rate": 0.2}, STEPS),
    Row("SpatialDropout2D", {"rate": 0.2, **FIRST}, IMAGE),
    Row("SpatialDropout3D", {"rate": 0.2, "seed": 3}, VOLUME),
]

QUERIES = ((2, 4, 3), (2, 5, 3))
ATTENTION = [
    Row("Attention", {}, QUERIES),
    Row(
        "Attention",
        {"use_scale": True, "score_mode": "concat"},
        ((2, 4, 3), (2, 5, 2), (2, 5, 3)),
        call={"return_attention_scores": True, "use_causal_mask": True},
    ),
    Row("AdditiveAttention", {}, QUERIES),
    Row("AdditiveAttention", {"use_scale": False, "dropout": 0.1}, QUERIES),
    Row(
        "GroupQueryAttention",
        {"head_dim": 3, "num_query_heads": 4, "num_key_value_heads": 2},
        ((2, 4, 6), (2, 5, 6)),
        spread=True,
    ),
    Row(
        "GroupQueryAttention",
        {
            "head_dim": 3,
            "num_query_heads": 2,
            "num_key_value_heads": 1,
            "use_gate": True,
            "sliding_window": 2,
        },
        ((2, 4, 6), (2, 4, 6)),
        call={"return_attention_scores": True, "use_causal_mask": True},
        spread=True,
    ),
    Row(
        "MultiHeadAttention",
        {"num_heads": 2, "key_dim": 3, "value_dim": 4, "use_gate": True},
        ((2, 4, 6), (2, 5, 6)),
        call={"return_attention_scores": True},
        spread=True,
    ),
]

CELLS = [Row("LSTMCell", {"units": 3, "name": "a"}), Row("GRUCell", {"units": 2, "name": "b"})]
RECURRENT = [
    Row("RNN", {"cell": Row("StackedRNNCells", {"cells": CELLS, "name": "s"})}, STEPS, half=False),
    Row(
        "RNN",
        {
            "cell": Row("StackedRNNCells", {"cells": CELLS[::-1], "name": "s"}),
            "return_sequences": True,
            "return_state": True,
            "go_backwards": True,
        },
        STEPS,
        half=False,
    ),
    Row(
        "ConvLSTM1D",
        {"filters": 2, "kernel_size": 2, "return_sequences": True},
        ((2, 3, 5, 4),),
        fixed=(2, 3),
    ),
    Row(
        "ConvLSTM2D",
        {"filters": 2, "kernel_size": 2, "strides": 2, "padding": "same", "return_state": True},
        ((2, 3, 5, 4, 2),),
        fixed=(2, 3, 4),
    ),
    Row(
        "ConvLSTM2D",
        {"filters": 2, "kernel_size": (3, 2), "dilation_rate": 2, "go_backwards": True},
        ((2, 3, 5, 4, 2),),
        fixed=(2, 3, 4),
    ),
    Row(
        "ConvLSTM2D",
        {"filters": 2, "kernel_size": 2, "use_bias": False, **FIRST},
        ((2, 3, 2, 5, 4),),
        fixed=(2, 3, 4),
    ),
    Row("ConvLSTM3D", {"filters": 2, "kernel_size": 2}, ((2, 2, 3, 3, 3, 2),), fixed=(2, 3, 4, 5)),
]

EMBEDDINGS = [
    Row("ReversibleEmbedding", {"input_dim": 7, "output_dim": 3}, ((2, 5),), integers=7),
    Row(
        "ReversibleEmbedding",
        {"input_dim": 7, "output_dim": 4, "tie_weights": False, "logit_soft_cap": 2.0},
        STEPS,
        call={"reverse": True},
    ),
]

ROWS += [
    *TRANSPOSED,
    *BY_CHANNEL,
    *MARGINS,
    *UPSAMPLING,
    *ADAPTIVE,
    *NORMALIZATIONS,
    *NOISE,
    *ATTENTION,
    *RECURRENT,
    *EMBEDDINGS,
]

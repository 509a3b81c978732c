"""Small layers: Embedding and its reverse, Masking, Identity, Lambda."""

from __future__ import annotations

import inspect
from typing import Any

from keraslite import ops
from keraslite.core import inference
from keraslite.core.errors import describe
from keraslite.core.tree import map_shape_structure
from keraslite.layers.constructors import takes
from keraslite.layers.layer import Layer
from keraslite.layers.lora import main_weight
from keraslite.layers.options import (
    WeightlessLayer,
    check_indices,
    check_positive,
    own_arguments,
)
from keraslite.layers.quantization import QuantizableLayer
from keraslite.layers.quantization_schemes import Weight

__all__ = ["Embedding", "Identity", "Lambda", "Masking", "ReversibleEmbedding"]


class Embedding(QuantizableLayer):
    """A learned vector for each integer.

    Args:
        input_dim: number of integers, from 0 to `input_dim - 1`.
        output_dim: length of the vectors.
        embeddings_initializer, embeddings_regularizer, embeddings_constraint: options of
            the table.
        mask_zero: whether 0 stands for "no value", which later layers skip.
        weights: the table to start from.
        lora_rank, lora_alpha: rank and scale of a low-rank update, see `enable_lora`.
        quantization_config: how a quantized dtype policy quantizes, see `quantize`.

    Shapes: `(batch, ...)` integers to `(batch, ..., output_dim)`.
    """

    embeddings = main_weight("embeddings")
    _main = "embeddings"
    _modes = ("int8", "int4")
    _not_in_config = QuantizableLayer._not_in_config | {"weights"}
    _writes_activity_regularizer = True

    def __init__(
        self,
        input_dim: int,
        output_dim: int,
        embeddings_initializer: Any = "uniform",
        embeddings_regularizer: Any = None,
        embeddings_constraint: Any = None,
        mask_zero: bool = False,
        weights: Any = None,
        lora_rank: int | None = None,
        lora_alpha: float | None = None,
        quantization_config: Any = None,
        **kwargs: Any,
    ) -> None:
        # Old scripts give the length of sequences here; it is not needed.
        kwargs.pop("input_length", None)
        arguments = own_arguments(locals())
        del arguments["weights"]
        self._construct(arguments)
        check_positive(self, input_dim=input_dim, output_dim=output_dim)
        # Integers must keep their dtype on the way in.
        self.autocast = False
        self.supports_masking = mask_zero
        if weights is not None:
            self.build(None)
            self.set_weights(weights if isinstance(weights, list) else [weights])

    def build(self, input_shape: Any = None) -> None:
        self._build_main((self.input_dim, self.output_dim))
        self._finish_build()

    def _quantizable(self) -> list[Weight]:
        shape = self._main_shape
        return [Weight("embeddings", shape, (1,), (0, 1), shape[:1], shape, -1, -1)]

    @property
    def variable_serialization_spec(self) -> dict[str | None, list[str]]:
        return {None: ["embeddings"], **self._quantized_spec(["embeddings"])}

    @property
    def input_dtype(self) -> str:
        return "int32"

    def call(self, inputs: Any) -> Any:
        self.check_indices(inputs)
        if ops.dtype(inputs) not in ("int32", "int64"):
            inputs = ops.cast(inputs, "int32")
        if self._altered:
            return self._rows(inputs)
        return ops.cast(ops.take(self._embeddings, inputs, axis=0), self.compute_dtype)

    def check_indices(self, indices: Any) -> None:
        """Raise for numbers that the table has no vector for."""
        check_indices(self, indices, self.input_dim, "input_dim")

    def _rows(self, indices: Any) -> Any:
        """Vectors of a table that is quantized or has an update; only they are worked out."""

        def take(part: Any) -> Any:
            return ops.take(part, indices, axis=0)

        if self._scheme is None:
            rows = ops.cast(take(self._embeddings), self.compute_dtype)
        else:
            weight = self._quantizable()[0]
            parts = self._parts(weight)
            rows = self._scheme.decode_rows(
                weight, {k: v if k == "g_idx" else take(v) for k, v in parts.items()}
            )
        if not self.lora_enabled:
            return rows
        return ops.add(rows, self._low_rank(take(self.lora_embeddings_a)))

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        return ops.not_equal(inputs, 0) if self.mask_zero else None


class ReversibleEmbedding(Embedding):
    """An `Embedding` that also goes back, from vectors to a score for each integer.

    Press and Wolf, "Using the Output Embedding to Improve Language Models",
    https://arxiv.org/abs/1608.05859

    Args:
        input_dim: number of integers, from 0 to `input_dim - 1`.
        output_dim: length of the vectors.
        tie_weights: whether the way back uses the same table, or one of its own.
        embeddings_initializer, embeddings_regularizer, embeddings_constraint: options of
            the tables.
        mask_zero: whether 0 stands for "no value", which later layers skip.
        reverse_dtype: dtype of the way back; by default the compute dtype.
        logit_soft_cap: scores are squeezed to `cap * tanh(scores / cap)`.

    Call arguments:
        inputs: `(batch, ...)` integers, or `(batch, ..., output_dim)` vectors to go back.
        reverse: whether to go back.

    Returns:
        `(batch, ..., output_dim)`, or `(batch, ..., input_dim)` on the way back.

    Example:
        >>> layer = keras.layers.ReversibleEmbedding(100, 8)
        >>> layer(layer(np.array([[1, 2, 3]])), reverse=True).shape
        (1, 3, 100)
    """

    @takes(
        Embedding,
        behind={"output_dim": "tie_weights", "mask_zero": "reverse_dtype logit_soft_cap"},
        without="weights lora_rank lora_alpha quantization_config",
    )
    def __init__(
        self,
        tie_weights: bool = True,
        reverse_dtype: Any = None,
        logit_soft_cap: float | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.tie_weights = tie_weights
        self.reverse_dtype = reverse_dtype
        self.logit_soft_cap = logit_soft_cap

    def build(self, input_shape: Any = None) -> None:
        super().build(input_shape)
        if not self.tie_weights and self.quantization_mode is None:
            shape = (self.output_dim, self.input_dim)
            self.reverse_embeddings = self._add("reverse_embeddings", shape, "embeddings")

    def _quantizable(self) -> list[Weight]:
        found = super()._quantizable()
        if not self.tie_weights:
            shape = self._main_shape[::-1]
            found.append(
                Weight(
                    "reverse_embeddings",
                    shape,
                    (0,),
                    (1, 0),
                    shape[1:],
                    shape,
                    packed=-2,
                    zero_dtype=self.variable_dtype,
                )
            )
        return found

    @property
    def variable_serialization_spec(self) -> dict[str | None, list[str]]:
        found = super().variable_serialization_spec
        if self.tie_weights:
            return found
        own = "reverse_embeddings"
        return {
            mode: names + [n.replace("embeddings", own) for n in names if n != "g_idx"]
            for mode, names in found.items()
        }

    def _linear(self, inputs: Any, weight: Any) -> Any:
        return ops.matmul(inputs, ops.transpose(ops.cast(weight, ops.dtype(inputs))))

    def _reverse_table(self) -> Any:
        """The table of its own for the way back, however it is kept."""
        if self._scheme is None:
            return self.reverse_embeddings
        weight = self._quantizable()[1]
        return self._scheme.decode(weight, self._parts(weight))

    def call(self, inputs: Any, reverse: bool = False) -> Any:
        if not reverse:
            return super().call(inputs)
        dtype = self.reverse_dtype or self.compute_dtype
        inputs = ops.cast(inputs, dtype)
        if self.tie_weights:
            scores = self._product(inputs)
        else:
            scores = ops.matmul(self._rounded(inputs), ops.cast(self._reverse_table(), dtype))
        cap = self.logit_soft_cap
        return scores if cap is None else ops.multiply(ops.tanh(ops.divide(scores, cap)), cap)

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        # Vectors are told from integers by their axes: a mask is for integers only.
        vectors = "float" in ops.dtype(inputs) and len(inputs.shape) > 2
        if vectors and inputs.shape[-1] == self.output_dim:
            return previous_mask
        return super().compute_mask(inputs, previous_mask)


class Masking(WeightlessLayer):
    """Steps whose features all equal a value are to be skipped by later layers.

    Args:
        mask_value: the value.
    """

    supports_masking = True

    def __init__(self, mask_value: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.mask_value = mask_value

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        return ops.any(ops.not_equal(inputs, self.mask_value), axis=-1)

    def call(self, inputs: Any) -> Any:
        kept = ops.any(ops.not_equal(inputs, self.mask_value), axis=-1, keepdims=True)
        return inputs * ops.cast(kept, inputs.dtype)


class Identity(WeightlessLayer):
    """Passes its input on."""

    supports_masking = True

    def call(self, inputs: Any) -> Any:
        return inputs


class Lambda(Layer):
    """Wraps a function in a layer.

    Models with a `Lambda` of an anonymous function are saved with its code, which loading
    refuses unless `safe_mode=False`; a registered function or a `Layer` is better.

    Args:
        function: from the inputs (and maybe `mask`, `training`) to the outputs.
        output_shape: shape of one output sample, or a function of the input shape, for
            functions that cannot be traced.
        mask: of the outputs, or a function `(inputs, mask) -> mask`.
        arguments: further keyword arguments of `function`.
    """

    def __init__(
        self,
        function: Any,
        output_shape: Any = None,
        mask: Any = None,
        arguments: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if not callable(function):
            raise TypeError(f"Lambda: `function` must be callable. Received: {describe(function)}")
        self.function = function
        self.arguments = arguments or {}
        self._output_shape = output_shape
        self.mask = mask
        self.supports_masking = mask is not None
        taken = inspect.signature(function).parameters
        self._takes = {name for name in ("mask", "training") if name in taken}

    @property
    def output_shape(self) -> Any:
        return self._output_shape

    def call(self, inputs: Any, mask: Any = None, training: bool | None = None) -> Any:
        given = {"mask": mask, "training": training}
        extra = {name: given[name] for name in self._takes}
        return self.function(inputs, **self.arguments, **extra)

    def compute_output_spec(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        if self._output_shape is None:
            # The function may be written for the engine's own tensors.
            return inference.trace(self.call, (inputs, *args), kwargs)
        if callable(self._output_shape):
            return map_shape_structure(self._spec_of, self._output_shape(inputs.shape))
        return self._spec_of((inputs.shape[0], *self._output_shape))

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        return self.mask(inputs, previous_mask) if callable(self.mask) else self.mask

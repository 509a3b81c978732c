"""Attention without projections: by products, and by sums.

Luong et al., https://arxiv.org/abs/1508.04025; Bahdanau et al.,
https://arxiv.org/abs/1409.0473
"""

from __future__ import annotations

from typing import Any

from keraslite import ops, random
from keraslite.core.errors import describe
from keraslite.layers.attention import masked_softmax
from keraslite.layers.convolution import one_of
from keraslite.layers.options import WeightedLayer, check_equal, check_rate, known_size
from keraslite.random.seed_generator import SeedGenerator

__all__ = ["AdditiveAttention", "Attention"]


class Attention(WeightedLayer):
    """Means of `value`, weighted by the softmax of the products of `query` and `key`.

    Args:
        use_scale: whether to multiply the scores by a learned scalar.
        score_mode: `"dot"` for the product of query and key, or `"concat"` for the sum of
            `tanh(query + key)`, times a learned scalar.
        dropout: share of weights dropped in training.
        seed: of dropout.

    Call arguments:
        inputs: a list of `query` `(batch, T, features)`, `value` `(batch, S, size)` and, if
            it is not `value`, `key` `(batch, S, features)`.
        mask: a list of `query_mask` `(batch, T)`, where False sets the output to zero, and
            `value_mask` `(batch, S)`, where False hides the value. Each may be None.
        return_attention_scores: also return the weights `(batch, T, S)`.
        use_causal_mask: no query sees a later value.

    Returns:
        `(batch, T, size)`, and the weights when asked for.

    Example:
        >>> query, value = np.ones((2, 3, 4)), np.ones((2, 5, 4))
        >>> keras.layers.Attention()([query, value]).shape
        (2, 3, 4)
    """

    def __init__(
        self,
        use_scale: bool = False,
        score_mode: str = "dot",
        dropout: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.use_scale = use_scale
        self.score_mode = one_of(self, "score_mode", score_mode, ("dot", "concat"))
        check_rate(self, dropout=dropout)
        self.dropout = dropout
        self.seed = seed
        if dropout > 0:
            self.seed_generator = SeedGenerator(seed)
        self.supports_masking = True
        self.scale = self.concat_score_weight = None

    def build(self, input_shape: Any) -> None:
        self._check(input_shape)
        if self.use_scale:
            self.scale = self._add("scale", (), initializer="ones")
        if self.score_mode == "concat":
            self.concat_score_weight = self._add("concat_score_weight", (), initializer="ones")

    def _check(self, inputs: Any, mask: Any = None) -> None:
        if not isinstance(inputs, (list, tuple)) or len(inputs) not in (2, 3):
            raise ValueError(
                f"Layer {self.name!r} ({type(self).__name__}) must be called on a list, [query, "
                f"value] or [query, value, key]. Received: {describe(inputs)}"
            )
        if mask is not None and (not isinstance(mask, (list, tuple)) or len(mask) not in (2, 3)):
            raise ValueError(
                f"Layer {self.name!r} ({type(self).__name__}): `mask` must be a list, [query_mask, "
                f"value_mask]. Received: {describe(mask)}"
            )
        if not hasattr(inputs[0], "shape"):
            return
        names = ("query", "value", "key")
        shapes = dict(zip(names, (x.shape for x in inputs), strict=False))
        key = "key" if "key" in shapes else "value"
        check_equal(self, "batch sizes", {name: shape[0] for name, shape in shapes.items()})
        check_equal(self, "last sizes", {name: shapes[name][-1] for name in ("query", key)})
        steps = {name: shapes[name][1] for name in ("value", key)}
        if mask is not None and mask[1] is not None:
            steps["the mask"] = mask[1].shape[-1]
        check_equal(self, "numbers of steps", steps)

    def _scores(self, query: Any, key: Any) -> Any:
        """How well each key fits each query: `(batch, T, S)`."""
        if self.score_mode == "concat":
            return self.concat_score_weight * ops.sum(self._sums(query, key, self.scale), axis=-1)
        scores = ops.matmul(query, ops.transpose(key, (0, 2, 1)))
        return scores if self.scale is None else scores * self.scale

    def _sums(self, query: Any, key: Any, scale: Any = None) -> Any:
        """`tanh(scale * (query + key))` for all pairs: `(batch, T, S, features)`."""
        sums = ops.expand_dims(query, 2) + ops.expand_dims(key, 1)
        return ops.tanh(sums if scale is None else sums * scale)

    def call(
        self,
        inputs: Any,
        mask: Any = None,
        training: bool = False,
        return_attention_scores: bool = False,
        use_causal_mask: bool = False,
    ) -> Any:
        self._check(inputs, mask)
        query, value, *rest = inputs
        query_mask, value_mask = (None, None) if mask is None else mask[:2]
        scores = self._scores(query, rest[0] if rest else value)
        weights = masked_softmax(scores, self._seen(scores, value_mask, use_causal_mask))
        if training and self.dropout > 0:
            weights = random.dropout(weights, self.dropout, seed=self.seed_generator)
        output = ops.matmul(weights, value)
        if query_mask is not None:
            output = output * ops.cast(ops.expand_dims(query_mask, -1), output.dtype)
        return (output, weights) if return_attention_scores else output

    def _seen(self, scores: Any, value_mask: Any, causal: bool) -> Any:
        """Which values each query sees, or None for all: broadcasts to the scores."""
        seen = None
        if value_mask is not None:
            seen = ops.expand_dims(ops.cast(value_mask, "bool"), 1)
        if causal:
            _, rows, columns = ops.shape(scores)
            past = ops.expand_dims(ops.arange(rows), 1) >= ops.arange(columns)
            past = ops.expand_dims(past, 0)
            seen = past if seen is None else ops.logical_and(seen, past)
        return seen

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return None if mask is None else mask[0]

    def compute_output_spec(
        self,
        inputs: Any,
        mask: Any = None,
        return_attention_scores: bool = False,
        training: bool | None = None,
        use_causal_mask: bool = False,
    ) -> Any:
        self._check(inputs, mask)
        query, value = inputs[0].shape, inputs[1].shape
        output = self._spec_of((*query[:-1], value[-1]))
        if not return_attention_scores:
            return output
        return output, self._spec_of((*query[:-1], value[1]))


class AdditiveAttention(Attention):
    """Means of `value`, weighted by the softmax of the sum of `scale * tanh(query + key)`.

    Args:
        use_scale: whether there is a learned factor for each feature.
        dropout: share of weights dropped in training.
        seed: of dropout.

    Called like `Attention`.
    """

    _not_in_config = frozenset({"score_mode"})

    def __init__(self, use_scale: bool = True, dropout: float = 0.0, **kwargs: Any) -> None:
        super().__init__(use_scale=use_scale, dropout=dropout, **kwargs)

    def build(self, input_shape: Any) -> None:
        self._check(input_shape)
        if self.use_scale:
            size = known_size(self, input_shape[0], -1)
            self.scale = self._add("scale", (size,), initializer="glorot_uniform")

    def _scores(self, query: Any, key: Any) -> Any:
        sums = self._sums(query, key)
        return ops.sum(sums if self.scale is None else sums * self.scale, axis=-1)

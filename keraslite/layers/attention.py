"""Multi-head attention.

Vaswani et al., "Attention Is All You Need", https://arxiv.org/abs/1706.03762
"""

from __future__ import annotations

import functools
import math
import operator
from typing import Any

from keraslite import ops
from keraslite.backend import engine
from keraslite.core.errors import describe
from keraslite.core.serialization import serialize_value
from keraslite.layers.constructors import takes
from keraslite.layers.einsum_dense import EinsumDense
from keraslite.layers.options import (
    WeightedLayer,
    check_equal,
    check_positive,
    check_rate,
    known_size,
    own_arguments,
)
from keraslite.layers.regularization import Dropout
from keraslite.layers.rotary import RotaryEmbedding

__all__ = ["MultiHeadAttention"]

_LETTERS = "abcdefghijklmnopqrstuvwxyz"


def masked_softmax(scores: Any, mask: Any = None, axes: tuple[int, ...] = (-1,)) -> Any:
    """Softmax over the scores where `mask` is True; even weights where it nowhere is."""
    if mask is not None:
        low = -3e4 if ops.dtype(scores) == "float16" else -1e9
        scores = ops.where(mask, scores, low)
    return ops.softmax(scores, axis=axes if len(axes) > 1 else axes[0])


class BaseAttention(WeightedLayer):
    """What attention layers with projections share; see `MultiHeadAttention`."""

    _not_in_config = frozenset({"flash_attention"})
    _writes_activity_regularizer = True
    #: The axes attended over.
    attention_axes: Any = (1,)
    #: Turns queries and keys by their positions; None leaves them.
    rotary_embedding: RotaryEmbedding | None = None

    def __init__(
        self,
        dropout: float = 0.0,
        use_bias: bool = True,
        sliding_window: int | None = None,
        flash_attention: bool | None = None,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        use_gate: bool = False,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        arguments = own_arguments(locals())
        rotary = kwargs.pop("rotary_embedding", None)
        self._construct(arguments)
        if rotary is not None:
            if not isinstance(rotary, RotaryEmbedding):
                raise TypeError(
                    f"{type(self).__name__}: `rotary_embedding` must be a `RotaryEmbedding` layer. "
                    f"Received: {describe(rotary)}"
                )
            self.rotary_embedding = rotary
        if sliding_window is not None:
            check_positive(self, sliding_window=sliding_window)
        check_rate(self, dropout=dropout)
        self.supports_masking = True

    def _build_projections(
        self,
        shapes: tuple[Any, Any, Any],
        heads: tuple[int, int],
        sizes: tuple[int, int],
        outputs: tuple[int, ...],
    ) -> None:
        """Make the dense layers.

        Args:
            shapes: of query, value and key.
            heads: of queries, and of keys and values.
            sizes: of each head for keys and for values.
            outputs: sizes of the output's last axes.
        """
        query, value, key = shapes
        if min(map(len, shapes)) < 3:
            raise ValueError(
                f"Layer {self.name!r} ({type(self).__name__}): inputs must have at least three "
                f"axes, (batch, steps, features). Received: query {tuple(query)}, value "
                f"{tuple(value)}, key {tuple(key)}"
            )
        check_equal(self, "numbers of steps", {"value": value[1], "key": key[1]})
        if self.rotary_embedding is not None and len(query) != 3:
            raise ValueError(
                f"Layer {self.name!r}: with `rotary_embedding` inputs must have shape (batch, "
                f"steps, features). Received: query {tuple(query)}"
            )
        self._heads, (many, few), (size, value_size) = heads, heads, sizes
        self._output_features = outputs
        self._query_dense = self._projection("query", query, (many, size))
        self._key_dense = self._projection("key", key, (few, size))
        if self.use_gate:
            self._gate_dense = self._projection("gate", query, (many, value_size))
        self._value_dense = self._projection("value", value, (few, value_size))
        inner = (*query[:-1], many, value_size)
        self._output_dense = self._projection("attention_output", inner, outputs, contracted=2)
        self._dropout_layer = Dropout(self.dropout, seed=self.seed, dtype=self.dtype_policy)

    def _projection(
        self, name: str, shape: Any, outputs: tuple[int, ...], contracted: int = 1
    ) -> EinsumDense:
        """A dense layer from the last `contracted` axes to axes of sizes `outputs`."""
        free = len(shape) - contracted
        kept = _LETTERS[:free]
        summed = _LETTERS[free : free + contracted]
        made = _LETTERS[free + contracted : free + contracted + len(outputs)]
        layer = EinsumDense(
            f"{kept}{summed},{summed}{made}->{kept}{made}",
            output_shape=(*(None,) * (free - 1), *outputs),
            bias_axes=made if self.use_bias else None,
            name=name,
            dtype=self.dtype_policy,
            kernel_initializer=_again(self.kernel_initializer),
            bias_initializer=_again(self.bias_initializer),
            kernel_regularizer=self.kernel_regularizer,
            bias_regularizer=self.bias_regularizer,
            kernel_constraint=self.kernel_constraint,
            bias_constraint=self.bias_constraint,
        )
        layer.build(shape)
        # Masks are taken care of here.
        layer.supports_masking = True
        return layer

    def call(
        self,
        query: Any,
        value: Any,
        key: Any = None,
        query_mask: Any = None,
        value_mask: Any = None,
        key_mask: Any = None,
        attention_mask: Any = None,
        return_attention_scores: bool = False,
        training: bool | None = None,
        use_causal_mask: bool = False,
    ) -> Any:
        key = value if key is None else key
        given = {"query": query, "value": value, "key": key}
        check_equal(self, "batch sizes", {name: x.shape[0] for name, x in given.items()})
        if self.flash_attention and return_attention_scores:
            raise ValueError(
                f"Layer {self.name!r} ({type(self).__name__}): flash attention gives no scores. "
                "Leave out `return_attention_scores`, or make the layer with flash_attention=False."
            )
        masks = (query_mask, value_mask, key_mask)
        mask = self._mask(query, key, masks, attention_mask, use_causal_mask)
        q, k, v = self._query_dense(query), self._key_dense(key), self._value_dense(value)
        if self.rotary_embedding is not None:
            q, k = self.rotary_embedding(q), self.rotary_embedding(k)
        drops = bool(training) and self.dropout > 0
        scores = None
        if len(query.shape) == 3 and not return_attention_scores and not drops:
            context = self._fused(q, k, v, mask)
        else:
            context, scores = self._attend(q, k, v, mask, training)
        output = self._output(query, context)
        return (output, scores) if return_attention_scores else output

    def _fused(self, q: Any, k: Any, v: Any, mask: Any) -> Any:
        return ops.dot_product_attention(
            q,
            k,
            v,
            mask=None if mask is None else _beside_heads(mask, 1),
            scale=1.0 / math.sqrt(q.shape[-1]),
            flash_attention=self.flash_attention,
        )

    def _output(self, query: Any, context: Any) -> Any:
        if self.use_gate:
            context = context * ops.sigmoid(self._gate_dense(query))
        return self._output_dense(context)

    # Step by step --------------------------------------------------------------------------

    def make_cache(self, batch_size: int, length: int) -> tuple[Any, Any]:
        """Room for the keys and values of `length` steps; see `call_with_cache`.

        Returns:
            Two tensors of zeros of shape `(batch_size, length, heads, size)`.
        """
        return tuple(
            ops.zeros((batch_size, length, *sizes), dtype=self.compute_dtype)
            for sizes in self._cached_sizes()
        )

    def _cached_sizes(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """Heads and their size, of keys and of values."""
        raise NotImplementedError

    def call_with_cache(
        self, inputs: Any, cache: tuple[Any, Any], index: Any, mask: Any = None
    ) -> tuple[Any, tuple[Any, Any]]:
        """Causal self-attention of some steps to themselves and to those before them.

        A sequence given in parts, each with the cache that the last one returned, has the
        outputs of `layer(inputs, inputs, use_causal_mask=True)` on the whole. All shapes
        stay the same, so a compiled loop can call it.

        Args:
            inputs: `(batch, steps, features)`: one step or several.
            cache: of `make_cache` or of the call before.
            index: the position of the first of these steps: an int or a scalar tensor. With
                these steps the sequence must not be longer than the cache.
            mask: `(batch, length)`, False for steps in the cache that do not count.

        Returns:
            Outputs `(batch, steps, features)`, and the new cache.

        Example:
            >>> cache = layer.make_cache(batch_size=2, length=16)
            >>> y, cache = layer.call_with_cache(x[:, :5], cache, 0)
            >>> z, cache = layer.call_with_cache(x[:, 5:6], cache, 5)
        """
        inputs = ops.convert_to_tensor(inputs)
        if not self.built:
            self.build(inputs.shape, inputs.shape)
        q, k, v = self._query_dense(inputs), self._key_dense(inputs), self._value_dense(inputs)
        if self.rotary_embedding is not None:
            q, k = (self.rotary_embedding(x, start_index=index) for x in (q, k))
        keys, values = (
            ops.slice_update(old, (0, index, 0, 0), new)
            for old, new in zip(cache, (k, v), strict=True)
        )
        rows = ops.add(ops.arange(inputs.shape[1], dtype="int32"), index)
        seen = self._visible(rows, ops.arange(keys.shape[1], dtype="int32"), True)
        if mask is not None:
            seen = ops.logical_and(seen, ops.expand_dims(ops.cast(mask, "bool"), 1))
        return self._output(inputs, self._fused(q, keys, values, seen)), (keys, values)

    def _attend(self, q: Any, k: Any, v: Any, mask: Any, training: Any) -> tuple[Any, Any]:
        """Attention over any axes; `q`, `k`, `v` are `(..., heads, size)`."""
        many, few = self._heads
        if many != few:
            k, v = (ops.repeat(x, many // few, axis=-2) for x in (k, v))
        rank = len(q.shape)
        axes = self.attention_axes
        letters = iter(_LETTERS)
        names = [next(letters) for _ in range(rank)]
        keys = list(names)
        for axis in axes:
            keys[axis] = next(letters)
        value_size = next(letters)
        heads = names[rank - 2]
        batch = [names[i] for i in range(rank - 2) if i not in axes]
        scores_spec = "".join([*batch, heads, *(names[a] for a in axes), *(keys[a] for a in axes)])
        q = ops.multiply(q, 1.0 / math.sqrt(q.shape[-1]))
        scores = ops.einsum(f"{''.join(names)},{''.join(keys)}->{scores_spec}", q, k)
        if mask is not None:
            mask = _beside_heads(mask, len(axes), len(batch))
        weights = masked_softmax(scores, mask, tuple(range(-len(axes), 0)))
        if mask is not None:
            # A query that sees nothing gets nothing.
            weights = ops.where(mask, weights, 0)
        dropped = self._dropout_layer(weights, training=training)
        values = [*keys[:-1], value_size]
        context_spec = "".join([*names[:-1], value_size])
        context = ops.einsum(f"{scores_spec},{''.join(values)}->{context_spec}", dropped, v)
        return context, weights

    def _mask(self, query: Any, key: Any, masks: Any, attention_mask: Any, causal: bool) -> Any:
        """All masks as one of shape `(batch, T, S)`, True where a query sees a key.

        `masks` are those of query, value and key.
        """
        query_mask, *hidden = (m if m is None else ops.cast(m, "bool") for m in masks)
        found = [] if attention_mask is None else [ops.cast(attention_mask, "bool")]
        if query_mask is not None:
            found.append(ops.expand_dims(query_mask, -1))
        found += [ops.expand_dims(mask, -2) for mask in hidden if mask is not None]
        if causal or self.sliding_window is not None:
            rows, columns = (ops.arange(ops.shape(x)[1], dtype="int32") for x in (query, key))
            found.append(self._visible(rows, columns, causal))
        return functools.reduce(ops.logical_and, found) if found else None

    def _visible(self, rows: Any, columns: Any, causal: bool) -> Any:
        """`(1, T, S)`: which queries see which keys, by their positions."""
        rows, columns = ops.expand_dims(rows, 1), ops.expand_dims(columns, 0)
        seen = ops.greater_equal(rows, columns) if causal else None
        if self.sliding_window is not None:
            near = ops.less(ops.absolute(rows - columns), self.sliding_window)
            seen = near if seen is None else ops.logical_and(seen, near)
        return ops.expand_dims(seen, 0)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments as JSON-ready values."""
        config = super().get_config()
        if self.rotary_embedding is not None:
            config["rotary_embedding"] = serialize_value(self.rotary_embedding)
        return config

    get_config._derived = True  # type: ignore[attr-defined]

    def compute_output_spec(
        self,
        query: Any,
        value: Any,
        key: Any = None,
        query_mask: Any = None,
        value_mask: Any = None,
        key_mask: Any = None,
        attention_mask: Any = None,
        return_attention_scores: bool = False,
        training: Any = None,
        use_causal_mask: bool = False,
    ) -> Any:
        key = value if key is None else key
        for what, x in (("query", query), ("value", value), ("key", key)):
            if not hasattr(x, "shape") or len(x.shape) < 3:
                raise ValueError(
                    f"Layer {self.name!r}: `{what}` must have shape (batch, steps, features). "
                    f"Received: {describe(x)}"
                )
        output = self._spec_of((*query.shape[:-1], *self._output_features))
        if not return_attention_scores:
            return output
        axes = self.attention_axes
        batch = [query.shape[i] for i in range(len(query.shape) - 1) if i not in axes]
        shape = (
            *batch,
            self._heads[0],
            *(query.shape[a] for a in axes),
            *(key.shape[a] for a in axes),
        )
        return output, self._spec_of(shape)


def _projection_of(what: str, doc: str) -> property:
    return property(operator.attrgetter(f"_{what}_dense"), doc=doc)


class MultiHeadAttention(BaseAttention):
    """Attention of queries to keys in several subspaces at once.

    Args:
        num_heads: number of heads.
        key_dim: size of each head for queries and keys.
        value_dim: size of each head for values; `key_dim` by default.
        dropout: share of attention scores dropped in training.
        use_bias: whether the projections have biases.
        output_shape: features of the output; those of the query by default.
        attention_axes: axes attended over; all but the first and last by default.
        sliding_window: attend to so many steps on each side only.
        flash_attention: True asks for the engine's flash kernel, None leaves it to the
            engine.
        kernel_initializer, bias_initializer: initial values.
        kernel_regularizer, bias_regularizer: penalties.
        activity_regularizer: penalty on the output.
        kernel_constraint, bias_constraint: applied after each update.
        use_gate: gate the heads by the sigmoid of a projection of the query.
        seed: of dropout.
        rotary_embedding: a `RotaryEmbedding` layer that turns queries and keys by their
            positions. Keras has no such argument.

    To generate step by step, keep keys and values: see `make_cache` and `call_with_cache`.

    Call arguments:
        query: `(batch, T, features)`.
        value: `(batch, S, features)`.
        key: `(batch, S, features)`; `value` by default.
        query_mask, value_mask, key_mask: False for steps that do not count; by default the
            masks of the tensors. The output gets that of the query tensor, and these keep
            theirs: an eager call of Keras takes them off, a functional model does not.
        attention_mask: `(batch, T, S)`, `(T, S)` or `(batch, heads, T, S)`, True where a query
            sees a key.
        return_attention_scores: also return `(batch, heads, T, S)`.
        use_causal_mask: no query sees a later key.

    Returns:
        `(batch, T, features)`, and the scores when asked for.
    """

    num_heads: int = 1
    key_dim: int = 1
    value_dim: int = 1
    dropout: float = 0.0
    use_bias: bool = True

    @takes(BaseAttention, behind={"use_bias": "output_shape attention_axes"})
    def __init__(
        self,
        num_heads: int,
        key_dim: int,
        value_dim: int | None = None,
        output_shape: Any = None,
        attention_axes: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.num_heads, self.key_dim = num_heads, key_dim
        check_positive(self, num_heads=num_heads, key_dim=key_dim)
        if value_dim is not None:
            check_positive(self, value_dim=value_dim)
        self.value_dim = value_dim or key_dim
        self._output_shape = _sequence(output_shape)
        for size in self._output_shape or ():
            check_positive(self, output_shape=size)
        self.attention_axes = _sequence(attention_axes)

    @property
    def output_shape(self) -> Any:
        return self._output_shape

    def _cached_sizes(self) -> tuple[tuple[int, int], tuple[int, int]]:
        return (self.num_heads, self.key_dim), (self.num_heads, self.value_dim)

    query_dense = _projection_of("query", "The projection of queries.")
    key_dense = _projection_of("key", "The projection of keys.")
    value_dense = _projection_of("value", "The projection of values.")
    output_dense = _projection_of("output", "The projection of the heads' outputs.")

    def build(self, query_shape: Any, value_shape: Any, key_shape: Any = None) -> None:
        key_shape = value_shape if key_shape is None else key_shape
        rank = len(query_shape)
        if self.attention_axes is None:
            self.attention_axes = tuple(range(1, rank - 1))
        else:
            if any(not 0 < axis % rank < rank - 1 or axis >= rank for axis in self.attention_axes):
                raise ValueError(
                    f"Layer {self.name!r} (MultiHeadAttention): `attention_axes` must lie between "
                    f"those of batch and features. Received: {self.attention_axes}, query "
                    f"{tuple(query_shape)}"
                )
            self.attention_axes = tuple(axis % rank for axis in self.attention_axes)
        self._build_projections(
            (query_shape, value_shape, key_shape),
            (self.num_heads, self.num_heads),
            (self.key_dim, self.value_dim),
            self._output_shape or (known_size(self, query_shape, -1),),
        )

    def _mask(self, query: Any, key: Any, masks: Any, attention_mask: Any, causal: bool) -> Any:
        # As in Keras: of the queries, the mask that came with the tensor is the one that counts.
        own = engine.get_mask(query) if engine.is_tensor(query) else None
        return super()._mask(query, key, (own, *masks[1:]), attention_mask, causal)


def _beside_heads(mask: Any, axes: int, batch: int = 1) -> Any:
    """A mask with as many axes as the scores, which have one of heads before the `axes`."""
    while len(mask.shape) < batch + 1 + 2 * axes:
        mask = ops.expand_dims(mask, -2 * axes - 1)
    return mask


def _again(initializer: Any) -> Any:
    """A new initializer of the same config: one object would repeat its values."""
    if hasattr(initializer, "clone"):
        return initializer.clone()
    if hasattr(initializer, "from_config"):
        return type(initializer).from_config(initializer.get_config())
    return initializer


def _sequence(value: Any) -> tuple[int, ...] | None:
    return None if value is None else (value,) if isinstance(value, int) else tuple(value)

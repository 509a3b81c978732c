"""Grouped-query attention: several query heads share one head of keys and values.

Ainslie et al., "GQA", https://arxiv.org/abs/2305.13245
"""

from __future__ import annotations

from typing import Any

from keraslite.layers.attention import BaseAttention
from keraslite.layers.constructors import takes
from keraslite.layers.options import check_positive, known_size

__all__ = ["GroupQueryAttention"]


class GroupedQueryAttention(BaseAttention):
    """Multi-head attention with fewer heads for keys and values than for queries.

    Args:
        head_dim: size of each head.
        num_query_heads: number of heads for queries.
        num_key_value_heads: number of heads for keys and values, a divisor of
            `num_query_heads`; 1 gives multi-query attention.
        dropout: share of attention scores dropped in training.
        use_bias: whether the projections have biases.
        sliding_window: attend to so many steps on each side only.
        flash_attention: True asks for the engine's flash kernel, None leaves it to the
            engine.
        kernel_initializer, bias_initializer: initial values.
        kernel_regularizer, bias_regularizer: penalties.
        activity_regularizer: penalty on the output.
        kernel_constraint, bias_constraint: applied after each update.
        use_gate: gate the heads by the sigmoid of a projection of the query.
        seed: of dropout.
        rotary_embedding: see `MultiHeadAttention`.

    Called like `MultiHeadAttention`, on inputs of three axes.

    Example:
        >>> layer = keras.layers.GroupQueryAttention(8, 4, 2)
        >>> layer(np.ones((2, 5, 16)), np.ones((2, 7, 16))).shape
        (2, 5, 16)
    """

    #: The name that files have for it.
    _saved_name = "GroupQueryAttention"

    @takes(BaseAttention)
    def __init__(
        self,
        head_dim: int,
        num_query_heads: int,
        num_key_value_heads: int,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        sizes = {"num_query_heads": num_query_heads, "num_key_value_heads": num_key_value_heads}
        check_positive(self, head_dim=head_dim, **sizes)
        self._set_options(head_dim=head_dim, **sizes)
        if num_query_heads % num_key_value_heads:
            raise ValueError(
                "GroupQueryAttention: `num_query_heads` must be a multiple of "
                f"`num_key_value_heads`. Received: {num_query_heads} and {num_key_value_heads}"
            )

    def _cached_sizes(self) -> tuple[tuple[int, int], tuple[int, int]]:
        sizes = self.num_key_value_heads, self.head_dim
        return sizes, sizes

    def build(self, query_shape: Any, value_shape: Any, key_shape: Any = None) -> None:
        key_shape = value_shape if key_shape is None else key_shape
        for name, shape in (("query", query_shape), ("value", value_shape), ("key", key_shape)):
            if len(shape) != 3:
                raise ValueError(
                    f"Layer {self.name!r}: `{name}` must have shape (batch, steps, features). "
                    f"Received: shape={tuple(shape)}"
                )
        self._build_projections(
            (query_shape, value_shape, key_shape),
            (self.num_query_heads, self.num_key_value_heads),
            (self.head_dim, self.head_dim),
            (known_size(self, query_shape, -1),),
        )


# The class has the name that its own name and paths in files come from.
GroupQueryAttention = GroupedQueryAttention

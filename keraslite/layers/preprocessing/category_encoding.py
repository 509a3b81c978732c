"""`CategoryEncoding`: integers as one-hot, multi-hot or count vectors."""

from __future__ import annotations

from typing import Any

from keraslite import ops
from keraslite.layers.options import check_indices, check_positive
from keraslite.layers.preprocessing.base import EncodingLayer, is_float_policy

__all__ = ["CategoryEncoding"]


class CategoryEncoding(EncodingLayer):
    """Integers as one-hot, multi-hot or count vectors.

    Args:
        num_tokens: length of the vectors.
        output_mode: `"one_hot"`: a vector for every integer, in a new last axis (an axis of
            size 1 is dropped first); `"multi_hot"`: one vector for the last axis, which
            integers occur; `"count"`: how often they occur.
        sparse: whether to return sparse tensors, where the engine has them.

    Call arguments:
        inputs: integers of any shape.
        count_weights: what every integer counts, shaped like `inputs`; for `"count"`.

    Raises:
        ValueError: for integers outside of `[0, num_tokens)`; in a compiled step these leave
            no trace.

    Example:
        >>> layer = keras.layers.CategoryEncoding(num_tokens=4, output_mode="multi_hot")
        >>> layer([[0, 1], [0, 0], [3, 1]])
        array([[1., 1., 0., 0.],
               [1., 0., 0., 0.],
               [0., 1., 0., 1.]], dtype=float32)
    """

    def __init__(
        self,
        num_tokens: int | None = None,
        output_mode: str = "multi_hot",
        sparse: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if output_mode == "binary":
            output_mode = "multi_hot"
        self._set_mode(output_mode, sparse, ("count", "one_hot", "multi_hot"))
        if num_tokens is None:
            raise ValueError(
                "CategoryEncoding: `num_tokens` must be a positive integer; where it is not known, "
                "`IntegerLookup` learns it. Received: num_tokens=None"
            )
        check_positive(self, num_tokens=num_tokens)
        self.num_tokens = num_tokens
        self.autocast = is_float_policy(self)

    @property
    def _depth(self) -> int:
        return self.num_tokens

    @property
    def _output_dtype(self) -> str:
        return self.dtype

    def call(self, inputs: Any, count_weights: Any = None) -> Any:
        """The vectors of integers."""
        if count_weights is not None and self.output_mode != "count":
            raise ValueError(
                f"Layer {self.name!r} (CategoryEncoding): `count_weights` is for "
                f"output_mode='count'. Received: output_mode={self.output_mode!r}"
            )
        check_indices(self, inputs, self.num_tokens, "num_tokens")
        return self._encoded(ops.cast(inputs, "int32"), weights=count_weights)

    _not_in_config = frozenset({"sparse"})

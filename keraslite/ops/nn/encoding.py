"""Class numbers as vectors of zeros and ones."""

from __future__ import annotations

from typing import Any

from keraslite.backend import engine
from keraslite.core import dtypes
from keraslite.core.errors import unexpected_arguments
from keraslite.core.op import Tensor, TensorLike, composite, kernel, plain
from keraslite.core.promotion import DtypeRule
from keraslite.core.shapes import Shape, canonical_axis
from keraslite.ops import numpy as np
from keraslite.ops.core import ndim

_native_one_hot = kernel("one_hot")


def _whole(name: str) -> str:
    return "int32" if name in dtypes.FLOATS or name in ("float", "int") else name


def _one_hot_shape(x: Shape, num_classes: int, axis: int = -1, dtype: Any = None) -> Shape:
    axis = canonical_axis(axis, len(x) + 1)
    return (*x[:axis], num_classes, *x[axis:])


@composite(_one_hot_shape, DtypeRule(_whole, passing=dtypes.INTS), native=False)
def _one_hot(x: TensorLike, num_classes: int, axis: int, dtype: str) -> Tensor:
    return _native_one_hot(x, num_classes, canonical_axis(axis, len(x.shape) + 1), dtype)


def one_hot(
    x: TensorLike, num_classes: int, axis: int = -1, dtype: Any = None, sparse: bool = False
) -> Tensor:
    """Vectors that are 1 at the position that `x` tells and 0 elsewhere.

    Args:
        x: tensor of class numbers. Numbers outside `[0, num_classes)` give zeros only.
        num_classes: length of the vectors.
        axis: where the new axis stands in the result.
        dtype: of the result; None for `keras.config.floatx()`.
        sparse: whether to return a sparse tensor.

    Returns:
        Tensor with one axis more than `x`.

    Raises:
        ValueError: if `axis` is not in the result.
        NotImplementedError: for `sparse=True` on an engine without sparse tensors.

    Example:
        >>> keras.ops.one_hot([0, 2], 3)
        [[1., 0., 0.], [0., 0., 1.]]
    """
    found = _one_hot(x, plain(num_classes), axis, dtypes.standardize_dtype(dtype))
    return engine.to_sparse(found) if sparse else found


def multi_hot(
    inputs: TensorLike,
    num_classes: int | None = None,
    axis: int = -1,
    dtype: Any = None,
    sparse: bool = False,
    **kwargs: Any,
) -> Tensor:
    """Vectors that are 1 at the positions that several numbers tell, and 0 elsewhere.

    Args:
        inputs: tensor of class numbers. Numbers outside `[0, num_classes)` do nothing.
        num_classes: length of the vectors.
        axis: where the vectors stand in the result.
        dtype: of the result; None for `keras.config.floatx()`.
        sparse: whether to return a sparse tensor.

    Returns:
        Tensor of the rank of `inputs`: those along axis 1 (along axis 0 if it is the only
        one) make one vector together.

    Raises:
        ValueError: if `num_classes` is missing, or `inputs` has no such axis.
        NotImplementedError: for `sparse=True` on an engine without sparse tensors.

    Example:
        >>> keras.ops.multi_hot([[0, 2], [1, 1]], 3)
        [[1., 0., 1.], [0., 1., 0.]]
    """
    # An older name of `num_classes`.
    num_classes = kwargs.pop("num_tokens", num_classes)
    if kwargs:
        raise unexpected_arguments(
            "ops.multi_hot", kwargs, ["inputs", "num_classes", "axis", "dtype", "sparse"]
        )
    if num_classes is None:
        raise ValueError("ops.multi_hot: `num_classes` must be an integer. Received: None")
    rank = ndim(inputs)
    axis = canonical_axis(axis, rank + 1)
    together = 1 - axis if rank == 1 else 2 if axis == 1 else 1
    found = np.max(one_hot(inputs, num_classes, axis, dtype), together)
    return engine.to_sparse(found) if sparse else found

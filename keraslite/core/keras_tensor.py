"""`KerasTensor`: shape and dtype of a value that a model will compute."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from keraslite.core import dtypes, tree
from keraslite.core.naming import auto_name
from keraslite.core.operators import TensorOperators, _ops


def standardize_shape(shape: Any) -> tuple[int | None, ...]:
    """`shape` as a tuple of non-negative ints and None.

    Raises:
        ValueError: for None, a negative size, or an entry that is no integer.
    """
    if shape is None or isinstance(shape, (str, int)):
        raise ValueError(f"A shape must be a tuple of integers and None. Received: {shape!r}")
    found = tuple(shape)
    sizes: list[int | None] = []
    for size in found:
        if size is not None:
            try:
                size = size.__index__()
            except (AttributeError, TypeError) as error:
                raise ValueError(
                    f"A shape must hold integers and None only. Received: shape={found!r:.200}"
                ) from error
            if size < 0:
                raise ValueError(f"Sizes must not be negative. Received: shape={found}")
        sizes.append(size)
    return tuple(sizes)


class KerasTensor(TensorOperators):
    """A symbolic tensor: the inputs and intermediate values of a functional model.

    Args:
        shape: tuple of sizes; None for a size that is not known yet.
        dtype: of the values.
        sparse, ragged: whether values will be sparse or ragged tensors.
        record_history: False for tensors that take no part in a graph.
        name: for error messages and saved models.

    Example:
        >>> x = keras.Input((4,))
        >>> keras.layers.Dense(2)(x)
        <KerasTensor shape=(None, 2), dtype=float32, sparse=False, ragged=False, name=...>
    """

    shape: tuple[int | None, ...] = ()
    dtype: str = "float32"
    sparse: bool = False
    ragged: bool = False
    ragged_rank: int | None = None
    row_splits_dtype: str | None = None

    def __init__(
        self,
        shape: Iterable[int | None],
        dtype: Any = "float32",
        sparse: bool = False,
        ragged: bool = False,
        record_history: bool = True,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        if sparse and ragged:
            raise ValueError("A KerasTensor is either sparse or ragged. Received: both True.")
        self.shape = standardize_shape(shape)
        self.dtype = dtypes.standardize_dtype(dtype)
        self.sparse = bool(sparse)
        self.ragged = bool(ragged)
        self.record_history = record_history
        self.ragged_rank = kwargs.pop("ragged_rank", 1 if ragged else None)
        self.row_splits_dtype = kwargs.pop("row_splits_dtype", "int32" if ragged else None)
        if kwargs:
            raise TypeError(f"KerasTensor got unexpected arguments: {', '.join(kwargs)}")
        self._name = name

    @property
    def name(self) -> str:
        # Most intermediate tensors are never asked for their name.
        if self._name is None:
            self._name = auto_name("keras_tensor")
        return self._name

    @name.setter
    def name(self, value: str) -> None:
        self._name = value

    @property
    def ndim(self) -> int:
        return len(self.shape)

    def reshape(self, newshape: Any) -> Any:
        return _ops().reshape(self, newshape)

    def squeeze(self, axis: Any = None) -> Any:
        return _ops().squeeze(self, axis)

    def _no_value(self, what: str) -> TypeError:
        return TypeError(
            f"{self!r} has no value: it stands for what a model will compute, so it cannot be "
            f"{what}. Use `keraslite.ops` on it, or put the code into the `call` of a Layer."
        )

    def __eq__(self, other: Any) -> Any:
        # As in Keras: `x in tensors` and `tensors.index(x)` ask whether it is the same one.
        if other is None or isinstance(other, KerasTensor):
            return self is other
        return super().__eq__(other)

    __hash__ = object.__hash__

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        raise self._no_value("turned into a NumPy array")

    def __jax_array__(self) -> Any:
        raise self._no_value("given to a function of jax")

    def __tf_tensor__(self, *args: Any, **kwargs: Any) -> Any:
        raise self._no_value("given to a function of TensorFlow")

    def __bool__(self) -> bool:
        raise self._no_value("used as a condition")

    def __int__(self) -> int:
        raise self._no_value("turned into an int")

    def __float__(self) -> float:
        raise self._no_value("turned into a float")

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of a scalar KerasTensor")
        if self.shape[0] is None:
            raise self._no_value("measured: its first size is unknown")
        return self.shape[0]

    def __iter__(self) -> Any:
        if not self.shape or self.shape[0] is None:
            raise self._no_value("iterated over")
        return (self[i] for i in range(self.shape[0]))

    def __repr__(self) -> str:
        return (
            f"<KerasTensor shape={self.shape}, dtype={self.dtype}, sparse={self.sparse}, "
            f"ragged={self.ragged}, name={self.name}>"
        )


def is_keras_tensor(x: Any) -> bool:
    """Whether `x` is a symbolic tensor.

    Example:
        >>> is_keras_tensor(keras.Input((2,)))
        True
    """
    return isinstance(x, KerasTensor)


def any_symbolic(args: Any, kwargs: Any = None) -> bool:
    """Whether a `KerasTensor` stands anywhere in these trees."""
    return any(isinstance(x, KerasTensor) for x in tree.flatten((args, kwargs)))

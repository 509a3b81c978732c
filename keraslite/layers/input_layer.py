"""`Input` and `InputLayer`: where a functional model begins."""

from __future__ import annotations

from typing import Any

from keraslite.core import dtypes
from keraslite.core.errors import describe
from keraslite.core.graph import Node
from keraslite.core.keras_tensor import KerasTensor, standardize_shape
from keraslite.layers.layer import Layer

__all__ = ["Input", "InputLayer"]


class InputLayer(Layer):
    """An entry of a model.

    Args:
        shape: of one sample, without the batch axis.
        batch_size: size of the batch axis, None when free.
        dtype: of the data, `floatx()` by default.
        sparse, ragged: whether the data are sparse or ragged tensors.
        batch_shape: the shape with the batch axis, in place of `shape` and `batch_size`.
        input_tensor: a `KerasTensor` to use as the entry.
        optional: whether the entry may be None.
        name: of the layer.
    """

    def __init__(
        self,
        shape: Any = None,
        batch_size: int | None = None,
        dtype: Any = None,
        sparse: bool | None = None,
        ragged: bool | None = None,
        batch_shape: Any = None,
        input_tensor: Any = None,
        optional: bool = False,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        if "input_shape" in kwargs:
            shape = kwargs.pop("input_shape")
        if "batch_input_shape" in kwargs:
            batch_shape = kwargs.pop("batch_input_shape")
        dtype = kwargs.pop("input_dtype", dtype)
        super().__init__(name=name, **kwargs)
        if input_tensor is not None:
            if not isinstance(input_tensor, KerasTensor):
                raise ValueError(
                    f"`input_tensor` must be a KerasTensor. Received: {describe(input_tensor)}"
                )
            batch_shape, dtype = input_tensor.shape, dtype or input_tensor.dtype
            sparse = input_tensor.sparse
        elif shape is not None and batch_shape is not None:
            raise ValueError("Give either `shape` or `batch_shape`. Received: both.")
        elif shape is None and batch_shape is None:
            raise ValueError("`Input` needs a `shape` (without the batch axis): `Input((28, 28))`.")
        if batch_shape is None:
            batch_shape = (batch_size, *standardize_shape(shape))
        self._batch_shape = standardize_shape(batch_shape)
        self._dtype = dtypes.standardize_dtype(dtype)
        self.sparse = bool(sparse)
        self.ragged = bool(ragged)
        self.optional = optional
        self.built = True
        if input_tensor is None:
            input_tensor = KerasTensor(
                self.batch_shape, self._dtype, self.sparse, self.ragged, name=self.name
            )
        Node(self, (), {}, input_tensor)

    @property
    def batch_shape(self) -> tuple[int | None, ...]:
        """The shape of the data, with the batch axis."""
        return self._batch_shape

    @property
    def dtype(self) -> str:  # type: ignore[override]
        return self._dtype

    def call(self) -> None:
        """Never run: values are given to the model."""

    def get_config(self) -> dict[str, Any]:
        names = ("batch_shape", "dtype", "sparse", "ragged", "name", "optional")
        return {name: getattr(self, name) for name in names}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> InputLayer:
        return cls(**config)


def Input(  # noqa: N802 - Keras's public name
    shape: Any = None,
    batch_size: int | None = None,
    dtype: Any = None,
    sparse: bool | None = None,
    ragged: bool | None = None,
    batch_shape: Any = None,
    name: str | None = None,
    tensor: Any = None,
    optional: bool = False,
) -> KerasTensor:
    """A symbolic tensor that stands for data given to a model.

    Args:
        shape: of one sample, without the batch axis; None for free sizes.
        batch_size: size of the batch axis, None when free.
        dtype: of the data, `floatx()` by default.
        sparse, ragged: whether the data are sparse or ragged tensors.
        batch_shape: the shape with the batch axis, in place of `shape` and `batch_size`.
        name: of the input; data may be given in a dict with this key.
        tensor: a `KerasTensor` to use.
        optional: whether None may be given.

    Returns:
        A `KerasTensor` of shape `(batch_size, *shape)`.

    Example:
        >>> x = keras.Input((32,))
        >>> y = keras.layers.Dense(16, activation="softmax")(x)
        >>> model = keras.Model(x, y)
    """
    arguments = dict(locals())
    return InputLayer(input_tensor=arguments.pop("tensor"), **arguments).output

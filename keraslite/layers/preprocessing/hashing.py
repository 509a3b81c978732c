"""`Hashing` and `HashedCrossing`: strings and integers as bucket numbers."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from keraslite.backend import engine
from keraslite.backend.foreign import host_array
from keraslite.core.errors import describe
from keraslite.core.keras_tensor import KerasTensor
from keraslite.layers.constructors import takes
from keraslite.layers.options import check_positive
from keraslite.layers.preprocessing import hashes
from keraslite.layers.preprocessing.base import HostLayer, Shape
from keraslite.layers.preprocessing.encoding import encoded_shape

__all__ = ["HashedCrossing", "Hashing"]

_CROSS_SEED = 0xDECAFCAFFE  # TensorFlow's, for values that agree with its crossings


class _BucketLayer(HostLayer):
    """A layer that gives the numbers of `num_bins` buckets."""

    _modes: tuple[str, ...] = ("int", "one_hot", "multi_hot", "count")

    def __init__(
        self,
        num_bins: int,
        output_mode: str = "int",
        sparse: bool = False,
        name: str | None = None,
        dtype: Any = None,
        **kwargs: Any,
    ) -> None:
        if dtype is None and output_mode == "int":
            dtype = "int64"
        super().__init__(name=name, dtype=dtype, **kwargs)
        check_positive(self, num_bins=num_bins)
        self._set_mode(output_mode, sparse, self._modes)
        if output_mode == "int" and "int" not in self.compute_dtype:
            raise ValueError(
                f"{type(self).__name__}: with output_mode='int' `dtype` must be an integer dtype. "
                f"Received: dtype={self.compute_dtype}"
            )
        self.num_bins = num_bins

    @property
    def _depth(self) -> int:
        return self.num_bins

    @property
    def _output_dtype(self) -> str:
        wide = engine.capabilities.float64
        return self.compute_dtype if wide else self.compute_dtype.replace("int64", "int32")


class Hashing(_BucketLayer):
    """Strings and integers as bucket numbers: FarmHash or, with a salt, SipHash.

    No vocabulary is needed, but different values may share a bucket. Integers are hashed as
    their decimal digits.

    Args:
        num_bins: number of buckets.
        mask_value: this value gets bucket 0, and no other does.
        salt: an integer or two of them, the key of SipHash-2-4.
        output_mode: `"int"`, or `"one_hot"`, `"multi_hot"`, `"count"` as `CategoryEncoding`.
        sparse: whether to return sparse tensors, where the engine has them.

    Example:
        >>> layer = keras.layers.Hashing(num_bins=3)
        >>> layer([["A"], ["B"], ["C"], ["D"], ["E"]])
        array([[1], [0], [1], [1], [2]])
    """

    @takes(_BucketLayer, behind={"num_bins": "mask_value salt"}, without="name dtype")
    def __init__(self, mask_value: Any = None, salt: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.mask_value = mask_value
        self.salt = _checked_salt(self, salt)

    def _on_arrays(self, inputs: np.ndarray) -> np.ndarray:
        if inputs.dtype.kind == "f":
            inputs = inputs.astype("int64")
        if self.mask_value is None:
            return self._encoded(hashes.buckets(inputs, self.num_bins, self.salt))
        # Bucket 0 is the mask's own.
        if self.num_bins > 1:
            found = hashes.buckets(inputs, self.num_bins - 1, self.salt) + 1
        else:
            found = np.zeros(inputs.shape, "int64")
        return self._encoded(np.where(_equal(inputs, self.mask_value), 0, found))


def _checked_salt(layer: Any, salt: Any) -> list[int] | None:
    if salt is None:
        return None
    if isinstance(salt, (list, tuple)) and len(salt) == 2:
        return list(salt)
    if isinstance(salt, int):
        return [salt, salt]
    raise ValueError(
        f"{type(layer).__name__}: `salt` must be an integer or two of them. Received: salt={salt!r}"
    )


def _equal(inputs: np.ndarray, value: Any) -> np.ndarray:
    if inputs.dtype.kind != "O":
        return inputs == value if not isinstance(value, str) else np.zeros(inputs.shape, bool)
    both = {value, value.encode() if isinstance(value, str) else value}
    return np.array([x in both for x in inputs.ravel().tolist()], bool).reshape(inputs.shape)


class HashedCrossing(_BucketLayer):
    """Combinations of several features as bucket numbers.

    Args:
        num_bins: number of buckets.
        output_mode: `"int"` or `"one_hot"`.
        sparse: whether to return sparse tensors, where the engine has them.

    Call arguments:
        inputs: a list of strings or integers, each of shape `()`, `(batch,)` or `(batch, 1)`.

    Example:
        >>> layer = keras.layers.HashedCrossing(num_bins=5)
        >>> layer((np.array(["A", "B", "A", "B", "A"]), np.array([101, 101, 101, 102, 102])))
        array([1, 4, 1, 1, 3])
    """

    _modes = ("int", "one_hot")

    @takes(_BucketLayer)
    def __init__(self, **kwargs: Any) -> None:
        kwargs["sparse"] = kwargs["sparse"] and kwargs["output_mode"] != "int"
        super().__init__(**kwargs)

    def _arrays(self, value: Any) -> Any:
        if not isinstance(value, (list, tuple)):
            raise ValueError(
                f"Layer {self.name!r} (HashedCrossing) must be called on a list or tuple of "
                f"inputs. Received: {describe(value)}"
            )
        found = [super(HashedCrossing, self)._arrays(x) for x in value]
        if len(found) < 2:
            raise ValueError(
                f"Layer {self.name!r} (HashedCrossing) crosses two inputs or more. "
                f"Received: {len(found)}"
            )
        shapes = [tuple(x.shape) for x in found]
        if any(shape != shapes[0] for shape in shapes):
            raise ValueError(
                f"Layer {self.name!r} (HashedCrossing): all inputs must have the same shape. "
                f"Received: shapes {shapes}"
            )
        if len(shapes[0]) > 2 or (len(shapes[0]) == 2 and shapes[0][1] != 1):
            raise ValueError(
                f"Layer {self.name!r} (HashedCrossing): inputs must have shape (), (batch,) or "
                f"(batch, 1). Received: shape {shapes[0]}"
            )
        for x in found:
            if "float" in str(x.dtype):
                raise ValueError(
                    f"Layer {self.name!r} (HashedCrossing) crosses strings and integers. "
                    f"Received: {x.dtype}. Make bins of floats with `Discretization`."
                )
        return found

    def call(self, inputs: Any) -> Any:
        """The buckets of the combinations."""
        shape = self._shape_for([tuple(x.shape) for x in inputs])
        return self._compute(list(inputs), shape)

    def _on_arrays(self, *arrays: np.ndarray) -> np.ndarray:
        prints = [_fingerprint(host_array(x)) for x in arrays]
        hashed = functools.reduce(hashes.combined, prints, hashes.U64(_CROSS_SEED))
        found = (hashed % hashes.U64(self.num_bins)).astype("int64")
        return self._encoded(np.reshape(found, arrays[0].shape))

    def _shape_for(self, shapes: Any) -> Shape:
        return encoded_shape(tuple(shapes[0]), self._depth, self.output_mode)

    def compute_output_shape(self, input_shape: Any) -> Shape:
        """Shape of the buckets."""
        return self._shape_for(input_shape)

    def compute_output_spec(self, inputs: Any) -> KerasTensor:
        """Shape and dtype of the buckets."""
        shape = self._shape_for([x.shape for x in inputs])
        return KerasTensor(shape, self._output_dtype, sparse=self.sparse)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments; the dtype by name."""
        names = ("num_bins", "output_mode", "sparse", "name", "dtype")
        return {name: getattr(self, name) for name in names}


def _fingerprint(x: np.ndarray) -> np.ndarray:
    """Strings by FarmHash; integers stand for themselves."""
    if x.dtype.kind in "iub":
        return x.ravel().astype("int64").view("uint64")
    return hashes.fingerprint64(hashes.as_bytes(x))

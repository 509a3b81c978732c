"""What layers that prepare data share: computing in NumPy, encodings, `adapt`."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np

from keraslite import ops
from keraslite.backend import TensorSpec, engine
from keraslite.backend.foreign import engine_of, host_array
from keraslite.core import dtypes
from keraslite.core.errors import check_choice
from keraslite.core.keras_tensor import KerasTensor
from keraslite.layers.data_layer import DataLayer
from keraslite.layers.layer import Layer
from keraslite.layers.preprocessing.encoding import encode, encoded_shape

Shape = tuple[int | None, ...]


class EncodingLayer(DataLayer):
    """A layer whose integers may leave it as one-hot, multi-hot or count vectors.

    Subclasses set `output_mode` and `sparse`, and tell the length of the vectors.
    """

    output_mode: str = "int"
    sparse: bool = False

    @property
    def _depth(self) -> int | None:
        """The length of the vectors; None when it is not known yet."""
        raise NotImplementedError

    @property
    def _output_dtype(self) -> str:
        return self.compute_dtype

    def _encoded(self, indices: Any, **kwargs: Any) -> Any:
        """Indices, in NumPy or as a tensor, in the output mode."""
        found = encode(indices, self._depth, self.output_mode, self._output_dtype, **kwargs)
        return found if isinstance(found, np.ndarray) else self._sparse_if_wanted(found)

    def _sparse_if_wanted(self, x: Any) -> Any:
        return engine.to_sparse(x) if self.sparse else x

    def _set_mode(self, output_mode: str, sparse: bool, modes: tuple[str, ...]) -> None:
        check_choice(self, modes, output_mode=output_mode)
        if sparse and not engine.capabilities.sparse:
            raise ValueError(
                f"{type(self).__name__}: `sparse=True` needs an engine with sparse tensors, "
                f"which {engine.name!r} has not. Leave it False."
            )
        if sparse and output_mode == "int":
            raise ValueError(
                f"{type(self).__name__}: `sparse=True` is for vectors, not for "
                f"output_mode='int'. Received: sparse={sparse}, output_mode={output_mode!r}"
            )
        self.output_mode, self.sparse = output_mode, bool(sparse)

    def compute_output_shape(self, input_shape: Any) -> Shape:
        """Shape of the outputs."""
        return encoded_shape(tuple(input_shape), self._depth, self.output_mode)

    def compute_output_spec(self, inputs: Any, *args: Any, **kwargs: Any) -> KerasTensor:
        """Shape and dtype of the outputs."""
        shape = self.compute_output_shape(inputs.shape)
        return KerasTensor(shape, self._output_dtype, sparse=self.sparse)


class HostLayer(EncodingLayer):
    """A layer that computes in NumPy, on the host: engines do not have strings.

    Subclasses define `_on_arrays(array, ...) -> array`.
    """

    def _convert(self, arguments: dict[str, Any]) -> dict[str, Any]:
        return {name: self._arrays(value) for name, value in arguments.items()}

    def _arrays(self, value: Any) -> Any:
        kept = value is None or isinstance(value, KerasTensor) or engine.is_tensor(value)
        return value if kept else host_array(value)

    def _on_arrays(self, *arrays: np.ndarray) -> np.ndarray:
        raise NotImplementedError

    def _compute(self, inputs: list[Any], shape: Shape) -> Any:
        """`_on_arrays` of arrays or tensors, as a tensor of the engine."""
        dtype = self._output_dtype
        if not any(engine.is_tensor(x) for x in inputs):
            return self._sparse_if_wanted(engine.from_host(self._on_arrays(*inputs), dtype))
        tensors = [engine.from_host(x) if isinstance(x, np.ndarray) else x for x in inputs]
        found = engine.on_host(
            lambda *arrays: [self._on_arrays(*map(host_array, arrays))],
            tensors,
            [TensorSpec(shape, dtype)],
        )
        return self._sparse_if_wanted(found[0])

    def call(self, inputs: Any) -> Any:
        """The outputs for strings or numbers of any shape."""
        if engine.is_ragged(inputs):
            return self._of_rows(inputs)
        return self._compute([inputs], self.compute_output_shape(inputs.shape))

    def _of_rows(self, x: Any) -> Any:
        """Of ragged rows: every value by itself, the vectors of a row added up."""
        each = engine.ragged_kernels.map_values
        if self.output_mode in ("int", "one_hot"):
            return each(lambda v: self._compute([v], self.compute_output_shape(v.shape)), [x])
        vectors = each(lambda v: self._compute([ops.expand_dims(v, -1)], (None, self._depth)), [x])
        found = ops.sum(vectors, axis=1)
        return ops.minimum(found, 1) if self.output_mode == "multi_hot" else found


class Adaptable:
    """A layer that learns from data before it is used.

    Subclasses define `reset_state`, `update_state` for one batch, and `finalize_state`.
    """

    def adapt(self, data: Any, steps: int | None = None) -> None:
        """Learn from data; what was learnt before is forgotten.

        Args:
            data: an array, tensor or list, or an iterable of batches: a generator,
                `tf.data.Dataset`, torch `DataLoader` or `PyDataset`.
            steps: how many batches to take; all by default.
        """
        self.reset_state()
        for batch in itertools.islice(batches_of(data), steps):
            self.update_state(batch)
        self.finalize_state()

    def reset_state(self) -> None:
        """Forget what `update_state` collected."""
        raise NotImplementedError

    def update_state(self, data: Any) -> None:
        """Take in one batch; `finalize_state` ends a series of them."""
        raise NotImplementedError

    def finalize_state(self) -> None:
        """Turn what was collected into what the layer uses."""
        raise NotImplementedError


def batches_of(data: Any) -> Iterator[Any]:
    """The batches of a data set, or the one batch that an array or list is."""
    whole = isinstance(data, (list, tuple, str, bytes, np.ndarray, np.generic, int, float))
    if whole or engine_of(data) is not None or hasattr(data, "to_numpy"):
        yield data
    elif hasattr(data, "__iter__"):
        yield from data
    else:
        raise TypeError(
            "`adapt` takes arrays, tensors, lists and iterables of them. "
            f"Received: data={type(data).__name__}"
        )


def integer_dtype() -> str:
    """The dtype of indices: int64 where the engine has it."""
    return "int64" if engine.capabilities.float64 else "int32"


def is_float_policy(layer: Layer) -> bool:
    return dtypes.is_float(layer.compute_dtype)

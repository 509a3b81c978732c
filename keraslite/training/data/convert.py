"""Values of many kinds as NumPy arrays or tensors of the engine, checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from keraslite import config
from keraslite.backend import engine
from keraslite.core import dtypes, tree
from keraslite.core.errors import describe, short

_INT32 = np.iinfo(np.int32)


def named_leaves(name: str, data: Any) -> list[tuple[str, Any]]:
    """Leaves of a tree with names for messages: `x`, `x[0]`, `x['image']`."""
    return [
        (name + "".join(f"[{key!r}]" for key in path), leaf)
        for path, leaf in tree.flatten_with_path(data)
    ]


def is_table(x: Any) -> bool:
    """Whether `x` is a data frame or a series of pandas, polars and the like."""
    return hasattr(x, "to_numpy") and not hasattr(x, "__jax_array__") and not engine.is_tensor(x)


def to_array(x: Any, name: str, expand_series: bool = True) -> Any:
    """A leaf as a NumPy array (floats of double precision as `floatx`) or engine tensor.

    Args:
        x: array, tensor of any framework, data frame, series, or None.
        name: for messages.
        expand_series: a series becomes a column of shape (n, 1), as in Keras.

    Raises:
        ValueError: for what is no array: Python numbers, strings, rows of unequal length.
    """
    if type(x) is not np.ndarray:
        if x is None or engine.is_tensor(x):
            # Batches are dense: rows are cut out and shuffled.
            return engine.convert(x) if engine.is_sparse(x) else x
        x = _foreign(x, name, expand_series)
        if hasattr(x, "toarray"):
            return x
    if x.dtype == np.float64:
        return x.astype(dtypes.numpy_dtype(config.floatx()), copy=False)
    if x.dtype.kind in "OUST":
        return _strings(x, name)
    if x.dtype.kind in "iu" and x.dtype.itemsize == 8 and not engine.capabilities.float64:
        _check_range(x, name)
    return x


def _foreign(x: Any, name: str, expand_series: bool) -> Any:
    if is_table(x):
        return _table(x, name, expand_series)
    if hasattr(x, "toarray"):
        return x  # A sparse matrix: its rows become dense batch by batch.
    if hasattr(x, "detach"):
        x = x.detach().cpu()
    if hasattr(x, "__array__") and hasattr(x, "shape"):
        return np.asarray(x)
    if isinstance(x, (int, float, complex)):
        raise ValueError(
            f"`{name}` is a number, not an array. Lists of numbers must become arrays: "
            f"`np.array(...)`. Received: {describe(x)}"
        )
    raise ValueError(f"`{name}` must be an array or a tensor. Received: {describe(x)}")


def _table(x: Any, name: str, expand_series: bool) -> Any:
    columns = getattr(x, "columns", None)
    if columns is not None:
        for column, dtype in zip(columns, x.dtypes, strict=True):
            if not _is_numeric(dtype):
                raise ValueError(
                    f"Column {column!r} of `{name}` holds {dtype}, not numbers. Map strings to "
                    "integers with `keras.layers.StringLookup`, or leave the column out."
                )
    array = x.to_numpy()
    if array.dtype.kind == "O" and (columns is not None or _is_numeric(x.dtype)):
        array = array.astype(config.floatx())
    return array[:, None] if array.ndim == 1 and expand_series else array


def _is_numeric(dtype: Any) -> bool:
    if hasattr(dtype, "is_numeric"):
        return dtype.is_numeric() or str(dtype) == "Boolean"
    if hasattr(dtype, "_is_numeric"):
        return bool(dtype._is_numeric or dtype._is_boolean)
    return getattr(dtype, "kind", "O") in "biufc"


def _strings(x: np.ndarray, name: str) -> np.ndarray:
    """An array of strings where the engine has them; the error for other objects."""
    first = next((item for item in x.flat if item is not None), None)
    if x.dtype.kind != "O" or isinstance(first, (str, bytes)):
        if engine.capabilities.string:
            return x
        raise ValueError(
            f"`{name}` holds strings ({first!r:.40}), and models compute with numbers. Map them "
            "to integers before: `keras.layers.StringLookup` or `TextVectorization`, called on "
            "the array."
        )
    if isinstance(first, (list, tuple, np.ndarray)):
        shapes = [np.shape(row) if isinstance(row, np.ndarray) else len(row) for row in x.flat]
        odd = next((i for i, shape in enumerate(shapes) if shape != shapes[0]), None)
        if odd is not None:
            raise ValueError(
                f"The rows of `{name}` differ: row 0 has length {_length(shapes[0])}, row {odd} "
                f"has {_length(shapes[odd])}. Pad them with `keras.utils.pad_sequences`."
            )
        raise ValueError(f"`{name}` is an array of arrays. Make it one: `np.stack({name})`.")
    raise ValueError(
        f"`{name}` holds Python objects ({type(first).__name__}), not numbers. Convert it: "
        f"`{name}.astype('float32')`."
    )


def _length(shape: Any) -> Any:
    return shape[0] if isinstance(shape, tuple) and len(shape) == 1 else shape


def _check_range(x: np.ndarray, name: str) -> None:
    if x.size and (x.max() > _INT32.max or x.min() < _INT32.min):
        raise ValueError(
            short(
                f"`{name}` holds {x.dtype} values beyond int32, which the engine {engine.name!r} "
                "would cut. Hash or rescale them, or choose another engine with KERAS_BACKEND."
            )
        )


def arrays_of(data: Any, name: str, expand_series: bool = True) -> Any:
    """A tree with every leaf through `to_array`."""
    if isinstance(data, np.ndarray) or not tree.is_nested(data):
        return to_array(data, name, expand_series)
    leaves = [to_array(leaf, where, expand_series) for where, leaf in named_leaves(name, data)]
    return tree.pack_sequence_as(data, leaves)


def rows_of(x: Any) -> Callable[[slice | np.ndarray], Any]:
    """`read(slice or indices)` for one array or tensor."""
    if x is None:
        return lambda where: None
    if hasattr(x, "toarray"):
        rows = x.tocsr() if hasattr(x, "tocsr") else x
        return lambda where: to_array(rows[where].toarray(), "x")
    if isinstance(x, np.ndarray):
        return lambda where: x[where] if isinstance(where, slice) else x.take(where, axis=0)
    from keraslite import ops

    return lambda where: x[where] if isinstance(where, slice) else ops.take(x, where, axis=0)


def class_weights(y: Any, weights: Mapping[int, float]) -> np.ndarray:
    """The weight of each sample by its class; classes without a weight get 1.

    Args:
        y: integer labels of shape (n,) or (n, 1), or one-hot rows.
        weights: class -> weight.
    """
    if y is None or (tree.is_nested(y) and len(tree.flatten(y)) != 1):
        raise ValueError(
            "`class_weight` needs the targets of a model with one output. Received: "
            f"y={describe(y)}. Give `sample_weight` for each output."
        )
    y = tree.flatten(y)[0]
    labels = engine.to_numpy(y) if engine.is_tensor(y) else np.asarray(y)
    if labels.ndim > 2:
        raise ValueError(
            "`class_weight` needs one label a sample: y of shape (n,), (n, 1) or one-hot (n, "
            f"classes). Received: y of shape {labels.shape}. Use `sample_weight`."
        )
    if labels.ndim == 2:
        labels = labels.argmax(axis=-1) if labels.shape[1] > 1 else labels[:, 0]
    try:
        known = {int(key): float(value) for key, value in weights.items()}
    except (AttributeError, TypeError, ValueError) as error:
        raise ValueError(
            "`class_weight` must be a dict from integer classes to numbers. "
            f"Received: class_weight={short(repr(weights), 120)}"
        ) from error
    classes, places = np.unique(labels, return_inverse=True)
    table = np.array([known.get(int(c), 1.0) for c in classes], dtype="float32")
    return table[places.reshape(labels.shape)]

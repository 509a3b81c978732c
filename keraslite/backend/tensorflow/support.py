"""What the engine and its kernels share: dtypes, sizes that may be tensors, casts.

Kernels call `tf.raw_ops` where that computes the same: half the cost of the public function.
"""

from __future__ import annotations

import contextlib
import contextvars
import functools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import tensorflow as tf

from keraslite.backend._pure import current
from keraslite.core import dtypes
from keraslite.core.scopes import StatelessScope

raw = tf.raw_ops

Tensor = Any
Axis = int | tuple[int, ...] | None
Size = Any
"""An int, or a scalar int32 tensor where a size is unknown while tracing."""

#: Exact types of tensors: with values, and inside a graph.
TENSORS = frozenset({tf.__internal__.EagerTensor, tf.__internal__.SymbolicTensor})
NUMBERS = frozenset({bool, int, float, complex})
COMPOSITE = (tf.SparseTensor, tf.RaggedTensor, tf.IndexedSlices)

NATIVE: dict[str, tf.DType] = {name: tf.as_dtype(name) for name in dtypes.ALLOWED}
NAMES: dict[tf.DType, str] = {native: name for name, native in NATIVE.items()}

BOOL, INT32, INT64, STRING = tf.bool, tf.int32, tf.int64, tf.string
UNSIGNED = frozenset({tf.uint8, tf.uint16, tf.uint32, tf.uint64})
INTS = UNSIGNED | {tf.int8, tf.int16, tf.int32, tf.int64}
HALVES = frozenset({tf.bfloat16, tf.float16})
COMPLEX = frozenset({tf.complex64, tf.complex128})

#: Where to compute what a kernel lacks.
WIDE_HALF = dict.fromkeys(HALVES, tf.float32)
WIDE_INT = dict.fromkeys((BOOL, tf.int8, tf.int16, tf.uint8, tf.uint16), INT32) | dict.fromkeys(
    (tf.uint32, tf.uint64), INT64
)

_NARROW = frozenset({NATIVE["int4"], NATIVE["uint4"]})


def is_tensor(x: object) -> bool:
    """Whether `x` is a TensorFlow tensor of any kind; variables are none."""
    return type(x) in TENSORS or isinstance(x, (tf.Tensor, *COMPOSITE))


def cast(x: Tensor, dtype: tf.DType) -> Tensor:
    """`x` as `dtype`; numbers to and from strings too."""
    source = x.dtype
    if source is dtype:
        return x
    if dtype is STRING:
        return tf.strings.as_string(x)
    if source is STRING:
        wide = tf.float64 if dtype.is_floating else INT64
        return raw.Cast(x=raw.StringToNumber(string_tensor=x, out_type=wide), DstT=dtype)
    # TensorFlow converts 4-bit integers from and to 8-bit ones only.
    if source in _NARROW or dtype in _NARROW:
        x = raw.Cast(x=x, DstT=tf.int8)
    return raw.Cast(x=x, DstT=dtype)


def pair(x1: Any, x2: Any) -> tuple[Tensor, Tensor]:
    """Both operands as tensors, where one may be a Python number."""
    if type(x1) in NUMBERS:
        x1 = tf.constant(x1, x2.dtype)
    elif type(x2) in NUMBERS:
        x2 = tf.constant(x2, x1.dtype)
    return x1, x2


def widened(
    kernel: Callable[..., Tensor], table: dict[tf.DType, tf.DType]
) -> Callable[..., Tensor]:
    """`kernel(x, ...)`, computed in the dtype that `table` names for those it lacks."""

    @functools.wraps(kernel)
    def wide_kernel(x: Any, *args: Any, **kwargs: Any) -> Tensor:
        dtype = (x if type(x) in TENSORS else args[0]).dtype
        wide = table.get(dtype)
        if wide is None:
            return kernel(x, *args, **kwargs)
        every = [
            cast(a, wide) if type(a) in TENSORS and a.dtype is dtype else a for a in (x, *args)
        ]
        return cast(kernel(*every, **kwargs), dtype)

    return wide_kernel


# Sizes and axes ----------------------------------------------------------------------


@functools.lru_cache(maxsize=4096)
def _eager_vector(values: tuple[int, ...]) -> Tensor:
    with tf.init_scope():
        return tf.constant(values, INT32, (len(values),))


def int_vector(values: Iterable[Size]) -> Tensor:
    """Sizes or axes as one int32 vector; cached when all are known, outside of graphs."""
    if type(values) in TENSORS:
        return cast(values, INT32)
    values = tuple(values)
    if any(type(v) in TENSORS for v in values):
        return raw.Pack(values=[cast(tf.convert_to_tensor(v), INT32) for v in values], axis=0)
    values = tuple(int(v) for v in values)
    if tf.executing_eagerly():
        return _eager_vector(values)
    return tf.constant(values, INT32, (len(values),))


def sizes(x: Tensor) -> tuple[Size, ...]:
    """The shape, with scalar tensors in the place of sizes unknown in this graph."""
    static = tuple(x.shape)
    if None not in static:
        return static
    known = raw.Shape(input=x)
    return tuple(known[i] if n is None else n for i, n in enumerate(static))


def rank(x: Tensor) -> int:
    return x.shape.rank


def axes_of(x: Tensor, axis: Axis) -> tuple[int, ...]:
    """The axes meant by `axis`, counted from the front; all of them for None."""
    n = rank(x)
    if axis is None:
        return tuple(range(n))
    axes = tuple(int(a) for a in ((axis,) if is_int(axis) else axis))
    if axes and not -n <= min(axes) <= max(axes) < n:
        raise ValueError(f"`axis` {axis} lies outside of {n} axes.")
    return tuple(a % n for a in axes)


def is_int(x: object) -> bool:
    """Whether `x` is one integer and no sequence of them."""
    return isinstance(x, int) or hasattr(x, "__index__") and not hasattr(x, "__len__")


def reshape(x: Tensor, shape: Iterable[Size]) -> Tensor:
    return raw.Reshape(tensor=x, shape=int_vector(shape))


# The kind of step being traced ---------------------------------------------------------

_xla: contextvars.ContextVar[bool] = contextvars.ContextVar("xla", default=False)
is_for_xla = _xla.get


@contextlib.contextmanager
def tracing_for_xla(wanted: bool) -> Iterator[None]:
    """Inside, kernels may use what only the XLA compiler can do on this device."""
    token = _xla.set(wanted)
    try:
        yield
    finally:
        _xla.reset(token)


@functools.cache
def _has_accelerator() -> bool:
    return any(d.device_type != "CPU" for d in tf.config.list_logical_devices())


def limited() -> bool:
    """Whether kernels must do with what TensorFlow's own CPU kernels offer."""
    return not _xla.get() and not _has_accelerator()


# State ---------------------------------------------------------------------------------

_inferring: contextvars.ContextVar[bool] = contextvars.ContextVar("inferring", default=False)
is_inferring = _inferring.get


@contextlib.contextmanager
def inferring() -> Iterator[None]:
    """Inside, only shapes matter, and what is assigned to variables is forgotten."""
    token = _inferring.set(True)
    try:
        yield
    finally:
        _inferring.reset(token)


@contextlib.contextmanager
def isolated(values: Iterable[tuple[Any, Tensor]] = ()) -> Iterator[StatelessScope]:
    """A scope of its own that starts from the current one and from `(variable, value)`s."""
    outer = StatelessScope.current.get()
    with StatelessScope() as scope:
        if outer is not None:
            scope.state.update(outer.state)
        scope.state.update((id(v), (v, value)) for v, value in values)
        yield scope


def current_value(variable: Any) -> Tensor:
    """The tensor of a variable in the current scope, in its own dtype."""
    found = current(variable)
    return found.value() if found is variable._storage else found

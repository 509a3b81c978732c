"""`Variable`: mutable state that engines can make pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from keraslite.backend import engine
from keraslite.core import dtypes
from keraslite.core.budget import MemoryBudget
from keraslite.core.errors import check_choice, describe
from keraslite.core.keras_tensor import KerasTensor, standardize_shape
from keraslite.core.naming import auto_name
from keraslite.core.operators import TensorOperators
from keraslite.core.scopes import AutocastScope, StatelessScope, current_path
from keraslite.core.stored import Stored

_stateless = StatelessScope.current.get
_autocast = AutocastScope.current.get
_budget = MemoryBudget.current.get
_read = engine.read

_AGGREGATIONS = (None, "none", "mean", "sum", "only_first_replica")
_SYNCHRONIZATIONS = (None, "none", "on_read", "on_write", "auto")


class Variable(TensorOperators, engine.VariableBase):  # type: ignore[name-defined]
    """A tensor that can be assigned to: a weight, a counter, a seed.

    Args:
        initializer: a value, or a function `(shape, dtype) -> value`, or the name of an
            initializer such as `"zeros"`.
        shape: needed when `initializer` is a function or a name.
        dtype: by default that of the value with 64 bits narrowed to int32 or `floatx()`,
            and `floatx()` for functions.
        trainable: whether optimizers should update it.
        autocast: whether layers see it in their compute dtype.
        aggregation: how replicas of it combine: `"none"`, `"mean"`, `"sum"` or
            `"only_first_replica"`.
        synchronization: `"auto"`, `"none"`, `"on_read"` or `"on_write"`.
        name: last part of its path.
        layout: how it is spread over devices, when not by the distribution's rules.

    Raises:
        ValueError: for a shape that does not match the value.

    Example:
        >>> v = keras.Variable([1.0, 2.0], name="v")
        >>> v.assign_add([1.0, 1.0])
        >>> v.numpy()
        array([2., 3.], dtype=float32)
    """

    name: str = "variable"
    path: str = "variable"
    shape: tuple[int, ...] = ()
    dtype: str = "float32"
    aggregation: str | None = "none"
    synchronization: str | None = "auto"
    regularizer: Any = None
    constraint: Any = None
    overwrite_with_gradient: bool = False

    def __init__(
        self,
        initializer: Any,
        shape: Any = None,
        dtype: Any = None,
        trainable: bool = True,
        autocast: bool = True,
        aggregation: str | None = "none",
        synchronization: str | None = "auto",
        name: str | None = None,
        layout: Any = None,
        **kwargs: Any,
    ) -> None:
        if kwargs:
            raise TypeError(f"Variable got unexpected arguments: {', '.join(kwargs)}")
        check_choice("", _AGGREGATIONS, aggregation=aggregation)
        check_choice("", _SYNCHRONIZATIONS, synchronization=synchronization)
        self.name = name or auto_name("variable")
        if "/" in self.name:
            raise ValueError(f"The name of a variable has no '/'. Received: {self.name!r}")
        parent = current_path()
        self.path = f"{parent}/{self.name}" if parent else self.name
        self.autocast = bool(autocast)
        self.aggregation = aggregation
        self.synchronization = synchronization
        self.layout = layout
        self._trainable = bool(trainable)
        # What it was made as: freezing a layer changes `trainable`, not the order of weights.
        self._kind_trainable = self._trainable

        with engine.concrete():
            value = self._initial_value(initializer, shape, dtype)
            self._casts = self.autocast and dtypes.is_float(self.dtype)
            if value is not _LATER:
                self._storage = engine.allocate(value, self.dtype, self._trainable, self.path)

    def _initial_value(self, initializer: Any, shape: Any, dtype: Any) -> Any:
        if isinstance(initializer, str):
            from keraslite import initializers

            initializer = initializers.get(initializer)
        if isinstance(initializer, Variable):
            initializer = initializer.value
        if callable(initializer):
            if shape is None:
                raise ValueError(
                    f"Variable {self.path!r}: `shape` is needed when `initializer` is a function."
                )
            self.dtype = dtypes.standardize_dtype(dtype)
            sizes = standardize_shape(shape)
            self.shape = tuple(n for n in sizes if n is not None)
            if None in sizes:
                raise ValueError(
                    f"Variable {self.path!r}: every size must be known. Received: shape={shape}"
                )
            budget = _budget()
            if budget is not None:
                budget.take(self.shape, self.dtype, self.path)
                if type(self) is Variable:
                    self._initializer = initializer
                    self.__class__ = _Awaiting
                    return _LATER
            value = initializer(self.shape, dtype=self.dtype)
            if not hasattr(value, "shape"):
                value = np.asarray(value)
        else:
            value = initializer if engine.is_tensor(initializer) else np.asarray(initializer)
            self.dtype = dtypes.standardize_dtype(dtype) if dtype else _default_dtype(value)
            self.shape = tuple(value.shape)
            if shape is not None and tuple(shape) != self.shape:
                raise ValueError(
                    f"Variable {self.path!r}: expected a value of shape {tuple(shape)}. "
                    f"Received: {describe(value)}"
                )
        if tuple(value.shape) != self.shape:
            raise ValueError(
                f"Variable {self.path!r}: the initializer must return shape {self.shape}. "
                f"Received: {describe(value)}"
            )
        return value

    # Reading ---------------------------------------------------------------------

    @property
    def value(self) -> Any:
        """The current tensor."""
        scope = _stateless()
        found = None if scope is None else scope.state.get(id(self))
        value = _read(self._storage) if found is None else found[1]
        if self._casts:
            cast = _autocast()
            if cast is not None and cast.dtype is not None and cast.dtype != self.dtype:
                return engine.cast(value, cast.dtype)
        return value

    def dtype_read(self) -> str:
        """The dtype of `value`, under the autocast that holds."""
        cast = _autocast() if self._casts else None
        return self.dtype if cast is None or cast.dtype is None else cast.dtype

    @property
    def ndim(self) -> int:
        return len(self.shape)

    def numpy(self) -> np.ndarray:
        """A copy in host memory."""
        return engine.to_numpy(self.value)

    @property
    def trainable(self) -> bool:
        """Whether optimizers should update it."""
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        self._trainable = bool(value)
        engine.set_trainable(self._storage, self._trainable)

    # Writing ---------------------------------------------------------------------

    def _store(self, value: Any) -> None:
        """Set the value, known to have the right shape and dtype."""
        scope = _stateless()
        if scope is None:
            self._storage = engine.write(self._storage, value)
        else:
            scope.state[id(self)] = (self, value)
            scope.updated[id(self)] = self

    def _check_value(self, value: Any) -> Any:
        """`value` as a tensor of this variable's dtype and shape."""
        if isinstance(value, Variable):
            value = value.value
        if isinstance(value, KerasTensor):
            shape = value.shape
        else:
            value = engine.convert(value, self.dtype)
            shape = engine.shape(value)
        if shape != self.shape and None not in shape:
            raise ValueError(
                f"Cannot assign to variable {self.path!r}: expected shape {self.shape}. "
                f"Received: {describe(value)}"
            )
        return value

    def assign(self, value: Any) -> Any:
        """Set the value; returns the new tensor.

        Raises:
            ValueError: if the shape differs.
        """
        if isinstance(value, Stored) and value.dtype == dtypes.numpy_dtype(self.dtype):
            fits = value.shape == self.shape and _stateless() is None
            memory = engine.host_memory(self._storage, change=True) if fits else None
            if memory is not None:
                value.read_into(memory)
                return self.value
            # Not `convert`, which copies.
            value = engine.read(engine.adopt(value.read(), self.dtype, False, self.path))
        value = self._check_value(value)
        # A symbolic value only says that an assignment will happen.
        if not isinstance(value, KerasTensor):
            self._store(value)
        return value

    def assign_add(self, value: Any) -> Any:
        """Add to the value; returns the new tensor."""
        with AutocastScope(None):
            return self.assign(self + value)

    def assign_sub(self, value: Any) -> Any:
        """Subtract from the value; returns the new tensor."""
        with AutocastScope(None):
            return self.assign(self - value)

    # Protocols -------------------------------------------------------------------

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        value = self.numpy()
        return value if dtype is None else value.astype(dtype, copy=False)

    def __float__(self) -> float:
        return float(self._scalar())

    def __int__(self) -> int:
        return int(self._scalar())

    def __index__(self) -> int:
        return self._scalar().__index__()

    def __bool__(self) -> bool:
        return bool(self._scalar())

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of a scalar variable")
        return self.shape[0]

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))

    def _scalar(self) -> Any:
        if self.shape and self.shape != (1,):
            raise TypeError(
                f"Only a scalar variable becomes a Python number. Received: {self.path!r} "
                f"of shape {self.shape}"
            )
        return self.numpy().reshape(()).item()

    def __deepcopy__(self, memo: dict[int, Any]) -> Variable:
        value = self.numpy()
        new = object.__new__(type(self))
        memo[id(self)] = new
        for key, item in vars(self).items():
            if key != "_storage":
                setattr(new, key, item)
        new._storage = engine.allocate(value, self.dtype, self._trainable, self.path)
        return new

    def __reduce__(self) -> tuple[Callable, tuple]:
        value = engine.to_numpy(_read(self._storage))
        return _restore, ({k: v for k, v in vars(self).items() if k != "_storage"}, value)

    def __repr__(self) -> str:
        shown = ""
        if not engine.is_tracing():
            shown = f", value={self.numpy()}"
        return f"<Variable path={self.path}, shape={self.shape}, dtype={self.dtype}{shown}>"


_LATER = object()


class _Awaiting(Variable):
    """A variable of a model that is made for a file: its first value comes from there.

    Initial values of large models take longer than reading them. This makes its own if it is
    read before; either way it is a plain `Variable` afterwards.
    """

    @property
    def _storage(self) -> Any:
        with engine.concrete():
            value = self._initializer(self.shape, dtype=self.dtype)
            self._storage = engine.allocate(value, self.dtype, self._trainable, self.path)
        return vars(self)["_storage"]

    @_storage.setter
    def _storage(self, storage: Any) -> None:
        del self._initializer
        self.__class__ = Variable
        self._storage = storage

    @property
    def trainable(self) -> bool:
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        self._trainable = bool(value)

    def assign(self, value: Any) -> Any:
        if _stateless() is None and getattr(value, "shape", None) == self.shape:
            if isinstance(value, Stored) and value.dtype == dtypes.numpy_dtype(self.dtype):
                make, value = engine.adopt, value.read()
            elif isinstance(value, (Stored, np.ndarray)):
                make, value = engine.allocate, np.asarray(value)
            else:
                return super().assign(value)
            self._storage = make(value, self.dtype, self._trainable, self.path)
            return self.value
        return super().assign(value)


def _restore(state: dict[str, Any], value: np.ndarray) -> Variable:
    new = object.__new__(Variable)
    for key, item in state.items():
        setattr(new, key, item)
    new._storage = engine.allocate(value, new.dtype, new._trainable, new.path)
    return new


def _default_dtype(value: Any) -> str:
    name = engine.dtype(value) if engine.is_tensor(value) else dtypes.standardize_dtype(value.dtype)
    if name == "int64":
        fits = engine.is_tensor(value) or not value.size or abs(value).max() < 2**31
        return "int32" if fits else name
    return dtypes.standardize_dtype(None) if name == "float64" else name

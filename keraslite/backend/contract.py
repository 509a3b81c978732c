"""What a compute engine provides.

An engine is one subclass of `Engine`: a few properties, a handful of verbs and a
namespace of kernels. Everything above this package is written against that class
and against `keraslite.ops`; nothing there asks for an engine's name.

Engines are found by name through `keraslite.backend.load_engine`; a package outside
this one registers its engine under the entry-point group `keraslite.backends`.
"""

from __future__ import annotations

import abc
import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from types import ModuleType, SimpleNamespace
from typing import Any, ClassVar, NamedTuple

import numpy as np

Tensor = Any
"""A tensor of the chosen engine."""


class TensorSpec(NamedTuple):
    """Shape and dtype of a tensor that does not exist yet."""

    shape: tuple[int | None, ...]
    dtype: str
    ragged: bool = False


@dataclasses.dataclass(frozen=True)
class Capabilities:
    """What an engine can do. Shared code asks these questions, never for a name.

    Attributes:
        trainable: it differentiates, so `fit` works.
        compiled: it turns a Python step into one compiled call.
        scalar_operands: its binary kernels take a Python number as one operand and
            keep the tensor's dtype.
        functional: its tensors are values; a compiled step gets and returns the state.
        string: it has string tensors.
        sparse, ragged: it has such tensors.
        complex: it has complex dtypes.
        float64: float64 and int64 results are kept at full width.
        channels_first: its convolutions accept `data_format="channels_first"` natively.
        fuses_steps: `compile_steps` makes one call of several steps.
        late_variables: a step may make variables when it first runs.
    """

    trainable: bool = False
    compiled: bool = False
    scalar_operands: bool = False
    functional: bool = False
    string: bool = False
    sparse: bool = False
    ragged: bool = False
    complex: bool = False
    float64: bool = True
    channels_first: bool = True
    fuses_steps: bool = False
    late_variables: bool = False


class LayerBase:
    """The engine's part of every `Layer`: how its own tools see the layer's state.

    A torch engine makes this a `torch.nn.Module`, a TensorFlow engine a trackable.
    """

    #: Whether the engine's tools take part in calls, which go to `_call_with_hooks` then.
    _has_hooks: bool = False
    #: Names of attributes of the engine's own, in which no state of layers is.
    _engine_attributes: frozenset[str] = frozenset()

    def _engine_setup(self) -> None:
        """Prepare `self`; called once, before any `__init__`."""

    def _call_with_hooks(self, args: tuple, kwargs: dict[str, Any]) -> Any:
        """Run the hooks around `self._full_call(args, kwargs)`."""
        raise NotImplementedError

    def _tracked(self) -> Iterator[tuple[str, Any]]:
        """`(name, Variable or Layer)` right below this layer; every `Layer` defines it.

        Found anew at each call, so that what was added to a list later is there.
        """
        raise NotImplementedError


class ProgramState(NamedTuple):
    """A tensor that a program keeps, in the form that `Engine.allocate` gives."""

    name: str
    storage: Any
    trainable: bool


class Program(abc.ABC):
    """A program of the engine's own framework with its state, for a layer to hold.

    Attributes:
        states: what variables of the layer share with the program.
    """

    states: Sequence[ProgramState]

    @abc.abstractmethod
    def run(
        self, values: list[Tensor], args: tuple, kwargs: dict[str, Any], training: bool | None
    ) -> tuple[Any, list[Tensor]]:
        """Outputs, and what the states hold afterwards.

        `values` are those of the states. Where they are the program's own storages, it may
        write to them in place; other tensors stay as they are.
        """


class VariableBase:
    """The engine's part of every `Variable`: how its own functions take one for a tensor.

    Where these prefer a protocol of their own, as `__jax_array__` is, an engine adds that; where
    they would make a constant by way of DLPack, it gives a class without this one.
    """

    value: Tensor

    def __dlpack__(self, **kwargs: Any) -> Any:
        return self.value.__dlpack__(**kwargs)

    def __dlpack_device__(self) -> Any:
        return self.value.__dlpack_device__()


class Engine(abc.ABC):
    """Base class of all engines. Abstract methods are the contract; the rest has defaults."""

    name: ClassVar[str]
    capabilities: ClassVar[Capabilities]
    #: Exact types that go straight to a kernel, tracers included.
    tensor_types: ClassVar[frozenset[type]]
    #: Kernels by op name; see "Kernels" in ARCHITECTURE.md for their conventions.
    kernels: ClassVar[ModuleType | SimpleNamespace]
    #: Whether tensors of one dtype hold one dtype object, so that `is` tells it; `==` otherwise.
    interned_dtypes: ClassVar[bool] = True
    #: What the engine raises where Python code looks at values that a trace does not have.
    value_errors: ClassVar[tuple[type[Exception], ...]] = ()
    #: Extra base class of every `Layer` (a torch `Module`, a TensorFlow trackable).
    LayerBase: ClassVar[type[LayerBase]] = LayerBase
    #: Extra base class of every `Variable`.
    VariableBase: ClassVar[type] = VariableBase
    #: Extra base class of what else holds variables: optimizers, metrics, seed generators.
    StateBase: ClassVar[type] = object

    # Tensors -----------------------------------------------------------------

    @abc.abstractmethod
    def is_tensor(self, x: object) -> bool:
        """Whether `x` is a tensor of this engine (sparse and traced ones too)."""

    @abc.abstractmethod
    def convert(self, x: object, dtype: str | None = None) -> Tensor:
        """Make a dense tensor from a tensor, NumPy array, number or nested list.

        With `dtype=None` arrays and tensors keep their dtype; Python numbers and
        lists of them become bool, int32 or `floatx`. Memory is never shared with a
        NumPy argument.
        """

    @abc.abstractmethod
    def to_numpy(self, x: Tensor) -> np.ndarray:
        """Copy a tensor to host memory; bfloat16 and float8 come as `ml_dtypes`."""

    @abc.abstractmethod
    def dtype(self, x: Tensor) -> str:
        """The standard name of the dtype of `x`, such as `"float32"`."""

    @abc.abstractmethod
    def native_dtype(self, dtype: str) -> Any:
        """The engine's own dtype object for a standard name; see `interned_dtypes`."""

    @abc.abstractmethod
    def cast(self, x: Tensor, dtype: str) -> Tensor: ...

    def shape(self, x: Tensor) -> tuple[int | None, ...]:
        """The static shape; `None` where it is unknown while tracing."""
        return tuple(x.shape)

    def dynamic_shape(self, x: Tensor) -> tuple[Any, ...]:
        """The shape with scalar tensors in the place of unknown sizes."""
        return self.shape(x)

    def stop_gradient(self, x: Tensor) -> Tensor:
        return x

    def device_scope(self, device: str) -> contextlib.AbstractContextManager[Any]:
        """Create tensors and run kernels on `device` (`"cpu:0"`, `"gpu:0"`) inside."""
        return contextlib.nullcontext()

    def devices(self, kind: str | None = None) -> list[str]:
        """Names of the devices here, `"cpu:0"` style, best kind first."""
        return ["cpu:0"]

    def is_tracing(self) -> bool:
        """Whether the engine is recording a compiled step or a spec just now."""
        return False

    def concrete(self) -> contextlib.AbstractContextManager[Any]:
        """Inside, tensors are created for real even while a trace is recorded."""
        return contextlib.nullcontext()

    def no_grad(self) -> contextlib.AbstractContextManager[Any]:
        """Inside, computations are not recorded for a gradient."""
        return contextlib.nullcontext()

    def seed(self, seed: int) -> None:  # noqa: B027 - most engines keep no global generator
        """Seed the engine's own global generator, where it has one."""

    def random_state(self) -> dict[str, Any] | None:
        """That generator's state, as arrays and numbers, where it can be put back."""
        return None

    def set_random_state(self, state: dict[str, Any]) -> None:  # noqa: B027
        """Put back what `random_state` gave."""

    def profile(self, directory: str) -> contextlib.AbstractContextManager[Any]:
        """Inside, what runs is recorded in files that TensorBoard's profile page shows."""
        raise self.unsupported("profiling (`profile_batch`)")

    def process_index(self) -> int:
        """The number of this process among those that train together; 0 writes the files."""
        return 0

    def clear(self) -> None:  # noqa: B027
        """Drop graphs and caches that the engine holds globally."""

    # Variables -----------------------------------------------------------------

    @abc.abstractmethod
    def allocate(self, value: Tensor | np.ndarray, dtype: str, trainable: bool, name: str) -> Any:
        """Storage for a variable, filled with `value` (never sharing its memory)."""

    def adopt(self, value: np.ndarray, dtype: str, trainable: bool, name: str) -> Any:
        """`allocate` with an array of this dtype that nobody else will use.

        Its memory, contiguous and from a multiple of 64 on, may become that of the storage.
        """
        return self.allocate(value, dtype, trainable, name)

    def host_memory(self, storage: Any, change: bool = False) -> np.ndarray | None:
        """The bytes of a storage, in one dimension, into which its next value may be put.

        None for storages that are not in the memory of the host, or that never change in place.

        Args:
            storage: of a variable.
            change: whether the caller will put a value in.
        """
        return None

    def read(self, storage: Any) -> Tensor:
        """The tensor in `storage`."""
        return storage

    @abc.abstractmethod
    def write(self, storage: Any, value: Tensor) -> Any:
        """Put `value` (same shape and dtype) in; return the storage to keep from now on."""

    def hold(self, storage: Any) -> Any:
        """What is in `storage` now, for a thread that gives it to `to_numpy` later.

        No write to the storage changes it; while it is held, the next write may take longer.
        """
        return self.to_numpy(self.read(storage))

    def set_trainable(self, storage: Any, trainable: bool) -> None:  # noqa: B027
        """Tell the storage whether gradients are wanted."""

    def host_view(self, x: Tensor) -> np.ndarray | None:
        """The values of a tensor, if they are in the memory of the host; not to be changed."""
        return None

    # Tracing -------------------------------------------------------------------

    @abc.abstractmethod
    def infer(self, fn: Callable[..., Any], specs: Sequence[TensorSpec]) -> Any:
        """Output specs of `fn(*tensors)` without computing.

        All sizes in `specs` are known. The result is `fn`'s tree with a `TensorSpec`
        in the place of each tensor; other leaves stay.
        """

    # On the host -----------------------------------------------------------------

    def on_host(
        self,
        fn: Callable[..., Sequence[np.ndarray]],
        tensors: Sequence[Tensor],
        specs: Sequence[TensorSpec],
    ) -> list[Any]:
        """`fn(*arrays) -> [array, ...]` in NumPy as a part of a computation, traced or not.

        `fn` gets the values of `tensors`; `specs` tell what it returns. Strings come back
        as NumPy arrays where the engine has none.
        """
        found = fn(*[self.to_numpy(x) for x in tensors])
        return [self.from_host(x, spec.dtype) for x, spec in zip(found, specs, strict=True)]

    def from_host(self, x: np.ndarray, dtype: str | None = None) -> Any:
        """A NumPy array as a tensor; strings stay NumPy where the engine has none."""
        if x.dtype.kind == "O" and not self.capabilities.string:
            return x
        return self.convert(x, dtype)

    # Sparse and ragged tensors ---------------------------------------------------

    @property
    def sparse_kernels(self) -> ModuleType | None:
        """By op name, what takes sparse tensors; see `core/sparse.py`.

        A kernel may return NotImplemented: the op runs on dense tensors then.
        """
        return None

    def is_sparse(self, x: object) -> bool:
        """Whether `x` is a sparse tensor of this engine."""
        return False

    def map_values(self, x: Tensor, fn: Callable[[Tensor], Tensor]) -> Tensor:
        """A sparse tensor with `fn` of its values, in the same places."""
        raise self.unsupported("sparse tensors")

    def to_sparse(self, x: Tensor) -> Tensor:
        """A dense tensor as a sparse one."""
        raise self.unsupported("sparse tensors")

    @property
    def ragged_kernels(self) -> ModuleType | None:
        """By op name, what takes ragged tensors; see `core/ragged.py`.

        Among them `map_values(fn, tensors)` and `inner_axes(x, axis)`. A kernel may return
        NotImplemented: the op takes no ragged tensors then.
        """
        return None

    def is_ragged(self, x: object) -> bool:
        """Whether `x` is a ragged tensor of this engine."""
        return False

    def to_ragged(self, values: Tensor, lengths: Tensor) -> Tensor:
        """Rows of the given lengths, whose values stand one after the other in a vector."""
        raise self.unsupported("ragged tensors")

    # Gradients -----------------------------------------------------------------

    def value_and_grad(
        self, fn: Callable[[], tuple[Tensor, Any]], variables: Sequence[Any]
    ) -> tuple[tuple[Tensor, Any], list[Tensor | None]]:
        """Run `fn() -> (scalar, aux)`; gradients of the scalar for the `Variable`s.

        Assignments that `fn` makes to any variable take effect. A variable that the
        scalar does not depend on gets `None`, or zeros where the engine cannot tell.
        """
        raise self.unsupported("gradients")

    def value_and_grad_of(
        self, fn: Callable[..., tuple[Tensor, Any]], tensors: Sequence[Tensor]
    ) -> tuple[tuple[Tensor, Any], list[Tensor]]:
        """The same for tensors: `fn(*tensors) -> (scalar, aux)`."""
        raise self.unsupported("gradients")

    def custom_gradient(self, fn: Callable[..., Any]) -> Callable[..., Any]:
        """`fn(*args) -> (output, grad_fn)`; `grad_fn(*args, upstream=g)` gives gradients."""

        def forward(*args: Any, **kwargs: Any) -> Any:
            return fn(*args, **kwargs)[0]

        return forward

    def rematerialize(self, fn: Callable[..., Any]) -> Callable[..., Any]:
        """`fn`, recomputed in the backward pass in place of keeping its activations."""
        return fn

    # Steps -----------------------------------------------------------------------

    def compile_step(
        self, step: Callable[[Any], Any], variables: Sequence[Any], jit: bool | str = "auto"
    ) -> Callable[[Any], Any]:
        """Compile the stateful `step(batch) -> outputs`.

        `variables` are all variables that the step reads or writes. `batch` is a tree
        of engine tensors or NumPy arrays. `jit` is True, False (run op by op) or
        "auto" (the engine's best habit).
        """
        return step

    def compile_steps(
        self, step: Callable[[Any], Any], variables: Sequence[Any], jit: bool | str = "auto"
    ) -> Callable[[list[Any]], Any]:
        """As `compile_step` for a list of equally shaped batches in one engine call.

        Returns the outputs of the last step.
        """
        run = self.compile_step(step, variables, jit)

        def loop(batches: list[Any]) -> Any:
            outputs = None
            for batch in batches:
                outputs = run(batch)
            return outputs

        return loop

    # Programs of the engine's own framework ----------------------------------------

    def flatten_pytree(
        self, structure: Any
    ) -> tuple[list[Any], Callable[[Sequence[Any]], Any], list[str]]:
        """Leaves of a JAX pytree, a function that puts others in their places, and their names."""
        raise self.unsupported("JAX functions as layers")

    def adopt_module(self, module: Any) -> Program:
        """A `torch.nn.Module`, moved to the default device, or the bytes of `pack_module`."""
        raise self.unsupported("`torch.nn.Module`s as layers")

    def pack_module(self, module: Any) -> bytes:
        """A module with its state as bytes that hold Python code."""
        raise self.unsupported("`torch.nn.Module`s as layers")

    def load_program(self, path: str, endpoint: str, training_endpoint: str | None) -> Program:
        """Endpoints of a TensorFlow SavedModel, one of them for calls in training.

        Raises:
            FileNotFoundError: if nothing is saved there.
            ValueError: for an endpoint that it lacks.
        """
        raise self.unsupported("SavedModels as layers")

    # Odds and ends ---------------------------------------------------------------

    def set_mask(self, x: Tensor, mask: Tensor | None) -> None:
        """Attach a mask to a tensor; only while `x` lives."""
        x._keras_mask = mask

    def get_mask(self, x: Tensor) -> Tensor | None:
        return getattr(x, "_keras_mask", None)

    def unsupported(self, what: str) -> NotImplementedError:
        return NotImplementedError(
            f"The engine {self.name!r} does not support {what}. Choose another one by the "
            "environment variable KERAS_BACKEND before importing keraslite."
        )

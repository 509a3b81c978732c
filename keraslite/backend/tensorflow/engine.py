"""`TensorflowEngine`: eager tensors, `tf.Variable`s as storage, steps as `tf.function`s."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import tensorflow as tf
from tensorflow.python.eager import record
from tensorflow.python.ops.resource_variable_ops import ResourceVariable

from keraslite import config
from keraslite.backend._host import nested_array, nested_dtype
from keraslite.backend.contract import Capabilities, Engine, Tensor, TensorSpec
from keraslite.backend.tensorflow import bases, gradients, programs, ragged, sparse
from keraslite.backend.tensorflow import support as s
from keraslite.backend.tensorflow.kernels import kernels
from keraslite.backend.tensorflow.steps import CompiledStep, CompiledSteps
from keraslite.core import tree
from keraslite.core.dtypes import numpy_dtype


class TensorflowEngine(Engine):
    """Computes with TensorFlow 2 (https://www.tensorflow.org/api_docs/python/tf)."""

    name = "tensorflow"
    capabilities = Capabilities(
        trainable=True,
        compiled=True,
        scalar_operands=True,
        string=True,
        sparse=True,
        ragged=True,
        complex=True,
        fuses_steps=True,
    )
    tensor_types = s.TENSORS
    kernels: ClassVar[SimpleNamespace] = kernels
    value_errors = (tf.errors.OperatorNotAllowedInGraphError,)
    LayerBase = bases.LayerBase
    VariableBase = bases.VariableBase
    StateBase = bases.StateBase

    # Tensors -----------------------------------------------------------------------

    def is_tensor(self, x: object) -> bool:
        return s.is_tensor(x)

    def convert(self, x: object, dtype: str | None = None) -> Tensor:
        target = None if dtype is None else s.NATIVE[dtype]
        if type(x) not in s.TENSORS:
            x = self._from(x, target)
        return x if target is None else s.cast(x, target)

    def _from(self, x: Any, target: tf.DType | None) -> Tensor:
        """A dense tensor of `x`, of dtype `target` if that comes for free."""
        kind = type(x)
        if kind is float:
            floating = target is not None and target.is_floating
            return tf.constant(x, target if floating else s.NATIVE[config.floatx()])
        if kind is bool or kind is int:
            exact = kind is int and target is not None and target in s.INTS
            return tf.constant(x, target if exact else s.BOOL if kind is bool else _int_dtype(x))
        if isinstance(x, tf.SparseTensor):
            return sparse.dense(x)
        if isinstance(x, tf.RaggedTensor):
            return x.to_tensor()
        if hasattr(x, "__tf_tensor__") or isinstance(x, (tf.Tensor, tf.Variable, tf.IndexedSlices)):
            return tf.convert_to_tensor(x)
        if isinstance(x, (str, bytes)):
            return tf.constant(x)
        if not isinstance(x, (np.ndarray, np.generic)):
            if hasattr(x, "__array__"):
                x = np.asarray(x)
            else:
                return self._from_nested(x, target)
        return tf.constant(x)

    def _from_nested(self, x: Any, target: tf.DType | None) -> Tensor:
        leaves = tree.flatten(x)
        if any(s.is_tensor(leaf) or hasattr(leaf, "__tf_tensor__") for leaf in leaves):
            if target is None:
                target = s.NATIVE[nested_dtype([self._scalar_like(leaf) for leaf in leaves])]
            return self._stack(x, target)
        if leaves and all(isinstance(leaf, (str, bytes)) for leaf in leaves):
            return tf.constant(x, s.STRING)
        return tf.constant(nested_array(x, s.NAMES[target] if target else None))

    def _scalar_like(self, leaf: Any) -> Any:
        """What NumPy can promote in the place of a tensor."""
        if s.is_tensor(leaf) or hasattr(leaf, "__tf_tensor__"):
            return np.zeros((), numpy_dtype(self.dtype(tf.convert_to_tensor(leaf))))
        return leaf

    def _stack(self, x: Any, target: tf.DType) -> Tensor:
        if isinstance(x, (list, tuple)):
            return tf.stack([self._stack(item, target) for item in x])
        return self.convert(x, s.NAMES[target])

    def to_numpy(self, x: Tensor) -> np.ndarray:
        if isinstance(x, s.COMPOSITE):
            x = self._from(x, None)
        value = x.numpy()
        if x.dtype is s.STRING:
            return np.array(value, dtype=object)
        return np.asarray(value)

    def host_view(self, x: Tensor) -> np.ndarray | None:
        eager = tf.is_tensor(x) and hasattr(x, "numpy") and x.dtype is not s.STRING
        return np.asarray(x.numpy()) if eager and "CPU" in x.device else None

    def dtype(self, x: Tensor) -> str:
        return s.NAMES[x.dtype]

    def native_dtype(self, dtype: str) -> tf.DType:
        return s.NATIVE[dtype]

    def cast(self, x: Tensor, dtype: str) -> Tensor:
        if isinstance(x, tf.SparseTensor):
            return sparse.map_values(x, lambda values: s.cast(values, s.NATIVE[dtype]))
        if isinstance(x, tf.RaggedTensor):
            return x.with_flat_values(s.cast(x.flat_values, s.NATIVE[dtype]))
        return s.cast(x, s.NATIVE[dtype])

    def dynamic_shape(self, x: Tensor) -> tuple[Any, ...]:
        return self.shape(x) if isinstance(x, tf.RaggedTensor) else s.sizes(x)

    def stop_gradient(self, x: Tensor) -> Tensor:
        return tf.stop_gradient(x)

    def device_scope(self, device: str) -> contextlib.AbstractContextManager[Any]:
        if device not in self.devices():
            raise ValueError(
                f"There is no device {device!r}. Expected one of: {', '.join(self.devices())}."
            )
        return tf.device(device)

    def devices(self, kind: str | None = None) -> list[str]:
        found = [
            (d.device_type.lower(), d.name.rpartition(":")[2])
            for d in tf.config.list_logical_devices()
        ]
        found.sort(key=lambda device: device[0] == "cpu")
        return [f"{name}:{i}" for name, i in found if kind in (None, name)]

    def is_tracing(self) -> bool:
        return not tf.executing_eagerly()

    def concrete(self) -> contextlib.AbstractContextManager[Any]:
        return tf.init_scope()

    def no_grad(self) -> contextlib.AbstractContextManager[Any]:
        return record.stop_recording()

    def seed(self, seed: int) -> None:
        tf.random.set_seed(seed)

    def profile(self, directory: str) -> contextlib.AbstractContextManager[Any]:
        return tf.profiler.experimental.Profile(directory)

    def process_index(self) -> int:
        resolver = tf.distribute.get_strategy().cluster_resolver
        if resolver is None or not resolver.task_type:
            return 0
        chief = "chief" in resolver.cluster_spec().jobs
        return resolver.task_id + (chief and resolver.task_type == "worker")

    def set_mask(self, x: Tensor, mask: Tensor | None) -> None:
        x._keras_mask = mask

    def get_mask(self, x: Tensor) -> Tensor | None:
        # Not `getattr`: TensorFlow composes a message for a missing attribute.
        return x.__dict__.get("_keras_mask")

    # Variables ---------------------------------------------------------------------

    def allocate(
        self, value: Tensor | np.ndarray, dtype: str, trainable: bool, name: str
    ) -> tf.Variable:
        value = self.convert(value, dtype)
        # Checkpoints and summaries take no other characters.
        name = re.sub(r"[^A-Za-z0-9_.\\/>-]", "_", name).lstrip("_/\\>-") or "variable"
        options = {"trainable": trainable, "dtype": s.NATIVE[dtype]}
        with tf.init_scope():
            # `tf.Variable` serves strategies, but refuses to be called while a step is traced.
            if tf.distribute.has_strategy():
                return tf.Variable(value, name=name, **options)
            # TensorFlow compiles a kernel for each new name that a variable is made with, which
            # takes longer than all the rest of building a layer.
            storage = ResourceVariable(value, name="variable", **options)
            storage._handle_name = f"{name}:0"
            return storage

    def adopt(self, value: np.ndarray, dtype: str, trainable: bool, name: str) -> tf.Variable:
        tensor: Any = value
        if value.size and value.dtype.kind in "fiu":  # DLPack knows these; `tf.constant` copies
            tensor = tf.experimental.dlpack.from_dlpack(value.__dlpack__())
        return self.allocate(tensor, dtype, trainable, name)

    def read(self, storage: tf.Variable) -> Tensor:
        return storage.value()

    def hold(self, storage: tf.Variable) -> Tensor:
        # Writes in place copy first while others hold the tensor. Devices may lack the room.
        on_host = "GPU" not in storage.device
        return storage.value() if on_host else self.to_numpy(storage.value())

    def write(self, storage: tf.Variable, value: Tensor) -> tf.Variable:
        storage.assign(value, read_value=False)
        return storage

    def set_trainable(self, storage: tf.Variable, trainable: bool) -> None:
        storage._trainable = trainable

    # Tracing -----------------------------------------------------------------------

    def infer(self, fn: Callable[..., Any], specs: Sequence[TensorSpec]) -> Any:
        with tf.__internal__.FuncGraph("infer").as_default(), s.inferring():
            outputs = fn(*map(_placeholder, specs))
        return tree.map_structure(
            lambda x: (
                TensorSpec(self.shape(x), self.dtype(x), self.is_ragged(x)) if s.is_tensor(x) else x
            ),
            outputs,
        )

    # On the host -------------------------------------------------------------------

    def on_host(
        self,
        fn: Callable[..., Sequence[np.ndarray]],
        tensors: Sequence[Tensor],
        specs: Sequence[TensorSpec],
    ) -> list[Any]:
        if tf.executing_eagerly():
            return super().on_host(fn, tensors, specs)
        dtypes = [numpy_dtype(spec.dtype) for spec in specs]

        def run(*arrays: Any) -> list[np.ndarray]:
            found = fn(*map(np.asarray, arrays))
            return [x.astype(dtype) for x, dtype in zip(found, dtypes, strict=True)]

        found = tf.numpy_function(run, list(tensors), [s.NATIVE[spec.dtype] for spec in specs])
        return [tf.ensure_shape(x, spec.shape) for x, spec in zip(found, specs, strict=True)]

    sparse_kernels = sparse  # type: ignore[assignment]
    map_values = staticmethod(sparse.map_values)  # type: ignore[assignment]

    def is_sparse(self, x: object) -> bool:
        return isinstance(x, tf.SparseTensor)

    def to_sparse(self, x: Tensor) -> Tensor:
        return tf.sparse.from_dense(x)

    ragged_kernels = ragged  # type: ignore[assignment]

    def is_ragged(self, x: object) -> bool:
        return isinstance(x, tf.RaggedTensor)

    def to_ragged(self, values: Tensor, lengths: Tensor) -> Tensor:
        return tf.RaggedTensor.from_row_lengths(values, lengths)

    # Gradients ---------------------------------------------------------------------

    value_and_grad = staticmethod(gradients.value_and_grad)
    value_and_grad_of = staticmethod(gradients.value_and_grad_of)
    custom_gradient = staticmethod(gradients.custom_gradient)
    rematerialize = staticmethod(gradients.rematerialize)

    # Steps -------------------------------------------------------------------------

    def compile_step(
        self, step: Callable[[Any], Any], variables: Sequence[Any], jit: bool | str = "auto"
    ) -> Callable[[Any], Any]:
        return CompiledStep(step, variables, jit, self.convert)

    def compile_steps(
        self, step: Callable[[Any], Any], variables: Sequence[Any], jit: bool | str = "auto"
    ) -> Callable[[list[Any]], Any]:
        return CompiledSteps(step, variables, jit, self.convert)

    # Programs ----------------------------------------------------------------------

    load_program = staticmethod(programs.SavedModel)


def _placeholder(spec: TensorSpec) -> Tensor:
    found = tf.compat.v1.placeholder(s.NATIVE[spec.dtype], spec.shape)
    return tf.RaggedTensor.from_tensor(found) if spec.ragged else found


def _int_dtype(x: int) -> tf.DType:
    return s.INT32 if -(2**31) <= x < 2**31 else s.INT64

"""A stateful step as a `tf.function`, compiled by XLA where everything is numeric."""

from __future__ import annotations

import functools
import warnings
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.python.eager import context

from keraslite.backend.tensorflow import support as s
from keraslite.backend.tensorflow.sharing import AVAILABLE, SharedFunction
from keraslite.core import tree

Step = Callable[[Any], Any]
#: How the XLA compiler begins to say that it lacks something.
_CANNOT = ("unsupported operations", "must be a compile-time constant", "XLA compilation")


class _Kernels:
    """TensorFlow keeps what it made of a function, and thereby its memory, when that is gone."""

    outlived = False

    @classmethod
    def note(cls) -> None:
        cls.outlived = True

    @classmethod
    def clear(cls) -> None:
        """Let go of those of functions that are gone; others are made again where they run."""
        if cls.outlived:
            cls.outlived = False
            context.context().clear_kernel_cache()


def _function(run: Callable[..., Any], xla: bool) -> Callable[..., Any]:
    # A partial has an identity of its own: TensorFlow counts the traces of all functions from
    # one line together, and would warn of retracing once a few models are compiled.
    own = functools.partial(run)
    found = tf.function(own, reduce_retracing=True, autograph=False, jit_compile=xla)
    return SharedFunction(found) if xla and AVAILABLE else found


class CompiledStep:
    """`step(batch)` as one graph for each structure of `batch` and ranks of its tensors.

    Args:
        step: reads and assigns variables as it likes.
        variables: those that it may touch.
        jit: True for XLA, False for a graph without, "auto" for XLA unless strings take part.
        convert: makes a tensor of a NumPy array or number.
    """

    def __init__(
        self,
        step: Step,
        variables: Sequence[Any],
        jit: bool | str,
        convert: Callable[[Any], Any],
    ) -> None:
        self._step = step
        self._jit = jit
        self._convert = convert
        self._plain_variables = all(v.dtype != "string" for v in variables)
        self._functions: dict[tuple[Any, ...], Callable[..., Any]] = {}
        # Now, and not when a step is collected: that may be in the middle of anything.
        _Kernels.clear()
        weakref.finalize(self, _Kernels.note).atexit = False

    def __call__(self, batch: Any) -> Any:
        leaves, structure = tree.split(batch)
        return self._run(structure, [self._tensor(leaf) for leaf in leaves])

    def _tensor(self, leaf: Any) -> Any:
        # Anything else would be a constant of the graph, traced again for every value.
        return leaf if leaf is None or s.is_tensor(leaf) else self._convert(leaf)

    def _run(self, structure: Any, leaves: list[Any]) -> Any:
        xla = self._wants_xla(leaves)
        try:
            return self._function(structure, leaves, xla)(*leaves)
        except (tf.errors.InvalidArgumentError, tf.errors.UnimplementedError) as error:
            if not xla or self._jit != "auto" or not any(c in str(error) for c in _CANNOT):
                raise
            # Compiling failed, so nothing has run yet.
            warnings.warn(
                "This step cannot be compiled by XLA and runs as a plain TensorFlow graph. Pass "
                f"`jit_compile=False` to say so. The compiler's reason: {str(error)[:300]}",
                stacklevel=3,
            )
            self._jit = False
            return self._function(structure, leaves, False)(*leaves)

    def _wants_xla(self, leaves: Sequence[Any]) -> bool:
        if self._jit != "auto":
            return bool(self._jit)
        # Replicas of a strategy cannot each compile a graph of their own.
        return (
            self._plain_variables
            and not tf.distribute.has_strategy()
            and all(x is None or (type(x) in s.TENSORS and x.dtype is not s.STRING) for x in leaves)
        )

    def _function(self, structure: Any, leaves: Sequence[Any], xla: bool) -> Callable[..., Any]:
        # One function for tensors of several ranks would forget them all.
        key = structure, tuple(None if x is None else x.shape.rank for x in leaves), xla
        found = self._functions.get(key)
        if found is None:
            found = self._functions[key] = self._compile(structure, xla)
        return found

    def _compile(self, structure: Any, xla: bool) -> Callable[..., Any]:
        def run(*leaves: Any) -> Any:
            with s.tracing_for_xla(xla):
                return self._step(tree.unflatten(structure, leaves))

        return _function(run, xla)


class CompiledSteps(CompiledStep):
    """The same for a list of equally shaped batches: a loop inside the graph.

    Returns the outputs of the last step.
    """

    def __call__(self, batches: list[Any]) -> Any:
        split = [tree.split(batch) for batch in batches]
        structure = split[0][1]
        columns = zip(*(leaves for leaves, _ in split), strict=True)
        return self._run(structure, [self._stacked(column) for column in columns])

    def _stacked(self, column: tuple[Any, ...]) -> Any:
        if column[0] is None:
            return None
        if isinstance(column[0], np.ndarray):
            return self._convert(np.stack(column))
        return tf.stack([self._tensor(leaf) for leaf in column])

    def _compile(self, structure: Any, xla: bool) -> Callable[..., Any]:
        # A function of its own, so that the step is traced once for its two places.
        one = super()._compile(structure, False)

        def run(*stacked: Any) -> Any:
            last = tf.shape(next(x for x in stacked if x is not None))[0] - 1

            def step(i: Any) -> Any:
                return one(*(None if x is None else x[i] for x in stacked))

            def body(i: Any) -> list[Any]:
                step(i)
                return [i + 1]

            with s.tracing_for_xla(xla):
                tf.while_loop(lambda i: i < last, body, [tf.constant(0)], parallel_iterations=1)
                return step(last)

        return _function(run, xla)

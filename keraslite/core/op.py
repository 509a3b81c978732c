"""`@primitive` and `@composite`: how a plain function becomes an operation.

The decorated function holds the only signature, docstring and annotations. A wrapper of the
same signature is generated: called with the engine's own tensors of one suitable dtype it
goes straight to the kernel (two frames from the user); everything else takes `_slow`, which
unwraps variables, records symbolic calls, converts and promotes.

- A *primitive* has no body: every engine must have a kernel of its name.
- A *composite* has a body over other ops; an engine with a kernel of its name overrides it,
  unless the body chooses the kernel itself (`native=False`), having prepared its arguments.

Arguments annotated `TensorLike` are tensors, `TensorLike | None` optional ones and
`Sequence[TensorLike]` lists of them. All else is passed as it is. An argument called
`dtype`, unless None, is the dtype of the result.
"""

from __future__ import annotations

import builtins
import functools
import importlib
import inspect
from collections.abc import Callable, Sequence
from types import CodeType, FunctionType
from typing import Any, TypeVar

import numpy as np

from keraslite.backend import engine
from keraslite.core import inference, ragged, sparse, tree
from keraslite.core.errors import ValuesNeededError, describe, short
from keraslite.core.graph import Node
from keraslite.core.keras_tensor import KerasTensor
from keraslite.core.naming import auto_name, to_snake_case
from keraslite.core.op_arguments import (
    MANY,
    OPTIONAL,
    kind_of,
    output_dtype,
    prepare,
    promoted,
    ready,
    shapes_of,
    target_dtype,
)
from keraslite.core.operation import Operation
from keraslite.core.promotion import KEEP, DtypeRule
from keraslite.core.scopes import SymbolicScope
from keraslite.core.variable import Variable

F = TypeVar("F", bound=Callable[..., Any])

TensorLike = Any
"""A tensor, variable, NumPy array, number, nested list or `KerasTensor`."""
Tensor = Any
"""A tensor of the chosen engine, or a `KerasTensor` where an argument was one."""


class Op:
    """Everything known about one operation.

    Attributes:
        name: as in `keraslite.ops`.
        function: the decorated function.
        kernel: what computes it on the chosen engine.
        tensors: `(position, kind)` of each tensor argument.
        shape: rule from all arguments in order, with shapes in the place of tensors, to the
            shape (or list of shapes) of the result; None where composition or tracing tells.
        dtype: the dtype rule.
        traced: without a shape rule, results are known by tracing and not by composition.
        sequences: positions of the other arguments that may be lists, such as axes.
        apart: position -> dtype of the arguments that take no part in the dtype rule.
        check_values: raises for values that are still on the host, as the user gave them.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        shape: Any,
        dtype: DtypeRule,
        primitive: bool,
        native: bool = True,
        checked: bool = False,
        values: Callable[..., None] | None = None,
    ) -> None:
        # An op with `*args` in its public signature has a private one behind it.
        self.name = function.__name__.lstrip("_")
        self.function = function
        self.shape = shape
        self.dtype = dtype
        self.check_values = values
        self.traced = primitive or not native
        self.signature = inspect.signature(function)
        self.parameters = list(self.signature.parameters.values())
        kinds = [kind_of(str(p.annotation)) for p in self.parameters]
        self.tensors = [(i, kind) for i, kind in enumerate(kinds) if kind]
        self.sequences = [
            i
            for i, p in enumerate(self.parameters)
            if not kinds[i] and ("Sequence" in str(p.annotation) or "Axis" in str(p.annotation))
        ]
        names = [p.name for p in self.parameters]
        self.apart = {names.index(name): to for name, to in dtype.apart.items()}
        self.dtype_argument = names.index("dtype") if "dtype" in names else None
        found = getattr(engine.kernels, _kernel_name(function), None) if native else None
        if found is None and primitive:
            found = _missing(self.name)
        self.kernel: Callable[..., Any] = found if found is not None else function
        if checked:
            self.kernel = self._checking(self.kernel)
        self.wrapper: Callable[..., Any] = function

    def _checking(self, kernel: Callable[..., Any]) -> Callable[..., Any]:
        def check_first(*args: Any) -> Any:
            self.shape(*shapes_of(self, args))
            return kernel(*args)

        return check_first

    def __repr__(self) -> str:
        return f"<op {self.name}>"

    def __reduce__(self) -> tuple[Callable, tuple[str, str]]:
        # Copies and pickles of graphs share the op, whose wrapper has its function's name.
        return _op_called, (self.function.__module__, self.function.__name__)


def _op_called(module: str, name: str) -> Op:
    return getattr(importlib.import_module(module), name).op


def _kernel_name(function: Callable[..., Any]) -> str:
    # Kernels of `keraslite.random` have a prefix: both namespaces have a `shuffle`.
    prefix = "random_" if function.__module__.startswith("keraslite.random") else ""
    return prefix + function.__name__


def _missing(name: str) -> Callable[..., Any]:
    def kernel(*args: Any, **kwargs: Any) -> Any:
        raise engine.unsupported(f"`ops.{name}`")

    return kernel


#: Every op by name, for tables of tests and for third-party engines.
OPS: dict[str, Op] = {}


def primitive(
    shape: Any = None,
    dtype: DtypeRule = KEEP,
    checked: bool = False,
    values: Callable[..., None] | None = None,
) -> Callable[[F], F]:
    """An operation that each engine computes itself.

    With `checked` the shape rule comes first, where some engine would take bad arguments.
    `values` looks at arguments that are no tensors yet.
    """
    return lambda function: _make(Op(function, shape, dtype, True, checked=checked, values=values))


def composite(
    shape: Any = None, dtype: DtypeRule = KEEP, native: bool = True, checked: bool = False
) -> Callable[[F], F]:
    """An operation made of others, unless the engine has a kernel of its name.

    With `native=False` the body always runs; `kernel` gives it the engine's kernel.
    """
    return lambda function: _make(Op(function, shape, dtype, False, native, checked))


def kernel(name: str, shared: Callable[..., Any] | None = None) -> Callable[..., Any]:
    """The engine's kernel of this name, else `shared`, else one that says it is missing."""
    return getattr(engine.kernels, name, None) or shared or _missing(name)


# The wrapper ---------------------------------------------------------------------


def _guard(op: Op) -> str:
    """The test that arguments `a0`, `a1`... are the engine's own tensors of one suitable dtype."""
    if not op.tensors or any(kind == MANY for _, kind in op.tensors):
        return "False"
    first = next((i for i, _ in op.tensors if i not in op.apart), None)
    same = "is" if engine.interned_dtypes else "=="
    tests = []
    for i, kind in op.tensors:
        test = f"type(a{i}) in _TENSORS"
        if i in op.apart:
            if op.apart[i] is not None:
                test += f" and a{i}.dtype {same} _APART[{i}]"
        elif i == first:
            if op.dtype.native is not None:
                test += f" and a{i}.dtype in _DTYPES"
        elif op.dtype.compute is not None:
            test += f" and a{i}.dtype {same} a{first}.dtype"
        tests.append(f"(a{i} is None or {test})" if kind == OPTIONAL else test)
    # Kernels get tuples: a compiled one keeps them as keys.
    tests.extend(f"type(a{i}) not in _LOOSE" for i in op.sequences)
    return " and ".join(tests)


@functools.cache
def _code(count: int, guard: str) -> CodeType:
    """A wrapper of `count` arguments; many ops share one, for compiling it takes its time."""
    passed = ", ".join(f"a{i}" for i in range(count))
    source = (
        f"def wrapper({passed}):\n"
        f"    if {guard}:\n"
        f"        try:\n"
        f"            return _kernel({passed})\n"
        f"        except Exception as error:\n"
        f"            _explain(_op, ({passed},), error)\n"
        f"            raise\n"
        f"    return _slow(_op, [{passed}])\n"
    )
    module = compile(source, "<op>", "exec")
    return next(x for x in module.co_consts if isinstance(x, CodeType))


def _make(op: Op) -> Any:
    OPS[op.name] = op
    names = tuple(p.name for p in op.parameters)
    code = _code(len(names), _guard(op))
    scope = {
        "__builtins__": builtins,
        "_TENSORS": engine.tensor_types,
        "_DTYPES": op.dtype.native,
        "_APART": {i: engine.native_dtype(d) for i, d in op.apart.items() if d is not None},
        "_LOOSE": _LOOSE,
        "_kernel": op.kernel,
        "_op": op,
        "_slow": _slow,
        "_explain": _explain,
    }
    wrapper: Any = FunctionType(
        code.replace(
            co_name=op.name,
            co_filename=f"<op {op.name}>",
            co_varnames=(*names, *code.co_varnames[len(names) :]),
        ),
        scope,
        op.name,
        tuple(p.default for p in op.parameters if p.default is not p.empty),
    )
    for attribute in ("__doc__", "__module__", "__qualname__", "__annotations__"):
        setattr(wrapper, attribute, getattr(op.function, attribute))
    wrapper.__wrapped__ = op.function
    wrapper.op = op
    op.wrapper = wrapper
    return wrapper


# The slow path -------------------------------------------------------------------

_TENSORS = engine.tensor_types
_LOOSE = frozenset({list, np.ndarray, *engine.tensor_types})
_SPARSE = engine.capabilities.sparse
_RAGGED = engine.capabilities.ragged


def plain(x: Any) -> Any:
    """Sizes and axes as ints and tuples, for kernels that keep them as keys.

    Tensors with no value yet, as in a graph that is being recorded, stay.
    """
    if isinstance(x, (list, tuple)):
        return tuple(map(plain, x))
    if isinstance(x, (np.ndarray, np.integer)):
        return plain(x.tolist())
    if type(x) in _TENSORS and not engine.is_tracing():
        return plain(engine.to_numpy(x))
    return x


def _slow(op: Op, args: list[Any]) -> Any:
    for i in op.sequences:
        args[i] = plain(args[i])
    for i, kind in op.tensors:
        value = args[i]
        if kind == MANY:
            value = list(value)
            if any(isinstance(x, KerasTensor) for x in value):
                return _symbolic(op, args)
            args[i] = [x.value if isinstance(x, Variable) else x for x in value]
        elif isinstance(value, KerasTensor):
            return _symbolic(op, args)
    variables = [i for i, kind in op.tensors if kind != MANY and isinstance(args[i], Variable)]
    if variables:
        for i in variables:
            args[i] = args[i].value
        return op.wrapper(*args)
    try:
        if _SPARSE and sparse.takes_part(op, args):
            return sparse.call(op, args, target_dtype(op, args), ready)
        if _RAGGED and ragged.takes_part(op, args):
            return ragged.call(op, args, target_dtype(op, args))
        if op.check_values is not None:
            op.check_values(*args)
        prepare(op, args)
        return op.kernel(*args)
    except Exception as error:
        _explain(op, args, error)
        raise


# Symbolic calls ------------------------------------------------------------------


class OpCall(Operation):
    """An op in a graph, with the values of its arguments that are not tensors."""

    def __init__(self, op: Op, static: dict[str, Any], name: str | None = None) -> None:
        self.op = op
        self.static = static
        self.name = name or auto_name(to_snake_case(op.name))
        self._inbound_nodes: list[Node] = []
        self._outbound_nodes: list[Node] = []

    def __call__(self, *tensors: Any) -> Any:
        return self.op.wrapper(*self._arguments_for(tensors))

    call = __call__

    def _arguments_for(self, tensors: Sequence[Any]) -> list[Any]:
        given = iter(tensors)
        where = {i for i, _ in self.op.tensors}
        return [
            next(given) if i in where else self.static[p.name]
            for i, p in enumerate(self.op.parameters)
        ]

    def compute_output_spec(self, *tensors: Any) -> Any:
        return infer(self.op, self._arguments_for(tensors))


def _symbolic(op: Op, args: list[Any]) -> Any:
    try:
        gives_sparse = sparse.takes_part(op, args) and sparse.gives_sparse(op, args)
        outputs = infer(op, args)
        if gives_sparse:
            outputs.sparse = True
    except Exception as error:
        _explain(op, args, error)
        raise
    if SymbolicScope.current.get() is None:
        where = {i for i, _ in op.tensors}
        static = {p.name: args[i] for i, p in enumerate(op.parameters) if i not in where}
        Node(OpCall(op, static), tuple(args[i] for i, _ in op.tensors), {}, outputs)
    return outputs


def infer(op: Op, args: Sequence[Any]) -> Any:
    """`KerasTensor`s for what the op gives: by its rule, its parts, or a trace."""
    if op.shape is not None:
        shape = op.shape(*shapes_of(op, args))
        dtype = output_dtype(op, args)
        if isinstance(shape, list) or (shape and isinstance(shape[0], tuple)):
            return type(shape)(KerasTensor(s, dtype, record_history=False) for s in shape)
        return KerasTensor(shape, dtype, record_history=False)
    if not op.traced:
        with SymbolicScope():
            outputs = op.function(*promoted(op, args))
        # A body may return an argument as it is; a node must own its outputs.
        return tree.map_structure(_fresh, outputs)
    return inference.trace(op.wrapper, tuple(args), {})


def _fresh(x: Any) -> Any:
    if isinstance(x, KerasTensor):
        return KerasTensor(x.shape, x.dtype, x.sparse, x.ragged, record_history=False)
    return x


# Errors --------------------------------------------------------------------------


def _explain(op: Op, args: Sequence[Any], error: Exception) -> None:
    """Raise the shared error for arguments that break the op's shape rule.

    Engines word the same mistake in different ways; the rule words it once. Of ops
    inside each other the outermost one speaks. Any other error goes on as it is, with a note
    that names the innermost op.
    """
    if isinstance(error, engine.value_errors):
        raise ValuesNeededError(
            short(
                f"ops.{op.name}: the result depends on values, which a compiled step or a symbolic "
                "tensor does not have. Fix its shape by an argument (`size`, `num_segments`, a "
                "Python number), use a mask with `ops.where(condition, x, y)`, or run it op by op: "
                f"`compile(run_eagerly=True)`. Received: {_received(op, args)}"
            )
        ) from error
    broken: ValueError | None = None
    if op.shape is not None:
        try:
            op.shape(*shapes_of(op, args))
        except (ValueError, TypeError, IndexError) as found:
            given = "" if "Received: " in str(found) else f" Received: {_received(op, args)}"
            broken = ValueError(short(f"ops.{op.name}: {found}{given}"))
    if broken is not None:
        broken._explained = True  # type: ignore[attr-defined]
        raise broken from error
    if getattr(error, "_explained", False):
        return
    error._explained = True  # type: ignore[attr-defined]
    error.add_note(short(f"In ops.{op.name}({_received(op, args)})"))


def _received(op: Op, args: Sequence[Any]) -> str:
    parts = []
    for parameter, value in zip(op.parameters, args, strict=True):
        if isinstance(value, (KerasTensor, Variable)):
            text = f"shape {value.shape}"
        elif isinstance(value, (list, tuple)) and not all(isinstance(v, int) for v in value):
            text = f"[{', '.join(describe(v) for v in value[:4])}]"
        else:
            text = str(value) if isinstance(value, (list, tuple)) else describe(value)
        parts.append(f"{parameter.name}={text}")
    return ", ".join(parts)

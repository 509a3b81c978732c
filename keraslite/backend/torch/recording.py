"""One run of a step, recorded as a list of torch operators: gradients and assignments too."""

from __future__ import annotations

import gc
import operator
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from types import FrameType
from typing import Any, NamedTuple

import torch
from torch._ops import OpOverload
from torch._subclasses.fake_tensor import (
    DataDependentOutputException,
    DynamicOutputShapeException,
    FakeTensorMode,
)
from torch.fx import GraphModule, Node
from torch.utils._python_dispatch import TorchDispatchMode

from keraslite.backend.torch import tensors
from keraslite.core import tree
from keraslite.core.errors import ValuesNeededError

#: Packages whose functions do the same to the same tensors whenever they run.
_REPEATABLE = sys.stdlib_module_names | {"keraslite", "torch", "numpy", "optree", "ml_dtypes"}
#: Beyond as many operators, recording takes seconds that few runs of `fit` repay.
_MOST_OPERATORS = 4000
#: Constants up to this many elements are computed once and kept.
_SMALL = 4096
#: Operators that read the shape of their first argument only.
_BY_SHAPE = frozenset(
    getattr(torch.ops.aten, name).default
    for name in ("ones_like", "zeros_like", "full_like", "new_zeros", "new_ones", "new_full")
)
#: Stands for an output that the graph computes, among those that are always the same.
_COMPUTED = object()


class NotRecordable(ValuesNeededError):
    """A step that its operators alone do not tell."""


VALUE_ERRORS = (DataDependentOutputException, DynamicOutputShapeException, NotRecordable)


class Recording(NamedTuple):
    """A step without its Python.

    Attributes:
        graph: `graph(*storages of the variables, *tensors of the batch)`, a list of tensors.
        examples: arguments that it takes.
        where: places of the tensors among the leaves of a batch.
        unpack: makes the tree of outputs from the list.
    """

    graph: GraphModule
    examples: list[torch.Tensor]
    where: list[int]
    unpack: Callable[[Sequence[torch.Tensor]], Any]

    def bind(
        self, run: Callable[..., Sequence[torch.Tensor]], variables: Sequence[Any]
    ) -> Callable[[list[Any]], Any]:
        """The step as a function of the leaves of a batch; `run` computes the graph."""
        unpack, where = self.unpack, self.where  # not `self`, whose examples share memory

        def step(leaves: list[Any]) -> Any:
            # Gradients are operators of the graph. Not `no_grad`, in which forward operators
            # (oneDNN's LSTM) drop what the recorded backward operators need.
            with torch._C._AutoDispatchBelowAutograd():
                state = [v._storage for v in variables]
                return unpack(run(*state, *[leaves[i] for i in where]))

        return step


def record(
    step: Callable[[Any], Any],
    variables: Sequence[Any],
    leaves: list[Any],
    spec: Any,
    tracing: AbstractContextManager[None],
) -> Recording:
    """Run `step` once on tensors without values that record what is done to them.

    Args:
        variables: all that the step reads or writes.
        leaves, spec: a batch.
        tracing: tells the kernels what the recording is for.

    Raises:
        NotRecordable: if the step looks at a value that it computes.
    """
    from torch.fx.experimental.proxy_tensor import make_fx

    where = [i for i, x in enumerate(leaves) if isinstance(x, torch.Tensor)]
    examples = [*(v._storage.detach() for v in variables), *(leaves[i] for i in where)]
    if any(type(x) is not torch.Tensor for x in examples):
        raise NotRecordable("A step over sharded or otherwise special tensors is not recorded.")
    outputs: list[Any] = []

    def pure(*values: torch.Tensor) -> list[torch.Tensor]:
        for variable, value in zip(variables, values, strict=False):
            variable._storage = value
        filled = list(leaves)
        for i, value in zip(where, values[len(variables) :], strict=True):
            filled[i] = value
        results, shape = tree.split(step(tree.unflatten(spec, filled)))
        outputs[:] = [shape, [_COMPUTED if tensors.is_fake(x) else x for x in results]]
        return [x.detach() for x in results if tensors.is_fake(x)]

    kept = [v._storage for v in variables]
    try:
        mode = FakeTensorMode(allow_non_fake_inputs=True)
        with tracing, torch.autograd.set_multithreading_enabled(False), mode:
            fake = [mode.from_tensor(x, static_shapes=True) for x in examples]
            graph = make_fx(pure, _allow_non_fake_inputs=True)(*fake)
    except ValuesNeededError as error:
        raise NotRecordable(str(error)) from error
    except VALUE_ERRORS as error:
        raise NotRecordable(
            "A compiled step on the torch engine cannot look at values that are computed in "
            f"the step, as `{error.func}` does. Compile the model with `jit_compile=False`."
        ) from error
    finally:
        for variable, storage in zip(variables, kept, strict=True):
            variable._storage = storage
    shape, fixed = outputs

    def unpack(results: Sequence[torch.Tensor]) -> Any:
        found = iter(results)
        return tree.unflatten(shape, [next(found) if x is _COMPUTED else x for x in fixed])

    return Recording(graph, examples, where, unpack)


# Whether recording is safe -----------------------------------------------------------


class _Count(TorchDispatchMode):
    """Counts the operators that run inside."""

    operators = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        self.operators += 1
        return func(*args, **(kwargs or {}))


@contextmanager
def _watching(found: set[str]) -> Iterator[None]:
    """Collect the functions of other packages that are called inside."""

    def note(frame: FrameType, event: str, argument: Any) -> None:
        if event == "call":
            # The generated wrappers of ops belong to no module.
            module = frame.f_globals.get("__name__", "keraslite")
            if module.partition(".")[0] not in _REPEATABLE:
                found.add(f"{module}.{frame.f_code.co_qualname}")

    before, collects = sys.getprofile(), gc.isenabled()
    gc.disable()  # It may call anybody's functions, at any moment.
    sys.setprofile(note)
    try:
        yield
    finally:
        sys.setprofile(before)
        if collects:
            gc.enable()


def survey(step: Callable[[Any], Any], batch: Any) -> tuple[Any, str | None]:
    """Run `step` as it is; returns its outputs and what speaks against repeating it.

    A function of the user's own may look at values, count its calls or print: only our
    own functions, and torch's, are known to do the same every time.
    """
    others: set[str] = set()
    with _Count():
        torch.empty(0)  # torch imports much at the first use of such a mode.
    with _Count() as count, _watching(others):
        outputs = step(batch)
    if others:
        return outputs, f"it calls {', '.join(sorted(others)[:3])}"
    if count.operators > _MOST_OPERATORS:
        return outputs, f"it has {count.operators} operators"
    return outputs, None


# Making it shorter -------------------------------------------------------------------


def simplify(module: GraphModule) -> GraphModule:
    """Leave out what changes nothing without gradients, and compute constants now."""
    graph = module.graph
    for node in graph.nodes:
        if node.target is torch.ops.aten.detach.default:
            node.replace_all_uses_with(node.args[0])
            graph.erase_node(node)
    _compute_once(graph)
    _fold_constants(module)
    _join_biases(graph)
    _add_in_place(graph)
    _add_together(graph)
    graph.eliminate_dead_code(_changes_something)
    module.recompile()
    return module


def _join_biases(graph: torch.fx.Graph) -> None:
    """The addition of a vector to a matrix product, right after it, in the product's memory.

    `addmm` would save one more call, but rounds otherwise than a step that is not repeated.
    """
    aten = torch.ops.aten
    for node in graph.find_nodes(op="call_function", target=aten.add.Tensor):
        product, bias = node.args
        if (
            node.prev is product
            and product.target is aten.mm.default
            and len(product.users) == 1
            and isinstance(bias, Node)
            and bias.meta["val"].ndim == 1
            and bias.meta["val"].dtype == product.meta["val"].dtype
            and not node.kwargs
        ):
            with graph.inserting_before(node):
                joined = graph.call_function(aten.add_.Tensor, (product, bias))
            node.replace_all_uses_with(joined)
            joined.meta = node.meta


def _add_in_place(graph: torch.fx.Graph) -> None:
    """An addition to what a variable holds, written back right after it, as one operator."""
    aten = torch.ops.aten
    for node in graph.find_nodes(op="call_function", target=aten.copy_.default):
        target, total = node.args[:2]
        if (
            node.prev is total
            and total.target is aten.add.Tensor
            and total.args[0] is target
            and list(total.users) == [node]
            and not total.kwargs
        ):
            with graph.inserting_before(node):
                added = graph.call_function(aten.add_.Tensor, total.args)
            node.replace_all_uses_with(added)
            added.meta = node.meta
            graph.erase_node(node)


def _add_together(graph: torch.fx.Graph) -> None:
    """Additions to several variables, as one operator where nothing needs them apart."""
    aten = torch.ops.aten
    waiting: dict[Node, Node] = {}

    def join() -> None:
        if len(waiting) > 1:
            with graph.inserting_after(next(reversed(waiting.values()))):
                values = [node.args[1] for node in waiting.values()]
                graph.call_function(aten._foreach_add_.List, (list(waiting), values))
            for node in waiting.values():
                graph.erase_node(node)
        waiting.clear()

    for node in list(graph.nodes):
        target, value = (*node.args, None, None)[:2]
        read = {_origin(x) for x in node.all_input_nodes}
        written = {_origin(x) for x in _written(node)}
        joins = (
            node.target is aten.add_.Tensor
            and not (node.users or node.kwargs)
            and target.op == "placeholder"
            and isinstance(value, Node)
            and target.meta["val"].shape == value.meta["val"].shape
            and target.meta["val"].dtype == value.meta["val"].dtype
        )
        values = {_origin(add.args[1]) for add in waiting.values()}
        if read & waiting.keys() or written & values:
            join()
        if joins:
            waiting[target] = node
    join()


def _compute_once(graph: torch.fx.Graph) -> None:
    """Several metrics of the same predictions begin alike: the same operators on the same."""
    written = {_origin(given) for node in graph.nodes for given in _written(node)}
    known: dict[Any, Node] = {}
    for node in graph.nodes:
        if (
            node.op == "call_function"
            and not _changes_something(node)
            and not any(_origin(x) in written for x in (node, *node.all_input_nodes))
        ):
            key = node.target, repr(node.args), repr(node.kwargs)
            first = known.setdefault(key, node)
            if first is not node:
                node.replace_all_uses_with(first)


def _changes_something(node: Node) -> bool:
    if node.op in ("placeholder", "output"):
        return True
    return isinstance(node.target, OpOverload) and (
        node.target._schema.is_mutable or torch.Tag.nondeterministic_seeded in node.target.tags
    )


def _origin(node: Node) -> Node:
    """The node whose memory this one shows."""
    while node.args and isinstance(node.args[0], Node):
        target = node.target
        if target is not operator.getitem:
            if not isinstance(target, OpOverload):
                break
            returns = target._schema.returns
            if not returns or returns[0].alias_info is None:
                break
        node = node.args[0]
    return node


def _fold_constants(module: GraphModule) -> None:
    written = {_origin(given) for node in module.graph.nodes for given in _written(node)}
    known: dict[Node, torch.Tensor] = {}
    for node in module.graph.nodes:
        value = node.meta.get("val")
        if node.op == "get_attr" and _origin(node) not in written:
            known[node] = getattr(module, node.target)
        elif (
            node.op == "call_function"
            and isinstance(node.target, OpOverload)
            and not _changes_something(node)
            and isinstance(value, torch.Tensor)
            and value.numel() <= _SMALL
            and _origin(node) not in written
            and _is_known(node, known)
        ):
            known[node] = _value(node, known)
    for i, (node, value) in enumerate(known.items()):
        if node.op == "get_attr" or all(user in known for user in node.users):
            continue
        # A plain attribute: looking up a buffer costs as much as an operator.
        name = f"constant_{i}"
        object.__setattr__(module, name, value)
        with module.graph.inserting_before(node):
            constant = module.graph.create_node("get_attr", name)
        constant.meta["val"] = value
        node.replace_all_uses_with(constant)


def _written(node: Node) -> Iterator[Node]:
    """The arguments that an operator writes in place."""
    if isinstance(node.target, OpOverload) and node.target._schema.is_mutable:
        for i, argument in enumerate(node.target._schema.arguments):
            if argument.alias_info is not None and argument.alias_info.is_write:
                given = node.args[i] if i < len(node.args) else node.kwargs.get(argument.name)
                yield from (x for x in tree.flatten(given) if isinstance(x, Node))


def _is_known(node: Node, known: dict[Node, torch.Tensor]) -> bool:
    given = node.all_input_nodes
    if node.target in _BY_SHAPE:
        given = given[1:]
    return all(x in known for x in given)


def _value(node: Node, known: dict[Node, torch.Tensor]) -> torch.Tensor:
    def real(x: Node) -> torch.Tensor:
        if x in known:
            return known[x]
        seen = x.meta["val"]
        return torch.empty(seen.shape, dtype=seen.dtype, device=seen.device)

    args, kwargs = torch.fx.node.map_arg((node.args, node.kwargs), real)
    return node.target(*args, **kwargs)

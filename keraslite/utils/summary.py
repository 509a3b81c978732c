"""`print_summary`: a model as a table of its layers."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from keraslite.core import dtypes, tree
from keraslite.core.errors import short
from keraslite.core.function import Function
from keraslite.core.graph import Node
from keraslite.core.op import OpCall
from keraslite.core.op_entries import class_name
from keraslite.layers.layer import Layer
from keraslite.utils import console

# The greatest width, and where the columns end as shares of the width: for a chain of layers and
# for other graphs, without and with the column that says what is trained.
_LAYOUTS: dict[tuple[bool, bool], tuple[int, list[float]]] = {
    (False, False): (88, [0.45, 0.8, 1.0]),
    (False, True): (100, [0.4, 0.72, 0.9, 1.0]),
    (True, False): (108, [0.3, 0.56, 0.74, 1.0]),
    (True, True): (120, [0.27, 0.5, 0.665, 0.9, 1.0]),
}


class _Row(NamedTuple):
    layer: Any
    depth: int
    shape: str
    connected: str


def print_summary(
    model: Any,
    line_length: int | None = None,
    positions: Sequence[float] | None = None,
    print_fn: Callable[[str], Any] | None = None,
    expand_nested: bool = False,
    show_trainable: bool = False,
    layer_range: Sequence[str] | None = None,
) -> None:
    """Print a table of the layers and the numbers of parameters.

    Args:
        model: any model.
        line_length: width of the table; by default that of the terminal, up to a limit.
        positions: ends of the columns, as shares of the width or in characters.
        print_fn: gets the text in one piece; printed by default.
        expand_nested: also show the layers of nested models.
        show_trainable: with a column that says which layers are trained.
        layer_range: first and last layer to show, by name or regular expression.

    Example:
        >>> model.summary()
    """
    is_graph = not _is_chain(model)
    rows = list(_rows(model, expand_nested))
    if layer_range is not None:
        rows = _between(rows, layer_range)
    titles = ["Layer (type)", "Output Shape", "Param #"]
    titles += ["Connected to"] * is_graph + ["Trainable"] * show_trainable
    cells = [_cells(row, is_graph, show_trainable) for row in rows]
    # Importing rich takes longer than most programs spend here, and most never do.
    from rich.console import Console
    from rich.text import Text

    live = print_fn is None and console.is_live()
    out = Console(file=io.StringIO(), force_terminal=live, highlight=False, legacy_windows=False)
    widest, ends = _LAYOUTS[is_graph, show_trainable]
    width = line_length or min(widest, out.width - 4)
    out.width = max(out.width, width)
    ends = _shares(positions or ends, width, len(titles))
    style = "bold" if live else ""
    out.print(Text(f'Model: "{model.name}"', style=style))
    out.print(_table(titles, cells, ends, width, style))
    for label, variables in _totals(model):
        size = sum(_bytes(v) for v in variables)
        out.print(Text(f" {label}: {_count(variables):,} ({_readable(size)})"))
    text = out.file.getvalue()  # type: ignore[attr-defined]
    if print_fn is None:
        print(text, end="")
    else:
        print_fn(text)


def _table(
    titles: list[str], cells: list[list[str]], ends: list[float], width: int, style: str
) -> Any:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    cuts = [0, *(int(end * width) for end in ends)]
    table = Table(box=box.HEAVY_HEAD, show_lines=True, header_style=style, width=width)
    for title, start, end in zip(titles, cuts, cuts[1:], strict=False):
        # Frames and padding make this too wide; rich takes the excess from all columns alike.
        table.add_column(
            Text(title),
            width=max(end - start, 1),
            justify={"Param #": "right", "Trainable": "center"}.get(title, "left"),  # type: ignore[arg-type]
        )
    for row in cells:
        table.add_row(*(Text(cell, overflow="ellipsis") for cell in row))
    return table


# Rows ------------------------------------------------------------------------------


def graph_of(model: Any) -> Any:
    """The functional model behind a model; None where Python code alone says what it computes."""
    return model if isinstance(model, Function) else getattr(model, "_functional", None)


def _is_chain(model: Any) -> bool:
    """Whether every call uses the result of the one before and no other."""
    if not isinstance(model, Function):
        return True
    parents = [id(p) for node in model._graph.nodes for p in node.parents]
    operations = [id(node.operation) for node in model._graph.nodes]
    return (
        len(set(parents)) == len(parents)
        and len(set(operations)) == len(operations)
        and all(len(node.parents) <= 1 for node in model._graph.nodes)
    )


def _rows(model: Any, expand_nested: bool, depth: int = 0) -> Iterator[_Row]:
    graph = graph_of(model)
    calls: dict[int, list[Node]] = {}
    for node in [] if graph is None else graph._graph.nodes:
        calls.setdefault(id(node.operation), []).append(node)
    # The ops of a nested model are left out: they have neither names of the user nor weights.
    for layer in model.operations if isinstance(model, Function) and not depth else model.layers:
        nodes = calls.get(id(layer), [])
        names = [_address(x) for node in nodes for x in node.input_tensors if not depth]
        shape = _shape_of_calls(nodes) if nodes else _output_shape(layer)
        yield _Row(layer, depth, shape, ", ".join(names) or "-")
        if expand_nested and isinstance(layer, Layer) and hasattr(layer, "summary"):
            yield from _rows(layer, True, depth + 1)


def _address(tensor: Any) -> str:
    operation, node, index = tensor._keras_history
    return f"{operation.name}[{node}][{index}]"


def _between(rows: list[_Row], layer_range: Sequence[str]) -> list[_Row]:
    if len(layer_range) != 2:
        raise ValueError(
            "`layer_range` must hold two names: of the first and of the last layer. "
            f"Received: {list(layer_range)}"
        )
    top = [i for i, row in enumerate(rows) if not row.depth]
    names = [rows[i].layer.name for i in top]
    ends = []
    for pattern, outermost in zip(layer_range, (min, max), strict=True):
        places = [n for n, name in enumerate(names) if re.match(pattern, name)]
        if not places:
            raise ValueError(
                short(f"`layer_range`: no layer matches {pattern!r}. Layers: {', '.join(names)}")
            )
        ends.append(outermost(places))
    return rows[top[min(ends)] : [*top, len(rows)][max(ends) + 1]]


def _cells(row: _Row, is_graph: bool, show_trainable: bool) -> list[str]:
    layer = row.layer
    label = f"{layer.name} ({_kind(layer)})"
    if row.depth:
        label = f"{'   ' * row.depth}└ {label}"
    cells = [label, row.shape, _parameters(layer)]
    if is_graph:
        cells.append(row.connected)
    if show_trainable:
        weights = getattr(layer, "weights", None)
        cells.append(("Y" if layer.trainable else "N") if weights else "-")
    return cells


def _kind(operation: Any) -> str:
    return class_name(operation.op) if isinstance(operation, OpCall) else type(operation).__name__


def _shape_of_calls(nodes: list[Node]) -> str:
    """Of the last call, without the structure that several outputs have."""
    return _as_text([x.shape for x in nodes[-1].outputs])


def _output_shape(layer: Any) -> str:
    """What its calls on symbolic tensors gave, or what it gives for the shapes of `build`."""
    if getattr(layer, "_inbound_nodes", None):
        return _shape_of_calls(layer._inbound_nodes)
    graph = graph_of(layer)
    if graph is not None:
        return _as_text([x.shape for x in graph.outputs])
    config = layer.get_build_config() if layer.built and _tells_shape(layer) else None
    if not config:
        return "?"
    try:
        shapes = config.get("shapes_dict", {})
        found = layer.compute_output_shape(*([] if shapes else config.values()), **shapes)
    except (NotImplementedError, TypeError, ValueError):
        # Of a user's layer, whose outputs only a real call can tell.
        return "?"
    shown: list[tuple] = []
    tree.map_shape_structure(shown.append, found)
    return _as_text(shown)


def _tells_shape(layer: Layer) -> bool:
    """Whether asking for the shape of the output does not run code of the user's `call`."""
    return layer._ops_only or type(layer).compute_output_shape is not Layer.compute_output_shape


def _as_text(shapes: list[tuple]) -> str:
    found = [f"({', '.join(map(str, shape))})" for shape in shapes]
    return found[0] if len(found) == 1 else f"[{', '.join(found)}]"


def _parameters(layer: Any) -> str:
    if not isinstance(layer, Layer):
        return "0"
    if not layer.built:
        return "0 (unbuilt)"
    return f"{_count(layer.weights):,}"


# Totals ----------------------------------------------------------------------------


def _totals(model: Any) -> Iterator[tuple[str, list[Any]]]:
    optimizer = getattr(model, "optimizer", None)
    kept = list(optimizer.variables) if optimizer is not None and optimizer.built else []
    yield "Total params", [*model.weights, *kept]
    yield "Trainable params", model.trainable_weights
    yield "Non-trainable params", model.non_trainable_weights
    if kept:
        yield "Optimizer params", kept


def _count(variables: Iterable[Any]) -> int:
    return sum(math.prod(v.shape) for v in variables)


def _bytes(variable: Any) -> float:
    name = str(variable.dtype)
    bits = int(name[-1]) if name in ("int4", "uint4") else 8 * dtypes.numpy_dtype(name).itemsize
    return math.prod(variable.shape) * bits / 8


def _readable(size: float) -> str:
    for unit in ("B", "KB", "MB", "GB", "TB"):
        if size < 1024 or unit == "TB":
            return f"{size:.2f} {unit}"
        size /= 1024
    return ""


def _shares(positions: Sequence[float], width: int, columns: int) -> list[float]:
    """Ends of the columns as shares of the width; 0.3 is a share, 30 is characters."""
    found = [p if p <= 1 else p / width for p in positions][:columns]
    if len(found) < columns:
        raise ValueError(
            f"`positions` must hold the ends of {columns} columns. Received: {list(positions)}"
        )
    return [*found[:-1], 1.0]

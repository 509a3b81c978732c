"""`print_summary`: a model as a table of its layers."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from keraslite.core import dtypes, tree
from keraslite.core.graph import Node
from keraslite.layers.layer import Layer
from keraslite.utils import console

_WIDTH = 76
# Where the columns end, as shares of the width: for a chain of layers and for other graphs,
# without and with the column that says what is trained.
_ENDS = {
    (False, False): [0.458, 0.792, 1.0],
    (False, True): [0.408, 0.732, 0.901, 1.0],
    (True, False): [0.296, 0.563, 0.732, 1.0],
    (True, True): [0.271, 0.514, 0.671, 0.9, 1.0],
}


class _Row(NamedTuple):
    layer: Any
    depth: int
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
        line_length: width of the table.
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
    live = print_fn is None and console.is_live()
    width = line_length or _WIDTH
    ends = _shares(positions or _ENDS[is_graph, show_trainable], width, len(titles))
    text = _rendered(model, titles, cells, ends, width, live)
    (print if print_fn is None else print_fn)(text)


def _rendered(
    model: Any,
    titles: list[str],
    cells: list[list[str]],
    ends: list[float],
    width: int,
    live: bool,
) -> str:
    # Importing rich takes longer than most programs spend here, and most never do.
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    inside = width - len(titles) - 1
    cuts = [0, *(round(end * inside) for end in ends)]
    table = Table(box=box.HEAVY_HEAD, show_lines=True, header_style="bold" if live else "")
    for title, start, end in zip(titles, cuts, cuts[1:], strict=False):
        table.add_column(
            Text(title, no_wrap=True, overflow="ellipsis"),
            width=max(end - start - 2, 1),
            justify={"Param #": "right", "Trainable": "center"}.get(title, "left"),  # type: ignore[arg-type]
        )
    for row in cells:
        table.add_row(*map(Text, row))
    file = io.StringIO()
    out = Console(
        file=file, width=max(width, 20), force_terminal=live, highlight=False, legacy_windows=False
    )
    out.print(Text(f'Model: "{model.name}"', style="bold" if live else ""))
    out.print(table)
    for label, variables in _totals(model):
        size = sum(_bytes(v) for v in variables)
        out.print(Text(f" {label}: {_count(variables):,} ({_readable(size)})"))
    return file.getvalue()


# Rows ------------------------------------------------------------------------------


def _graph_of(model: Any) -> Any:
    """The functional model behind a model, None without one."""
    if hasattr(model, "_graph"):
        return model
    return getattr(model, "_functional", None)


def _nodes(model: Any) -> list[Node]:
    graph = _graph_of(model)
    return [] if graph is None else graph._graph.nodes


def _is_chain(model: Any) -> bool:
    """Whether every call uses the result of the one before and no other."""
    if not hasattr(model, "_graph"):
        return True
    parents = [id(p) for node in model._graph.nodes for p in node.parents]
    operations = [id(node.operation) for node in model._graph.nodes]
    return (
        len(set(parents)) == len(parents)
        and len(set(operations)) == len(operations)
        and all(len(node.parents) <= 1 for node in model._graph.nodes)
    )


def _rows(model: Any, expand_nested: bool, depth: int = 0) -> Iterator[_Row]:
    operations = model.operations if hasattr(model, "_graph") else model.layers
    nodes = _nodes(model) if hasattr(model, "_graph") else []
    inputs = {
        id(operation): [x for n in nodes if n.operation is operation for x in n.input_tensors]
        for operation in operations
    }
    for operation in operations:
        names = [_address(x) for x in inputs[id(operation)]] if not depth else []
        yield _Row(operation, depth, ",\n".join(names) or "-")
        if expand_nested and isinstance(operation, Layer) and hasattr(operation, "summary"):
            yield from _rows(operation, True, depth + 1)


def _address(tensor: Any) -> str:
    operation, node, index = tensor._keras_history
    return f"{operation.name}[{node}][{index}]"


def _between(rows: list[_Row], layer_range: Sequence[str]) -> list[_Row]:
    if len(layer_range) != 2:
        raise ValueError(
            "`layer_range` must hold two names: of the first and of the last layer. "
            f"Received: {list(layer_range)}"
        )
    found = []
    for pattern in layer_range:
        places = [i for i, row in enumerate(rows) if re.match(pattern, row.layer.name)]
        if not places:
            raise ValueError(
                f"`layer_range`: no layer matches {pattern!r}. Layers: "
                f"{', '.join(row.layer.name for row in rows)}"[:600]
            )
        found.append(places)
    return rows[min(found[0]) : max(found[1]) + 1]


def _cells(row: _Row, is_graph: bool, show_trainable: bool) -> list[str]:
    layer = row.layer
    label = f"{layer.name} ({_kind(layer)})"
    if row.depth:
        label = f"{'   ' * row.depth}└ {label}"
    cells = [label, _output_shape(layer), _parameters(layer)]
    if is_graph:
        cells.append(row.connected)
    if show_trainable:
        weights = getattr(layer, "weights", None)
        cells.append(("Y" if layer.trainable else "N") if weights else "-")
    return cells


def _kind(operation: Any) -> str:
    op = getattr(operation, "op", None)
    name = getattr(op, "name", None)
    if isinstance(operation, Layer) or name is None:
        return type(operation).__name__
    return "".join(word.capitalize() for word in name.split("_"))


def _output_shape(layer: Any) -> str:
    """What its calls on symbolic tensors gave, or what it gives for the shapes of `build`."""
    if getattr(layer, "_inbound_nodes", None):
        return _shown(layer._inbound_nodes[0].output_tree)
    graph = _graph_of(layer)
    if graph is not None:
        return _shown(graph._outputs_struct)
    shapes = layer.get_build_config() if getattr(layer, "built", False) else None
    if not shapes:
        return "?"
    try:
        found = layer.compute_output_shape(*shapes.values())
    except (NotImplementedError, TypeError, ValueError):
        # Of a user's layer, whose outputs only a real call can tell.
        return "?"
    return _as_text(found)


def _shown(tensors: Any) -> str:
    return _as_text(tree.map_structure(lambda x: getattr(x, "shape", None), tensors))


def _as_text(shapes: Any) -> str:
    return str(shapes)


def _parameters(layer: Any) -> str:
    if not isinstance(layer, Layer):
        return "0"
    if not layer.built and type(layer).build is not Layer.build:
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

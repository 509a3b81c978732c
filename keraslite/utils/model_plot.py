"""`plot_model`: a model as a picture of its graph. It is drawn by Graphviz, by way of pydot."""

from __future__ import annotations

import html
import os
import shutil
import sys
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from keraslite.core.configurable import shared_arguments
from keraslite.core.errors import describe, unexpected_arguments
from keraslite.core.function import Function
from keraslite.core.graph import Node
from keraslite.core.op import OpCall
from keraslite.core.op_entries import class_name
from keraslite.core.optional import required
from keraslite.layers.input_layer import InputLayer
from keraslite.layers.layer import Layer
from keraslite.utils.summary import graph_of


class _Shown(NamedTuple):
    shapes: bool
    dtype: bool
    names: bool
    nested: bool
    activations: bool
    trainable: bool


def model_to_dot(
    model: Any,
    show_shapes: bool = False,
    show_dtype: bool = False,
    show_layer_names: bool = True,
    rankdir: str = "TB",
    expand_nested: bool = False,
    dpi: int | None = 200,
    subgraph: bool = False,
    show_layer_activations: bool = False,
    show_trainable: bool = False,
    splines: str = "ortho",
    **kwargs: Any,
) -> Any:
    """The graph of a model for Graphviz.

    Args:
        model: a built model. One whose `call` is Python code is a single node.
        show_shapes: with the shapes of inputs and outputs.
        show_dtype: with the dtypes of outputs.
        show_layer_names: with the names of layers, not their classes only.
        rankdir: direction: `"TB"` is from top to bottom, `"LR"` from left to right.
        expand_nested: show the layers of nested models, in a frame.
        dpi: dots per inch.
        subgraph: return a `pydot.Cluster`, for another graph.
        show_layer_activations: with the activations of layers.
        show_trainable: say of layers with weights whether they are trained.
        splines: how edges run, as Graphviz has it.

    Returns:
        A `pydot.Dot`, or a `pydot.Cluster`.

    Raises:
        ImportError: without pydot.
        ValueError: if the model is not built.

    Example:
        >>> print(keras.utils.model_to_dot(model, show_shapes=True).to_string())
    """
    if kwargs:
        valid = [n for n in model_to_dot.__annotations__ if n not in ("kwargs", "return")]
        raise ValueError(str(unexpected_arguments("model_to_dot", kwargs, valid)))
    pydot = required("pydot", "`plot_model` and `model_to_dot` need pydot", '"keraslite[plot]"')
    if not isinstance(model, Layer):
        raise TypeError(f"`model` must be a model. Received: {describe(model)}")
    if not model.built:
        raise ValueError(
            f"The model {model.name!r} has not been built, so its graph is not known. Call it on "
            "a batch of data, or `model.build(input_shape)`."
        )
    if subgraph:
        found = _frame(pydot, model)
    else:
        found = pydot.Dot(graph_type="digraph", rankdir=rankdir, concentrate="true")
        found.set_splines(splines)
        if dpi is not None:
            found.set_dpi(dpi)
        found.set_node_defaults(shape="plain", fontname="Helvetica")
    shown = _Shown(
        show_shapes,
        show_dtype,
        show_layer_names,
        expand_nested,
        show_layer_activations,
        show_trainable,
    )
    _draw(pydot, found, model, shown)
    return found


def plot_model(
    model: Any,
    to_file: str | os.PathLike[str] = "model.png",
    show_shapes: bool = False,
    show_dtype: bool = False,
    show_layer_names: bool = False,
    rankdir: str = "TB",
    expand_nested: bool = False,
    dpi: int | None = 200,
    show_layer_activations: bool = False,
    show_trainable: bool = False,
    splines: str = "ortho",
    **kwargs: Any,
) -> Any:
    """Write a picture of a model's graph to a file.

    Args:
        to_file: its ending is the format, such as png, svg, pdf, or `dot` for Graphviz's text,
            which needs no program.
        model, show_shapes, show_dtype, show_layer_names, rankdir, expand_nested, dpi,
        show_layer_activations, show_trainable, splines: as in `model_to_dot`.

    Returns:
        In a notebook, the picture; else None.

    Raises:
        ImportError: without pydot, or without the program of Graphviz.
        ValueError: if the model is not built.

    Example:
        >>> keras.utils.plot_model(model, "model.svg", show_shapes=True, show_layer_names=True)
    """
    dot = model_to_dot(**shared_arguments(model_to_dot, locals()))
    path = os.fspath(to_file)
    ending = os.path.splitext(path)[1].lstrip(".").lower() or "png"
    if ending == "dot":
        dot.write(path, format="raw")
        return None
    if shutil.which("dot") is None:
        raise ImportError(
            "`plot_model` needs the program `dot` of Graphviz, which was not found. Install it "
            "(https://graphviz.org/download), or write its text: `to_file='model.dot'`."
        )
    dot.write(path, format=ending)
    if type(sys.stdout).__module__.startswith("ipykernel") and ending in ("png", "jpg", "jpeg"):
        from IPython import display

        return display.Image(filename=path)
    return None


# Nodes and edges ---------------------------------------------------------------------


def _draw(pydot: Any, into: Any, model: Any, shown: _Shown) -> None:
    graph = graph_of(model)
    if graph is None:
        into.add_node(_node(pydot, model, [], shown))
        return
    calls = _calls(graph)
    hidden = not isinstance(model, Function)  # `Sequential` does not list its input.
    for operation, nodes in calls.items():
        if shown.nested and graph_of(operation) is not None:
            frame = _frame(pydot, operation)
            _draw(pydot, frame, operation, shown)
            into.add_subgraph(frame)
        elif not (hidden and isinstance(operation, InputLayer)):
            into.add_node(_node(pydot, operation, nodes, shown))
    edges = {}
    for operation, nodes in calls.items():
        for node in nodes:
            for place, tensor in enumerate(node.input_tensors):
                source = tensor._keras_history.operation
                if hidden and isinstance(source, InputLayer):
                    continue
                start = _maker(tensor, shown.nested)
                for end in _users(operation, place, shown.nested):
                    edges[str(id(start)), str(id(end))] = None
    for start, end in edges:
        into.add_edge(pydot.Edge(start, end, penwidth="2"))


def _calls(graph: Any) -> dict[Any, list[Node]]:
    """The operations of a graph, its inputs first, and their calls in it."""
    calls: dict[Any, list[Node]] = {}
    for tensor in graph.inputs:
        operation, place, _ = tensor._keras_history
        calls.setdefault(operation, []).append(operation._inbound_nodes[place])
    for node in graph._graph.nodes:
        calls.setdefault(node.operation, []).append(node)
    return {operation: list(dict.fromkeys(nodes)) for operation, nodes in calls.items()}


def _maker(tensor: Any, nested: bool) -> Any:
    """The operation that an edge from `tensor` starts at."""
    operation, _, place = tensor._keras_history
    graph = graph_of(operation) if nested else None
    return operation if graph is None else _maker(graph.outputs[place], nested)


def _users(operation: Any, place: int, nested: bool) -> Iterable[Any]:
    """The operations at which an edge to an input of `operation` ends."""
    graph = graph_of(operation) if nested else None
    if graph is None:
        return [operation]
    entry = graph.inputs[min(place, len(graph.inputs) - 1)]
    if isinstance(operation, Function):
        return [entry._keras_history.operation]
    return [
        user
        for node in graph._graph.nodes
        for i, tensor in enumerate(node.input_tensors)
        if tensor is entry
        for user in _users(node.operation, i, nested)
    ]


def _frame(pydot: Any, model: Any) -> Any:
    label = _quoted(model.name)
    return pydot.Cluster(str(id(model)), style="dashed", label=label, labeljust="l")


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _node(pydot: Any, operation: Any, nodes: list[Node], shown: _Shown) -> Any:
    rows = [list(_facts(operation, nodes, shown))]
    if shown.activations and (activation := _activation(operation)):
        rows.insert(0, [_cell(f"Activation: <b>{html.escape(activation)}</b>")])
    head = f'<font point-size="16" color="white">{_title(operation, shown.names)}</font>'
    rows.insert(0, [f'<td colspan="{{span}}" bgcolor="black">{head}</td>'])
    # Each row is a table of its own, so that cells are as wide as what they say.
    body = "".join(
        f"<tr>{row[0].format(span=1)}</tr>"
        if len(row) == 1
        else '<tr><td cellpadding="0" border="0"><table border="0" cellborder="1" '
        f'cellspacing="0" cellpadding="8"><tr>{"".join(row)}</tr></table></td></tr>'
        for row in rows
        if row
    )
    table = f'<table border="0" cellborder="1" cellspacing="0" cellpadding="8">{body}</table>'
    return pydot.Node(str(id(operation)), label=f"<{table}>")


def _title(operation: Any, names: bool) -> str:
    kind = class_name(operation.op) if isinstance(operation, OpCall) else type(operation).__name__
    kind = html.escape(kind)
    return f"<b>{html.escape(operation.name)}</b> ({kind})" if names else f"<b>{kind}</b>"


def _cell(text: str, color: str = "white") -> str:
    return f'<td bgcolor="{color}">{text}</td>'


def _facts(operation: Any, nodes: list[Node], shown: _Shown) -> Iterator[str]:
    inputs, outputs = (nodes[-1].input_tensors, nodes[-1].outputs) if nodes else (None, None)
    if shown.shapes:
        if inputs != []:
            yield _cell(f"Input shape: <b>{_all_of(inputs, 'shape')}</b>")
        yield _cell(f"Output shape: <b>{_all_of(outputs, 'shape')}</b>")
    if shown.dtype:
        yield _cell(f"Output dtype: <b>{_all_of(outputs, 'dtype')}</b>")
    if shown.trainable and getattr(operation, "weights", None):
        text, color = (
            ("Trainable", "forestgreen") if operation.trainable else ("Non-trainable", "firebrick")
        )
        yield _cell(f'<font color="white"><b>{text}</b></font>', color)


def _all_of(tensors: list[Any] | None, what: str) -> str:
    if tensors is None:
        return "?"
    found = [str(getattr(x, what)) for x in tensors]
    return found[0] if len(found) == 1 else f"[{', '.join(found)}]"


def _activation(operation: Any) -> str | None:
    found = getattr(operation, "activation", None)
    return getattr(found, "__name__", None) or (type(found).__name__ if found else None)

"""`Merge` of Keras 1: as the layers of today, and as a graph where it joins whole stacks."""

from __future__ import annotations

from typing import Any

from keraslite.core.errors import short


def merge_layer(layer: Any) -> Any:
    """`Merge(mode="sum")` as the layer `Add`."""
    if not isinstance(layer, dict) or layer.get("class_name") != "Merge":
        return layer
    config = layer.get("config") or {}
    mode = config.get("mode")
    classes = {"concat": "Concatenate", "sum": "Add", "mul": "Multiply", "ave": "Average"}
    classes |= {"max": "Maximum", "min": "Minimum", "dot": "Dot", "cos": "Dot"}
    if mode not in classes or config.get("layers"):
        raise ValueError(
            f"Layer {short(str(config.get('name')), 60)!r} of Keras 1 merges with a function or "
            "with models of its own, which has no equal in Keras 3. Load the weights alone into a "
            "model made by hand."
        )
    found: dict[str, Any] = {"name": config.get("name")}
    if mode == "concat":
        found["axis"] = config.get("concat_axis", -1)
    if classes[mode] == "Dot":
        found["axes"] = config.get("dot_axes", -1)
        found["normalize"] = mode == "cos"
    return {**layer, "class_name": classes[mode], "config": found}


def graph_of_branches(stack: list[Any]) -> dict[str, Any] | None:
    """A stack that begins with a `Merge` of other stacks, as a graph; None for any other."""
    first = stack[0] if stack and isinstance(stack[0], dict) else {}
    config = first.get("config")
    if first.get("class_name") != "Merge" or not isinstance(config, dict):
        return None
    if not config.get("layers"):
        return None
    nodes: list[dict[str, Any]] = []
    last = _chain(stack, None, nodes)
    entries = [[n["name"], 0, 0] for n in nodes if n["class_name"] == "InputLayer"]
    graph = {"layers": nodes, "input_layers": entries, "output_layers": [[last, 0, 0]]}
    return {"class_name": "Model", "config": {"name": f"{last}_model", **graph}}


def _chain(stack: list[Any], tensor: str | None, nodes: list[dict[str, Any]]) -> str | None:
    """Add the layers of a stack behind the layer `tensor`; returns the last one's name."""
    for layer in stack:
        config = layer["config"]
        if layer["class_name"] == "Sequential" and isinstance(config, list):
            tensor = _chain(config, tensor, nodes)
            continue
        name = config["name"]
        inputs = [tensor]
        if layer["class_name"] == "Merge" and config.get("layers"):
            inputs = [_chain([branch], None, nodes) for branch in config["layers"]]
            layer = {**layer, "config": {**config, "layers": None}}
        elif tensor is None:
            inputs = [_entry(layer, nodes)]
        calls = [[[source, 0, 0] for source in inputs]]
        nodes.append({**layer, "name": name, "inbound_nodes": calls})
        tensor = name
    return tensor


def _entry(layer: dict[str, Any], nodes: list[dict[str, Any]]) -> str:
    """Add the input that the first layer of a stack speaks of."""
    config = layer["config"]
    shape = config.get("batch_input_shape")
    if shape is None or "layers" in config:
        raise ValueError(
            f"Layer {short(str(config.get('name')), 60)!r} begins a branch of a `Merge` of Keras 1 "
            "and does not say the shape of its input. Load the weights alone into a model made by "
            "hand."
        )
    name = f"{config['name']}_input"
    entry = {"name": name, "batch_input_shape": shape}
    entry["dtype"] = config.get("input_dtype") or "float32"
    nodes.append({"class_name": "InputLayer", "name": name, "config": entry, "inbound_nodes": []})
    return name

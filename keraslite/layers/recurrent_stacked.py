"""`StackedRNNCells`: several cells in place of one, each fed with the output of the one before."""

from __future__ import annotations

from typing import Any

from keraslite import ops
from keraslite.core import tree
from keraslite.core.errors import describe
from keraslite.core.registry import CustomObjects
from keraslite.layers.building import build_once
from keraslite.layers.layer import Layer

__all__ = ["StackedRNNCells"]


def output_size(cell: Any) -> Any:
    """The size of a cell's output: its `output_size`, or that of its first state."""
    size = getattr(cell, "output_size", None)
    return size if size is not None else tree.flatten(cell.state_size)[0]


def zero_state(cell: Any, batch_size: Any, dtype: str) -> list[Any]:
    """What a cell begins with: what it says itself, or zeros."""
    make = getattr(cell, "get_initial_state", None)
    if make is not None:
        state = make(batch_size=batch_size)
    else:
        state = tree.map_structure(
            lambda n: ops.zeros((batch_size, n), dtype=dtype), cell.state_size
        )
    return as_list(state)


def as_list(states: Any) -> list[Any]:
    """The states of a cell as a list; a cell with one state may give it bare."""
    return list(states) if isinstance(states, (list, tuple)) else [states]


def check_cell(owner: str, cell: Any) -> None:
    """Raise a ValueError unless `cell` can be a cell."""
    for needed in ("call", "state_size"):
        if not hasattr(cell, needed):
            raise ValueError(f"{owner}: a cell must have `{needed}`. Received: {describe(cell)}")


def build_cell(cell: Any, input_shape: Any) -> None:
    """Build a cell that is a layer and not yet built."""
    if isinstance(cell, Layer):
        build_once(cell, input_shape)


def call_cell(cell: Any, inputs: Any, states: Any, training: bool) -> tuple[Any, Any]:
    """One step of a cell of any kind."""
    if isinstance(cell, Layer) and "training" in cell._call.parameters:
        return cell(inputs, states, training=training)
    return cell(inputs, states)


class StackedRNNCells(CustomObjects, Layer):
    """Several cells that work as one.

    Args:
        cells: the cells, the first of which sees the input.

    Example:
        >>> cells = [keras.layers.LSTMCell(4), keras.layers.GRUCell(3)]
        >>> keras.layers.RNN(keras.layers.StackedRNNCells(cells))(np.ones((2, 5, 1))).shape
        (2, 3)
    """

    def __init__(self, cells: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.cells = list(cells)
        if not self.cells:
            raise ValueError("StackedRNNCells: `cells` must hold at least one cell.")
        for cell in self.cells:
            check_cell("StackedRNNCells", cell)

    @property
    def state_size(self) -> list[Any]:
        """The state sizes of the cells."""
        return [cell.state_size for cell in self.cells]

    @property
    def output_size(self) -> Any:
        """The output size of the last cell."""
        return output_size(self.cells[-1])

    def get_initial_state(self, batch_size: Any = None) -> list[Any]:
        """The initial states of the cells, a list for each."""
        return [zero_state(cell, batch_size, self.compute_dtype) for cell in self.cells]

    def build(self, input_shape: Any) -> None:
        for cell in self.cells:
            build_cell(cell, input_shape)
            input_shape = (input_shape[0], output_size(cell))

    # A step in two halves, as the cells of `recurrent_cells` have it -------------------

    def project(self, inputs: Any, training: bool = False) -> Any:
        """The part of the first cell's step that depends on inputs only, for one step or all."""
        project = getattr(self.cells[0], "project", None)
        return inputs if project is None else project(inputs, training)

    def constants(self, batch_size: Any, training: bool) -> Any:
        """What is the same for all steps: a pair for each cell, or whether it is training.

        The pair is the mask of the inputs, but for the first cell, and the cell's own.
        """
        found: list[Any] = []
        for i, cell in enumerate(self.cells):
            if not hasattr(cell, "project"):
                found.append(training)
                continue
            mask = None
            if i and training and cell.dropout:
                ones = ops.ones(
                    (batch_size, output_size(self.cells[i - 1])), dtype=cell.compute_dtype
                )
                mask = cell.drop_inputs(ones, training)
            found.append((mask, cell.constants(batch_size, training)))
        return found

    def step(self, projected: Any, states: Any, constants: Any) -> tuple[Any, list[Any]]:
        """`(output, new states)` from projected inputs."""
        x, new_states = projected, []
        for i, (cell, state, constant) in enumerate(
            zip(self.cells, states, constants, strict=True)
        ):
            if hasattr(cell, "project"):
                mask, own = constant
                if i:
                    x = cell.project(x if mask is None else x * mask)
                x, new = cell.step(x, as_list(state), own)
            else:
                x, new = call_cell(cell, x, as_list(state), constant)
            new_states.append(as_list(new))
        return x, new_states

    def call(
        self, inputs: Any, states: Any, training: bool = False, **kwargs: Any
    ) -> tuple[Any, list[Any]]:
        constants = self.constants(ops.shape(inputs)[0], training)
        return self.step(self.project(inputs, training), states, constants)

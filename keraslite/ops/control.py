"""Control flow that engines can compile: branches, loops, scans.

Functions given here get tensors and return trees of tensors of one shape and dtype each time.
They may read and assign variables. On symbolic tensors the whole construct becomes one node
of the graph, so the functions may only use symbolic tensors that are passed to them.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from keraslite.core import tree
from keraslite.core.keras_tensor import any_symbolic
from keraslite.core.naming import auto_name
from keraslite.core.op import TensorLike, kernel
from keraslite.core.operation import Operation
from keraslite.ops.core import convert_to_tensor

__all__ = [
    "associative_scan",
    "cond",
    "fori_loop",
    "map",
    "scan",
    "switch",
    "vectorized_map",
    "while_loop",
]

F = TypeVar("F", bound=Callable[..., Any])


class ControlCall(Operation):
    """One construct of control flow in a graph."""

    def __init__(self, name: str, function: Callable[..., Any]) -> None:
        super().__init__(auto_name(name))
        self.function = function

    def call(self, *args: Any) -> Any:
        return self.function(*args)


def recorded(function: F) -> F:
    """Calls with symbolic tensors among the arguments become a node of the graph."""

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        if any_symbolic(args, kwargs):
            return ControlCall(function.__name__, functools.partial(wrapper, **kwargs))(*args)
        return function(*args, **kwargs)

    return wrapper  # type: ignore[return-value]


def _tensors(values: Any) -> Any:
    """A tree with tensors for numbers, arrays and variables."""
    return tree.map_structure(lambda x: None if x is None else convert_to_tensor(x), values)


def _check_callable(where: str, **functions: Any) -> None:
    for name, function in functions.items():
        if not callable(function):
            raise TypeError(
                f"ops.{where}: `{name}` must be callable. Received: {type(function).__name__}"
            )


@recorded
def cond(pred: TensorLike, true_fn: Callable[[], Any], false_fn: Callable[[], Any]) -> Any:
    """Call one of two functions.

    Args:
        pred: a boolean scalar.
        true_fn, false_fn: functions of no arguments whose results agree in shapes and dtypes.

    Returns:
        What the chosen function returns.

    Raises:
        TypeError: if one of them is not callable.

    Example:
        >>> x = keras.ops.array(3.0)
        >>> keras.ops.cond(x > 0, lambda: x, lambda: -x)
        3.
    """
    _check_callable("cond", true_fn=true_fn, false_fn=false_fn)
    return kernel("cond")(convert_to_tensor(pred, "bool"), true_fn, false_fn)


@recorded
def switch(index: TensorLike, branches: Sequence[Callable[..., Any]], *operands: Any) -> Any:
    """Call one of several functions.

    Args:
        index: an int scalar; it is clamped into the range of the branches.
        branches: functions whose results agree in shapes and dtypes.
        operands: what the chosen function is called with.

    Returns:
        What the chosen function returns.

    Example:
        >>> keras.ops.switch(1, [lambda x: x + 1, lambda x: x * 10], 4)
        40
    """
    _check_callable("switch", **{f"branches[{i}]": fn for i, fn in enumerate(branches)})
    return kernel("switch")(convert_to_tensor(index, "int32"), branches, *_tensors(operands))


@recorded
def while_loop(
    cond: Callable[..., Any],
    body: Callable[..., Any],
    loop_vars: Any,
    maximum_iterations: int | None = None,
) -> Any:
    """Call `body` as long as `cond` holds.

    Args:
        cond: from the loop variables to a boolean scalar.
        body: from the loop variables to their next values.
        loop_vars: a tensor, or a tuple or list of trees of tensors.
        maximum_iterations: to stop after, if given.

    Returns:
        The last loop variables, nested as `loop_vars`.

    Example:
        >>> keras.ops.while_loop(lambda i: i < 5, lambda i: (i + 1,), (0,))
        (5,)
    """
    _check_callable("while_loop", cond=cond, body=body)
    return kernel("while_loop")(cond, body, _tensors(loop_vars), maximum_iterations)


@recorded
def fori_loop(
    lower: TensorLike, upper: TensorLike, body_fun: Callable[..., Any], init_val: Any
) -> Any:
    """Call `body_fun` for each int from `lower` up to, but not at, `upper`.

    Args:
        lower, upper: int scalars.
        body_fun: from `(i, value)` to the next value.
        init_val: the first value, a tree of tensors.

    Returns:
        The last value.

    Example:
        >>> keras.ops.fori_loop(0, 4, lambda i, total: total + i, 0)
        6
    """
    _check_callable("fori_loop", body_fun=body_fun)
    lower, upper = (x if isinstance(x, int) else convert_to_tensor(x) for x in (lower, upper))
    return kernel("fori_loop")(lower, upper, body_fun, _tensors(init_val))


@recorded
def scan(
    f: Callable[..., Any],
    init: Any,
    xs: Any = None,
    length: int | None = None,
    reverse: bool = False,
    unroll: int | bool = 1,
) -> tuple[Any, Any]:
    """Carry a value over the slices along the first axis.

    Args:
        f: from `(carry, x)` to `(next carry, y)`.
        init: the first carry, a tree of tensors.
        xs: a tree of tensors to take the slices of; None to go by `length`.
        length: how many steps; needed when `xs` is None.
        reverse: whether to begin at the end; each `y` stands where its `x` does.
        unroll: how many steps to lay out in one iteration of a compiled loop.

    Returns:
        `(last carry, ys)`, with the `y` of all steps stacked.

    Raises:
        ValueError: if neither `xs` nor `length` tells the number of steps, or they differ.

    Example:
        >>> keras.ops.scan(lambda c, x: (c + x, c + x), 0, keras.ops.array([1, 2, 3]))
        (6, array([1, 3, 6], dtype=int32))
    """
    _check_callable("scan", f=f)
    xs = _tensors(xs)
    sizes = {x.shape[0] for x in tree.flatten(xs) if x is not None}
    if length is not None:
        sizes.add(length)
    if len(sizes) != 1:
        raise ValueError(
            "ops.scan: `xs` and `length` must tell one number of steps. Received: first sizes "
            f"{sorted(str(n) for n in sizes)}, length={length}"
        )
    return kernel("scan")(f, _tensors(init), xs, sizes.pop(), reverse, unroll)


@recorded
def associative_scan(
    f: Callable[[Any, Any], Any], elems: Any, reverse: bool = False, axis: int = 0
) -> Any:
    """All partial results of an associative function, in a logarithmic number of steps.

    The scan of Blelloch, "Prefix Sums and Their Applications" (1990).

    Args:
        f: joins two trees of slices, which keep the scanned axis.
        elems: a tree of tensors, all of one size along the axis.
        reverse: whether to begin at the end.
        axis: the axis.

    Returns:
        A tree like `elems`.

    Example:
        >>> keras.ops.associative_scan(lambda a, b: a + b, keras.ops.array([1, 2, 3]))
        array([1, 3, 6], dtype=int32)
    """
    _check_callable("associative_scan", f=f)
    return kernel("associative_scan")(f, _tensors(elems), reverse, axis)


@recorded
def map(f: Callable[..., Any], xs: Any) -> Any:
    """Call a function on each slice along the first axis, one after the other.

    Args:
        f: from a slice (a tree of slices) to a tree of tensors.
        xs: a tensor or a tree of tensors.

    Returns:
        The results, stacked.

    Example:
        >>> keras.ops.map(lambda x: x * x, keras.ops.array([1, 2, 3]))
        array([1, 4, 9], dtype=int32)
    """
    _check_callable("map", f=f)
    return kernel("map")(f, _tensors(xs))


@recorded
def vectorized_map(function: Callable[..., Any], elements: Any) -> Any:
    """As `map`, but on all slices at once, where the engine can.

    Args:
        function: from a slice (a tree of slices) to a tree of tensors.
        elements: a tensor or a tree of tensors.

    Returns:
        The results, stacked.
    """
    _check_callable("vectorized_map", function=function)
    return kernel("vectorized_map")(function, _tensors(elements))

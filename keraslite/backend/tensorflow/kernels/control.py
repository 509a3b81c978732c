"""Branches and loops. Eagerly Python runs them; in a graph TensorFlow's ops do.

TensorFlow flattens structures itself; `keraslite.core.tree` is used where `None` or
other values that are no tensors take part.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from keraslite.backend.tensorflow import support as s
from keraslite.backend.tensorflow.kernels import shape as _shape
from keraslite.core import tree as _tree
from keraslite.core.scopes import StatelessScope as _StatelessScope

_Tensor = Any


def _outline(fn: Callable[..., Any], *args: Any) -> Any:
    """The tree that `fn(*args)` gives, traced aside: its tensors are only shapes and dtypes."""
    with tf.__internal__.FuncGraph("outline").as_default(), s.isolated():
        return fn(*args)


def _contained(fn: Callable[..., Any]) -> Callable[..., Any]:
    """`fn` as a part of a graph of its own, from which no tensor reaches a scope outside."""

    def run(*args: Any) -> Any:
        if _StatelessScope.current.get() is None:
            return fn(*args)
        with s.isolated() as scope:
            found = fn(*args)
        if scope.updated and not s.is_inferring():
            names = ", ".join(v.path for v in scope.updated.values())
            raise NotImplementedError(
                "Inside a `StatelessScope`, a branch or loop of a compiled function cannot assign "
                f"variables; return the values from it. Received assignments to: {names[:300]}"
            )
        return found

    return run


class _Split:
    """Trees as lists of tensors and back, where all trees have the form of the first."""

    def __init__(self, example: Any) -> None:
        leaves, self._form = _tree.split(example)
        self.tensors = [leaf for leaf in leaves if s.is_tensor(leaf)]
        self._others = [_HOLE if s.is_tensor(leaf) else leaf for leaf in leaves]

    def pack(self, structure: Any) -> list[_Tensor]:
        leaves, form = _tree.split(structure)
        if form != self._form:
            raise ValueError(
                f"The structure changes. Expected: {str(self._form)[:200]}. "
                f"Received: {str(form)[:200]}"
            )
        pairs = zip(leaves, self._others, strict=True)
        return [tf.convert_to_tensor(leaf) for leaf, other in pairs if other is _HOLE]

    def unpack(self, tensors: Sequence[_Tensor]) -> Any:
        given = iter(tensors)
        return _tree.unflatten(
            self._form, [next(given) if leaf is _HOLE else leaf for leaf in self._others]
        )


_HOLE = object()


def _tensors(structure: Any) -> Any:
    """Numbers and arrays in `structure` as tensors; other leaves as they are."""
    return _tree.map_structure(
        lambda x: tf.convert_to_tensor(x) if _is_numeric(x) else x, structure
    )


def _is_numeric(x: Any) -> bool:
    return not s.is_tensor(x) and (isinstance(x, (bool, int, float)) or hasattr(x, "__array__"))


def cond(pred: _Tensor, true_fn: Callable[[], Any], false_fn: Callable[[], Any]) -> Any:
    return switch(s.cast(tf.convert_to_tensor(pred), tf.int32), [false_fn, true_fn])


def switch(index: _Tensor, branches: Sequence[Callable[..., Any]], *operands: Any) -> Any:
    last = len(branches) - 1
    if tf.executing_eagerly():
        return branches[min(max(int(index), 0), last)](*operands)
    forms: list[_Split] = []

    def flat(branch: Callable[..., Any]) -> Callable[[], list[_Tensor]]:
        def run() -> list[_Tensor]:
            found = _tensors(_contained(branch)(*operands))
            if not forms:
                forms.append(_Split(found))
            # TensorFlow wants an output of every branch.
            return [*forms[0].pack(found), tf.constant(0)]

        return run

    index = tf.clip_by_value(tf.convert_to_tensor(index), 0, last)
    outputs = tf.switch_case(index, [flat(branch) for branch in branches])
    return forms[0].unpack(outputs[:-1])


def while_loop(
    cond: Callable[..., Any],
    body: Callable[..., Any],
    loop_vars: Any,
    maximum_iterations: int | None = None,
) -> Any:
    single = not isinstance(loop_vars, (list, tuple))
    state = _tensors((loop_vars,) if single else tuple(loop_vars))
    split = _Split(state)
    body = body if tf.executing_eagerly() else _contained(body)

    def step(*tensors: _Tensor) -> list[_Tensor]:
        found = body(*split.unpack(tensors))
        return split.pack((found,) if single else tuple(found))

    found = tf.while_loop(
        lambda *tensors: cond(*split.unpack(tensors)),
        step,
        split.tensors,
        parallel_iterations=1,
        maximum_iterations=maximum_iterations,
    )
    found = split.unpack(found)
    return found[0] if single else found


def fori_loop(lower: Any, upper: Any, body_fun: Callable[..., Any], init_val: Any) -> Any:
    def step(i: _Tensor, value: Any) -> tuple[_Tensor, Any]:
        return i + 1, body_fun(i, value)

    lower, upper = (s.cast(tf.convert_to_tensor(i), tf.int32) for i in (lower, upper))
    return while_loop(lambda i, _: i < upper, step, (lower, init_val))[1]


def scan(
    f: Callable[[Any, Any], tuple[Any, Any]],
    init: Any,
    xs: Any = None,
    length: int | None = None,
    reverse: bool = False,
    unroll: int | bool = 1,
) -> tuple[Any, Any]:
    xs, init = _tensors(xs), _tensors(init)
    given = [x for x in _tree.flatten(xs) if s.is_tensor(x)]
    count = s.sizes(given[0])[0] if given else int(length)

    def item(i: Any) -> Any:
        return _tree.map_structure(lambda x: x[i] if s.is_tensor(x) else x, xs)

    if type(count) is int and (tf.executing_eagerly() or unroll is True) and count:
        return _unrolled(f, init, item, count, reverse)
    like = _tree.map_structure(lambda x: _row(x) if s.is_tensor(x) else x, xs)
    return _looped(f, init, item, like, count, reverse)


def _unrolled(f: Any, carry: Any, item: Any, count: int, reverse: bool) -> tuple[Any, Any]:
    rows = []
    for i in reversed(range(count)) if reverse else range(count):
        carry, row = f(carry, item(i))
        rows.append(_tensors(row))
    if reverse:
        rows.reverse()
    stacked = _tree.map_structure(
        lambda *each: tf.stack(each) if s.is_tensor(each[0]) else each[0], *rows
    )
    return carry, stacked


def _row(x: _Tensor) -> Any:
    row = tf.zeros(s.sizes(x)[1:], x.dtype)
    row.set_shape(x.shape[1:])
    return row


def _looped(
    f: Any, init: Any, item: Any, like: Any, count: s.Size, reverse: bool
) -> tuple[Any, Any]:
    # Not the first item: there may be none.
    rows = _Split(_outline(lambda: _tensors(f(init, like)[1])))
    carries = _Split(init)
    collected = [
        tf.TensorArray(row.dtype, size=count, element_shape=row.shape) for row in rows.tensors
    ]

    def step(i: _Tensor, tensors: list[_Tensor], collected: list[Any]) -> tuple[Any, ...]:
        at = count - 1 - i if reverse else i
        carry, row = _contained(f)(carries.unpack(tensors), item(at))
        written = [
            array.write(at, value) for array, value in zip(collected, rows.pack(row), strict=True)
        ]
        return i + 1, carries.pack(carry), written

    _, tensors, collected = tf.while_loop(
        lambda i, *_: i < count,
        step,
        (tf.constant(0), carries.tensors, collected),
        parallel_iterations=1,
        maximum_iterations=count,
    )
    return carries.unpack(tensors), rows.unpack([array.stack() for array in collected])


def map(f: Callable[[Any], Any], xs: Any) -> Any:
    return scan(lambda carry, x: (carry, f(x)), None, xs)[1]


def vectorized_map(function: Callable[[Any], Any], elements: Any) -> Any:
    return tf.vectorized_map(function, elements)


def associative_scan(
    f: Callable[[Any, Any], Any], elems: Any, reverse: bool = False, axis: int = 0
) -> Any:
    count = next(x.shape[axis] for x in _tree.flatten(elems) if s.is_tensor(x))
    if count is None:
        raise ValueError(
            f"`associative_scan` needs a size known in advance. Received: None for axis {axis}."
        )
    before = (slice(None),) * (axis % s.rank(_tree.flatten(elems)[0]))

    def part(structure: Any, *bounds: int | None) -> Any:
        return _tree.map_structure(lambda x: x[(*before, slice(*bounds))], structure)

    def prefixes(elems: Any, n: int) -> Any:
        """Pairs first: half as many; their prefixes are those of the odd places."""
        if n < 2:
            return elems
        odd = prefixes(f(part(elems, 0, n - 1, 2), part(elems, 1, None, 2)), n // 2)
        even = part(elems, 0, 1)
        if n > 2:
            later = f(part(odd, 0, (n - 1) // 2), part(elems, 2, None, 2))
            even = _tree.map_structure(lambda *x: tf.concat(x, len(before)), even, later)
        return _tree.map_structure(lambda a, b: _interleaved(a, b, len(before)), even, odd)

    def turned(structure: Any) -> Any:
        return (
            _tree.map_structure(lambda x: _shape.flip(x, axis), structure) if reverse else structure
        )

    return turned(prefixes(turned(elems), count))


def _interleaved(even: _Tensor, odd: _Tensor, axis: int) -> _Tensor:
    """Both in turn; `even` may have one more at the end."""
    pairs = s.sizes(odd)[axis]
    head, tail = tf.split(even, [pairs, -1], axis)
    sizes = s.sizes(odd)
    merged = s.reshape(
        tf.stack([head, odd], axis + 1), (*sizes[:axis], 2 * pairs, *sizes[axis + 1 :])
    )
    return tf.concat([merged, tail], axis)


def jvp(
    fn: Callable[..., tuple[Any, Any]], primals: Sequence[_Tensor], tangents: Sequence[_Tensor]
) -> tuple[Any, Any, Any]:
    # Copies: a tensor may come twice.
    primals = [tf.identity(x) for x in primals]
    with tf.autodiff.ForwardAccumulator(primals, list(tangents)) as accumulator:
        outputs, aux = fn(*primals)
    zero = tf.UnconnectedGradients.ZERO
    return outputs, tuple(accumulator.jvp(y, unconnected_gradients=zero) for y in outputs), aux

"""Derivatives of plain functions, the same on every engine that trains.

But for `jvp` not part of Keras: there, each engine has its own way.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from keraslite.backend import engine
from keraslite.core import dtypes, tree
from keraslite.core.errors import describe
from keraslite.core.keras_tensor import any_symbolic
from keraslite.core.op import Tensor, kernel
from keraslite.core.variable import Variable
from keraslite.ops.control import recorded
from keraslite.ops.core import convert_to_tensor, dtype
from keraslite.ops.creation import zeros

__all__ = ["custom_gradient", "grad", "jvp", "value_and_grad"]


def value_and_grad(
    fn: Callable[..., Any],
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    variables: Sequence[Variable] | None = None,
) -> Callable[..., Any]:
    """A function that computes `fn` and its gradient at once.

    Args:
        fn: returns a scalar, or `(scalar, aux)` with `has_aux`.
        argnums: which positional arguments to differentiate by: trees of float tensors.
        has_aux: whether `fn` returns something besides the scalar.
        variables: differentiate by these `Variable`s, which `fn` reads, in place of
            arguments. Assignments that `fn` makes to variables take effect.

    Returns:
        A function with the arguments of `fn` that returns `(value, gradient)`, where `value`
        is all that `fn` returns. The gradient is nested as the argument (a tuple for several
        `argnums`), or a list for `variables`; zeros where the scalar does not depend on them.

    Raises:
        NotImplementedError: if the engine does not train.

    Example:
        >>> keras.ops.value_and_grad(lambda x: x**2)(3.0)
        (9., 6.)
        >>> w = keras.Variable(2.0)
        >>> keras.ops.value_and_grad(lambda: w * w, variables=[w])()
        (4., [4.])
    """
    if not engine.capabilities.trainable:
        raise engine.unsupported("gradients")
    if variables is None:
        return _by_arguments(fn, argnums, has_aux)
    return _by_variables(fn, has_aux, list(variables))


def grad(
    fn: Callable[..., Any], argnums: int | Sequence[int] = 0, has_aux: bool = False
) -> Callable[..., Any]:
    """A function that computes the gradient of `fn`. See `value_and_grad`.

    Returns:
        A function that returns the gradient, or `(gradient, aux)` with `has_aux`.

    Example:
        >>> keras.ops.grad(keras.ops.sin)(0.0)
        1.
    """
    both = value_and_grad(fn, argnums, has_aux)

    def gradient(*args: Any, **kwargs: Any) -> Any:
        value, found = both(*args, **kwargs)
        return (found, value[1]) if has_aux else found

    return gradient


def _scalar_and_aux(result: Any, has_aux: bool) -> tuple[Tensor, Any]:
    if has_aux and not (isinstance(result, tuple) and len(result) == 2):
        raise ValueError(
            "ops.value_and_grad: with `has_aux=True` the function must return `(scalar, aux)`. "
            f"Received: {describe(result)}"
        )
    value, aux = result if has_aux else (result, None)
    value = convert_to_tensor(value)
    if len(value.shape) != 0 or not dtypes.is_float(dtype(value)):
        raise ValueError(
            "ops.value_and_grad: the function must return a float scalar, such as a mean. "
            f"Received: {describe(value)}"
        )
    return value, aux


def _by_variables(
    fn: Callable[..., Any], has_aux: bool, variables: list[Variable]
) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        found, gradients = engine.value_and_grad(
            lambda: _scalar_and_aux(fn(*args, **kwargs), has_aux), variables
        )
        pairs = zip(variables, gradients, strict=True)
        filled = [zeros(v.shape, v.dtype) if g is None else g for v, g in pairs]
        return (tuple(found) if has_aux else found[0]), filled

    return call


def _by_arguments(
    fn: Callable[..., Any], argnums: int | Sequence[int], has_aux: bool
) -> Callable[..., Any]:
    numbers = (argnums,) if isinstance(argnums, int) else tuple(argnums)

    def call(*args: Any, **kwargs: Any) -> Any:
        if any_symbolic(args, kwargs):
            raise ValueError(
                "ops.value_and_grad: a symbolic tensor has no gradient. Use it in the `call` of a "
                "Layer, or in `train_step`."
            )
        if any(not -len(args) <= n < len(args) for n in numbers):
            raise ValueError(
                f"ops.value_and_grad: `argnums` must name positional arguments. Received: "
                f"argnums={argnums} and {len(args)} arguments"
            )
        places = [n % len(args) for n in numbers]
        leaves, spec = tree.split([args[i] for i in places])
        tensors = [_differentiable(leaf) for leaf in leaves]

        def run(*tensors: Tensor) -> tuple[Tensor, Any]:
            filled = list(args)
            for i, part in zip(places, tree.unflatten(spec, tensors), strict=True):
                filled[i] = part
            return _scalar_and_aux(fn(*filled, **kwargs), has_aux)

        found, gradients = engine.value_and_grad_of(run, tensors)
        parts = tree.unflatten(spec, gradients)
        value = tuple(found) if has_aux else found[0]
        return value, (parts[0] if isinstance(argnums, int) else tuple(parts))

    return call


def _differentiable(x: Any, where: str = "value_and_grad") -> Tensor:
    tensor = convert_to_tensor(x)
    if not dtypes.is_float(dtype(tensor)) and "complex" not in dtype(tensor):
        raise ValueError(
            f"ops.{where}: only floats have gradients. Received: {describe(x)}. Cast it, or leave "
            "it out of what is differentiated."
        )
    return tensor


@recorded
def jvp(
    fun: Callable[..., Any],
    primals: Sequence[Any],
    tangents: Sequence[Any],
    has_aux: bool = False,
) -> Any:
    """A function's value, and how it changes in one direction (forward mode).

    Args:
        fun: from trees of tensors to a tree of tensors, or to `(tree, aux)` with `has_aux`.
        primals: its arguments, a tuple or list of trees of float tensors.
        tangents: the direction, nested and shaped as `primals`.
        has_aux: whether `fun` returns something besides what is differentiated.

    Returns:
        `(value, change)`, or `(value, change, aux)`: the change is the product of the
        Jacobian matrix and the direction, nested as the value.

    Raises:
        ValueError: if `primals` and `tangents` differ in form or shapes.
        NotImplementedError: if the engine does not train.

    Example:
        >>> keras.ops.jvp(lambda x: x**2, (3.0,), (1.0,))
        (9., 6.)
    """
    points, spec = tree.split(tuple(primals) if isinstance(primals, list) else primals)
    directions, other = tree.split(tuple(tangents) if isinstance(tangents, list) else tangents)
    points = [_differentiable(x, "jvp") for x in points]
    directions = [convert_to_tensor(x, dtype(p)) for x, p in zip(directions, points, strict=False)]
    if (
        not isinstance(primals, (tuple, list))
        or spec != other
        or any(tuple(p.shape) != tuple(d.shape) for p, d in zip(points, directions, strict=True))
    ):
        raise ValueError(
            "ops.jvp: `primals` and `tangents` must be tuples of the same form, with tensors of "
            f"the same shapes. Received: primals={describe(primals)}, "
            f"tangents={describe(tangents)}"
        )
    form: list[Any] = []

    def run(*tensors: Tensor) -> tuple[tuple[Tensor, ...], Any]:
        result = fun(*tree.unflatten(spec, tensors))
        value, aux = result if has_aux else (result, ())
        leaves, structure = tree.split(value)
        form.append(structure)
        return tuple(convert_to_tensor(x) for x in leaves), aux

    values, changes, aux = kernel("jvp")(run, points, directions)
    value, change = (tree.unflatten(form[-1], part) for part in (values, changes))
    return (value, change, aux) if has_aux else (value, change)


def custom_gradient(f: Callable[..., Any]) -> Callable[..., Any]:
    """A function with a gradient of its own making.

    Args:
        f: from tensors to `(output, grad)`, where `grad(*args, upstream=g)` gives the
            gradient for each argument (`*args` are those of `f`).

    Returns:
        A function that returns the output.

    Example:
        >>> @keras.ops.custom_gradient
        ... def log1pexp(x):
        ...     e = keras.ops.exp(x)
        ...     def grad(*args, upstream):
        ...         return upstream * (1.0 - 1.0 / (1.0 + e))
        ...     return keras.ops.log(1.0 + e), grad
    """
    compiled = engine.custom_gradient(f)

    def call(*args: Any, **kwargs: Any) -> Any:
        if any_symbolic(args, kwargs):
            return f(*args, **kwargs)[0]
        args = tuple(x.value if isinstance(x, Variable) else x for x in args)
        return compiled(*args, **kwargs)

    call.__doc__ = f.__doc__
    call.__name__ = getattr(f, "__name__", "custom_gradient")
    return call

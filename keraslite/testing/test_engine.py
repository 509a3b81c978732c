"""The verbs of the contract, one by one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import keraslite
from keraslite import ops
from keraslite.backend import Engine, TensorSpec, engine
from keraslite.core import dtypes
from keraslite.core.scopes import StatelessScope

_ALWAYS = ("bool", "int8", "int16", "int32", "uint8", "float16", "bfloat16", "float32")
_DTYPES = [
    *_ALWAYS,
    *(("float64", "int64") if engine.capabilities.float64 else ()),
    *(("complex64",) if engine.capabilities.complex else ()),
]
VALUES = np.array([[0.0, 1.0, 2.5], [3.0, 4.0, 100.0]])


def _array(dtype: str) -> np.ndarray:
    return VALUES.astype(dtypes.numpy_dtype(dtype))


def _numpy(x: Any) -> np.ndarray:
    return engine.to_numpy(x)


def _number(x: Any) -> float:
    return _numpy(x).item()


# Tensors -----------------------------------------------------------------------------


def test_identity() -> None:
    assert isinstance(engine, Engine)
    assert keraslite.backend.backend() == engine.name
    assert type(engine.convert(1.0)) in engine.tensor_types
    assert engine.is_tensor(engine.convert([1, 2]))
    assert not engine.is_tensor([1, 2])


@pytest.mark.parametrize("dtype", _DTYPES)
def test_arrays_go_in_and_come_out(dtype: str) -> None:
    x = engine.convert(_array(dtype))
    assert (engine.dtype(x), engine.shape(x)) == (dtype, (2, 3))
    found = _numpy(x)
    assert found.dtype == dtypes.numpy_dtype(dtype)
    np.testing.assert_array_equal(found, _array(dtype))
    wanted = engine.native_dtype(dtype)
    assert x.dtype is wanted if engine.interned_dtypes else x.dtype == wanted


def test_memory_is_not_shared() -> None:
    array = _array("float32")
    x = engine.convert(array)
    storage = engine.allocate(array, "float32", True, "v")
    array[:] = -1
    _numpy(x)[:] = -2
    np.testing.assert_array_equal(_numpy(x), _array("float32"))
    np.testing.assert_array_equal(_numpy(engine.read(storage)), _array("float32"))


@pytest.mark.parametrize(
    ("value", "dtype"),
    [
        (True, "bool"), (3, "int32"), (1.5, "float32"), ([1, 2], "int32"),
        ([[1.0], [2]], "float32"),
        (np.float16(2), "float16"), (np.array([], "int32"), "int32"), ([], "float32"),
    ],
)  # fmt: skip
def test_dtypes_of_what_is_converted(value: Any, dtype: str) -> None:
    x = engine.convert(value)
    assert (engine.dtype(x), engine.shape(x)) == (dtype, np.shape(value))
    np.testing.assert_array_equal(_numpy(x), value)
    narrow = engine.convert(value, "float16")
    assert engine.dtype(narrow) == "float16"


def test_lists_of_tensors_are_stacked() -> None:
    x = engine.convert([engine.convert([1.0, 2.0]), np.array([3.0, 4.0], "float32")])
    np.testing.assert_array_equal(_numpy(x), [[1, 2], [3, 4]])


@pytest.mark.parametrize("source", [d for d in _DTYPES if d != "complex64"])
@pytest.mark.parametrize("target", _DTYPES)
def test_cast(source: str, target: str) -> None:
    found = engine.cast(engine.convert(_array(source)), target)
    assert engine.dtype(found) == target
    np.testing.assert_array_equal(_numpy(found), _array(source).astype(dtypes.numpy_dtype(target)))


def test_dtypes_that_are_unknown_are_refused() -> None:
    with pytest.raises(Exception, match="float12"):  # noqa: B017 - of its own words
        engine.native_dtype("float12")


def test_masks_live_with_their_tensor() -> None:
    x, mask = engine.convert([1.0]), engine.convert([True])
    assert engine.get_mask(x) is None
    engine.set_mask(x, mask)
    assert engine.get_mask(x) is mask
    engine.set_mask(x, None)
    assert engine.get_mask(x) is None


def test_devices() -> None:
    names = engine.devices()
    assert names and all(":" in name for name in names)
    with engine.device_scope(names[-1]):
        np.testing.assert_array_equal(_numpy(ops.add(engine.convert([1.0]), 1.0)), [2.0])


# Variables ---------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [d for d in _DTYPES if d != "bool"])
def test_storages(dtype: str) -> None:
    storage = engine.allocate(_array(dtype), dtype, dtype.startswith("float"), "v")
    assert engine.dtype(engine.read(storage)) == dtype
    new = engine.convert(_array(dtype) * 0 + 7)
    storage = engine.write(storage, new)
    np.testing.assert_array_equal(_numpy(engine.read(storage)), _numpy(new))
    engine.set_trainable(storage, False)


def test_many_writes() -> None:
    """What was computed for a value is forgotten: nothing grows with the number of writes."""
    v = keraslite.Variable(0.0)
    for _ in range(3000):
        v.assign_add(1.0)
    assert float(v) == 3000


def test_variables_in_expressions() -> None:
    x, v = engine.convert([1.0, 2.0]), keraslite.Variable([3.0, 4.0])
    for found in (x + v, v + x, ops.add(x, v)):
        np.testing.assert_array_equal(_numpy(found), [4, 6])
    with StatelessScope([(v, engine.convert([0.0, 0.0]))]):
        np.testing.assert_array_equal(_numpy(x + v), [1, 2])
        v.assign([9.0, 9.0])
    np.testing.assert_array_equal(v.numpy(), [3, 4])


# Tracing -----------------------------------------------------------------------------


def test_infer() -> None:
    def fn(x: Any, y: Any) -> dict[str, Any]:
        product = ops.matmul(x, y)
        return {"product": product, "place": ops.argmax(product, -1), "more": [None, 3, x]}

    found = engine.infer(fn, [TensorSpec((2, 3), "float32"), TensorSpec((3, 4), "float32")])
    assert found == {
        "product": TensorSpec((2, 4), "float32"),
        "place": TensorSpec((2,), "int32"),
        "more": [None, 3, TensorSpec((2, 3), "float32")],
    }
    assert not engine.is_tracing()


@pytest.mark.requires("compiled")
def test_infer_computes_nothing() -> None:
    sizes = TensorSpec((100_000, 100_000), "float32")
    assert engine.infer(lambda x: ops.exp(x) + 1.0, [sizes]) == sizes


def test_variables_are_real_inside_of_a_trace() -> None:
    made: list[Any] = []

    def fn(x: Any) -> Any:
        made.append(keraslite.Variable(np.array([1.0, 2.0], "float32")))
        return x + made[-1]

    engine.infer(fn, [TensorSpec((2,), "float32")])
    np.testing.assert_array_equal(made[0].numpy(), [1, 2])


# Gradients ---------------------------------------------------------------------------


@pytest.mark.requires("trainable")
def test_value_and_grad() -> None:
    w, unused = keraslite.Variable([2.0, 3.0]), keraslite.Variable(1.0)
    count = keraslite.Variable(0, dtype="int32", trainable=False)

    def fn() -> Any:
        count.assign_add(1)
        squares = ops.square(w)
        return ops.sum(squares), {"squares": squares, "plain": "text"}

    (loss, aux), grads = engine.value_and_grad(fn, [w, unused])
    assert (_number(loss), int(count), aux["plain"]) == (13, 1, "text")
    np.testing.assert_array_equal(_numpy(aux["squares"]), [4, 9])
    np.testing.assert_array_equal(_numpy(grads[0]), [4, 6])
    assert grads[1] is None or _number(grads[1]) == 0
    # Once more, after an assignment.
    w.assign([1.0, 1.0])
    np.testing.assert_array_equal(_numpy(engine.value_and_grad(fn, [w])[1][0]), [2, 2])


@pytest.mark.requires("trainable")
def test_gradients_by_python_operators() -> None:
    """A variable is no constant, on whichever side of an operator it stands."""
    x = engine.convert([5.0, 7.0])
    for value, expected in (([2.0, 3.0], [5, 7]), (2.0, 12)):
        w = keraslite.Variable(value)
        products = [
            lambda w: x * w, lambda w: w * x, lambda w: x * w.value, lambda w: ops.multiply(x, w)
        ]  # fmt: skip
        for fn in products:
            _, grads = engine.value_and_grad(lambda fn=fn, w=w: (ops.sum(fn(w)), None), [w])
            np.testing.assert_array_equal(_numpy(grads[0]), expected)


@pytest.mark.requires("trainable")
def test_value_and_grad_of_tensors_and_again() -> None:
    x = engine.convert([1.0, 2.0])

    def slope(x: Any) -> Any:
        _, (found,) = engine.value_and_grad_of(lambda x: (ops.sum(x**3), None), [x])
        return found

    np.testing.assert_allclose(_numpy(slope(x)), [3, 12])
    _, (second,) = engine.value_and_grad_of(lambda x: (ops.sum(slope(x)), None), [x])
    np.testing.assert_allclose(_numpy(second), [6, 12])


@pytest.mark.requires("trainable")
def test_gradient_in_a_scope_is_of_the_value_there() -> None:
    w = keraslite.Variable(2.0)
    with StatelessScope([(w, engine.convert(5.0))]):
        (loss, _), (grad,) = engine.value_and_grad(lambda: (w * w, None), [w])
    assert (_number(loss), _number(grad), float(w)) == (25, 10, 2)


@pytest.mark.requires("trainable")
def test_stop_gradient() -> None:
    x = engine.convert(3.0)
    _, (grad,) = engine.value_and_grad_of(lambda x: (x * engine.stop_gradient(x), None), [x])
    assert _number(grad) == 3


@pytest.mark.requires("trainable")
def test_custom_gradient() -> None:
    @ops.custom_gradient
    def both(x: Any, y: Any) -> Any:
        def grad(*args: Any, upstream: Any = None) -> Any:
            return upstream * 10.0, upstream * args[0]

        return x * y, grad

    tensors = [engine.convert(2.0), engine.convert(3.0)]
    (loss, _), grads = engine.value_and_grad_of(lambda x, y: (both(x, y), None), tensors)
    assert [_number(x) for x in (loss, *grads)] == [6, 10, 2]


@pytest.mark.requires("trainable")
def test_rematerialize() -> None:
    w = keraslite.Variable([2.0, 3.0])
    seen = keraslite.Variable(0.0, trainable=False)

    def block(x: Any) -> Any:
        seen.assign_add(1.0)
        return ops.tanh(x * w)

    x = engine.convert([0.5, -0.5])
    plain = engine.value_and_grad(lambda: (ops.sum(block(x)), None), [w])
    again = engine.value_and_grad(lambda: (ops.sum(engine.rematerialize(block)(x)), None), [w])
    np.testing.assert_allclose(_numpy(again[1][0]), _numpy(plain[1][0]), rtol=1e-6)
    assert _number(again[0][0]) == pytest.approx(_number(plain[0][0]))
    assert float(seen) == 2


# Steps -------------------------------------------------------------------------------


@pytest.mark.parametrize("jit", ["auto", True, False])
def test_compile_step(jit: bool | str) -> None:
    total = keraslite.Variable(np.zeros(2, "float32"))
    seeds = keraslite.random.SeedGenerator(3)

    def step(batch: Any) -> Any:
        total.assign_add(ops.sum(batch["x"], 0))
        noise = keraslite.random.uniform((2,), seed=seeds)
        return {"twice": batch["x"] * 2.0, "noise": noise, "nothing": None}

    run = engine.compile_step(step, [total, seeds.state], jit)
    noises = []
    for rows in (3, 3, 5, 3):
        found = run({"x": np.ones((rows, 2), "float32"), "weights": None})
        np.testing.assert_array_equal(_numpy(found["twice"]), np.full((rows, 2), 2.0))
        assert found["nothing"] is None
        noises.append(tuple(_numpy(found["noise"])))
    np.testing.assert_array_equal(total.numpy(), [14, 14])
    assert len(set(noises)) == 4
    # The state may be changed in between.
    total.assign([0.0, 0.0])
    run({"x": engine.convert(np.ones((3, 2), "float32")), "weights": None})
    np.testing.assert_array_equal(total.numpy(), [3, 3])


def test_compile_steps() -> None:
    total = keraslite.Variable(0.0)

    def step(batch: Any) -> Any:
        total.assign_add(ops.sum(batch))
        return total.value

    run = engine.compile_steps(step, [total])
    assert _number(run([np.full((2,), i, "float32") for i in range(4)])) == 12
    assert float(total) == 12


@pytest.mark.requires("trainable")
@pytest.mark.parametrize("jit", ["auto", True, False])
def test_a_step_with_gradients(jit: bool | str) -> None:
    w = keraslite.Variable([1.0, -1.0])

    def step(batch: Any) -> Any:
        loss = lambda: (ops.mean(ops.square(ops.matmul(batch, w.value) - 1.0)), None)  # noqa: E731
        (value, _), (grad,) = engine.value_and_grad(loss, [w])
        w.assign_sub(0.1 * grad)
        return value

    run = engine.compile_step(step, [w], jit)
    x = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]], "float32")
    weights = np.array([1.0, -1.0])
    for _ in range(5):
        error = x @ weights - 1
        assert _number(run(x)) == pytest.approx(np.mean(error**2), rel=1e-5)
        weights = weights - 0.1 * 2 * error @ x / 3
    np.testing.assert_allclose(w.numpy(), weights, rtol=1e-5)


# Control flow ------------------------------------------------------------------------


@pytest.mark.parametrize("jit", ["auto", True])
def test_branches_in_a_step(jit: bool | str) -> None:
    count = keraslite.Variable(0.0)

    def positive() -> Any:
        count.assign_add(1.0)
        return engine.convert(1.0)

    def step(x: Any) -> Any:
        return ops.cond(ops.sum(x) > 0, positive, lambda: engine.convert(-1.0))

    run = engine.compile_step(step, [count], jit)
    found = [_number(run(np.array([x], "float32"))) for x in (2, -2, 3)]
    assert (found, float(count)) == ([1, -1, 1], 2)


def test_loops() -> None:
    x = engine.convert(np.arange(6.0).reshape(3, 2).astype("float32"))
    carry, ys = ops.scan(lambda c, row: (c + row, c * 1.0), ops.zeros(2), x)
    np.testing.assert_array_equal(_numpy(carry), [6, 9])
    np.testing.assert_array_equal(_numpy(ys), [[0, 0], [0, 1], [2, 4]])
    assert int(ops.while_loop(lambda i: i < 5, lambda i: i + 2, engine.convert(0))) == 6
    assert float(ops.fori_loop(0, 4, lambda i, v: v + ops.cast(i, "float32"), 0.0)) == 6
    found = ops.vectorized_map(lambda row: row * ops.sum(row), x)
    np.testing.assert_array_equal(_numpy(found), [[0, 1], [10, 15], [36, 45]])
    found = ops.associative_scan(ops.add, x)
    np.testing.assert_array_equal(_numpy(found), np.cumsum(_numpy(x), 0))
    index = engine.convert(1)
    assert int(ops.switch(index, [lambda x: x, lambda x: x + 1], engine.convert(5))) == 6


def test_errors_name_the_op() -> None:
    with pytest.raises(ValueError, match="ops.add: .* do not broadcast"):
        ops.add(engine.convert(np.ones((2, 3))), engine.convert(np.ones((4, 3))))


def test_what_is_missing_is_refused_clearly() -> None:
    assert engine.name in str(engine.unsupported("singing"))
    assert isinstance(engine.unsupported("singing"), NotImplementedError)

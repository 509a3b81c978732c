"""What is MLX's own: laziness, `mx.array`s in user code, refusals."""

from __future__ import annotations

import mlx.core as mx
import numpy as np
import pytest

import keraslite as keras
from keraslite import ops
from keraslite.backend import engine


def test_the_entry_point_is_found() -> None:
    assert type(engine).__name__ == "MlxEngine"
    assert type(ops.ones(3)) is mx.array


def test_a_layer_may_use_mlx_itself() -> None:
    class Squares(keras.layers.Layer):
        def call(self, x: mx.array) -> mx.array:
            return mx.square(x) + mx.mean(x, axis=-1, keepdims=True)

    inputs = keras.Input((3,))
    model = keras.Model(inputs, Squares()(inputs))
    assert model.output_shape == (None, 3)
    x = np.array([[1.0, 2.0, 3.0]], "float32")
    np.testing.assert_allclose(model.predict(x, verbose=0), [[3, 6, 11]])


def test_a_tensor_written_in_place_leaves_the_variable_alone() -> None:
    value = mx.array([1.0, 2.0])
    v = keras.Variable(value)
    v.assign(value)
    value[0] = 9.0
    np.testing.assert_array_equal(v.numpy(), [1, 2])


def test_an_assignment_inside_of_a_transformation_is_refused() -> None:
    v = keras.Variable([1.0])

    def assign(x: mx.array) -> mx.array:
        v.assign(x)
        return x

    with pytest.raises(RuntimeError, match="stateless_call"):
        mx.compile(assign)(mx.array([2.0]))


def test_a_compiled_step_does_not_look_at_values() -> None:
    def step(x: mx.array) -> mx.array:
        return ops.while_loop(lambda v: ops.sum(v) < 10, lambda v: v * 2.0, x)

    batch = np.ones(3, "float32")
    with pytest.raises(NotImplementedError, match="jit_compile=False"):
        engine.compile_step(step, [], True)(batch)
    np.testing.assert_array_equal(np.array(engine.compile_step(step, [], False)(batch)), [4, 4, 4])


@pytest.mark.parametrize(
    "fn",
    [
        lambda x: ops.linalg.qr(x)[0], lambda x: ops.linalg.qr(x)[1],
        lambda x: ops.linalg.svd(x, full_matrices=False)[1],
        lambda x: ops.linalg.cholesky(ops.matmul(ops.transpose(x), x)),
        lambda x: ops.linalg.eigh(ops.matmul(ops.transpose(x), x))[1],
        lambda x: ops.linalg.solve(ops.matmul(ops.transpose(x), x), ops.ones((3, 2))),
    ],
)  # fmt: skip
def test_derivatives_that_mlx_lacks(fn) -> None:
    rng = np.random.default_rng(3)
    x = engine.convert(rng.normal(size=(5, 3)).astype("float32"))
    weights = rng.normal(size=fn(x).shape).astype("float32")
    move = rng.normal(size=(5, 3)).astype("float32") * 1e-2
    slope = ops.grad(lambda x: ops.sum(fn(x) * weights))(x)
    sides = [float(ops.sum(fn(x + side * move / 2) * weights)) for side in (1, -1)]
    predicted = float(ops.sum(slope * move))
    assert predicted == pytest.approx(sides[0] - sides[1], rel=2e-2, abs=1e-4)


def test_derivatives_that_are_missing_are_refused() -> None:
    x = engine.convert(np.eye(3, dtype="float32"))
    with pytest.raises(NotImplementedError, match="gradient of `ops.lu_factor`"):
        ops.grad(lambda x: ops.sum(ops.linalg.lu_factor(x)[0]))(x)

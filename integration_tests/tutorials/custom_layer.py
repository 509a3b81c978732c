"""A layer of one's own, with weights, a penalty, a config, and a state that is not trained."""

import numpy as np
from sklearn.datasets import load_diabetes

import keraslite as keras
from keraslite import ops

keras.utils.set_random_seed(1)


class Linear(keras.layers.Layer):
    def __init__(self, units=32, rate=1e-3, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.rate = rate

    def build(self, input_shape):
        self.w = self.add_weight(
            shape=(input_shape[-1], self.units), initializer="random_normal", trainable=True
        )
        self.b = self.add_weight(shape=(self.units,), initializer="zeros", trainable=True)
        self.calls = self.add_weight(
            name="calls", shape=(), initializer="zeros", dtype="int32", trainable=False
        )

    def call(self, inputs, training=None):
        self.add_loss(self.rate * ops.sum(ops.square(self.w)))
        if training:
            self.calls.assign_add(1)
        return ops.matmul(inputs, self.w) + self.b

    def get_config(self):
        return {**super().get_config(), "units": self.units, "rate": self.rate}


class Block(keras.layers.Layer):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.first = Linear(32)
        self.second = Linear(1)

    def call(self, inputs):
        return self.second(ops.relu(self.first(inputs)))


def within(y_true, y_pred):
    return ops.mean(ops.cast(ops.abs(y_true - y_pred) < 1.0, "float32"))


data = load_diabetes(scaled=True)
x = (data.data * 20).astype("float32")
y = ((data.target - data.target.mean()) / data.target.std()).astype("float32")[:, None]

model = keras.Sequential([keras.Input((10,)), Block(name="block")])
assert len(model.trainable_weights) == 4 and len(model.non_trainable_weights) == 2
model.compile(optimizer=keras.optimizers.RMSprop(0.01), loss="mse", metrics=[within])
history = model.fit(x[:350], y[:350], epochs=15, batch_size=35, verbose=2).history
print(history["loss"][0], "->", history["loss"][-1])
assert history["loss"][-1] < 0.75 * history["loss"][0]
assert history["within"][-1] > 0.7
# The loss has the penalty in it.
block = model.get_layer("block")
penalty = sum(1e-3 * float(np.sum(np.square(w))) for w in model.get_weights() if w.ndim == 2)
error = float(np.mean((model.predict(x, batch_size=442, verbose=0) - y) ** 2))
np.testing.assert_allclose(
    model.evaluate(x, y, batch_size=442, verbose=0)[0], error + penalty, rtol=1e-4
)
assert int(np.asarray(block.first.calls.numpy())) == 15 * 10

model = keras.Sequential([keras.Input((10,)), Linear(4), Linear(1)])
model.save("linear.keras")
again = keras.models.load_model("linear.keras", custom_objects={"Linear": Linear})
assert [layer.units for layer in again.layers] == [4, 1]
for before, after in zip(model.get_weights(), again.get_weights(), strict=True):
    np.testing.assert_array_equal(before, after)

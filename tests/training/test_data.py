"""Data of every kind give what the same arrays give; which Keras confirms once."""

from __future__ import annotations

import contextlib
import importlib
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import keraslite
from keraslite.backend import engine
from keraslite.training.data import make_source
from tests.training.oracle import (
    BATCH,
    SAMPLES,
    assert_same,
    data,
    dense,
    dense_eager,
    keras,
    sample_weights,
)

X, Y = data()
W = sample_weights()
STEPS = 3


def batches(weights: bool = False) -> Iterator[Any]:
    for start in range(0, SAMPLES, BATCH):
        part = slice(start, start + BATCH)
        yield (X[part], Y[part], W[part]) if weights else (X[part], Y[part])


class Batches(keraslite.utils.PyDataset):
    """The samples as a `PyDataset` that counts its passes."""

    def __init__(self, weights: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.all = list(batches(weights))
        self.calls: list[str] = []

    def __len__(self) -> int:
        return len(self.all)

    def __getitem__(self, index: int) -> Any:
        return self.all[index]

    def on_epoch_begin(self) -> None:
        self.calls.append("begin")

    def on_epoch_end(self) -> None:
        self.calls.append("end")


class Endless(Batches):
    @property
    def num_batches(self) -> None:
        return None

    def __getitem__(self, index: int) -> Any:
        return self.all[index % STEPS]


def _tf_data(weights: bool) -> Any:
    tf = pytest.importorskip("tensorflow")
    arrays = (X, Y, W) if weights else (X, Y)
    return tf.data.Dataset.from_tensor_slices(arrays).batch(BATCH)


def _loader(weights: bool) -> Any:
    torch = pytest.importorskip("torch")
    arrays = (X, Y, W) if weights else (X, Y)
    dataset = torch.utils.data.TensorDataset(*map(torch.from_numpy, arrays))
    return torch.utils.data.DataLoader(dataset, batch_size=BATCH)


class Rows:
    """Samples by index."""

    def __init__(self, weights: bool = False) -> None:
        self.arrays = (X, Y, W) if weights else (X, Y)

    def __len__(self) -> int:
        return SAMPLES

    def __getitem__(self, index: int) -> Any:
        return tuple(x[index] for x in self.arrays)


def _grain(kind: str) -> Callable[[bool], Any]:
    def make(weights: bool) -> Any:
        grain = pytest.importorskip("grain")
        data = grain.MapDataset.source(Rows(weights))
        if kind == "loader":
            return grain.DataLoader(
                data_source=Rows(weights),
                sampler=grain.samplers.SequentialSampler(SAMPLES),
                operations=[grain.transforms.Batch(BATCH)],
                worker_count=0,
            )
        data = data.batch(BATCH)
        return {"map": data, "repeated": data.repeat(), "iter": data.to_iter_dataset()}[kind]

    return make


def _endless(weights: bool) -> Iterator[Any]:
    return itertools.chain.from_iterable(batches(weights) for _ in itertools.count())


# What gives batches: data, and what else `fit` needs.
STREAMS: dict[str, tuple[Callable[[bool], Any], dict[str, Any]]] = {
    "generator": (_endless, {"steps_per_epoch": STEPS}),
    "list_like": (Batches, {}),
    "py_dataset": (Batches, {}),
    "threads": (lambda w: Batches(w, workers=3, max_queue_size=2), {}),
    "endless_py_dataset": (Endless, {"steps_per_epoch": STEPS}),
    "tf_data": (_tf_data, {}),
    "tf_data_repeated": (lambda w: _tf_data(w).repeat(), {"steps_per_epoch": STEPS}),
    "data_loader": (_loader, {}),
    "grain_map": (_grain("map"), {}),
    "grain_repeated": (_grain("repeated"), {"steps_per_epoch": STEPS}),
    "grain_iter": (_grain("iter"), {}),
    "grain_loader": (_grain("loader"), {}),
}


def _pandas(kind: str) -> Callable[[np.ndarray], Any]:
    def convert(x: np.ndarray) -> Any:
        pandas = pytest.importorskip("pandas")
        if kind == "series" and (x.ndim == 1 or x.shape[1] == 1):
            return pandas.Series(x.reshape(-1))
        return pandas.DataFrame(x)

    return convert


def _foreign(name: str, function: str) -> Callable[[np.ndarray], Any]:
    return lambda x: getattr(pytest.importorskip(name), function)(x)


def _sparse(x: np.ndarray) -> Any:
    sparse = pytest.importorskip("scipy.sparse")
    return sparse.csr_matrix(x) if x.ndim == 2 and x.shape[1] > 1 else x


ARRAYS: dict[str, Callable[[np.ndarray], Any]] = {
    "float64": lambda x: x.astype("float64"),
    "engine_tensors": lambda x: keraslite.ops.convert_to_tensor(x),
    "torch_tensors": _foreign("torch", "from_numpy"),
    "tf_tensors": _foreign("tensorflow", "constant"),
    "jax_arrays": lambda x: importlib.import_module("jax.numpy").asarray(x),
    "data_frames": _pandas("frame"),
    "series": _pandas("series"),
    "not_contiguous": lambda x: np.asfortranarray(np.repeat(x, 2, axis=0))[::2],
    "sparse": _sparse,
    "variables": lambda x: keraslite.Variable(x, trainable=False),
}


@pytest.fixture(scope="module")
def model() -> Any:
    return dense(keraslite, weighted_metrics=["mae"])


def outcome(model: Any, *args: Any, epochs: int = 2, **kwargs: Any) -> Any:
    """History of `fit` where the engine trains, from the same start."""
    model.set_weights(START)
    given = {"verbose": 0, "shuffle": False, **kwargs}
    return model.fit(*args, epochs=epochs, **given).history


START = dense(keraslite).get_weights()


@pytest.fixture(scope="module")
def expected(model: Any) -> Callable[[bool], Any]:
    """Histories with plain arrays, without and with weights; equal to Keras's."""
    found = {}
    for weights in (False, True):
        given = {"sample_weight": W if weights else None, "batch_size": BATCH}
        found[weights] = outcome(model, X, Y, **given)
        theirs = dense(keras, weighted_metrics=["mae"])
        assert_same(found[weights], outcome(theirs, X, Y, **given))
    return found.__getitem__


@pytest.mark.requires("trainable")
@pytest.mark.parametrize("weights", [False, True])
@pytest.mark.parametrize("kind", STREAMS)
def test_fit_on_streams(kind: str, weights: bool, model: Any, expected: Any) -> None:
    make, more = STREAMS[kind]
    assert_same(outcome(model, make(weights), **more), expected(weights))


@pytest.mark.requires("trainable")
@pytest.mark.parametrize("kind", ARRAYS)
def test_fit_on_arrays(kind: str, model: Any, expected: Any) -> None:
    x, y, w = map(ARRAYS[kind], (X, Y, W))
    assert_same(outcome(model, x, y, sample_weight=w, batch_size=BATCH), expected(True))
    # The batches of indices that shuffling makes.
    assert np.isfinite(outcome(model, x, y, batch_size=BATCH, shuffle=True)["loss"]).all()


@pytest.mark.parametrize("kind", [*STREAMS, *ARRAYS])
def test_evaluate_and_predict(kind: str, model: Any) -> None:
    model.set_weights(START)
    given: dict[str, Any] = {"verbose": 0}
    if kind in ARRAYS:
        xy = tuple(map(ARRAYS[kind], (X, Y)))
        given["batch_size"] = BATCH

        def again() -> Any:
            return xy[:1]
    else:
        make, more = STREAMS[kind]
        xy = (make(False),)
        given.update(steps=more["steps_per_epoch"] if more else None)

        def again() -> Any:
            return (make(False),)

    expected = model.evaluate(X, Y, batch_size=BATCH, verbose=0, return_dict=True)
    assert_same(model.evaluate(*xy, return_dict=True, **given), expected)
    assert_same(model.predict(*again(), **given), model.predict(X, verbose=0))


@pytest.mark.requires("trainable")
@pytest.mark.parametrize("kind", ["py_dataset", "tf_data", "generator"])
def test_validation_streams(kind: str, model: Any) -> None:
    """Every epoch is validated with the same batches, also when the data are endless."""
    make, more = STREAMS[kind]
    steps = {"validation_steps": STEPS} if more else {}
    found = outcome(model, X, Y, batch_size=BATCH, validation_data=make(True), **steps)
    expected = outcome(model, X, Y, batch_size=BATCH, validation_data=(X, Y, W))
    # Arrays are validated with the batch size of training.
    assert_same(found, expected)


@pytest.mark.requires("trainable")
def test_class_weight_with_streams() -> None:
    labels = (np.arange(SAMPLES) % 3)[:, None]
    class_weight = {0: 0.3, 1: 2.0, 2: 1.0}
    model = dense_eager(keraslite, 3, "softmax", loss="sparse_categorical_crossentropy")
    parts = [(X[i : i + BATCH], labels[i : i + BATCH]) for i in range(0, SAMPLES, BATCH)]
    start = model.get_weights()
    expected = model.fit(
        X, labels, batch_size=BATCH, shuffle=False, verbose=0, class_weight=class_weight
    ).history
    model.set_weights(start)
    found = model.fit((p for p in parts), verbose=0, class_weight=class_weight).history
    assert_same(found, expected)


@pytest.mark.requires("trainable")
def test_generator_that_runs_dry() -> None:
    def run(k: Any) -> Any:
        with pytest.warns(UserWarning, match="ran (dry|out of data)"):
            return dense_eager(k).fit(batches(), steps_per_epoch=5, verbose=0).history

    assert_same(run(keraslite), run(keras))
    # Keras makes a pass over the first batch of a generator that has ended.
    model = dense_eager(keraslite)
    with pytest.warns(UserWarning, match="ran dry: got no batch"):
        history = model.fit(X, Y, epochs=2, verbose=0, validation_data=batches()).history
    assert [len(history[key]) for key in ("loss", "val_loss")] == [2, 1]
    with pytest.raises(ValueError, match="0 batches"):
        dense_eager(keraslite).fit(iter([]), verbose=0)


@pytest.mark.requires("trainable")
def test_py_dataset_hooks_and_workers_see_every_batch_once() -> None:
    def run(k: Any) -> Any:
        class Counting(k.utils.PyDataset):
            def __init__(self) -> None:
                super().__init__()
                self.calls: list[Any] = []

            def __len__(self) -> int:
                return STEPS

            def __getitem__(self, index: int) -> Any:
                return list(batches())[index]

            def on_epoch_end(self) -> None:
                self.calls.append("end")

        dataset, validation = Counting(), Counting()
        dense_eager(k).fit(dataset, epochs=3, verbose=0, validation_data=validation, shuffle=False)
        return dataset.calls

    assert run(keraslite) == ["end"] * 3
    assert run(keras)[:3] == ["end"] * 3
    seen: list[int] = []

    class Noting(Batches):
        def __getitem__(self, index: int) -> Any:
            seen.append(index)
            return super().__getitem__(index)

    source = make_source(Noting(workers=2), shuffle=True, seed=3)
    order = [batch[0][0, 0] for batch in source.batches(0)]
    assert sorted(seen) == [0, 1, 2]
    assert sorted(order) == sorted(batch[0][0, 0] for batch in batches())


@pytest.mark.requires("trainable")
@pytest.mark.parametrize("form", ["list", "dict", "dict_of_frames"])
def test_several_inputs(form: str) -> None:
    def run(k: Any) -> Any:
        a, b = k.Input((4,), name="a"), k.Input((1,), name="b")
        joined = k.layers.Concatenate()([k.layers.Dense(2)(a), b])
        inputs = {"b": b, "a": a} if form.startswith("dict") else [a, b]
        model = k.Model(inputs, k.layers.Dense(1)(joined))
        model.compile(k.optimizers.SGD(0.1), "mse", run_eagerly=True)
        rng = np.random.default_rng(0)
        model.set_weights([rng.normal(size=w.shape).astype("float32") for w in model.weights])
        x: Any = {
            "list": [X, Y],
            "dict": {"a": X, "b": Y},
            "dict_of_frames": {"a": _pandas("frame")(X), "b": _pandas("frame")(Y)},
        }[form]
        history = model.fit(
            x, Y, batch_size=BATCH, shuffle=False, verbose=0, validation_split=0.2
        ).history
        return history, model.predict(x, verbose=0), model.evaluate(x, Y, verbose=0)

    assert_same(run(keraslite), run(keras))


def test_predict_of_several_outputs_keeps_their_structure() -> None:
    inputs = keraslite.Input((4,))
    a, b = keraslite.layers.Dense(1)(inputs), keraslite.layers.Dense(2)(inputs)
    found = keraslite.Model(inputs, {"u": a, "v": [b, a]}).predict(X, verbose=0, batch_size=5)
    assert found["u"].shape == (SAMPLES, 1) and found["v"][0].shape == (SAMPLES, 2)
    np.testing.assert_allclose(found["v"][1], found["u"])


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (list(range(5)), Y, "np.array"),
        (X, Y[:3], "same number of samples"),
        (X[0, 0], Y, "batch axis"),
        (np.array([[1], [1, 2]], dtype=object), Y[:2], "pad_sequences"),
        ({"a": X, "b": X[:4]}, Y, r"x\['b'\]"),
        (5, None, "Received: x=5"),
        ((b for b in batches()), Y, "beside a generator"),
    ],
)
def test_bad_data_are_explained(x: Any, y: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_source(x, y, batch_size=2 if y is Y[:2] else None)


def test_engine_tensors_stay_where_they_are() -> None:
    x = keraslite.ops.convert_to_tensor(X)
    (batch,) = make_source(x, batch_size=BATCH).peek()
    assert engine.is_tensor(batch) and tuple(batch.shape) == (BATCH, 4)


class Untouched(Batches):
    """Whose first batches nobody may ask for."""

    def __getitem__(self, index: int) -> Any:
        assert index >= 2
        return super().__getitem__(index)


SOURCES: dict[str, tuple[Callable[[], Any], dict[str, Any]]] = {
    "arrays": (lambda: X, {}),
    "shuffled": (lambda: X, {"shuffle": True}),
    "shuffled_batches": (lambda: X, {"shuffle": "batch"}),
    "tensors": (lambda: keraslite.ops.convert_to_tensor(X), {"shuffle": True}),
    **{name: (lambda name=name: STREAMS[name][0](False), {}) for name in STREAMS},
    "without_those_before": (Untouched, {}),
}


@pytest.mark.parametrize("kind", SOURCES)
def test_a_pass_begins_at_a_batch(kind: str) -> None:
    """And has the batches that a whole pass has from there on."""
    make, given = SOURCES[kind]
    given = (
        {**given, "batch_size": 4} if kind.startswith(("arrays", "shuffled", "tensors")) else given
    )

    def found(start: int) -> list[Any]:
        source = make_source(make(), seed=7, **given)
        with contextlib.closing(source):
            batches = source.batches(1, start)
            return [np.asarray(x) for x, *_ in itertools.islice(batches, 5 - start)]

    whole = found(0) if kind != "without_those_before" else [x for x, _ in Batches().all]
    rest = found(2)
    assert len(rest) == len(whole) - 2 > 0
    for a, b in zip(rest, whole[2:], strict=True):
        np.testing.assert_array_equal(a, b)


def test_an_error_of_a_data_set_says_which_batch() -> None:
    class Broken(Batches):
        def __getitem__(self, index: int) -> Any:
            return {}[index]

    with pytest.raises(KeyError) as raised:
        make_source(Broken()).peek()
    assert raised.value.__notes__ == ["This was batch 0 of `Broken`."]

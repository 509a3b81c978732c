"""What the table cannot say: noise in training, masks, stacked cells, spectral norms."""

from __future__ import annotations

import numpy as np
import pytest

import keraslite
from keraslite import layers, ops
from tests.layers.test_table import arrays, keras

RNG = np.random.default_rng(11)


def normal(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape).astype("float32")


def both(name: str, *args, **kwargs):
    return getattr(layers, name)(*args, **kwargs), getattr(keras.layers, name)(*args, **kwargs)


def assert_equal(ours, theirs, *inputs, **call) -> None:
    """The same outputs with the same weights."""
    tensors = keras.tree.map_structure(keras.ops.convert_to_tensor, inputs)
    theirs(*tensors, **call)
    ours(*inputs, **call)
    weights = [RNG.uniform(0.1, 0.9, w.shape).astype("float32") for w in ours.weights]
    ours.set_weights(weights)
    theirs.set_weights(weights)
    expected = keras.tree.flatten(theirs(*tensors, **call))
    for a, b in zip(arrays(ours(*inputs, **call)), expected, strict=True):
        np.testing.assert_allclose(a, keras.ops.convert_to_numpy(b), rtol=1e-4, atol=1e-5)


# Noise ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "center", "spread"),
    [
        (lambda: layers.AlphaDropout(0.3, seed=1), 0.0, 1.0),
        (lambda: layers.GaussianDropout(0.2, seed=1), 0.0, (1 + 0.2 / 0.8) ** 0.5),
        (lambda: layers.GaussianNoise(0.5, seed=1), 0.0, 1.25**0.5),
        (lambda: layers.Dropout(0.2, seed=1), 0.0, 1.25**0.5),
    ],
)
def test_noise_of_normal_inputs(make, center: float, spread: float) -> None:
    layer = make()
    x = np.random.default_rng(0).normal(size=(200, 500)).astype("float32")
    noisy = arrays(layer(x, training=True))[0]
    assert noisy.dtype == np.float32 and not np.array_equal(noisy, x)
    np.testing.assert_allclose([noisy.mean(), noisy.std()], [center, spread], atol=0.02)
    np.testing.assert_array_equal(arrays(layer(x))[0], x)
    # Drawn anew at each call; repeatable by the seed.
    assert not np.array_equal(arrays(layer(x, training=True))[0], noisy)
    np.testing.assert_array_equal(arrays(make()(x, training=True))[0], noisy)


def test_alpha_dropout_drops_to_one_value_and_keeps_the_shape_of_the_noise() -> None:
    noisy = arrays(layers.AlphaDropout(0.4, noise_shape=(None, 1), seed=2)(np.ones((50, 6)), True))
    assert len(np.unique(noisy[0])) == 2
    assert np.all(noisy[0] == noisy[0][:, :1])


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_spatial_dropout_drops_whole_channels(rank: int) -> None:
    cls = getattr(layers, f"SpatialDropout{rank}D")
    formats = ("channels_last",) if rank == 1 else ("channels_last", "channels_first")
    for data_format in formats:
        layer = cls(0.5, seed=3) if rank == 1 else cls(0.5, data_format, seed=3)
        x = np.ones((4, *(3,) * rank, 20), "float32")
        if data_format == "channels_first":
            x = np.moveaxis(x, -1, 1)
        noisy = arrays(layer(x, training=True))[0]
        if data_format == "channels_first":
            noisy = np.moveaxis(noisy, 1, -1)
        channels = noisy.reshape(4, -1, 20)
        assert set(np.unique(channels)) == {0.0, 2.0}
        assert np.all(channels == channels[:, :1])


@pytest.mark.parametrize("name", ["AlphaDropout", "GaussianDropout"])
@pytest.mark.parametrize("rate", [-0.1, 1.0, 1.5, "half", True])
def test_impossible_rates_are_refused(name: str, rate) -> None:
    with pytest.raises(ValueError, match="`rate` must be a number"):
        getattr(layers, name)(rate)


def test_noise_on_symbolic_inputs_with_training_set() -> None:
    for layer in (layers.AlphaDropout(0.2), layers.GaussianDropout(0.2), layers.GaussianNoise(1)):
        assert layer(keraslite.Input((None, 3)), training=True).shape == (None, None, 3)


# Masks ----------------------------------------------------------------------------------

QUERY_MASK = np.array([[True, True, False], [True, False, True]])
VALUE_MASK = np.array([[True, True, False, False], [False] * 4])


@pytest.mark.parametrize("masks", [(0, 1), (0,), (1,)], ids=str)
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("name", ["Attention", "AdditiveAttention"])
def test_attention_masks(name: str, causal: bool, masks: tuple[int, ...]) -> None:
    mask = [m if i in masks else None for i, m in enumerate((QUERY_MASK, VALUE_MASK))]
    call = {"use_causal_mask": causal, "return_attention_scores": True, "mask": mask}
    ours, theirs = both(name)
    assert_equal(ours, theirs, [normal(2, 3, 5), normal(2, 4, 5)], **call)


@pytest.mark.parametrize("scores", [False, True])
@pytest.mark.parametrize(
    ("name", "args"), [("GroupQueryAttention", (3, 4, 2)), ("MultiHeadAttention", (4, 3))]
)
def test_projected_attention_masks(name: str, args: tuple, scores: bool) -> None:
    value_mask = np.array([[True, True, False, False], [False, True, True, True]])
    call = {"return_attention_scores": scores, "value_mask": value_mask}
    if scores:
        call["query_mask"] = QUERY_MASK
    ours, theirs = both(name, *args)
    assert_equal(ours, theirs, normal(2, 3, 5), normal(2, 4, 5), **call)


@pytest.mark.parametrize("scores", [False, True])
@pytest.mark.parametrize("shape", [(3, 3), (2, 3, 3), (2, 2, 3, 3)], ids=str)
def test_masks_of_attention_of_any_rank(shape: tuple, scores: bool) -> None:
    mask = RNG.uniform(size=shape) > 0.4
    ours, theirs = both("MultiHeadAttention", 2, 3)
    call = {"attention_mask": mask, "return_attention_scores": scores}
    assert_equal(ours, theirs, normal(2, 3, 5), normal(2, 3, 5), **call)


@pytest.mark.parametrize("scores", [False, True])
def test_masked_queries_see_nothing(scores: bool) -> None:
    """In Keras the mask that came with the query tensor counts, and an argument does not."""
    found = []
    for k in (keras, keraslite):
        embed = k.layers.Embedding(4, 5, mask_zero=True)
        embed.build()
        attend = k.layers.MultiHeadAttention(2, 3)
        attend.build((2, 3, 5), (2, 3, 5))
        for i, variable in enumerate([*embed.weights, *attend.weights]):
            variable.assign(np.random.default_rng(i).normal(size=variable.shape))
        ids = np.array([[1, 0, 2], [3, 3, 0]])
        value = k.ops.convert_to_tensor(np.ones((2, 3, 5), "float32"))
        outputs = attend(embed(ids), value, return_attention_scores=scores)
        found.append([k.ops.convert_to_numpy(x) for x in k.tree.flatten(outputs)])
    for theirs, ours in zip(*found, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)


def test_masks_go_through_attention_and_noise() -> None:
    x = np.array([[1, 2, 0], [3, 0, 0]])
    embedded = layers.Embedding(4, 5, mask_zero=True)(x)
    for layer, inputs in (
        (layers.Attention(), [embedded, embedded]),
        (layers.AlphaDropout(0.3), embedded),
        (layers.GroupNormalization(1), embedded),
        (layers.UnitNormalization(), embedded),
    ):
        mask = keraslite.backend.engine.get_mask(layer(inputs))
        np.testing.assert_array_equal(arrays(mask)[0], x != 0)


@pytest.mark.parametrize("inputs", [normal(2, 3), [normal(2, 3, 4)], [normal(2, 3, 4)] * 4])
def test_attention_wants_two_or_three_inputs(inputs) -> None:
    with pytest.raises(ValueError, match="must be called on a list"):
        layers.Attention()(inputs)


# Recurrence -----------------------------------------------------------------------------


@pytest.mark.parametrize("masked", [False, True])
def test_stacked_cells_with_masks_and_states(masked: bool) -> None:
    def make(module):
        cells = [module.layers.LSTMCell(3), module.layers.SimpleRNNCell(2)]
        return module.layers.RNN(cells, return_sequences=True, return_state=True)

    call = {"mask": np.array([[True, False, True], [True, True, False]])} if masked else {}
    assert_equal(make(keraslite), make(keras), normal(2, 3, 4), **call)


def test_stacked_cells_may_be_any_layers() -> None:
    class Sum(layers.Layer):
        def __init__(self, size, **kwargs):
            super().__init__(**kwargs)
            self.state_size = size

        def call(self, inputs, states):
            total = states[0] + inputs
            return total, [total]

    rnn = layers.RNN([Sum(4), layers.GRUCell(3), Sum(3)], return_state=True)
    x = normal(2, 5, 4)
    last, first, _, third = rnn(x)
    np.testing.assert_allclose(arrays(first)[0], x.sum(1), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(arrays(third)[0], arrays(last)[0])


def test_stacked_cells_drop_the_same_features_at_every_step() -> None:
    class Last(layers.SimpleRNNCell):
        def step(self, projected, states, constants=None):
            return projected, [projected]

    ones = {"kernel_initializer": "identity", "dropout": 0.5, "use_bias": False}
    stacked = layers.StackedRNNCells([Last(20), Last(20, seed=4, **ones)])
    shown = arrays(layers.RNN(stacked, return_sequences=True)(np.ones((3, 4, 20)), training=True))
    dropped = shown[0] == 0
    assert 0.2 < dropped.mean() < 0.8
    assert np.all(dropped == dropped[:, :1])


def test_stateful_stacks_and_convolutions_go_on() -> None:
    cells = [layers.LSTMCell(3), layers.GRUCell(2)]
    for layer, x in (
        (layers.RNN(cells, stateful=True, return_sequences=True), normal(2, 4, 3)),
        (layers.ConvLSTM1D(2, 2, stateful=True, return_sequences=True), normal(2, 4, 5, 3)),
    ):
        whole = arrays(layer(x))[0]
        layer.reset_state()
        parts = [arrays(layer(x[:, :2]))[0], arrays(layer(x[:, 2:]))[0]]
        np.testing.assert_allclose(np.concatenate(parts, 1), whole, rtol=1e-5, atol=1e-5)


def test_convolutional_lstm_skips_masked_steps() -> None:
    layer, x = layers.ConvLSTM1D(2, 2, return_sequences=True, padding="same"), normal(2, 3, 5, 4)
    masked = arrays(layer(x, mask=np.array([[True, False, True]] * 2)))[0]
    shorter = arrays(layer(x[:, [0, 2]]))[0]
    np.testing.assert_allclose(masked, shorter[:, [0, 0, 1]], rtol=1e-5, atol=1e-6)


def test_convolutional_lstm_in_both_directions() -> None:
    ours, theirs = both("ConvLSTM1D", 2, 3)
    wrapped = keras.layers.Bidirectional(theirs)
    assert_equal(layers.Bidirectional(ours), wrapped, normal(2, 3, 5, 4))


def test_convolutional_lstm_needs_known_sizes() -> None:
    with pytest.raises(ValueError, match="needs to know the size of axis"):
        layers.ConvLSTM2D(2, 3)(keraslite.Input((None, None, 8, 3)))


# Wrappers and tables --------------------------------------------------------------------


@pytest.mark.parametrize("times", [1, 3])
def test_spectral_normalization_in_training(times: int) -> None:
    x = normal(2, 5, 5, 3)
    pairs = []
    for module in (keraslite, keras):
        inner = module.layers.Conv2D(4, 2)
        pairs.append(module.layers.SpectralNormalization(inner, power_iterations=times))
    ours, theirs = pairs
    ours(x)
    theirs(keras.ops.convert_to_tensor(x))
    weights = [normal(*w.shape) for w in ours.weights]
    ours.set_weights(weights)
    theirs.set_weights(weights)
    for _ in range(3):
        got = arrays(ours(x, training=True))[0]
        expected = theirs(keras.ops.convert_to_tensor(x), training=True)
        np.testing.assert_allclose(got, keras.ops.convert_to_numpy(expected), rtol=1e-4, atol=1e-5)
    for _ in range(30):
        ours(x, training=True)
    values = np.linalg.svd(ours.kernel.numpy().reshape(-1, 4))[1]
    np.testing.assert_allclose(values[0], 1.0, rtol=1e-3)


def test_spectral_normalization_needs_a_kernel() -> None:
    with pytest.raises(ValueError, match="must have a `kernel`"):
        layers.SpectralNormalization(layers.LayerNormalization())(normal(2, 3))


@pytest.mark.requires("trainable")
def test_gradients_of_spectral_normalization_are_those_at_the_new_kernel() -> None:
    layer = layers.SpectralNormalization(layers.Dense(3, use_bias=False))
    x, factors = normal(2, 4), ops.convert_to_tensor(normal(2, 3))
    layer(x)

    def objective():
        return ops.sum(layer(x, training=True) * factors)

    _, (gradient,) = ops.value_and_grad(objective, variables=layer.trainable_variables)()
    np.testing.assert_allclose(arrays(gradient)[0], x.T @ arrays(factors)[0], rtol=1e-5)


def test_reversible_embedding_goes_there_and_back() -> None:
    layer = layers.ReversibleEmbedding(6, 6, embeddings_initializer="identity", mask_zero=True)
    x = np.array([[1, 2, 0]])
    there = layer(x)
    back = layer(there, reverse=True)
    np.testing.assert_array_equal(arrays(back)[0].argmax(-1), x)
    for outputs in (there, back):
        mask = arrays(keraslite.backend.engine.get_mask(outputs))[0]
        np.testing.assert_array_equal(mask, [[True, True, False]])
    policy = keraslite.DTypePolicy("mixed_bfloat16")
    layer = layers.ReversibleEmbedding(6, 2, reverse_dtype="float32", dtype=policy)
    assert keraslite.backend.engine.dtype(layer(normal(1, 3, 2), reverse=True)) == "float32"
    assert layer(keraslite.Input((None, 2)), reverse=True).dtype == "float32"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: layers.Conv2DTranspose(2, 3, strides=2, output_padding=2), "less than `strides`"),
        (lambda: layers.Cropping2D((1, 2, 3)), "have 2 elements"),
        (lambda: layers.Cropping1D((-1, 1)), "at least 0"),
        (lambda: layers.Cropping1D((2, 2))(normal(1, 4, 2)), "crop all of axis 1"),
        (lambda: layers.UpSampling2D(2, interpolation="area"), "must be one of"),
        (lambda: layers.UpSampling1D((2,)), "positive integer"),
        (lambda: layers.GroupNormalization(3)(normal(2, 4, 4)), "divide into groups=3"),
        (lambda: layers.GroupNormalization(0), "positive integer or -1"),
        (lambda: layers.UnitNormalization(axis="a"), "must be an integer"),
        (lambda: layers.GroupQueryAttention(3, 4, 3), "must be a multiple"),
        (lambda: layers.StackedRNNCells([layers.Dense(2)]), "must have `state_size`"),
        (lambda: layers.DepthwiseConv2D(3, depth_multiplier=0), "positive integer"),
    ],
)
def test_errors_say_what_is_wrong(make, message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=message) as caught:
        make()
    assert len(str(caught.value)) <= 600

"""A generative adversarial network, with a training step of one's own.

The step is the same on every engine. (Keras has no `ops.value_and_grad`.)
"""

import numpy as np
from sklearn.datasets import load_iris
from sklearn.preprocessing import scale

import keraslite as keras
from keraslite import layers, ops

keras.utils.set_random_seed(2)
LATENT, BATCH = 4, 50


class GAN(keras.Model):
    def __init__(self, discriminator, generator):
        super().__init__()
        self.discriminator = discriminator
        self.generator = generator
        self.seed_generator = keras.random.SeedGenerator(7)
        self.d_loss_tracker = keras.metrics.Mean(name="d_loss")
        self.g_loss_tracker = keras.metrics.Mean(name="g_loss")

    @property
    def metrics(self):
        return [self.d_loss_tracker, self.g_loss_tracker]

    def compile(self, d_optimizer, g_optimizer, loss_fn):
        super().compile()
        self.d_optimizer = d_optimizer
        self.g_optimizer = g_optimizer
        self.loss_fn = loss_fn

    def minimize(self, loss_fn, part, optimizer):
        weights = part.trainable_variables
        loss, gradients = ops.value_and_grad(loss_fn, variables=weights)()
        optimizer.apply(gradients, weights)
        return loss

    def train_step(self, real):
        shape = (ops.shape(real)[0], LATENT)
        ones, zeros = ops.ones((shape[0], 1)), ops.zeros((shape[0], 1))
        latent = keras.random.normal(shape, seed=self.seed_generator)

        def d_loss():
            fake = ops.stop_gradient(self.generator(latent))
            # Labels that are not quite sure.
            return self.loss_fn(0.9 * ones, self.discriminator(real)) + self.loss_fn(
                zeros, self.discriminator(fake)
            )

        def g_loss():
            return self.loss_fn(ones, self.discriminator(self.generator(latent)))

        self.d_loss_tracker.update_state(
            self.minimize(d_loss, self.discriminator, self.d_optimizer)
        )
        self.g_loss_tracker.update_state(self.minimize(g_loss, self.generator, self.g_optimizer))
        return {m.name: m.result() for m in self.metrics}


flowers = scale(load_iris().data[:, 2:]).astype("float32")  # length and width of petals
discriminator = keras.Sequential(
    [
        keras.Input((2,)),
        layers.Dense(32),
        layers.LeakyReLU(negative_slope=0.2),
        layers.Dense(32),
        layers.LeakyReLU(negative_slope=0.2),
        layers.Dense(1),
    ],
    name="discriminator",
)
generator = keras.Sequential(
    [keras.Input((LATENT,)), layers.Dense(32, "relu"), layers.Dense(32, "relu"), layers.Dense(2)],
    name="generator",
)
gan = GAN(discriminator, generator)
gan.compile(
    d_optimizer=keras.optimizers.Adam(2e-3, beta_1=0.5),
    g_optimizer=keras.optimizers.Adam(1e-3, beta_1=0.5),
    loss_fn=keras.losses.BinaryCrossentropy(from_logits=True),
)
history = gan.fit(flowers, epochs=200, batch_size=BATCH, verbose=0).history
assert set(history) == {"d_loss", "g_loss"} and np.isfinite(history["g_loss"]).all()

made = generator.predict(np.random.default_rng(0).normal(size=(500, LATENT)), verbose=0)
print("mean", made.mean(0), "std", made.std(0), "correlation", np.corrcoef(made.T)[0, 1])
assert np.abs(made.mean(0)).max() < 0.6
assert made.std(0).min() > 0.4 and made.std(0).max() < 1.6
assert np.corrcoef(made.T)[0, 1] > 0.8  # as in the real flowers: 0.96

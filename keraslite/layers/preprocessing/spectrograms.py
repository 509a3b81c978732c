"""`STFTSpectrogram` and `MelSpectrogram`: sound as pictures of its frequencies."""

from __future__ import annotations

import importlib.util
import math
from typing import Any

import numpy as np

from keraslite import config, initializers, ops
from keraslite.core.budget import MemoryBudget
from keraslite.core.errors import check_choice
from keraslite.layers.data_layer import DataLayer
from keraslite.layers.input_spec import InputSpec
from keraslite.layers.options import keep
from keraslite.layers.preprocessing.base import Shape

__all__ = ["MelSpectrogram", "STFTSpectrogram"]

_MODES = ("log", "magnitude", "psd", "real", "imag", "angle", "stft")
_WINDOWS = {"hann": (0.5, 0.5), "hamming": (0.54, 0.46)}


class STFTSpectrogram(DataLayer):
    """The short-time Fourier transform as a convolution, whose kernels may be trained.

    Args:
        mode: `"magnitude"`; `"log"` of it; `"psd"`, the power spectral density; `"real"` or
            `"imag"` part; `"angle"`; `"stft"`, real and imaginary parts one after the other.
        frame_length: samples in a frame.
        frame_step: samples between the starts of frames; half a frame by default.
        fft_length: length of the transform; the next power of 2 by default.
        window: `"hann"`, `"hamming"`, another name that SciPy knows, an array of
            `frame_length` weights, or None.
        periodic: whether a named window is periodic, not symmetric.
        scaling: `"density"`, `"spectrum"` or None: by what of the window results are divided.
        padding: `"valid"` or `"same"`.
        expand_dims: whether channels get an axis of their own.
        data_format: `"channels_last"` or `"channels_first"`.

    Shapes: `(batch, samples, channels)` to `(batch, frames, bins * channels)`, or to
    `(batch, frames, bins, channels)` with `expand_dims`.

    Example:
        >>> layer = keras.layers.STFTSpectrogram(mode="log", frame_length=256, frame_step=128)
        >>> layer(np.random.normal(size=(4, 16000, 1))).shape
        (4, 124, 129)
    """

    def __init__(
        self,
        mode: str = "log",
        frame_length: int = 256,
        frame_step: int | None = None,
        fft_length: int | None = None,
        window: Any = "hann",
        periodic: bool = False,
        scaling: str | None = "density",
        padding: str = "valid",
        expand_dims: bool = False,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        keep(self, locals())
        check_choice(self, _MODES, mode=mode)
        check_choice(self, ("density", "spectrum", None), scaling=scaling)
        check_choice(self, ("valid", "same"), padding=padding)
        if frame_length < 1:
            raise ValueError(
                f"STFTSpectrogram: `frame_length` must be positive. Received: {frame_length}"
            )
        if frame_step is not None and not 0 < frame_step <= frame_length:
            raise ValueError(
                "STFTSpectrogram: `frame_step` must lie between 1 and `frame_length`. "
                f"Received: frame_step={frame_step}, frame_length={frame_length}"
            )
        if fft_length is not None and fft_length < frame_length:
            raise ValueError(
                "STFTSpectrogram: `fft_length` must not be below `frame_length`. "
                f"Received: fft_length={fft_length}, frame_length={frame_length}"
            )
        self.data_format = data_format or config.image_data_format()
        check_choice(self, ("channels_last", "channels_first"), data_format=self.data_format)
        MemoryBudget.reserve(frame_length, self.name)
        self._weights = _window(window, frame_length, periodic)
        self.input_spec = InputSpec(ndim=3)

    @property
    def _step(self) -> int:
        return self.frame_step or self.frame_length // 2 or 1

    @property
    def _length(self) -> int:
        return self.fft_length or 2 ** math.ceil(math.log2(self.frame_length))

    def build(self, input_shape: Any) -> None:
        for part, wave in (("real", np.cos), ("imag", lambda angle: -np.sin(angle))):
            # The one part alone needs one kernel.
            if self.mode in ("real", "imag") and self.mode != part:
                continue
            weight = self.add_weight(
                name=f"{part}_kernel",
                shape=(self.frame_length, 1, self._length // 2 + 1),
                initializer=initializers.Zeros(),
            )
            weight.assign(self._kernel(wave))
            setattr(self, f"{part}_kernel", weight)

    def _kernel(self, wave: Any) -> np.ndarray:
        """Windowed waves of all frequencies, shape (frame, 1, bins)."""
        times = np.arange(self.frame_length)[:, None]
        angles = times * np.arange(self._length // 2 + 1) * (2 * np.pi / self._length)
        scale = 1.0
        if self.window is None:
            pass  # Nothing is scaled where there is no window.
        elif self.scaling == "density":
            scale = 1 / math.sqrt(np.square(self._weights).sum())
        elif self.scaling == "spectrum":
            scale = 1 / np.abs(self._weights.sum())
        return (wave(angles) * self._weights[:, None] * scale)[:, None].astype("float32")

    def _parts(self, x: Any) -> list[Any]:
        """Real and imaginary parts, each of shape (batch, channels, frames, bins)."""
        batch, channels = ops.shape(x)[:2]
        rows = ops.reshape(x, (-1, ops.shape(x)[2], 1))
        found = []
        for name in ("real_kernel", "imag_kernel"):
            if hasattr(self, name):
                y = ops.conv(
                    rows,
                    ops.cast(getattr(self, name), self.compute_dtype),
                    strides=self._step,
                    padding=self.padding,
                    data_format="channels_last",
                )
                found.append(ops.reshape(y, (-1, channels, *ops.shape(y)[1:])))
        return found

    def call(self, inputs: Any) -> Any:
        """The spectrogram of sound."""
        last = self.data_format == "channels_last"
        parts = self._parts(ops.transpose(inputs, (0, 2, 1)) if last else inputs)
        found = self._joined(parts)
        if self.expand_dims:
            return ops.transpose(found, (0, 2, 3, 1)) if last else found
        # Every channel's bins one after the other.
        found = ops.transpose(found, (0, 1, 3, 2))
        _, channels, bins, frames = ops.shape(found)
        found = ops.reshape(found, (-1, channels * bins, frames))
        return ops.transpose(found, (0, 2, 1)) if last else found

    def _joined(self, parts: list[Any]) -> Any:
        if self.mode in ("real", "imag"):
            return parts[0]
        real, imag = parts
        if self.mode == "angle":
            return ops.arctan2(imag, real)
        if self.mode == "stft":
            return ops.concatenate([real, imag], axis=-1)
        power = ops.square(real) + ops.square(imag)
        if self.mode == "psd":
            # Negative frequencies have the same power; zero and the highest have no twin.
            both = np.full(self._length // 2 + 1, 2.0, "float32")
            both[0] = 1.0
            if self._length % 2 == 0:
                both[-1] = 1.0
            return power * ops.cast(both, self.compute_dtype)
        found = ops.sqrt(ops.maximum(power, config.epsilon()))
        return ops.log(found) if self.mode == "log" else found

    def compute_output_shape(self, input_shape: Any) -> Shape:
        """Shape of the spectrogram."""
        last = self.data_format == "channels_last"
        batch, *rest = input_shape
        samples, channels = rest if last else rest[::-1]
        frames = None
        if samples is not None:
            cut = 0 if self.padding == "same" else self.frame_length - 1
            frames = -(-(samples - cut) // self._step)
        bins = (self._length // 2 + 1) * (2 if self.mode == "stft" else 1)
        if self.expand_dims:
            return (batch, frames, bins, channels) if last else (batch, channels, frames, bins)
        both = None if channels is None else bins * channels
        return (batch, frames, both) if last else (batch, both, frames)


class MelSpectrogram(DataLayer):
    """Sound as powers in bands that the ear tells apart, usually in decibels.

    Args:
        fft_length: length of the transform.
        sequence_stride: samples between frames.
        sequence_length: samples in a frame; `fft_length` by default.
        window: `"hann"`, `"hamming"`, an array of `sequence_length` weights, or None.
        sampling_rate: samples in a second.
        num_mel_bins: number of bands.
        min_freq, max_freq: range of the bands, in Hertz; up to half the sampling rate by default.
        power_to_db: whether to return decibels.
        top_db: the most decibels below the loudest; None for no limit.
        mag_exp: exponent of the magnitude; 2 for power.
        min_power: what lower powers are raised to.
        ref_power: the power of 0 decibels.

    Shapes: `(..., samples)` to `(..., num_mel_bins, frames)`.

    Example:
        >>> layer = keras.layers.MelSpectrogram(num_mel_bins=64, sampling_rate=8000)
        >>> layer(np.random.normal(size=(2, 16000))).shape
        (2, 64, 32)
    """

    def __init__(
        self,
        fft_length: int = 2048,
        sequence_stride: int = 512,
        sequence_length: int | None = None,
        window: Any = "hann",
        sampling_rate: int = 16000,
        num_mel_bins: int = 128,
        min_freq: float = 20.0,
        max_freq: float | None = None,
        power_to_db: bool = True,
        top_db: float | None = 80.0,
        mag_exp: float = 2.0,
        min_power: float = 1e-10,
        ref_power: float = 1.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        keep(self, locals())
        if sequence_length is not None and fft_length < sequence_length:
            raise ValueError(
                "MelSpectrogram: `fft_length` must not be below `sequence_length`. "
                f"Received: fft_length={fft_length}, sequence_length={sequence_length}"
            )
        if min(fft_length, sequence_stride, sampling_rate, num_mel_bins) < 1:
            raise ValueError(
                "MelSpectrogram: lengths, `sampling_rate` and `num_mel_bins` must be positive. "
                f"Received: {fft_length=}, {sequence_stride=}, {sampling_rate=}, {num_mel_bins=}"
            )
        if isinstance(window, str):
            check_choice(self, ("hann", "hamming"), window=window)
        self.sequence_length = sequence_length or fft_length
        self.max_freq = max_freq or int(sampling_rate / 2)

    def call(self, inputs: Any) -> Any:
        """The powers of sound in the bands."""
        real, imag = ops.stft(
            ops.cast(inputs, self.compute_dtype),
            self.sequence_length,
            self.sequence_stride,
            self.fft_length,
            self.window,
        )
        magnitude = ops.sqrt(ops.square(real) + ops.square(imag))
        bands = self._bands(
            self.num_mel_bins,
            self.fft_length // 2 + 1,
            self.sampling_rate,
            self.min_freq,
            self.max_freq,
        )
        found = ops.matmul(ops.power(magnitude, self.mag_exp), ops.cast(bands, magnitude.dtype))
        found = ops.swapaxes(found, -1, -2)
        return self._decibels(found) if self.power_to_db else found

    def _decibels(self, power: Any) -> Any:
        found = ops.log10(ops.maximum(power, self.min_power)) * 10.0
        found = found - 10.0 * math.log10(max(self.min_power, self.ref_power))
        if self.top_db is None:
            return found
        return ops.maximum(found, ops.max(found) - self.top_db)

    def compute_output_shape(self, input_shape: Any) -> Shape:
        """Shape of the powers."""
        *lead, samples = input_shape
        frames = None
        if samples is not None:
            samples = samples + 2 * (self.fft_length // 2) - self.fft_length
            frames = samples // self.sequence_stride + 1
        return (*lead, self.num_mel_bins, frames)

    def linear_to_mel_weight_matrix(
        self,
        num_mel_bins: int = 20,
        num_spectrogram_bins: int = 129,
        sampling_rate: int = 8000,
        lower_edge_hertz: float = 125.0,
        upper_edge_hertz: float = 3800.0,
        dtype: str = "float32",
    ) -> Any:
        """What takes frequencies to bands: triangles on the mel scale.

        The mel of a frequency f is `1127 ln(1 + f / 700)` (O'Shaughnessy, "Speech
        Communication", 1987).

        Args:
            num_mel_bins: number of bands.
            num_spectrogram_bins: number of frequencies, from 0 to half the sampling rate.
            sampling_rate: samples in a second.
            lower_edge_hertz, upper_edge_hertz: range of the bands.
            dtype: of the result.

        Returns:
            A tensor of shape `(num_spectrogram_bins, num_mel_bins)`.
        """
        bands = self._bands(
            num_mel_bins, num_spectrogram_bins, sampling_rate, lower_edge_hertz, upper_edge_hertz
        )
        return ops.convert_to_tensor(bands, dtype=dtype)

    @staticmethod
    def _bands(number: int, frequencies: int, rate: float, low: float, high: float) -> np.ndarray:
        hertz = np.linspace(0.0, rate / 2.0, frequencies)
        mel = 1127.0 * np.log1p(hertz / 700.0)[:, None]
        edges = np.linspace(*(1127.0 * np.log1p(np.array([low, high]) / 700.0)), number + 2)
        rising = (mel - edges[:-2]) / (edges[1:-1] - edges[:-2])
        falling = (edges[2:] - mel) / (edges[2:] - edges[1:-1])
        found = np.maximum(0.0, np.minimum(rising, falling))
        found[0] = 0.0  # The mean of the sound belongs to no band.
        return found.astype("float32")


def _window(window: Any, length: int, periodic: bool) -> np.ndarray:
    """The weights of a window by name, or an array."""
    if window is None:
        return np.ones(length)
    if isinstance(window, str) and window in _WINDOWS:
        first, second = _WINDOWS[window]
        steps = length if periodic else max(length - 1, 1)
        return first - second * np.cos(2 * np.pi * np.arange(length) / steps)
    if isinstance(window, (str, tuple)):
        if importlib.util.find_spec("scipy") is None:
            raise ValueError(
                f"STFTSpectrogram: {window!r} is a window of SciPy, which is not installed. Run "
                f"`pip install scipy`, or choose one of {', '.join(_WINDOWS)} or an array."
            )
        from scipy.signal import get_window

        return get_window(window, length, fftbins=periodic)
    found = np.asarray(ops.convert_to_numpy(window), "float64")
    if found.shape != (length,):
        raise ValueError(
            f"STFTSpectrogram: `window` must have `frame_length` weights, {length}. "
            f"Received: shape {found.shape}"
        )
    return found

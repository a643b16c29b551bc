"""Mel features of speech: power spectra on the mel scale, normalized over each utterance.

Window, scale and norm are those of the paper's speech model: a periodic Hann window of 400
samples every 160, the first centred on sample 0 with the signal mirrored at its ends, 40
triangular filters from 0 to 8 kHz.
"""

import math
from functools import cache

import numpy as np
import torch
from torch import Tensor

SAMPLE_RATE = 16_000  # Hz
NUM_MELS = 40
FFT_SIZE = 400
HOP = 160
FRAMES_AVERAGED = 3
_FLOOR = 1e-10  # least energy of which a logarithm is taken: digital silence has none


def mel_features(samples: np.ndarray, *, logarithm: bool) -> np.ndarray:
    """Return the features of an utterance.

    Each feature is normalized to mean 0 and deviation 1 over the utterance (one that does not
    change becomes 0); then every three frames are averaged, and one or two at the end are left out.

    Args:
        samples: Shape (n,), n > 400, at 16 kHz.
        logarithm: Whether to take the natural logarithm of the energies.

    Returns:
        Shape (1 + n // 160) // 3 frames x 40, float32.

    Raises:
        ValueError: If the utterance is shorter.
    """
    if samples.ndim != 1 or len(samples) <= FFT_SIZE:
        raise ValueError(f"samples of shape {samples.shape}; expected (n,) with n > {FFT_SIZE}")
    # In float64 the sums' order, which differs between processors, is lost in rounding to float32.
    energies = mel_energies(torch.from_numpy(samples.astype(np.float64)))
    if logarithm:
        energies = energies.clamp(min=_FLOOR).log()
    deviation, mean = torch.std_mean(energies, dim=0, correction=0)
    scale = torch.where(deviation > 1e-12, deviation, torch.inf)
    normalized = (energies - mean) / scale
    whole = len(normalized) // FRAMES_AVERAGED * FRAMES_AVERAGED
    return normalized[:whole].unflatten(0, (-1, FRAMES_AVERAGED)).mean(dim=1).float().numpy()


def mel_energies(samples: Tensor) -> Tensor:
    """Return the mel energies, shape (1 + n // 160, 40), of samples (n,), in their own type."""
    spectrum = torch.stft(
        samples,
        FFT_SIZE,
        HOP,
        window=torch.hann_window(FFT_SIZE, dtype=samples.dtype),
        pad_mode="reflect",
        return_complex=True,
    )
    power = spectrum.real.square() + spectrum.imag.square()
    return power.T @ mel_filters().to(samples.dtype)


@cache
def mel_filters() -> Tensor:
    """Return the triangular filters, shape (201 frequencies, 40), float64.

    Corners are equally spaced on the scale 2595 log10(1 + f / 700) (HTK); the area of each filter
    is 1 Hz (Slaney), so that broad ones do not count more.
    """
    frequencies = torch.linspace(0, SAMPLE_RATE / 2, FFT_SIZE // 2 + 1, dtype=torch.float64)
    highest = 2595 * math.log10(1 + SAMPLE_RATE / 2 / 700)
    mels = torch.linspace(0, highest, NUM_MELS + 2, dtype=torch.float64)
    corners = 700 * (10 ** (mels / 2595) - 1)
    low, middle, high = corners[:-2], corners[1:-1], corners[2:]
    rising = (frequencies[:, None] - low) / (middle - low)
    falling = (high - frequencies[:, None]) / (high - middle)
    return torch.minimum(rising, falling).clamp(min=0) * 2 / (high - low)

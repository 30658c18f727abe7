"""Values that Python and C compute identically, so that no weights need to be stored: see tests/support/wave.h."""
import math
import torch


def wave(seed, shape, scale):
    numbers = [scale * math.sin(0.37 * k * k + 1.7 * k + seed) for k in range(math.prod(shape))]
    return torch.tensor(numbers, dtype=torch.float64).float().reshape(shape)

"""Bounds on the difference between tilegrad's results and PyTorch's in double, by number of terms and dtype.

A sum of n terms in FP32 is off by at most 4 sqrt(n) 2^-24 times the sum of their magnitudes: four standard deviations of
n independent roundings, each as large as possible.  Storing in bf16 rounds once more, by 2^-8 of the value; terms that pass
through bf16 are rounded by 2^-8 of their magnitudes each time.  FP32 flushes denormals: TINY."""
import math

U, B, TINY = 2.0 ** -24, 2.0 ** -8, 2.0 ** -120


def bound(want, terms, magnitude, half=0):
    """half: how many times terms or the result are rounded to bf16; 1: only the result."""
    e = 4 * math.sqrt(terms) * U * magnitude + TINY
    if half == 0:
        return e
    return e + B * (want.abs() + e) if half == 1 else e + half * B * magnitude


def worst(got, want, limit):
    """The largest error in units of its bound, and its index; where `want` isn't finite, `got` must equal it."""
    error = (got - want).abs() / limit
    same = (got == want) | (got.isnan() & want.isnan())
    error[same] = 0
    error[error.isnan()] = math.inf
    if not error.numel():
        return 0.0, 0
    at = int(error.reshape(-1).argmax())
    return float(error.reshape(-1)[at]), at

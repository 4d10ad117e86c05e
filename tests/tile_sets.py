"""The real 8x8 tile sets: their files, and the convolution that they were cut from."""

from __future__ import annotations

import numpy as np

from huffq.codes import Codes
from huffq.testbench import read_numbers
from huffq.tiles import Convolution

TILE_SETS = {
    "plain-8x8": ("activation_tile0.txt", "weight_itile0_otile0_kij{}.txt"),
    "headed-8x8": ("activation.txt", "weight_kij{}.txt"),
}


def real_convolution(folder):
    """Read a real set: a 3x3 convolution of a 4x4 image, padded to 6x6."""
    activation, weight = TILE_SETS[folder.name]
    plane = read_numbers(folder / activation, bits=4, signed=False).T.reshape(1, 8, 6, 6)
    matrices = [read_numbers(folder / weight.format(k), bits=4, signed=True) for k in range(9)]
    weights = np.stack(matrices, axis=2).reshape(8, 8, 3, 3)
    codes = Codes(plane[:, :, 1:5, 1:5].astype(np.uint8), 4)
    return Convolution(codes, Codes(weights.astype(np.int8), 4), padding=(1, 1, 1, 1))


def random_convolution(rng, shape, outputs, kernel=(3, 3), *, bits=4, signed=False, **geometry):
    """Return a convolution of random codes ``[N, C, H, W]``, many of them zero."""
    groups = geometry.get("groups", 1)
    limit = 1 << (bits - 1)
    low, high = (-limit, limit) if signed else (0, 2 * limit)
    values = rng.integers(low, high, shape) * (rng.random(shape) < 0.6)
    weights = rng.integers(-limit, limit, (outputs, shape[1] // groups, *kernel))
    codes = Codes(values.astype(np.int8 if signed else np.uint8), bits)
    return Convolution(codes, Codes(weights.astype(np.int8), bits), **geometry)

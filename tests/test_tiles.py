"""Tiling against direct convolution, and against the psums and outputs of real test benches."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from huffq import tiles
from huffq.errors import TileError


def direct_convolution(plane, weights):
    """Convolve ``[IC, H, W]`` with ``[OC, IC, KH, KW]``, stride 1, as the definition has it."""
    kernel = weights.shape[2:]
    windows = np.lib.stride_tricks.sliding_window_view(plane.astype(np.int64), kernel, axis=(1, 2))
    return np.einsum("cyxkl,ockl->oyx", windows, weights.astype(np.int64))


def test_padding_surrounds_each_channel_with_zeros():
    codes = np.arange(1, 9, dtype=np.uint8).reshape(2, 2, 2)
    padded = tiles.pad_plane(codes, 1)
    assert padded.shape == (2, 4, 4)
    assert padded.dtype == np.uint8
    np.testing.assert_array_equal(padded[:, 1:3, 1:3], codes)
    assert padded.sum() == codes.sum()


def test_last_tile_is_filled_with_zero_channels():
    plane = np.ones((10, 2, 3), np.int8)
    cut = tiles.activation_tiles(plane)
    assert cut.shape == (2, 8, 6)
    np.testing.assert_array_equal(cut[1].sum(axis=1), [6, 6, 0, 0, 0, 0, 0, 0])


def test_weight_tiles_are_indexed_by_input_tile_output_tile_and_kij():
    weights = np.arange(3 * 5 * 2 * 2).reshape(3, 5, 2, 2)
    cut = tiles.weight_tiles(weights, array_size=2)
    assert cut.shape == (3, 2, 4, 2, 2)
    for oc, ic, k in np.ndindex(3, 5, 4):
        assert cut[ic // 2, oc // 2, k, oc % 2, ic % 2] == weights[oc, ic, k // 2, k % 2]
    assert cut.sum() == weights.sum()


@given(
    channels=st.tuples(st.integers(1, 11), st.integers(1, 11)),
    plane=st.tuples(st.integers(3, 7), st.integers(3, 7)),
    kernel=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    padding=st.integers(0, 2),
    array_size=st.sampled_from([1, 4, 8, 16]),
    seed=st.integers(0, 2**32 - 1),
)
def test_accumulated_psums_are_the_convolution(channels, plane, kernel, padding, array_size, seed):
    rng = np.random.default_rng(seed)
    codes = rng.integers(-128, 128, (channels[0], *plane), dtype=np.int8)
    weights = rng.integers(-128, 128, (channels[1], channels[0], *kernel), dtype=np.int8)
    padded = tiles.pad_plane(codes, padding)
    activation = tiles.activation_tiles(padded, array_size)
    cut = tiles.weight_tiles(weights, array_size)
    output = tiles.convolve(activation, cut, padded.shape[1:], kernel)
    expected = direct_convolution(padded, weights)
    result = np.concatenate(list(output), axis=1)[:, : channels[1]]
    np.testing.assert_array_equal(result, expected.reshape(channels[1], -1).T)


def test_psums_of_unsigned_64_bit_operands_stay_exact():
    big = 2**31
    result = tiles.psums(np.array([[big + 1]], np.uint64), np.array([[[big - 1]]], np.int64))
    assert result.dtype == np.int64
    assert result.item() == big**2 - 1


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: tiles.pad_plane(np.zeros((4, 4), np.uint8), 1), r"\[4, 4\] is not \[C, H, W\]"),
        (lambda: tiles.activation_tiles(np.zeros((8, 36), np.uint8)), r"is not \[C, H, W\]"),
        (lambda: tiles.weight_tiles(np.zeros((8, 8, 9), np.int8)), "OC, IC, KH, KW"),
        (
            lambda: tiles.psums(np.zeros((4, 36), np.uint8), np.zeros((9, 8, 8), np.int8)),
            "has 4 input channels and the weights have 8",
        ),
        (
            lambda: tiles.accumulate(np.zeros((9, 36, 8), np.int64), (5, 6), (3, 3)),
            "9 kij of 36 positions do not belong to a 3x3 kernel on a 5x6 plane",
        ),
        (
            lambda: tiles.accumulate(np.zeros((9, 4, 8), np.int64), (2, 2), (3, 3)),
            "does not fit on a 2x2 plane",
        ),
        (
            lambda: tiles.convolve(
                np.zeros((1, 8, 9), np.uint8), np.zeros((2, 1, 9, 8, 8), np.int8), (3, 3), (3, 3)
            ),
            "the activations have 1 input tiles and the weights 2",
        ),
    ],
)
def test_wrong_shapes_are_named(call, message):
    with pytest.raises(TileError, match=message):
        call()


def test_floats_and_impossible_sizes_are_refused():
    with pytest.raises(TypeError, match="float32"):
        tiles.pad_plane(np.zeros((1, 2, 2), np.float32), 1)
    with pytest.raises(ValueError, match="padding is -1"):
        tiles.pad_plane(np.zeros((1, 2, 2), np.uint8), -1)
    with pytest.raises(ValueError, match="array_size is 0"):
        tiles.activation_tiles(np.zeros((1, 2, 2), np.uint8), 0)

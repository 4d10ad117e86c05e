"""Cutting a convolution into the tiles that a weight-stationary systolic array works on.

An array of ``array_size`` rows (input channels, ic) and columns (output channels, oc) holds the
weights of one kernel position (kij) at a time. The zero-padded input plane streams through it, one
position (nij) per step, and every step yields one partial sum (psum) per column. The psums of all
kij and all input tiles, each taken at the place that its kij shifts to, add up to the output plane,
whose positions are called o_nij. All positions are counted row by row.

Everything here is exact integer arithmetic.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from huffq.errors import TileError

Integers = npt.NDArray[np.integer[Any]]


def _require(array: Integers, axes: str) -> None:
    """Demand an integer array with one dimension per comma-separated name in `axes`."""
    if not np.issubdtype(array.dtype, np.integer):
        raise TypeError(f"values are {array.dtype}; they must be integers")
    if array.ndim != axes.count(",") + 1:
        raise TileError(f"an array of shape {list(array.shape)} is not [{axes}]")


def _channel_tiles(array: Integers, axis: int, array_size: int) -> Integers:
    """Replace the channel axis by the two axes (tile, channel in tile), padding it with zeros."""
    if array_size < 1:
        raise ValueError(f"array_size is {array_size}; it must be at least 1")
    channels = array.shape[axis]
    tiles = -(-channels // array_size)
    widths = [(0, 0)] * array.ndim
    widths[axis] = (0, tiles * array_size - channels)
    shape = (*array.shape[:axis], tiles, array_size, *array.shape[axis + 1 :])
    return np.pad(array, widths).reshape(shape)


def pad_plane(codes: Integers, padding: int) -> Integers:
    """Surround every channel of one image with `padding` rows and columns of zeros.

    Args:
        codes: Integer codes ``[C, H, W]``.
        padding: Width of the border, as in the convolution.

    Returns:
        ``[C, H + 2 * padding, W + 2 * padding]``, same dtype.

    Raises:
        TypeError: `codes` are not integers.
        TileError: `codes` are not ``[C, H, W]``.
        ValueError: `padding` is negative.
    """
    _require(codes, "C, H, W")
    if padding < 0:
        raise ValueError(f"padding is {padding}; it must not be negative")
    return np.pad(codes, ((0, 0), (padding, padding), (padding, padding)))


def activation_tiles(plane: Integers, array_size: int = 8) -> Integers:
    """Cut a padded plane into tiles of `array_size` input channels.

    Args:
        plane: Integer codes ``[C, H, W]``, padded already.
        array_size: Rows of the array; the last tile is filled up with zero channels.

    Returns:
        ``[input tile, array_size, nij]`` with ``nij = H * W``, same dtype.

    Raises:
        TypeError: `plane` does not hold integers.
        TileError: `plane` is not ``[C, H, W]``.
        ValueError: `array_size` is below 1.
    """
    _require(plane, "C, H, W")
    return _channel_tiles(plane.reshape(plane.shape[0], -1), 0, array_size)


def weight_tiles(weights: Integers, array_size: int = 8) -> Integers:
    """Cut the weights of a convolution into one matrix per input tile, output tile and kij.

    Args:
        weights: Integer weights ``[OC, IC, KH, KW]``.
        array_size: Rows and columns of the array; the last tiles are filled up with zeros.

    Returns:
        ``[input tile, output tile, kij, oc, ic]`` with ``kij = KH * KW`` and `array_size` oc and
        ic, same dtype.

    Raises:
        TypeError: `weights` are not integers.
        TileError: `weights` are not ``[OC, IC, KH, KW]``.
        ValueError: `array_size` is below 1.
    """
    _require(weights, "OC, IC, KH, KW")
    flat = weights.reshape(*weights.shape[:2], -1)
    tiled = _channel_tiles(_channel_tiles(flat, 1, array_size), 0, array_size)
    return np.moveaxis(tiled, (2, 0, 4), (0, 1, 2))


def psums(activation: Integers, weights: Integers) -> npt.NDArray[np.int64]:
    """Multiply every position of one activation tile with the weights of every kij.

    Args:
        activation: One tile ``[ic, nij]``.
        weights: The weights of one tile pair, ``[kij, oc, ic]``.

    Returns:
        ``[kij, nij, oc]``: what leaves the array, border positions included.

    Raises:
        TypeError: An operand does not hold integers.
        TileError: The operands have other dimensions, or differ in their number of ic.
    """
    _require(activation, "ic, nij")
    _require(weights, "kij, oc, ic")
    if activation.shape[0] != weights.shape[2]:
        raise TileError(
            f"the activation tile has {activation.shape[0]} input channels "
            f"and the weights have {weights.shape[2]}; they must agree"
        )
    rows = activation.T.astype(np.int64)
    partial: npt.NDArray[np.int64] = rows @ weights.transpose(0, 2, 1).astype(np.int64)
    return partial


def accumulate(
    partial: Integers, plane_shape: tuple[int, int], kernel_shape: tuple[int, int]
) -> npt.NDArray[np.int64]:
    """Add the psums of all kij up to the output of a convolution of stride 1.

    Args:
        partial: Psums ``[kij, nij, oc]``, from `psums`.
        plane_shape: Height and width of the padded input plane.
        kernel_shape: Height and width of the kernel.

    Returns:
        ``[o_nij, oc]`` before any ReLU; further input tiles are added to it.

    Raises:
        TypeError: `partial` does not hold integers.
        TileError: The shapes do not belong together, or the kernel exceeds the plane.
    """
    _require(partial, "kij, nij, oc")
    (height, width), (kernel_height, kernel_width) = plane_shape, kernel_shape
    kij, nij, columns = partial.shape
    if (kij, nij) != (kernel_height * kernel_width, height * width):
        raise TileError(
            f"{kij} kij of {nij} positions do not belong to a {kernel_height}x{kernel_width} "
            f"kernel on a {height}x{width} plane"
        )
    out_height, out_width = height - kernel_height + 1, width - kernel_width + 1
    if out_height < 1 or out_width < 1:
        raise TileError(
            f"a {kernel_height}x{kernel_width} kernel does not fit on a {height}x{width} plane"
        )
    planes = partial.reshape(kij, height, width, columns)
    output = np.zeros((out_height, out_width, columns), np.int64)
    for k in range(kij):
        row, column = divmod(k, kernel_width)
        output += planes[k, row : row + out_height, column : column + out_width]
    return output.reshape(-1, columns)


def convolve(
    activation: Integers,
    weights: Integers,
    plane_shape: tuple[int, int],
    kernel_shape: tuple[int, int],
) -> npt.NDArray[np.int64]:
    """Convolve tile by tile, with stride 1, and add up over the input tiles.

    Args:
        activation: All tiles ``[input tile, ic, nij]``, from `activation_tiles`.
        weights: All weights ``[input tile, output tile, kij, oc, ic]``, from `weight_tiles`.
        plane_shape: Height and width of the padded input plane.
        kernel_shape: Height and width of the kernel.

    Returns:
        ``[output tile, o_nij, oc]``, before any ReLU.

    Raises:
        TypeError: An operand does not hold integers.
        TileError: The shapes do not belong together, or the kernel exceeds the plane.
    """
    _require(activation, "input tile, ic, nij")
    _require(weights, "input tile, output tile, kij, oc, ic")
    if len(activation) != len(weights):
        raise TileError(
            f"the activations have {len(activation)} input tiles and the weights {len(weights)}; "
            "they must agree"
        )
    return np.stack(
        [
            sum(
                accumulate(psums(tile, matrices), plane_shape, kernel_shape)
                for tile, matrices in zip(activation, weights[:, o], strict=True)
            )
            for o in range(weights.shape[1])
        ]
    )

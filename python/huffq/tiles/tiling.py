"""Cutting a convolution into the tiles that a systolic array works on.

An array of rows (input channels, ic) and columns (output channels, oc) multiplies one position of
one input tile with the weights of one kernel position (kij), and gives one partial sum (psum) per
column. The psums of all kij and all input tiles add up to the output plane, whose positions are
called o_nij; those of the zero-padded input plane are called nij. Positions count row by row.

The channels of all groups stand side by side: weights between channels of different groups are
zero, and a tile pair whose channels share no group does not exist.

Everything here is exact integer arithmetic.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from huffq.errors import TileError
from huffq.testbench import MAX_BITS, Integers
from huffq.tiles.convolution import Convolution

Order: TypeAlias = Literal["weight-stationary", "output-stationary"]
"""What a line of an activation tile is.

``"weight-stationary"``: a position nij of the padded plane; psums form one such sequence per kij.
``"output-stationary"``: one kij of one output position, line ``o_nij * kernel size + kij``.
"""


@dataclass(frozen=True, eq=False)
class Tiling:
    """A convolution on an array of a given size.

    Attributes:
        convolution: What is computed.
        rows: Input channels of a tile; the last tile is filled up with zero channels.
        columns: Output channels of a tile, likewise.
        order: What a line of an activation tile is.

    Raises:
        ValueError: The array has no rows or no columns, or the order is unknown.
    """

    convolution: Convolution
    rows: int = 8
    columns: int = 8
    order: Order = "weight-stationary"

    def __post_init__(self) -> None:
        for name in ("rows", "columns"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 1")
        if self.order not in ("weight-stationary", "output-stationary"):
            raise ValueError(
                f"order is {self.order!r}; it must be 'weight-stationary' or 'output-stationary'"
            )

    @property
    def input_tiles(self) -> int:
        """Tiles of input channels."""
        return -(-int(self.convolution.codes.values.shape[1]) // self.rows)

    @property
    def output_tiles(self) -> int:
        """Tiles of output channels."""
        return -(-int(self.convolution.weights.values.shape[0]) // self.columns)

    @property
    def lines(self) -> int:
        """Lines of an activation tile."""
        height, width = self.convolution.plane_shape
        return height * width if self.order == "weight-stationary" else self._positions.size

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """The pairs (input tile, output tile) that share a group, in ascending order."""
        groups = self.convolution.groups
        inputs = _groups_of_tiles(self.convolution.codes.values.shape[1], self.rows, groups)
        outputs = _groups_of_tiles(self.convolution.weights.values.shape[0], self.columns, groups)
        return [
            (i, o)
            for i, (first_in, last_in) in enumerate(inputs)
            for o, (first_out, last_out) in enumerate(outputs)
            if first_in <= last_out and first_out <= last_in
        ]

    def activation(self, image: int, tile: int) -> Integers:
        """Return one activation tile ``[line, ic]``, in the dtype of the codes."""
        return self._lines(self._planes[image], slice(tile * self.rows, (tile + 1) * self.rows))

    def weights(self, input_tile: int, output_tile: int) -> npt.NDArray[np.int8]:
        """Return the weights of a tile pair, ``[kij, oc, ic]``."""
        return self._weights[
            :,
            output_tile * self.columns : (output_tile + 1) * self.columns,
            input_tile * self.rows : (input_tile + 1) * self.rows,
        ]

    def psums(self, image: int, input_tile: int, output_tile: int) -> npt.NDArray[np.int64]:
        """Return what leaves the array for a tile pair.

        Returns:
            Weight-stationary ``[kij, nij, oc]``, border positions included; output-stationary
            ``[o_nij, kij, oc]``, each the product of one activation line, not yet added up.
        """
        activation = self.activation(image, input_tile)
        matrices = self.weights(input_tile, output_tile).transpose(0, 2, 1)
        if self.order == "weight-stationary":
            return self._multiply(activation, matrices)
        by_kij = activation.reshape(-1, len(matrices), self.rows).transpose(1, 0, 2)
        return self._multiply(by_kij, matrices).transpose(1, 0, 2)

    def accumulate(self, psums: Integers) -> npt.NDArray[np.int64]:
        """Add the psums of one tile pair over kij.

        Args:
            psums: What `psums` returned.

        Returns:
            ``[o_nij, oc]``; the sums of all input tiles of an output tile make the output.
        """
        if self.order == "output-stationary":
            return np.asarray(psums.sum(axis=1, dtype=np.int64))
        taken = np.take_along_axis(psums, self._positions[..., np.newaxis], axis=1)
        return np.asarray(taken.sum(axis=0, dtype=np.int64))

    def output(self, image: int) -> npt.NDArray[np.int64]:
        """Return the accumulated output before any ReLU, ``[output tile, o_nij, oc]``."""
        plane = self._planes[image]
        total = sum(
            self._multiply(plane[nij], matrix.T)
            for nij, matrix in zip(self._positions, self._weights, strict=True)
        )
        by_tile = np.asarray(total).reshape(-1, self.output_tiles, self.columns)
        return by_tile.transpose(1, 0, 2)

    def check_sums(self, bits: int) -> None:
        """Demand that every psum and every output fits two's complement of `bits` bits.

        Sums on the way from psums to outputs may wrap around: the end result is right even so.

        Raises:
            TileError: One does not; names image, tile and value.
            ValueError: `bits` is not 1 to 63.
        """
        if not 1 <= bits <= MAX_BITS:
            raise ValueError(f"psum_bits is {bits}; it must lie between 1 and {MAX_BITS}")
        for image in range(self.convolution.images):
            for tile, values in enumerate(self.output(image)):
                _require_fit(values, bits, f"output of image {image}, output tile {tile}")
            if self._psum_bound < 1 << (bits - 1):
                continue
            for i, o in self.pairs:
                where = f"psum of image {image}, input tile {i}, output tile {o}"
                _require_fit(self.psums(image, i, o), bits, where)

    @cached_property
    def _positions(self) -> npt.NDArray[np.intp]:
        return self.convolution.positions()

    @cached_property
    def _planes(self) -> Integers:
        """All padded planes with all channels of all tiles, ``[image, nij, ic]``."""
        padded = self.convolution.padded()
        images, channels = padded.shape[:2]
        planes = np.zeros((images, padded[0, 0].size, self.input_tiles * self.rows), padded.dtype)
        planes[:, :, :channels] = padded.reshape(images, channels, -1).transpose(0, 2, 1)
        return planes

    @cached_property
    def _weights(self) -> npt.NDArray[np.int8]:
        """All weights with all channels of all tiles, ``[kij, oc, ic]``."""
        dense = self.convolution.dense_weights()
        outputs, inputs = dense.shape[:2]
        shape = self.output_tiles * self.columns, self.input_tiles * self.rows
        weights = np.zeros((dense[0, 0].size, *shape), np.int8)
        weights[:, :outputs, :inputs] = dense.reshape(outputs, inputs, -1).transpose(2, 0, 1)
        return weights

    @property
    def _psum_bound(self) -> int:
        """Largest magnitude that the bit widths allow a psum."""
        widths = self.convolution.codes.bits + self.convolution.weights.bits - 1
        return self.rows << widths

    def _lines(self, plane: Integers, channels: slice) -> Integers:
        if self.order == "weight-stationary":
            return plane[:, channels]
        return plane[self._positions.T.reshape(-1), channels]

    def _multiply(self, left: Integers, right: Integers) -> npt.NDArray[np.int64]:
        """Multiply activations ``[..., ic]`` with weights ``[..., ic, oc]``, exactly.

        A floating-point product runs on BLAS. It is exact in any order of summation as long as the
        sum of the magnitudes of all terms is below 2**24 in float32, 2**53 in float64: codes have
        at most 8 bits, so float64 would do for 2**37 channels.
        """
        widths = self.convolution.codes.bits + self.convolution.weights.bits - 1
        dtype = np.float32 if left.shape[-1] << widths <= 1 << 24 else np.float64
        product = left.astype(dtype) @ right.astype(dtype)
        return np.asarray(product.astype(np.int64))


def _groups_of_tiles(channels: int, size: int, groups: int) -> list[tuple[int, int]]:
    """Return first and last group in each tile of `size` of the channels."""
    per_group = channels // groups
    return [
        (first // per_group, (min(first + size, channels) - 1) // per_group)
        for first in range(0, channels, size)
    ]


def _require_fit(values: npt.NDArray[np.int64], bits: int, where: str) -> None:
    limit = 1 << (bits - 1)
    low, high = int(values.min()), int(values.max())
    if low < -limit or high >= limit:
        raise TileError(
            f"{where}: {low if low < -limit else high} does not fit {bits} signed bits, which hold "
            f"{-limit} to {limit - 1}; use wider sums"
        )

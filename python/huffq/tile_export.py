"""One convolution of one image as the complete set of an RTL test bench's files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from huffq import tiles
from huffq.coded_tile import TileReport, export_tile
from huffq.errors import TileError
from huffq.testbench import PLAIN, PSUM_BITS, Content, TextForm, write_numbers

if TYPE_CHECKING:
    import os

    from huffq.codes import Codes


@dataclass(frozen=True)
class Convolution:
    """The integers of one convolution of stride 1 on one image.

    Attributes:
        codes: The image's codes ``[C, H, W]`` at the convolution's input.
        weights: The integer weights ``[OC, C, KH, KW]``.
        padding: Zero padding on every side.
    """

    codes: Codes
    weights: Codes
    padding: int


def export_convolution(
    folder: str | os.PathLike[str],
    convolution: Convolution,
    *,
    array_size: int = 8,
    relu: bool = True,
    psums: bool = False,
    psum_bits: int = PSUM_BITS,
    every_symbol: bool = False,
    form: TextForm = PLAIN,
) -> list[TileReport]:
    """Write the tiles of a convolution: what goes into the array and what comes out.

    The files are, for input tile i, output tile o and kernel position k, the notebook's three files
    ``activation_tile<i>.txt``, ``…_ref.txt`` and ``…_huffman.txt``, the weights
    ``weight_itile<i>_otile<o>_kij<k>.txt``, the accumulated output ``out_otile<o>.txt`` and, if
    asked for, the partial sums ``psum_itile<i>_otile<o>_kij<k>.txt``.

    Args:
        folder: Where the files go; made if it does not exist.
        convolution: What is computed.
        array_size: Rows and columns of the array.
        relu: Whether negative outputs become zero.
        psums: Whether to write the partial sums, ``array_size`` numbers per position and kij.
        psum_bits: Width of partial sums and outputs, two's complement.
        every_symbol: Give symbols that do not occur in a tile a codeword too.
        form: Header and line endings.

    Returns:
        Plain and coded length of every input tile.

    Raises:
        TileError: The shapes do not belong together, or a sum does not fit `psum_bits`.
        OSError: A file cannot be written.
    """
    folder = Path(folder)
    codes, weights = convolution.codes, convolution.weights
    plane = tiles.pad_plane(codes.values, convolution.padding)
    activation = tiles.activation_tiles(plane, array_size)
    cut = tiles.weight_tiles(weights.values, array_size)
    if codes.values.shape[0] != weights.values.shape[1]:
        raise TileError(
            f"the image has {codes.values.shape[0]} channels and the weights have "
            f"{weights.values.shape[1]} input channels; they must agree"
        )
    height, width = plane.shape[1:]
    kernel_height, kernel_width = weights.values.shape[2:]
    outputs = tiles.convolve(activation, cut, (height, width), (kernel_height, kernel_width))
    folder.mkdir(parents=True, exist_ok=True)
    for o, output in enumerate(outputs):
        values = np.maximum(output, 0) if relu else output
        path = folder / f"out_otile{o}.txt"
        write_numbers(path, values, Content.PSUM, bits=psum_bits, signed=True, form=form)
    for i, o in np.ndindex(*cut.shape[:2]):
        pair = f"itile{i}_otile{o}"
        for k, matrix in enumerate(cut[i, o]):
            path = folder / f"weight_{pair}_kij{k}.txt"
            write_numbers(path, matrix, Content.WEIGHT, bits=weights.bits, signed=True, form=form)
        for k, partial in enumerate(tiles.psums(activation[i], cut[i, o]) if psums else ()):
            path = folder / f"psum_{pair}_kij{k}.txt"
            write_numbers(path, partial, Content.PSUM, bits=psum_bits, signed=True, form=form)
    return [
        export_tile(
            folder,
            tile.T,
            bits=codes.bits,
            signed=codes.signed,
            index=i,
            every_symbol=every_symbol,
            form=form,
        )
        for i, tile in enumerate(activation)
    ]

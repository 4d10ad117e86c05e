"""Which code a tile is coded with: symbols in stream order, their counts, and codes for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from huffq._huffq import CodeTable
from huffq.errors import TileError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from huffq.testbench import Integers
    from huffq.tiles.tiling import Tiling

MAX_LENGTH = 12
"""Longest codeword of a table, in bits, unless another is asked for."""

_SEEN = 1 << 12
"""Weight of a symbol that occurs against one that does not: the codewords of all 256 symbols
together stay below 4096 bits, so no number of unseen symbols outweighs one use of a seen one."""


def stream_symbols(rows: Integers, bits: int) -> npt.NDArray[np.uint8]:
    """Return the symbols of a tile as they follow each other in its stream.

    Args:
        rows: The tile ``[line, ic]``, of numbers that fit.
        bits: Bit width of its numbers, 1 to 8.

    Returns:
        Two's complement in `bits` bits, line by line, the highest channel first.
    """
    return (rows[:, ::-1].astype(np.uint8) & np.uint8((1 << bits) - 1)).reshape(-1)


def tile_rows(symbols: npt.NDArray[np.uint8], bits: int, signed: bool, channels: int) -> Integers:
    """Return the tile ``[line, ic]``, int64, that `stream_symbols` made these symbols of."""
    values = symbols.astype(np.int64)
    if signed:
        values -= (values >> (bits - 1)) << bits
    return values.reshape(-1, channels)[:, ::-1]


def count_symbols(rows: Integers, bits: int) -> npt.NDArray[np.int64]:
    """Count each symbol of a tile, ``[2**bits]``."""
    return np.bincount(stream_symbols(rows, bits), minlength=1 << bits).astype(np.int64)


def build_table(
    counts: npt.NDArray[np.integer],
    *,
    max_length: int = MAX_LENGTH,
    every_symbol: bool = False,
) -> CodeTable:
    """Build the best code for symbols that occur so often.

    Args:
        counts: Occurrences of each symbol of the alphabet, below 2**51 together.
        max_length: Longest codeword, 1 to 15 bits.
        every_symbol: Give symbols that do not occur a codeword too, at the smallest cost to those
            that do, as the notebook and a fixed table on a chip need it. Without it they have none.

    Returns:
        A code over as many symbols as there are counts.

    Raises:
        ValueError: `max_length` is out of range, or too small for the number of symbols.
    """
    if every_symbol:
        counts = np.where(counts == 0, 1, counts.astype(np.uint64) * np.uint64(_SEEN))
    return CodeTable.from_counts(counts, max_length)


def train_table(tilings: Iterable[Tiling], *, max_length: int = MAX_LENGTH) -> CodeTable:
    """Build a fixed table for a chip from the tiles of a whole dataset.

    Args:
        tilings: What the chip will see, of any layers and images, all of one bit width and
            signedness; passed through once.
        max_length: Longest codeword that the chip takes, 1 to 15 bits.

    Returns:
        A code in which every symbol of the alphabet has a codeword, whether it occurred or not.

    Raises:
        TileError: There are no tilings, or their bit widths or signedness differ.
        ValueError: `max_length` is out of range, or too small for the alphabet.
    """
    kinds: set[tuple[int, bool]] = set()
    total: npt.NDArray[np.int64] = np.zeros(0, np.int64)
    for tiling in tilings:
        codes = tiling.convolution.codes
        kinds.add((codes.bits, codes.signed))
        if len(kinds) > 1:
            described = " and ".join(f"{'int' if s else 'uint'}{b}" for b, s in sorted(kinds))
            raise TileError(f"one table cannot serve codes of {described}; train one for each")
        counts = tiling_counts(tiling)
        total = total + counts if total.size else counts
    if not kinds:
        raise TileError("there are no tiles to train a table on")
    return build_table(total, max_length=max_length, every_symbol=True)


def tiling_counts(tiling: Tiling) -> npt.NDArray[np.int64]:
    """Count each symbol in all activation tiles of all images, ``[2**bits]``."""
    bits = tiling.convolution.codes.bits
    total: npt.NDArray[np.int64] = np.sum(
        [
            count_symbols(tiling.activation(image, tile), bits)
            for image, tile in np.ndindex(tiling.convolution.images, tiling.input_tiles)
        ],
        axis=0,
    )
    return total


def require_codewords(table: CodeTable, counts: npt.NDArray[np.int64], what: str) -> None:
    """Demand that a table is one for these counts' alphabet and has a codeword for what occurs.

    Raises:
        TileError: It is not, or it lacks one; names `what` and the symbol.
    """
    if len(table.lengths) != len(counts):
        raise TileError(
            f"the code table has {len(table.lengths)} symbols, not the {len(counts)} of {what}"
        )
    missing = np.flatnonzero((counts > 0) & (table.lengths == 0))
    if missing.size:
        raise TileError(f"the code table has no codeword for symbol {missing[0]} of {what}")

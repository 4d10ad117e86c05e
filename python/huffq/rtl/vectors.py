"""Tiles in the form that the cores' bench reads: coded words, index, tables and expected rows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from huffq.words import LENGTH_BITS, pack_words, table_words, write_memory

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from huffq._huffq import CodeTable
    from huffq.rtl.core import Core
    from huffq.tiles import Integers


def write_vectors(
    folder: str | os.PathLike[str],
    tiles: Sequence[Integers],
    tables: Sequence[CodeTable],
    core: Core,
) -> None:
    """Write tiles for ``huffq_bench``.

    The files are ``stream.memh`` and ``stream_index.memh``, the words of all tiles and where each
    lies, ``code_table.memh``, the tables one after another, and ``rows.memh``, the rows that the
    decoder must give.

    Args:
        folder: Where they go; it must exist.
        tiles: Tiles ``[nij, rows]``, signed or not.
        tables: One code for all tiles, or one per tile.
        core: The parameters of the cores.

    Raises:
        ValueError: A tile or a table does not fit the parameters, or a symbol has no codeword.
        OSError: A file cannot be written.
    """
    if len(tables) not in (1, len(tiles)):
        raise ValueError(f"there are {len(tables)} tables for {len(tiles)} tiles")
    for table in tables:
        core.require(table)
    words: list[int] = []
    index: list[int] = []
    rows: list[int] = []
    for number, tile in enumerate(tiles):
        symbols = _symbols(tile, number, core)
        table = tables[number if len(tables) > 1 else 0]
        bits, n_bits = table.encode(symbols.reshape(-1))
        packed = pack_words(bits, n_bits, core.word_bits)
        index.append(len(words) << 96 | len(packed) << 64 | n_bits << 32 | symbols.size)
        words += packed
        rows += _rows(symbols, core)
    entries = [word for table in tables for word in table_words(table, core.max_length)]
    folder = Path(folder)
    write_memory(folder / "stream.memh", words, core.word_bits)
    write_memory(folder / "stream_index.memh", index, 128)
    write_memory(folder / "code_table.memh", entries, LENGTH_BITS + core.max_length)
    write_memory(folder / "rows.memh", rows, core.row_bits)


def _symbols(tile: Integers, number: int, core: Core) -> npt.NDArray[np.uint8]:
    """Return a tile's symbols ``[nij, rows]``, the highest channel first."""
    if tile.ndim != 2 or tile.shape[1] != core.rows or not len(tile):
        raise ValueError(f"tile {number} has shape {list(tile.shape)}, not [nij, {core.rows}]")
    if tile.size >> core.count_bits:
        raise ValueError(f"tile {number} has {tile.size} symbols; count_bits is {core.count_bits}")
    return (tile[:, ::-1].astype(np.int64) & ((1 << core.symbol_bits) - 1)).astype(np.uint8)


def _rows(symbols: npt.NDArray[np.uint8], core: Core) -> list[int]:
    digits = np.unpackbits(symbols[..., None], axis=2)[..., 8 - core.symbol_bits :]
    return pack_words(np.packbits(digits).tobytes(), digits.size, core.row_bits)


def sample_tiles(
    table: CodeTable, rows: int, *, tiles: int = 16, nij: int = 36, seed: int = 0
) -> list[npt.NDArray[np.uint8]]:
    """Draw tiles whose symbols occur as often as their codewords are short.

    Args:
        table: The code; a symbol of length l has probability 2**-l, or 1 if it is alone.
        rows: Channels of a tile.
        tiles: How many.
        nij: Lines of a tile.
        seed: Of the generator.

    Returns:
        Tiles ``[nij, rows]``.

    Raises:
        ValueError: The code has no codeword.
    """
    if not table.lengths.any():
        raise ValueError("the code table has no codeword; nothing can be coded with it")
    weights = np.where(table.lengths > 0, 2.0 ** -table.lengths.astype(np.float64), 0)
    rng = np.random.default_rng(seed)
    drawn = rng.choice(len(weights), (tiles, nij, rows), p=weights / weights.sum())
    return list(drawn.astype(np.uint8))

"""Tiles in the form that the cores' bench reads: coded words, index, tables and expected rows."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from huffq.errors import TileError
from huffq.rtl.core import Core
from huffq.testbench import read_numbers
from huffq.tiles import TileStream, pack_stream, read_stream, stream_symbols, write_stream
from huffq.words import pack_words, read_table_memory, write_memory, write_table_packets

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from huffq._huffq import CodeTable
    from huffq.testbench import Integers


@dataclass(frozen=True)
class Vectors:
    """What the bench feeds to the cores, and what it expects of them.

    Attributes:
        stream: The words of all tiles.
        tables: One code for all tiles, or one per tile.
        rows: The rows of all tiles, the highest channel leftmost.
    """

    stream: TileStream
    tables: Sequence[CodeTable]
    rows: list[int]

    def require_fit(self, core: Core) -> None:
        """Raise `ValueError` unless the cores can hold each table and count each tile."""
        for table in self.tables:
            core.require(table)
        if len(self.tables) > 1 and not core.loadable:
            raise ValueError("a fixed table decodes tiles of one code; these have one each")
        most = max(span.symbols for span in self.stream.spans)
        if most >> core.count_bits:
            raise ValueError(f"a tile has {most} symbols; count_bits is {core.count_bits}")


def code_vectors(tiles: Sequence[Integers], tables: Sequence[CodeTable], core: Core) -> Vectors:
    """Code tiles for the bench.

    Args:
        tiles: Tiles ``[nij, rows]`` of numbers that fit, signed or not.
        tables: One code for all tiles, or one per tile.
        core: The parameters of the cores.

    Raises:
        ValueError: A tile does not fit the parameters, or a symbol has no codeword.
    """
    if len(tables) not in (1, len(tiles)):
        raise ValueError(f"there are {len(tables)} tables for {len(tiles)} tiles")
    for number, tile in enumerate(tiles):
        if tile.ndim != 2 or tile.shape[1] != core.rows or not len(tile):
            raise ValueError(f"tile {number} has shape {list(tile.shape)}, not [nij, {core.rows}]")
    symbols = [stream_symbols(tile, core.symbol_bits) for tile in tiles]
    shared = len(tables) == 1
    coded = [(tile, tables[0 if shared else i]) for i, tile in enumerate(symbols)]
    stream = pack_stream(coded, core.word_bits)
    return Vectors(stream, tables, [row for tile in symbols for row in _rows(tile, core)])


def _rows(symbols: npt.NDArray[np.uint8], core: Core) -> list[int]:
    digits = np.unpackbits(symbols[:, None], axis=1)[:, 8 - core.symbol_bits :]
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


def read_vectors(folder: str | os.PathLike[str]) -> tuple[Vectors, Core]:
    """Read what `huffq.tiles.export_tiles` wrote: its stream, tables and activation tiles.

    Returns:
        The vectors, and the cores' parameters that the export fixes; the others are defaults.

    Raises:
        TileError: A file is malformed, or the stream's tiles are not those of the texts.
        ValueError: The cores cannot have the export's parameters.
        OSError: A file cannot be read.
    """
    folder = Path(folder)
    described = _described(folder / "tiles.json")
    radix = described["memory_digits"]
    suffix = "memh" if radix == "hex" else "memb"
    core = Core(
        word_bits=described["word_bits"],
        symbol_bits=described["activation_bits"],
        max_length=described["max_length"],
        rows=described["rows"],
    )
    paths = folder / f"stream.{suffix}", folder / f"stream_index.{suffix}"
    stream = read_stream(*paths, core.word_bits, radix)
    names = _tile_names(folder, described)
    if len(stream.spans) != len(names):
        raise TileError(f"{paths[1]} has {len(stream.spans)} tiles; the export has {len(names)}")
    memories = [folder / f"code_table.{suffix}"]
    if described["table"] == "tile":
        memories = [name.with_name(f"{name.name}_table.{suffix}") for name in names]
    tables = [read_table_memory(memory, core.max_length, radix) for memory in memories]
    rows: list[int] = []
    for number, name in enumerate(names):
        text = name.with_suffix(".txt")
        tile = read_numbers(text, bits=core.symbol_bits, signed=False, channels=core.rows)
        symbols = stream_symbols(tile, core.symbol_bits)
        table = tables[number if len(tables) > 1 else 0]
        if not np.array_equal(_decoded(stream, number, table, paths[0]), symbols):
            raise TileError(f"{paths[0]}: tile {number} is not the one in {text}")
        rows += _rows(symbols, core)
    return Vectors(stream, tables, rows), core


def _decoded(stream: TileStream, tile: int, table: CodeTable, path: Path) -> npt.NDArray[np.uint8]:
    try:
        return stream.decode(tile, table)
    except TileError as error:
        raise TileError(f"{path} does not hold tile {tile} of this table") from error


def _described(path: Path) -> dict[str, Any]:
    try:
        described: dict[str, Any] = json.loads(path.read_bytes())
        wanted = "memory_digits table word_bits activation_bits max_length rows images input_tiles"
        return {name: described[name] for name in wanted.split()}
    except (ValueError, KeyError, TypeError) as error:
        raise TileError(f"{path} does not describe a tile set of this version") from error


def _tile_names(folder: Path, described: dict[str, Any]) -> list[Path]:
    """Return the activation tiles' files without suffix, in the stream's order."""
    images = described["images"]
    folders = [folder] if images == 1 else [folder / f"image{n}" for n in range(images)]
    return [f / f"activation_tile{i}" for f in folders for i in range(described["input_tiles"])]


def write_vectors(folder: str | os.PathLike[str], vectors: Vectors, core: Core) -> None:
    """Write the files that ``huffq_bench`` reads.

    They are ``stream.memh`` and ``stream_index.memh``, the words of all tiles and where each lies,
    ``code_table_load.memh``, the tables as they are loaded, and ``rows.memh``, the rows.

    Args:
        folder: Where they go; it must exist.
        vectors: The tiles.
        core: The parameters of the cores.

    Raises:
        ValueError: The cores cannot hold a table, or count the symbols of a tile.
        OSError: A file cannot be written.
    """
    vectors.require_fit(core)
    folder = Path(folder)
    write_stream(folder / "stream.memh", folder / "stream_index.memh", vectors.stream)
    write_table_packets(folder / "code_table_load.memh", vectors.tables)
    write_memory(folder / "rows.memh", vectors.rows, core.row_bits)

"""Coding all activation tiles of a tiling, and what that costs and saves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from huffq._huffq import CodeTable
from huffq.tiles.stream import TileStream, pack_stream
from huffq.tiles.tables import (
    MAX_LENGTH,
    build_table,
    count_symbols,
    require_codewords,
    stream_symbols,
    tiling_counts,
)
from huffq.words import check_width

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    import numpy.typing as npt

    from huffq.testbench import Integers
    from huffq.tiles.stream import Span
    from huffq.tiles.tiling import Tiling


@dataclass(frozen=True)
class Coding:
    """How the activation tiles of a layer are coded.

    Attributes:
        table: ``"tile"`` gives each tile of each image its own best code, ``"layer"`` one best code
            to all of them; a `CodeTable` is taken as it is.
        max_length: Longest codeword of the tables, 1 to 15 bits; the width of a codeword in the
            code tables' memory files.
        every_symbol: Give symbols that do not occur a codeword too.
        word_bits: Bits of a memory word, 1 to 1024.
        pitch: Words of a tile's slot; ``"worst"`` is the worst case of the largest tile; None puts
            tiles side by side.
    """

    table: Literal["tile", "layer"] | CodeTable = "tile"
    max_length: int = MAX_LENGTH
    every_symbol: bool = False
    word_bits: int = 32
    pitch: int | Literal["worst"] | None = None


TILE_BY_TILE = Coding()
"""Each tile has its own code; tiles lie side by side in words of 32 bits."""


@dataclass(frozen=True)
class TileReport:
    """Length of one tile in binary digits, plain and coded; prints as the notebook's three lines.

    Attributes:
        raw_bits: Digits of the plain tile.
        encoded_bits: Digits of the coded tile, without its code table.
    """

    raw_bits: int
    encoded_bits: int

    @property
    def ratio(self) -> float:
        """Coded length over plain length; smaller is better."""
        return self.encoded_bits / self.raw_bits

    def __str__(self) -> str:
        return (
            f"Activation.txt file length: {self.raw_bits} bits.\n"
            f"Activation.txt with Huffman coding file length: {self.encoded_bits} bits.\n"
            f"Compression ratio: {self.ratio:.4f}"
        )


@dataclass(frozen=True, eq=False)
class CodedTiles:
    """All activation tiles of a tiling, coded.

    Attributes:
        tiling: What was coded.
        coding: How.
        tables: The code of each tile, image by image.
        stream: The words and where each tile lies in them, image by image.
        worst_words: Words that no tile of this size exceeds, whatever its contents: the pitch of
            slots that always suffices.
    """

    tiling: Tiling
    coding: Coding
    tables: list[CodeTable]
    stream: TileStream
    worst_words: int

    @property
    def shared_table(self) -> CodeTable | None:
        """The code that all tiles share, None if each has its own."""
        return None if self.coding.table == "tile" else self.tables[0]

    @property
    def raw_bits(self) -> int:
        """Bits of one plain tile."""
        return self.tiling.lines * self.tiling.rows * self.tiling.convolution.codes.bits

    def span(self, image: int, tile: int) -> Span:
        """Return where a tile lies in the stream."""
        return self.stream.spans[image * self.tiling.input_tiles + tile]

    def table(self, image: int, tile: int) -> CodeTable:
        """Return the code of a tile."""
        return self.tables[image * self.tiling.input_tiles + tile]

    def report(self, image: int, tile: int) -> TileReport:
        """Return the length of a tile, plain and coded."""
        return TileReport(self.raw_bits, self.span(image, tile).bits)


def code_tiles(tiling: Tiling, coding: Coding = TILE_BY_TILE) -> CodedTiles:
    """Code all activation tiles of a tiling.

    Args:
        tiling: What to code.
        coding: Which tables, and how words hold the tiles.

    Returns:
        The tables and the stream.

    Raises:
        TileError: A given table lacks a symbol that occurs, or is one for another alphabet; or a
            tile does not fit its slot.
        ValueError: An option is out of range, or a given table has a codeword above `max_length`.
    """
    check_width(coding.word_bits)
    bits = tiling.convolution.codes.bits
    tables = _tables(tiling, coding)
    worst_words = -(-_worst_bits(tiling, coding, tables) // coding.word_bits)
    symbols = (stream_symbols(rows, bits) for rows in _rows(tiling))
    pitch = worst_words if coding.pitch == "worst" else coding.pitch
    stream = pack_stream(zip(symbols, tables, strict=True), coding.word_bits, pitch)
    return CodedTiles(tiling, coding, tables, stream, worst_words)


def _rows(tiling: Tiling) -> Iterator[Integers]:
    for image in range(tiling.convolution.images):
        for tile in range(tiling.input_tiles):
            yield tiling.activation(image, tile)


def _tables(tiling: Tiling, coding: Coding) -> list[CodeTable]:
    def build(counts: npt.NDArray[np.int64]) -> CodeTable:
        return build_table(counts, max_length=coding.max_length, every_symbol=coding.every_symbol)

    if coding.table == "tile":
        bits = tiling.convolution.codes.bits
        return [build(count_symbols(rows, bits)) for rows in _rows(tiling)]
    counts = tiling_counts(tiling)
    table = build(counts) if coding.table == "layer" else coding.table
    require_codewords(table, counts, "the activation tiles")
    longest = int(table.lengths.max())
    if longest > coding.max_length:
        raise ValueError(f"a codeword has {longest} bits; max_length is {coding.max_length}")
    return [table] * (tiling.convolution.images * tiling.input_tiles)


def _worst_bits(tiling: Tiling, coding: Coding, tables: list[CodeTable]) -> int:
    """Bound the bits of any tile of this size.

    A tile's own best code is never longer than the code of equal lengths: the bit width.
    """
    symbols = tiling.lines * tiling.rows
    if coding.table == "tile":
        return symbols * min(tiling.convolution.codes.bits, coding.max_length)
    return symbols * int(tables[0].lengths.max())

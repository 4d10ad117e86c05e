"""What coding the tiles of a layer saves and costs, in the units that a designer decides by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from huffq.words import LENGTH_BITS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from huffq._huffq import CodeTable
    from huffq.tiles.coding import CodedTiles


@dataclass(frozen=True)
class TileFigures:
    """One input tile of all images, or all input tiles of a layer.

    Attributes:
        lengths: Codeword lengths of the code in symbol order, None if there are several codes.
        table_bits: Bits of the code tables as lengths, 4 per symbol of the alphabet.
        raw_bits: Bits of the plain tiles.
        coded_bits: Bits of their codewords.
        raw_words: Words of the plain tiles: clocks to read them, one word a clock.
        coded_words: Words of the coded tiles, each padded to whole words.
        largest_words: Words of the largest coded tile.
        worst_words: Words that no tile exceeds under these tables, whatever its contents.
        decode_cycles: Clocks to read and decode them: a decoder takes at most one word and gives at
            most a fixed number of symbols a clock, and starts a tile in a clock of its own.
    """

    lengths: tuple[int, ...] | None
    table_bits: int
    raw_bits: int
    coded_bits: int
    raw_words: int
    coded_words: int
    largest_words: int
    worst_words: int
    decode_cycles: int

    @property
    def ratio(self) -> float:
        """Coded bits over raw bits, tables left out; smaller is better."""
        return self.coded_bits / self.raw_bits

    @property
    def saved_words(self) -> int:
        """Words that coding saves; negative where it costs some."""
        return self.raw_words - self.coded_words


def tile_figures(coded: CodedTiles, tile: int, symbols_per_clock: int = 1) -> TileFigures:
    """Return the figures of one input tile over all images.

    Args:
        coded: From `huffq.tiles.code_tiles`.
        tile: Number of the input tile.
        symbols_per_clock: Symbols that the decoder gives a clock.

    Raises:
        ValueError: `symbols_per_clock` is below 1.
    """
    return _figures(coded, [tile], symbols_per_clock)


def layer_figures(coded: CodedTiles, symbols_per_clock: int = 1) -> TileFigures:
    """Return the figures of all tiles of a layer over all images; see `tile_figures`."""
    return _figures(coded, range(coded.tiling.input_tiles), symbols_per_clock)


def _figures(coded: CodedTiles, tiles: Sequence[int], symbols_per_clock: int) -> TileFigures:
    if symbols_per_clock < 1:
        raise ValueError(f"symbols_per_clock is {symbols_per_clock}; it must be at least 1")
    places = [(n, tile) for n in range(coded.tiling.convolution.images) for tile in tiles]
    spans = [coded.span(*place) for place in places]
    tables: list[CodeTable] = list(dict.fromkeys(coded.table(*place) for place in places))
    stored = 1 if coded.shared_table is not None else len(places)
    return TileFigures(
        lengths=tuple(tables[0].lengths.tolist()) if len(tables) == 1 else None,
        table_bits=stored * LENGTH_BITS * len(tables[0].lengths),
        raw_bits=len(places) * coded.raw_bits,
        coded_bits=sum(span.bits for span in spans),
        raw_words=len(places) * -(-coded.raw_bits // coded.coding.word_bits),
        coded_words=sum(span.words for span in spans),
        largest_words=max(span.words for span in spans),
        worst_words=coded.worst_words,
        decode_cycles=sum(
            max(span.words, -(-span.symbols // symbols_per_clock) + 1) for span in spans
        ),
    )

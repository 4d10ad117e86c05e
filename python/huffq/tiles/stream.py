"""Coded tiles as one memory of words, and the index that says where each tile lies.

docs/hardware.md is the contract.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass, fields
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from huffq.errors import HuffqError, TileError
from huffq.words import check_width, pack_words, read_memory, unpack_words, write_memory

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable

    from huffq._huffq import CodeTable
    from huffq.words import Radix

_FIELD_BITS = 32


@dataclass(frozen=True)
class Span:
    """Where a tile lies in the memory; the fields of its entry in the index, highest first.

    Attributes:
        first_word: Address of its first word.
        words: How many words hold its bits.
        bits: How many bits are codewords; the rest of the last word is padding.
        symbols: How many symbols they decode to.
    """

    first_word: int
    words: int
    bits: int
    symbols: int


_ENTRY_BITS = _FIELD_BITS * len(fields(Span))


@dataclass(frozen=True)
class TileStream:
    """The coded tiles of a layer in words.

    Attributes:
        width: Bits of a word.
        words: The memory.
        spans: Where each tile lies, in the order of the tiles.
    """

    width: int
    words: list[int]
    spans: list[Span]

    def decode(self, tile: int, table: CodeTable) -> npt.NDArray[np.uint8]:
        """Return the symbols of a tile, ``[symbols]``.

        Args:
            tile: Its number in `spans`.
            table: The code that it was written with.

        Raises:
            TileError: The words are not that many symbols of the table.
        """
        span = self.spans[tile]
        words = self.words[span.first_word : span.first_word + span.words]
        try:
            return table.decode(unpack_words(words, span.bits, self.width), span.symbols)
        except (HuffqError, ValueError) as error:
            raise TileError(f"tile {tile} of the stream: {error}") from error


def pack_stream(
    tiles: Iterable[tuple[npt.NDArray[np.uint8], CodeTable]],
    width: int,
    pitch: int | None = None,
) -> TileStream:
    """Code tiles, each from a word of its own on.

    Args:
        tiles: The symbols of each tile and the code to write them in.
        width: Bits of a word, 1 to 1024.
        pitch: Words from the start of one tile to that of the next; the rest is filled up with
            zeros. None puts them side by side.

    Returns:
        The words and the index.

    Raises:
        TileError: A tile takes more than `pitch` words, or the memory outgrows the index.
        ValueError: `width` is out of range, or a symbol has no codeword.
    """
    check_width(width)
    words: list[int] = []
    spans: list[Span] = []
    for tile, (symbols, table) in enumerate(tiles):
        bits, n_bits = table.encode(symbols)
        packed = pack_words(bits, n_bits, width)
        span = Span(len(words), len(packed), n_bits, len(symbols))
        if max(astuple(span)) >> _FIELD_BITS:
            raise TileError(f"tile {tile} of the stream: {span} does not fit 32-bit fields")
        words += packed
        if pitch is not None:
            if len(packed) > pitch:
                raise TileError(
                    f"tile {tile} of the stream takes {len(packed)} words; its slot has {pitch}"
                )
            words += [0] * (pitch - len(packed))
        spans.append(span)
    return TileStream(width, words, spans)


def write_stream(
    path: str | os.PathLike[str],
    index_path: str | os.PathLike[str],
    stream: TileStream,
    radix: Radix = "hex",
) -> None:
    """Write a stream's words and its index as two memory files.

    Raises:
        OSError: A file cannot be written.
    """
    entries = [
        sum(value << _FIELD_BITS * i for i, value in enumerate(reversed(astuple(span))))
        for span in stream.spans
    ]
    write_memory(path, stream.words, stream.width, radix)
    write_memory(index_path, entries, _ENTRY_BITS, radix)


def read_stream(
    path: str | os.PathLike[str],
    index_path: str | os.PathLike[str],
    width: int,
    radix: Radix = "hex",
) -> TileStream:
    """Read what `write_stream` wrote.

    Raises:
        TileError: A file is malformed, or an entry of the index points outside the memory.
        ValueError: `width` is out of range.
        OSError: A file cannot be read.
    """
    words = read_memory(path, width, radix)
    shifts = [_FIELD_BITS * i for i in reversed(range(len(fields(Span))))]
    mask = (1 << _FIELD_BITS) - 1
    spans = [
        Span(*(entry >> shift & mask for shift in shifts))
        for entry in read_memory(index_path, _ENTRY_BITS, radix)
    ]
    for tile, span in enumerate(spans):
        if span.first_word + span.words > len(words):
            raise TileError(
                f"{index_path}: tile {tile} ends at word {span.first_word + span.words}; {path} "
                f"has {len(words)}"
            )
    return TileStream(width, words, spans)

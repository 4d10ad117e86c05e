"""A slow decoder of arrays under a shared codebook, written from docs/format.md alone."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np

import reference_max
import reference_nested
from reference_block import HighBits, canonical_code, check, decode_block
from reference_decoder import CAPS, CODEBOOKS, Block, Codebook, Cut, crc32c, nested_of, product
from reference_decoder import to_codes as symbols_to_codes
from reference_nested import Axes, check_axes, read_varint


def checked(data: bytes, number: int = 0) -> bytes:
    """All but the checksum at the end, which is exclusive or `number`."""
    check(len(data) >= 10, "the bytes are cut off")
    check(data[-4:] == struct.pack("<I", crc32c(data[:-4]) ^ number), "the bytes are damaged")
    return data[:-4]


class SharedCodebook:
    """What arrays of samples of one shape share."""

    def __init__(self, data: bytes) -> None:
        body = checked(data)
        self.number = crc32c(body)
        check(body[:4] == b"HQC\1", "this is no shared codebook of version 1")
        self.bits, self.level, self.signed = body[4] & 15, body[4] >> 4 & 7, bool(body[4] & 128)
        check(1 <= self.bits <= 8 and 1 <= self.level <= 2, "bits or level are out of range")
        check(body[5] <= 31, "a sample has too many axes")
        at, self.sample_shape = 6, []
        for _ in range(body[5]):
            length, at = read_varint(body, at)
            self.sample_shape.append(length)
        n = product(self.sample_shape)
        check(1 <= n <= CAPS[self.level], "a sample has too many symbols, or none")
        self.axes = Axes(*(axis - 1 if axis else None for axis in body[at : at + 3]))
        check_axes(self.axes, self.sample_shape)
        size, at = read_varint(body, at + 3)
        own = body[at : at + size]
        what = self.bits, self.signed, self.sample_shape, self.axes
        self.codebook: Codebook = CODEBOOKS[self.level](own, *what)
        reader = HighBits(body[at + size :])
        self.codes = [self.read_code(reader) for _ in self.codebook.classes]
        check(reader.at == len(reader.text), "bytes follow the code lengths")

    def read_code(self, reader: HighBits) -> dict[str, int]:
        lengths = [reader.read(4) for _ in range(1 << self.bits)]
        check(all(1 <= length <= 12 for length in lengths), "a code length is out of range")
        return canonical_code(lengths)

    def decode(self, blob: bytes) -> np.ndarray[Any, Any]:
        check(blob[:3] == b"HQ\x81", "this is no array under a codebook of version 1")
        check(blob[3:5] == struct.pack("<H", self.number & 0xFFFF), "this array is under another codebook")
        body = checked(blob, self.number)
        count, at = read_varint(body, 5)
        samples, lead = (count - 1, [count - 1]) if count else (1, [])
        blocks = Cut(self.sample_shape, self.axes, False, CAPS[self.level]).blocks(samples)
        sizes = []
        for _ in blocks[1:]:
            size, at = read_varint(body, at)
            sizes.append(size)
        if blocks:
            sizes.append(len(body) - at - sum(sizes))
        symbols: list[int] = []
        for block, size in zip(blocks, sizes, strict=True):
            check(0 <= size <= len(body) - at, "the blocks are cut off")
            symbols += self.decode_block(body[at : at + size], block)
            at += size
        check(at == len(body), "bytes follow the last block")
        return symbols_to_codes(symbols, self.bits, self.signed).reshape(lead + self.sample_shape)

    def decode_block(self, data: bytes, block: Block) -> list[int]:
        if data[:1] != b"\5":
            nested = nested_of(self.codebook, block)
            return decode_block(data, self.bits, block.symbols, nested)
        reader = HighBits(data[1:])
        symbols: list[int] = []
        for i in range(block.symbols):
            symbols.append(reader.codeword(self.codes[self.class_of(symbols, i)]))
        reader.finish()
        return symbols

    def class_of(self, symbols: list[int], i: int) -> int:
        """The class of symbol `i` of a block, given those before it."""
        n = product(self.sample_shape)
        index = np.unravel_index(i % n, self.sample_shape) if self.sample_shape else ()
        channel = 0 if self.axes.channel is None else index[self.axes.channel]
        if isinstance(self.codebook, reference_nested.Codebook):
            return self.codebook.class_of[channel]
        back = self.neighbours([int(k) for k in index])
        numbers = [(symbols[i - b] if b else 0) ^ self.codebook.flip for b in back]
        levels = tuple(self.codebook.levels[number] for number in numbers)
        assert isinstance(self.codebook, reference_max.Codebook)
        return int(self.codebook.map[self.codebook.kinds[channel]][levels])

    def neighbours(self, index: list[int]) -> list[int]:
        """How far before a symbol its neighbours stand in C order; 0 for none."""

        def back(axis: int | None, steps: int) -> int:
            if axis is None or index[axis] < steps:
                return 0
            return steps * product(self.sample_shape[axis + 1 :])

        first = back(self.axes.first, 1)
        second = back(self.axes.second, 1)
        if self.axes.second is None:
            second = back(self.axes.first, 2)
        return [first or second, second or first]

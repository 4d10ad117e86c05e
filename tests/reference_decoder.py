"""A slow decoder of arrays written from docs/format.md alone: what the page says is what huffq
writes. `reference_store` has files."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple, TypeAlias

import numpy as np

import reference_max
import reference_nested
from reference_block import Nested, check, decode_block
from reference_nested import Axes, check_axes, read_varint

LEVELS = ["fast", "dense", "max"]
CAPS = [65536, 65536, 524288]
"""Most symbols of a block at each level."""

Codebook: TypeAlias = reference_nested.Codebook | reference_max.Codebook
CODEBOOKS: list[Any] = [None, reference_nested.Codebook, reference_max.Codebook]


def crc32c(data: bytes) -> int:
    """CRC-32C, bit by bit (reflected polynomial 0x82F63B78)."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def to_codes(symbols: list[int], bits: int, signed: bool) -> np.ndarray[Any, Any]:
    if not signed:
        return np.array(symbols, np.uint8)
    half = 1 << (bits - 1)
    return np.array([(s ^ half) - half for s in symbols], np.int8)


def take_checked(data: bytes, at: int, size: int) -> bytes:
    """`size` bytes behind their checksum."""
    part = data[at + 4 : at + 4 + size]
    check(data[at : at + 4] == struct.pack("<I", crc32c(part)), "a part is damaged")
    return part


def product(extents: list[int]) -> int:
    return int(np.prod(extents, dtype=object))


class Block(NamedTuple):
    """Where a block begins in its array, and what it holds."""

    start: int
    symbols: int
    sample_shape: list[int]
    first_channel: int


class Cut:
    """The blocks of arrays `[items, *item_shape]`; `flat` if items are no samples themselves."""

    def __init__(
        self, item_shape: list[int], axes: Axes, flat: bool, cap: int, block_items: int = 0
    ) -> None:
        self.item_shape, self.flat = item_shape, flat
        self.axis = next(k for k in range(len(item_shape) + 1) if product(item_shape[k:]) <= cap)
        self.inner = product(item_shape[self.axis :])
        self.rows = max(1, cap // max(1, self.inner))
        most = self.rows if self.axis == 0 else 1
        check(block_items <= most, "blocks are too long")
        if self.axis == 0 and block_items:
            self.rows = block_items
        self.channel = None if axes.channel is None else axes.channel + (0 if flat else 1)

    def blocks(self, items: int) -> list[Block]:
        lead = [1] if self.flat else []
        blocks = []
        extents = [items, *self.item_shape]
        for outer in np.ndindex(*extents[: self.axis]):
            index = int(np.ravel_multi_index(outer, extents[: self.axis])) if outer else 0
            for first in range(0, extents[self.axis], self.rows):
                rows = min(self.rows, extents[self.axis] - first)
                start = (index * extents[self.axis] + first) * self.inner
                shape, channel = [*lead, *self.item_shape], 0
                if self.axis > 0:
                    place = self.axis - 1 + len(lead)
                    shape[len(lead) : place] = [1] * (self.axis - 1)
                    shape[place] = rows
                elif self.flat:
                    shape[0] = rows
                if self.channel is not None and 0 < self.channel <= self.axis:
                    channel = [*outer, first][self.channel]
                blocks.append(Block(start, rows * self.inner, shape, channel))
        return blocks

    def segments(self, items: int) -> Iterator[list[Block]]:
        blocks = self.blocks(items)
        most = max(1, min(1024, 2**23 // max(1, self.rows * self.inner)))
        each = len(self.blocks(1)) if self.axis > 0 else 1
        step = most - most % each if each <= most else most
        for first in range(0, len(blocks), step):
            yield blocks[first : first + step]


def nested_of(codebook: Codebook | None, block: Block) -> Nested | None:
    if codebook is None:
        return None
    where = {"sample_shape": block.sample_shape, "first_channel": block.first_channel}
    return partial(codebook.decode, **where)


def decode_array(blob: bytes) -> np.ndarray[Any, Any]:
    check(blob[:4] == b"HQA\1" and len(blob) > 5, "this is no encoded array of version 1")
    bits, level, signed, ndim = blob[4] & 15, blob[4] >> 4 & 7, bool(blob[4] & 128), blob[5]
    check(1 <= bits <= 8 and level <= 2 and ndim <= 32, "bits, level or axes are out of range")
    at, shape = 6, []
    for _ in range(ndim):
        length, at = read_varint(blob, at)
        shape.append(length)
    items, item_shape, axes = product(shape), [], Axes(None, None, None)
    if level > 0:
        check(len(blob) >= at + 3, "the axes are cut off")
        named = [axis - 1 if axis else None for axis in blob[at : at + 3]]
        at += 3
        if ndim > 0:
            items, item_shape, axes = shape[0], shape[1:], Axes(*named)
            check_axes(axes, item_shape)
    cut = Cut(item_shape, axes, False, CAPS[level])
    segments = list(cut.segments(items)) if product(shape) else []
    sizes = []  # of each segment: its codebook's and its blocks'
    for segment in segments:
        codebook_size, at = read_varint(blob, at) if level > 0 else (0, at)
        block_sizes = []
        for _ in segment:
            size, at = read_varint(blob, at)
            block_sizes.append(size)
        sizes.append((codebook_size, block_sizes))
    take_checked(blob[at : at + 4] + blob[:at], 0, at)
    at += 4
    symbols: list[int] = []
    for segment, (codebook_size, block_sizes) in zip(segments, sizes, strict=True):
        codebook = None
        if codebook_size:
            data = take_checked(blob, at, codebook_size)
            codebook = CODEBOOKS[level](data, bits, signed, item_shape, axes)
            at += 4 + codebook_size
        for block, size in zip(segment, block_sizes, strict=True):
            check(block.start == len(symbols), "blocks are not one behind the other")
            nested = nested_of(codebook, block)
            symbols += decode_block(take_checked(blob, at, size), bits, block.symbols, nested)
            at += 4 + size
    check(at == len(blob), "bytes follow the last block")
    return to_codes(symbols, bits, signed).reshape(shape)

"""A slow decoder written from docs/format.md alone: what the page says is what huffq writes."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from typing import Any

import numpy as np

import reference_max
import reference_nested
from reference_block import check, decode_block
from reference_nested import Axes, check_axes, read_varint, usual_axes

BLOCK_SYMBOLS = [65536, 65536, 524288]  # by the number of the level
LEVELS = ["fast", "dense", "max"]
CODEBOOKS = [None, reference_nested.Codebook, reference_max.Codebook]
SEGMENT_BLOCKS = 128


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


def decode_array(blob: bytes) -> np.ndarray[Any, Any]:
    check(blob[:4] == b"HQA\0" and len(blob) > 5, "this is no encoded array of version 0")
    bits, level, signed, ndim = blob[4] & 15, blob[4] >> 4 & 7, bool(blob[4] & 128), blob[5]
    check(1 <= bits <= 8 and level <= 2 and ndim <= 32, "bits, level or axes are out of range")
    at, shape = 6, []
    for _ in range(ndim):
        length, at = read_varint(blob, at)
        shape.append(length)
    samples, sample_shape, axes = int(np.prod(shape, dtype=object)), [], Axes(None, None, None)
    if level > 0:
        check(len(blob) >= at + 3, "the axes are cut off")
        named = [axis - 1 if axis else None for axis in blob[at : at + 3]]
        at += 3
        if ndim > 0:
            samples, sample_shape, axes = shape[0], shape[1:], Axes(*named)
            check_axes(axes, sample_shape)
    sample_len = int(np.prod(sample_shape, dtype=object))
    block_samples = max(1, BLOCK_SYMBOLS[level] // max(1, sample_len))
    blocks = -(-samples // block_samples) if sample_len else 0
    sizes = []  # of each segment: its codebook's and its blocks'
    for first in range(0, blocks, SEGMENT_BLOCKS):
        codebook_size, at = read_varint(blob, at) if level > 0 else (0, at)
        block_sizes = []
        for _ in range(min(SEGMENT_BLOCKS, blocks - first)):
            size, at = read_varint(blob, at)
            block_sizes.append(size)
        sizes.append((codebook_size, block_sizes))
    take_checked(blob[at : at + 4] + blob[:at], 0, at)
    at += 4
    symbols: list[int] = []
    for codebook_size, block_sizes in sizes:
        nested = None
        if codebook_size:
            codebook = take_checked(blob, at, codebook_size)
            nested = CODEBOOKS[level](codebook, bits, signed, sample_shape, axes).decode
            at += 4 + codebook_size
        for size in block_sizes:
            n = min(block_samples * sample_len, samples * sample_len - len(symbols))
            symbols += decode_block(take_checked(blob, at, size), bits, n, nested)
            at += 4 + size
    check(at == len(blob), "bytes follow the last block")
    return to_codes(symbols, bits, signed).reshape(shape)


def records(data: bytes, at: int, end: int) -> Iterator[tuple[int, int, bytes]]:
    """Kind, offset and payload of every record."""
    while at < end:
        crc, kind, _, zero, length = struct.unpack_from("<IBBHQ", data, at)
        record = data[at + 4 : at + 16 + length]
        check(zero == 0 and crc == crc32c(record), "a record is damaged")
        yield kind, at, record[12:]
        at += 16 + length


def field_axes(field: dict[str, Any]) -> Axes:
    if field.get("axes") is None:
        return usual_axes(field["sample_shape"])
    axes = Axes(field["axes"]["channel"], *field["axes"]["neighbours"])
    check_axes(axes, field["sample_shape"])
    return axes


class Index:
    """The index's entries, taken one after another, and the records that they stand for."""

    def __init__(self, payload: bytes, by_offset: dict[int, tuple[int, bytes]]) -> None:
        (self.samples,) = struct.unpack_from("<Q", payload)
        self.entries = struct.iter_unpack("<QI", payload[8:])
        self.by_offset = by_offset

    def take(self, kind: int, field: int, number: int) -> bytes | None:
        """The next entry's codebook or block, if it has one."""
        offset, length = next(self.entries)
        if (offset, length) == (0, 0):
            return None
        found, payload = self.by_offset[offset]
        check(found == kind and length == 16 + len(payload), "the index gives another record")
        check(struct.unpack_from("<IQ", payload) == (field, number), "the index is mixed up")
        return payload[12:]


def decode_field(
    number: int, field: dict[str, Any], level: int, index: Index
) -> np.ndarray[Any, Any]:
    bits, signed, sample_shape = field["bits"], field["signed"], field["sample_shape"]
    sample_len = int(np.prod(sample_shape, dtype=np.int64))
    most = max(1, BLOCK_SYMBOLS[level] // max(1, sample_len))
    block_samples = field.get("block_samples", 0) or most
    check(block_samples <= most, "blocks are too long")
    blocks = -(-index.samples // block_samples)
    codebooks = [index.take(4, number, i) for i in range(-(-blocks // SEGMENT_BLOCKS))]
    symbols: list[int] = []
    nested = None
    for i in range(blocks):
        if i % SEGMENT_BLOCKS == 0:
            data = codebooks[i // SEGMENT_BLOCKS]
            axes = field_axes(field)
            nested = data and CODEBOOKS[level](data, bits, signed, sample_shape, axes).decode
        block = index.take(2, number, i) or b""
        here = min(block_samples, index.samples - i * block_samples)
        symbols += decode_block(block, bits, here * sample_len, nested or None)
    return to_codes(symbols, bits, signed).reshape(index.samples, *sample_shape)


def decode_file(data: bytes) -> dict[str, np.ndarray[Any, Any]]:
    """Every field of a file, whole."""
    check(data[:8] == b"\x89HUFFQ\r\n" and data[-8:] == b"HUFFQEND", "this is no whole .huffq file")
    version, features, crc = struct.unpack_from("<HHI", data, 8)
    check((version, features) == (0, 0) and crc == crc32c(data[:12]), "the header is damaged")
    index_at, crc = struct.unpack_from("<QI", data, len(data) - 24)
    check(crc == crc32c(data[-24:-16]), "the trailer is damaged")
    (_, _, schema_json), *parts, (kind, at, payload) = records(data, 16, len(data) - 24)
    check((kind, at) == (3, index_at), "the index is elsewhere")
    schema = json.loads(schema_json)
    check(schema.get("level", "dense") in LEVELS, "the level is unknown")
    level = LEVELS.index(schema.get("level", "dense"))
    index = Index(payload, {at: (kind, payload) for kind, at, payload in parts})
    fields = {
        field["name"]: decode_field(number, field, level, index)
        for number, field in enumerate(schema["fields"])
    }
    check(next(index.entries, None) is None, "the index has another length")
    return fields

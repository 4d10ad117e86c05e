"""A slow decoder written from docs/format.md alone: what the page says is what huffq writes."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np


class FormatError(Exception):
    """The bytes are not what docs/format.md describes."""


def check(condition: bool, what: str) -> None:
    if not condition:
        raise FormatError(what)


def crc32c(data: bytes) -> int:
    """CRC-32C, bit by bit (reflected polynomial 0x82F63B78)."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def bit_string(data: bytes) -> str:
    return "".join(f"{byte:08b}" for byte in data)


def canonical_code(lengths: list[int]) -> dict[str, int]:
    """Symbol by codeword."""
    used = sorted((length, symbol) for symbol, length in enumerate(lengths) if length)
    kraft = sum(2.0**-length for length, _ in used)
    check(kraft == 1 or [length for length, _ in used] == [1], "the code is not complete")
    code, word, previous = {}, 0, 0
    for length, symbol in used:
        word <<= length - previous
        code[f"{word:0{length}b}"] = symbol
        word, previous = word + 1, length
    return code


def decode_block(block: bytes, bits: int, n: int) -> list[int]:
    check(len(block) > 0, "a block is empty")
    method, body = block[0], block[1:]
    if method == 0:
        check(len(body) == (n > 0), "a constant block is not one symbol")
        check(all(symbol < 2**bits for symbol in body), "the constant is no symbol")
        return list(body) * n
    if method == 1:
        text = bit_string(body)
        check_end(text, n * bits)
        return [int(text[i * bits : (i + 1) * bits], 2) for i in range(n)]
    check(method in (2, 3), "the method is unknown")
    table = 2**bits // 2
    check(len(body) >= table, "the code lengths are cut off")
    lengths = [nibble for byte in body[:table] for nibble in (byte >> 4, byte & 15)]
    code = canonical_code(lengths)
    if method == 2:
        return decode_serial(bit_string(body[table:]), code, n)
    check(len(code) > 1, "a pivot payload has two symbols or more")
    return decode_pivot(body[table:], pivot_tree(lengths), n)


class Flat(NamedTuple):
    """2**depth symbols of one code length."""

    depth: int
    symbols: list[int]


class Merge(NamedTuple):
    """A node that decides between its children."""

    left: Flat | Merge
    right: Flat | Merge


def pivot_tree(lengths: list[int]) -> Flat | Merge:
    roots = []
    for length in range(1, 16):
        symbols = [symbol for symbol, own in enumerate(lengths) if own == length]
        for depth in reversed(range(9)):
            if len(symbols) >> depth & 1:
                roots.append((length - depth, depth, symbols[: 1 << depth]))
                symbols = symbols[1 << depth :]
    leaves = iter(sorted(roots))
    upcoming = [next(leaves)]

    def grow(depth: int) -> Flat | Merge:
        root_depth, flat_depth, symbols = upcoming[0]
        if root_depth == depth:
            upcoming[0] = next(leaves, (-1, 0, []))
            return Flat(flat_depth, symbols)
        left = grow(depth + 1)
        return Merge(left, grow(depth + 1))

    return grow(0)


class LowBits:
    """Numbers off bytes that are filled from the least significant bit."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def read(self, bits: int) -> int:
        check(self.at + bits <= 8 * len(self.data), "the pivot payload is cut off")
        value = sum(
            (self.data[i // 8] >> i % 8 & 1) << (i - self.at)
            for i in range(self.at, self.at + bits)
        )
        self.at += bits
        return value

    def align(self) -> None:
        self.at = (self.at + 7) // 8 * 8


def decode_pivot(payload: bytes, tree: Flat | Merge, n: int) -> list[int]:
    reader = LowBits(payload)
    rights: dict[int, int] = {}  # by a merge node's path from the root: 2 * parent's + 1 for right

    def read_counts(node: Flat | Merge, path: int, count: int) -> None:
        if isinstance(node, Merge):
            rights[path] = reader.read(count.bit_length())
            check(rights[path] <= count, "more symbols go right than there are")
            read_counts(node.right, 2 * path + 1, rights[path])
            read_counts(node.left, 2 * path, count - rights[path])

    def read_streams(node: Flat | Merge, path: int, count: int) -> list[int]:
        if isinstance(node, Flat):
            symbols = [node.symbols[reader.read(node.depth)] for _ in range(count)]
            reader.align()
            return symbols
        left = read_streams(node.left, 2 * path, count - rights[path])
        right = read_streams(node.right, 2 * path + 1, rights[path])
        mask = [reader.read(1) for _ in range(count)]
        reader.align()
        check(sum(mask) == rights[path], "a mask and its count disagree")
        sides = iter(left), iter(right)
        return [next(sides[bit]) for bit in mask]

    read_counts(tree, 1, n)
    reader.align()
    symbols = read_streams(tree, 1, n)
    check(reader.at == 8 * len(payload), "bytes follow the pivot payload")
    return symbols


def decode_serial(text: str, code: dict[str, int], n: int) -> list[int]:
    symbols: list[int] = []
    start = 0
    while len(symbols) < n:
        stop = next(
            (i for i in range(start + 1, start + 16) if i <= len(text) and text[start:i] in code), 0
        )
        check(stop > 0, "there is no such codeword")
        symbols.append(code[text[start:stop]])
        start = stop
    check_end(text, start)
    return symbols


def check_end(text: str, used: int) -> None:
    check(len(text) == (used + 7) // 8 * 8, "the block has another length")
    check("1" not in text[used:], "the padding is not zero")


def to_codes(symbols: list[int], bits: int, signed: bool) -> np.ndarray[Any, Any]:
    if not signed:
        return np.array(symbols, np.uint8)
    half = 1 << (bits - 1)
    return np.array([(s ^ half) - half for s in symbols], np.int8)


def read_varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        check(at < len(data) and shift < 64, "a number is cut off or too long")
        value |= (data[at] & 127) << shift
        shift, at = shift + 7, at + 1
        if data[at - 1] < 128:
            return value, at


def decode_array(blob: bytes) -> np.ndarray[Any, Any]:
    check(blob[:4] == b"HQA\0" and len(blob) > 5, "this is no encoded array of version 0")
    bits, signed, axes = blob[4] & 127, bool(blob[4] & 128), blob[5]
    check(1 <= bits <= 8 and axes <= 32, "bits or axes are out of range")
    at = 6
    shape, sizes = [], []
    for _ in range(axes):
        length, at = read_varint(blob, at)
        shape.append(length)
    n = int(np.prod(shape, dtype=object))
    for _ in range(-(-n // 65536)):
        size, at = read_varint(blob, at)
        sizes.append(size)
    check(blob[at : at + 4] == struct.pack("<I", crc32c(blob[:at])), "the header is damaged")
    at += 4
    symbols: list[int] = []
    for size in sizes:
        crc, block = blob[at : at + 4], blob[at + 4 : at + 4 + size]
        check(crc == struct.pack("<I", crc32c(block)), "a block is damaged")
        symbols += decode_block(block, bits, min(65536, n - len(symbols)))
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


def decode_file(data: bytes) -> dict[str, np.ndarray[Any, Any]]:
    """Every field of a file, whole."""
    check(data[:8] == b"\x89HUFFQ\r\n" and data[-8:] == b"HUFFQEND", "this is no whole .huffq file")
    version, features, crc = struct.unpack_from("<HHI", data, 8)
    check((version, features) == (0, 0) and crc == crc32c(data[:12]), "the header is damaged")
    index_at, crc = struct.unpack_from("<QI", data, len(data) - 24)
    check(crc == crc32c(data[-24:-16]), "the trailer is damaged")
    (_, _, schema), *blocks, (kind, at, index) = records(data, 16, len(data) - 24)
    check((kind, at) == (3, index_at), "the index is elsewhere")
    by_offset = {at: payload for _, at, payload in blocks}
    samples, *_ = struct.unpack_from("<Q", index)
    at, fields = 8, {}
    for number, field in enumerate(json.loads(schema)["fields"]):
        sample_len = int(np.prod(field["sample_shape"], dtype=np.int64))
        symbols: list[int] = []
        for block in range(-(-samples // field["block_samples"])):
            offset, length = struct.unpack_from("<QI", index, at)
            payload = by_offset[offset]
            check(length == 16 + len(payload), "the index gives another length")
            check(struct.unpack_from("<IQ", payload) == (number, block), "the index is mixed up")
            here = min(field["block_samples"], samples - block * field["block_samples"])
            symbols += decode_block(payload[12:], field["bits"], here * sample_len)
            at += 12
        codes = to_codes(symbols, field["bits"], field["signed"])
        fields[field["name"]] = codes.reshape(samples, *field["sample_shape"])
    check(at == len(index), "the index has another length")
    return fields

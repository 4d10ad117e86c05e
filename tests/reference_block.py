"""Blocks as docs/format.md describes them; `reference_decoder` has what contains them."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import NamedTuple, TypeAlias

Nested: TypeAlias = Callable[[bytes, int], list[int]]
"""A nested payload and a number of symbols to symbols in C order."""


class FormatError(Exception):
    """The bytes are not what docs/format.md describes."""


def check(condition: bool, what: str) -> None:
    if not condition:
        raise FormatError(what)


class HighBits:
    """Bit fields and codewords off bytes that are filled from the most significant bit."""

    def __init__(self, data: bytes) -> None:
        self.text = "".join(f"{byte:08b}" for byte in data)
        self.at = 0

    def take(self, bits: int) -> str:
        check(self.at + bits <= len(self.text), "a bit string is cut off")
        self.at += bits
        return self.text[self.at - bits : self.at]

    def read(self, bits: int) -> int:
        return int(self.take(bits) or "0", 2)

    def codeword(self, code: dict[str, int]) -> int:
        word = ""
        while word not in code:
            check(len(word) < 15, "there is no such codeword")
            word += self.take(1)
        return code[word]

    def finish(self) -> None:
        """Demand that only zeros are left, less than a byte of them."""
        padding = self.text[self.at :]
        check(len(padding) < 8, "bytes follow a bit string")
        check("1" not in padding, "the padding is not zero")


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


def decode_block(block: bytes, bits: int, n: int, nested: Nested | None = None) -> list[int]:
    check(len(block) > 0, "a block is empty")
    method, body = block[0], block[1:]
    if method == 0:
        check(len(body) == (n > 0), "a constant block is not one symbol")
        check(all(symbol < 2**bits for symbol in body), "the constant is no symbol")
        return list(body) * n
    if method == 1:
        reader = HighBits(body)
        symbols = [reader.read(bits) for _ in range(n)]
        reader.finish()
        return symbols
    if method == 4:
        check(n > 0, "a nested block has no symbols")
        if nested is None:
            raise FormatError("a nested block has no codebook")
        return nested(body, n)
    check(method in (2, 3), "the method is unknown")
    table = 2**bits // 2
    check(len(body) >= table, "the code lengths are cut off")
    lengths = [nibble for byte in body[:table] for nibble in (byte >> 4, byte & 15)]
    code = canonical_code(lengths)
    if method == 2:
        return decode_serial(body[table:], code, n)
    check(len(code) > 1, "a pivot payload has two symbols or more")
    return decode_pivot(body[table:], pivot_tree(lengths), n)


def decode_serial(payload: bytes, code: dict[str, int], n: int) -> list[int]:
    check(len(payload) > 0 and payload[0] in (1, 64), "there are neither 1 nor 64 streams")
    if payload[0] == 64:
        return decode_streams(payload[1:], code, n)
    reader = HighBits(payload[1:])
    symbols = [reader.codeword(code) for _ in range(n)]
    reader.finish()
    return symbols


def decode_streams(payload: bytes, code: dict[str, int], n: int) -> list[int]:
    check(len(payload) >= 4 and len(payload) % 2 == 0, "the words are cut off")
    first = struct.unpack_from("<I", payload)[0]
    check(4 + 2 * first <= len(payload), "the first group is cut off")
    words = [f"{word:016b}" for word in struct.unpack(f"<{len(payload) // 2 - 2}H", payload[4:])]
    symbols = [0] * n
    symbols[::2] = decode_group(words[:first], code, (n + 1) // 2)
    symbols[1::2] = decode_group(words[first:], code, n // 2)
    return symbols


def decode_group(words: list[str], code: dict[str, int], n: int) -> list[int]:
    check(len(words) >= 32, "a stream has no word")
    held, upcoming = words[:32], iter(words[32:])
    symbols = []
    for i in range(n):
        bits = held[i % 32]
        length = next((k for k in range(1, 16) if bits[:k] in code), 0)
        check(length > 0, "there is no such codeword")
        symbols.append(code[bits[:length]])
        bits = bits[length:]
        if len(bits) < 16:
            word = next(upcoming, None)
            check(word is not None, "the words run out")
            bits += word or ""
        held[i % 32] = bits
    check(next(upcoming, None) is None, "words are left over")
    check(not any("1" in bits for bits in held), "bits are left over")
    return symbols


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
        check(self.at + bits <= 8 * len(self.data), "a stream is cut off")
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

"""Level dense as docs/format.md describes it: sequence, codebook, nested payload."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from reference_block import (
    Flat,
    HighBits,
    LowBits,
    Merge,
    canonical_code,
    check,
    pivot_tree,
)


class Axes(NamedTuple):
    """The named axes of a sample."""

    channel: int | None
    first: int | None
    second: int | None


def usual_axes(sample_shape: list[int]) -> Axes:
    n = len(sample_shape)
    if n < 3:
        return [Axes(None, None, None), Axes(0, None, None), Axes(1, 0, None)][n]
    return Axes(n - 3, n - 1, n - 2)


def check_axes(axes: Axes, sample_shape: list[int]) -> None:
    named = [axis for axis in axes if axis is not None]
    check(all(0 <= axis < len(sample_shape) for axis in named), "there is no such axis")
    check(len(set(named)) == len(named), "an axis is named twice")
    check(axes.second is None or axes.first is not None, "the first neighbour axis is missing")


def channel_places(samples: int, sample_shape: list[int], axes: Axes) -> np.ndarray[Any, Any]:
    """`[channels, symbols of a channel]`: where in the block each symbol of the sequence stands."""
    neighbours = [axis for axis in (axes.second, axes.first) if axis is not None]
    others = [axis for axis in range(len(sample_shape)) if axis not in axes]
    order = [0, *(1 + axis for axis in others + neighbours)]
    places = np.arange(samples * int(np.prod(sample_shape, dtype=np.int64)))
    places = places.reshape(samples, *sample_shape)
    if axes.channel is None:
        places = places.transpose(order)[None]
    else:
        places = places.transpose(1 + axes.channel, *order)
    channels = len(places)
    if axes.second is not None and axes.first is not None:
        rows, columns = sample_shape[axes.second], sample_shape[axes.first]
        if rows >= 2 and columns >= 4:
            places = places.reshape(channels, -1, rows * columns)[:, :, tiled(rows, columns)]
    return places.reshape(channels, -1)


def tiled(rows: int, columns: int) -> list[int]:
    """A plane's places in the order of tiles."""
    return [
        row * columns + column
        for y in range(0, rows, 2)
        for x in range(0, columns, 4)
        for row in range(y, min(y + 2, rows))
        for column in range(x, min(x + 4, columns))
    ]


def ordered_tree(reader: HighBits, start: int, end: int) -> Flat | Merge:
    width = end - start
    power_of_two = width & (width - 1) == 0
    if width <= 2 or (power_of_two and reader.read(1)):
        return Flat(width.bit_length() - 1, list(range(start, end)))
    x = reader.read((width - 2).bit_length())
    check(x <= width - 2, "a split lies outside its range")
    left = ordered_tree(reader, start, start + 1 + x)
    right = ordered_tree(reader, start + 1 + x, end)
    return Merge(right, left) if x == width - 2 else Merge(left, right)


def nodes(tree: Flat | Merge) -> Iterator[Flat | Merge]:
    """Node, right subtree, left subtree."""
    yield tree
    if isinstance(tree, Merge):
        yield from nodes(tree.right)
        yield from nodes(tree.left)


def mask_code(lengths: list[int]) -> dict[str, int]:
    check(all(1 <= length <= 11 for length in lengths), "a length of a mask code is out of range")
    return canonical_code(lengths)


@cache
def static_lengths(i: int) -> tuple[int, ...]:
    """Code lengths by package-merge; an item is its weight and the bytes in it."""
    weights = [i ** byte.bit_count() * (64 - i) ** (8 - byte.bit_count()) for byte in range(256)]
    leaves = sorted((weight, [byte]) for byte, weight in enumerate(weights))
    items = leaves
    for _ in range(10):
        pairs = zip(items[::2], items[1::2], strict=False)
        packages = [(a + b, inside + others) for (a, inside), (b, others) in pairs]
        items = sorted(leaves + packages, key=lambda item: item[0])  # leaves first among equals
    taken = [byte for _, inside in items[:510] for byte in inside]
    return tuple(np.bincount(taken, minlength=256).tolist())


def read_tag(reader: HighBits) -> dict[str, int] | None:
    """The code of a mask, if it has one."""
    if not reader.read(1):
        return None
    if not reader.read(1):
        density = reader.read(6)
        check(density > 0, "a static code has density 0")
        return mask_code(list(static_lengths(density)))
    code = canonical_code([reader.read(3) for _ in range(11)])
    return mask_code([1 + reader.codeword(code) for _ in range(256)])


class ClassCode(NamedTuple):
    """A class's tree, and of its nodes in the order node, right, left the codes of their masks."""

    tree: Flat | Merge
    codes: list[dict[str, int] | None]


def has_mask(node: Flat | Merge) -> bool:
    return isinstance(node, Merge) or node.depth == 1


def read_class(reader: HighBits, size: int) -> ClassCode:
    if reader.read(1):
        tree = ordered_tree(reader, 0, size)
    else:
        lengths = [reader.read(4) for _ in range(size)]
        check(len(canonical_code(lengths)) == size, "a number has no place in its tree")
        tree = pivot_tree(lengths)
    return ClassCode(tree, [read_tag(reader) if has_mask(node) else None for node in nodes(tree)])


class Codebook:
    """What the nested blocks of a segment share."""

    def __init__(
        self, data: bytes, bits: int, signed: bool, sample_shape: list[int], axes: Axes
    ) -> None:
        self.flip = 1 << (bits - 1) if signed else 0
        self.sample_shape, self.axes = sample_shape, axes
        channels = 1 if axes.channel is None else sample_shape[axes.channel]
        reader = HighBits(data)
        count = 1 + reader.read(3)
        width = (count - 1).bit_length()
        groups = [reader.read(width) for _ in range(min(channels, 1024))]
        check(all(group < count for group in groups), "there is no such class")
        self.classes = [read_class(reader, 1 << bits) for _ in range(count)]
        reader.finish()
        self.class_of = [groups[c * len(groups) // channels] for c in range(channels)]

    def decode(
        self,
        payload: bytes,
        n: int,
        sample_shape: list[int] | None = None,
        first_channel: int = 0,
    ) -> list[int]:
        """The symbols of a block, of samples of a shape, in C order."""
        shape = self.sample_shape if sample_shape is None else sample_shape
        samples = n // int(np.prod(shape, dtype=np.int64))
        places = channel_places(samples, shape, self.axes)
        class_of = self.class_of[first_channel : first_channel + len(places)]
        coded = sum(code is not None for own in self.classes for code in own.codes)
        reader = PayloadReader(payload, coded, n)
        block = np.zeros(n, np.int64)
        for number, own in enumerate(self.classes):
            here = [c for c, class_ in enumerate(class_of) if class_ == number]
            numbers = reader.read_tree(own.tree, iter(own.codes), places[here].size)
            block[places[here].reshape(-1)] = numbers
        reader.finish()
        return [int(number) ^ self.flip for number in block]


class PayloadReader:
    """A nested payload, read from front to back."""

    def __init__(self, payload: bytes, coded: int, n: int) -> None:
        flags = LowBits(payload[: (coded + 7) // 8])
        self.flags = iter([flags.read(1) for _ in range(coded)])
        check(flags.read(-coded % 8) == 0, "the padding of the flags is not zero")
        at = len(flags.data)
        sizes = []
        for _ in range((8 if n >= 4096 else 1) if coded else 0):
            size, at = read_varint(payload, at)
            sizes.append(size)
        self.lanes = []
        for size in sizes:
            check(at + size <= len(payload), "the lanes are cut off")
            self.lanes.append(HighBits(payload[at : at + size]))
            at += size
        self.raw = LowBits(payload[at:])

    def read_tree(
        self, node: Flat | Merge, codes: Iterator[dict[str, int] | None], n: int
    ) -> list[int]:
        """The numbers of a node's `n` symbols; `codes` are those of the subtree's masks."""
        code = next(codes)
        depth = node.depth if isinstance(node, Flat) else 1
        stream = self.raw
        if code is not None and not next(self.flags):
            stream = LowBits(self.read_lanes(code, (n + 7) // 8))
        own = [stream.read(depth) for _ in range(n)]
        stream.align()
        if isinstance(node, Flat):
            return [node.symbols[i] for i in own]
        right = self.read_tree(node.right, codes, sum(own))
        left = self.read_tree(node.left, codes, n - sum(own))
        sides = iter(left), iter(right)
        return [next(sides[bit]) for bit in own]

    def read_lanes(self, code: dict[str, int], m: int) -> bytes:
        each, more = divmod(m, len(self.lanes))
        return bytes(
            lane.codeword(code)
            for number, lane in enumerate(self.lanes)
            for _ in range(each + (number < more))
        )

    def finish(self) -> None:
        for lane in self.lanes:
            lane.finish()
        check(self.raw.at == 8 * len(self.raw.data), "bytes follow the raw streams")


def read_varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        check(at < len(data) and shift < 64, "a number is cut off or too long")
        value |= (data[at] & 127) << shift
        shift, at = shift + 7, at + 1
        if data[at - 1] < 128:
            return value, at

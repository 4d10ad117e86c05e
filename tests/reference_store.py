"""A slow reader of files written from docs/format.md alone."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from reference_block import check, decode_block
from reference_decoder import (
    CAPS,
    CODEBOOKS,
    LEVELS,
    Cut,
    crc32c,
    nested_of,
    product,
    to_codes,
)
from reference_nested import Axes, check_axes, read_varint, usual_axes

VERSION = 1
SCHEMA, SEGMENT, BLOCK, PAGE, ROOT = range(1, 6)


class Record(NamedTuple):
    """A record: its head's fields, where it lies, and its payload."""

    kind: int
    field: int
    group: int
    place: int
    offset: int
    length: int
    payload: bytes


def read_record(data: bytes, at: int) -> Record:
    check(at + 24 <= len(data), "a record is cut off")
    marker, crc, kind, flags, field, group, place, size = struct.unpack_from("<4sIBBHIII", data, at)
    end = at + 24 + size
    check(marker == b"\xf7HQR" and end <= len(data), "there is no record")
    check(crc == crc32c(data[at + 8 : end]), "a record is damaged")
    check(kind <= ROOT or not flags & 1, "an unknown record is critical")
    return Record(kind, field, group, place, at, 24 + size, data[at + 24 : end])


def records(data: bytes) -> Iterator[Record]:
    """All records of a whole file."""
    at = 24
    while at < len(data) - 36:
        record = read_record(data, at)
        yield record
        at += record.length


class Reader:
    """Numbers off a payload, from front to back."""

    def __init__(self, payload: bytes) -> None:
        self.payload, self.at = payload, 0

    def varint(self) -> int:
        value, self.at = read_varint(self.payload, self.at)
        return value

    def take(self, size: int) -> bytes:
        check(self.at + size <= len(self.payload), "a payload is cut off")
        self.at += size
        return self.payload[self.at - size : self.at]

    def unpack(self, form: str) -> tuple[Any, ...]:
        return struct.unpack("<" + form, self.take(struct.calcsize("<" + form)))

    def finish(self) -> None:
        check(self.at == len(self.payload), "bytes follow a payload")


class Field:
    """A field as the schema has it."""

    def __init__(self, number: int, described: dict[str, Any], level: int) -> None:
        self.number, self.name, self.level = number, described["name"], level
        shape = described["sample_shape"]
        self.ragged = bool(shape) and shape[0] is None
        self.item_shape: list[int] = shape[1:] if self.ragged else shape
        self.sample_shape = [1, *self.item_shape] if self.ragged else self.item_shape
        self.bits, self.signed = described.get("bits"), described.get("signed", False)
        self.attributes = described.get("attributes") or {}
        axes, symbols = Axes(None, None, None), list(self.item_shape)
        if self.bits is None:
            self.dtype = np.lib.format.descr_to_dtype(described["dtype"])
            symbols.append(described["item_bytes"])
        else:
            axes = field_axes(described, len(shape), self.ragged)
            check_axes(axes, self.sample_shape)
        self.axes = axes
        cap = CAPS[0 if self.bits is None else level]
        self.cut = Cut(symbols, axes, self.ragged, cap, described.get("block_items", 0))
        self.parts: list[np.ndarray[Any, Any]] = []
        self.lengths: list[int] = []

    def decode(self, segments: list[bytes], blocks: list[bytes], items: int) -> None:
        """Take the items of a group: its segments' codebooks and its blocks."""
        symbols: list[int] = []
        upcoming = iter(blocks)
        cut = list(self.cut.segments(items)) or [[]]
        for data, segment in zip(segments, cut, strict=True):
            codebook = None
            if data and self.bits is not None:
                kind = CODEBOOKS[self.level]
                codebook = kind(data, self.bits, self.signed, self.sample_shape, self.axes)
            for block in segment:
                body = next(upcoming)
                if self.bits is None:
                    check(len(body) == block.symbols, "a block has another number of bytes")
                    symbols += body
                else:
                    nested = nested_of(codebook, block)
                    symbols += decode_block(body, self.bits, block.symbols, nested)
        check(next(upcoming, None) is None, "there are more blocks than that")
        if self.bits is None:
            part = np.frombuffer(bytes(symbols), self.dtype)
        else:
            part = to_codes(symbols, self.bits, self.signed)
        self.parts.append(part.reshape(items, *self.item_shape))

    def samples(self) -> Any:
        dtype = np.int8 if self.signed else np.uint8
        empty = np.empty((0, *self.item_shape), dtype if self.bits else self.dtype)
        joined = np.concatenate([empty, *self.parts])
        if not self.ragged:
            return joined
        ends = np.cumsum([0, *self.lengths])
        return [joined[a:b] for a, b in pairwise(ends)]


def field_axes(described: dict[str, Any], ndim: int, ragged: bool) -> Axes:
    if described.get("axes") is not None:
        return Axes(described["axes"]["channel"], *described["axes"]["neighbours"])
    axes = usual_axes([1] * ndim)
    if ragged and axes.channel == 0:
        axes = axes._replace(channel=None, first=0 if ndim == 1 else axes.first)
    return axes


def decode_group(
    page: Record, by_offset: dict[int, Record], fields: list[Field], first_sample: int
) -> int:
    """Take the samples of a group; return how many they are."""
    reader = Reader(page.payload)
    (at,) = reader.unpack("Q")
    samples = 0
    for field in fields:
        heads = [reader.take(reader.varint()) for _ in range(reader.varint())]
        codebooks = []
        lengths: list[int] = []
        for head in heads:
            inside = Reader(head)
            check(inside.varint() == first_sample, "a segment is of another group")
            samples = inside.varint()
            lengths = [inside.varint() for _ in range(samples if field.ragged else 0)]
            codebooks.append(head[inside.at :])
        items = sum(lengths) if field.ragged else samples
        place, blocks = 0, []
        for head, segment in zip(heads, list(field.cut.segments(items)) or [[]], strict=True):
            record = by_offset[at]
            check(
                record[:4] == (SEGMENT, field.number, page.group, place), "a segment is elsewhere"
            )
            check(record.payload == head, "a segment and its copy differ")
            at += record.length
            for _ in segment:
                record = by_offset[at]
                check(
                    record[:4] == (BLOCK, field.number, page.group, place), "a block is elsewhere"
                )
                check(record.length == reader.varint(), "the page gives another length")
                blocks.append(record.payload)
                at += record.length
                place += 1
        if field.bits is not None:
            counts = [reader.varint() for _ in range(2**field.bits)]
            check(sum(counts) == items * product(field.item_shape), "the counts are others")
        field.lengths += lengths
        field.decode(codebooks, blocks, items)
    reader.finish()
    check(at == page.offset, "records lie behind the last block")
    return samples


def decode_file(data: bytes) -> dict[str, Any]:
    """Every field of a file, whole: arrays, and lists of arrays of ragged samples."""
    return {field.name: field.samples() for field in decode_fields(data)}


def real_values(data: bytes, name: str) -> list[np.ndarray[Any, Any]]:
    """What the codes of a field stand for, sample by sample, as float64."""
    fields = {field.name: field for field in decode_fields(data)}
    field, real = fields[name], []
    samples = field.samples()
    for number, codes in enumerate(samples):
        scale, zero = (
            numbers_of(field, fields, field.attributes[what], number, codes.shape)
            for what in ("scale", "zero_point")
        )
        real.append(scale * (codes.astype(np.float64) - zero))
    return real


def numbers_of(
    field: Field, fields: dict[str, Field], given: Any, number: int, shape: tuple[int, ...]
) -> np.ndarray[Any, Any]:
    """Scales or zero points of each code of a sample."""
    if "field" not in given:
        numbers = np.array(given["values"], given["dtype"])
    else:
        side = fields[given["field"]]
        numbers = side.samples()[number]
        if side.ragged:
            check(len(numbers) == shape[0], "a side field has other lengths")
            axes = [1] * (len(field.item_shape) - len(side.item_shape))
            numbers = numbers.reshape(len(numbers), *axes, *side.item_shape)
    own = (1,) * (len(shape) - numbers.ndim) + numbers.shape
    check(all(m == n or m % n == 0 for m, n in zip(shape, own, strict=True)), "numbers do not fit")
    places = [np.arange(m) * n // max(1, m) for m, n in zip(shape, own, strict=True)]
    return numbers.astype(np.float64).reshape(own)[np.ix_(*places)]


def decode_fields(data: bytes) -> list[Field]:
    """Every field of a file, decoded."""
    check(data[:8] == b"\x89HUFFQ\r\n" and data[-8:] == b"HUFFQEND", "this is no whole .huffq file")
    version, zero, required, _, crc = struct.unpack_from("<HHIII", data, 8)
    check((version, zero, required) == (VERSION, 0, 0), "the version or a feature is unknown")
    check(crc == crc32c(data[:20]), "the header is damaged")
    root_at, root_len, form, crc = struct.unpack_from("<QI12sI", data, len(data) - 36)
    check(crc == crc32c(data[-36:-12]), "the trailer is damaged")
    check(form == data[8:20], "header and trailer differ")
    first, *rest, last = records(data)
    check(
        (last.kind, last.offset, last.length) == (ROOT, root_at, root_len), "the root is elsewhere"
    )
    root = Reader(last.payload)
    schema_json = root.take(*root.unpack("I"))
    check(first.kind == SCHEMA and first.payload == schema_json, "the schemas differ")
    schema = json.loads(schema_json)
    check(schema.get("level", "dense") in LEVELS, "the level is unknown")
    level = LEVELS.index(schema.get("level", "dense"))
    fields = [Field(number, described, level) for number, described in enumerate(schema["fields"])]
    totals = [root.unpack(f"QQ{2**f.bits}Q" if f.bits else "QQ") for f in fields]
    by_offset = {record.offset: record for record in rest}
    ragged = [field for field in fields if field.ragged]
    samples, group = 0, 0
    while root.at < len(root.payload):
        page_at, page_len, end, *items = root.unpack(f"QIQ{len(ragged)}Q")
        page = by_offset[page_at]
        check(
            (page.kind, page.group, page.length) == (PAGE, group, page_len), "a page is elsewhere"
        )
        samples += decode_group(page, by_offset, fields, samples)
        check(samples == end, "the root counts other samples")
        check(items == [sum(field.lengths) for field in ragged], "the root counts other items")
        group += 1
    for field, (count, size, *_) in zip(fields, totals, strict=True):
        check(count == sum(map(len, field.parts)), "the root counts other items of a field")
        own = [r.length for r in rest if r.kind in (SEGMENT, BLOCK) and r.field == field.number]
        check(size == sum(own), "the root has other bytes of a field")
    return fields

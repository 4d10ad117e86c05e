"""Damage: what is wrong is an error, never wrong data; what is hostile is refused."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import huffq
import reference_store
from huffq import _huffq
from reference_decoder import crc32c
from store_files import ACTS, LABELS, TOKENS, records, write


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "acts.huffq"


def read_all(path: Path) -> None:
    """Read everything: it is right, or a typed error."""
    dataset = huffq.open(path, threads=1)
    n = len(dataset)
    np.testing.assert_array_equal(dataset["acts"][:], ACTS[:n])
    np.testing.assert_array_equal(dataset["label"][:], LABELS[:n])
    for one, other in zip(dataset["tokens"][:], TOKENS[:n], strict=True):
        np.testing.assert_array_equal(one, other)
    assert dataset.metadata == {"a": 1}


def test_every_bit_flip_of_a_small_file_is_an_error_or_harmless(path: Path) -> None:
    whole = write(path, 6, group_samples=4)
    read_all(path)
    quiet = 0
    with path.open("r+b", buffering=0) as file:
        for bit in range(8 * len(whole)):
            os.pwrite(file.fileno(), bytes([whole[bit // 8] ^ 1 << bit % 8]), bit // 8)
            with pytest.raises(huffq.HuffqError):
                huffq.open(path, threads=1).verify()
            with contextlib.suppress(huffq.HuffqError):
                read_all(path)
                quiet += 1
            os.pwrite(file.fileno(), whole[bit // 8 : bit // 8 + 1], bit // 8)
    # Copies that reading has no need of.
    assert 0 < quiet < 4 * len(whole)


def test_every_truncation_is_an_error(path: Path) -> None:
    whole = write(path, 6, group_samples=4)
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(huffq.TruncatedFileError):
            huffq.open(path)


LARGE = 30_000
"""Samples of the large file."""

LARGE_GROUP = 4096


@pytest.fixture(scope="module")
def large() -> dict[str, npt.NDArray[Any]]:
    """Fields of a large file; `tokens` are ragged samples laid end to end."""
    rng = np.random.default_rng(2)
    lengths = rng.integers(0, 13, LARGE).astype(np.uint64)
    acts = np.repeat(rng.geometric(0.4, (LARGE, 8, 16, 8)).clip(1, 16) - 1, 2, 3).astype(np.uint8)
    tokens = (rng.geometric(0.3, (int(lengths.sum()), 64)).clip(1, 16) - 9).astype(np.int8)
    label = rng.integers(0, 1000, LARGE, np.int32)
    return {"acts": acts, "tokens": tokens, "embedding": rng.random((LARGE, 40)), "label": label,
            "lengths": lengths}  # fmt: skip


def write_large(path: Path, level: str, source: dict[str, npt.NDArray[Any]]) -> None:
    """A file of tens of megabytes: eight groups, `tokens` in several segments each."""
    fields: list[dict[str, Any]] = [
        {"name": "acts", "bits": 4, "sample_shape": [8, 16, 16]},
        {"name": "tokens", "bits": 4, "signed": True, "sample_shape": [None, 64],
         "block_items": 16},
        {"name": "embedding", "item_bytes": 8, "dtype": "<f8", "sample_shape": [40]},
        {"name": "label", "item_bytes": 4, "dtype": "<i4", "sample_shape": []},
    ]  # fmt: skip
    schema = {"fields": fields, "level": level, "group_samples": LARGE_GROUP, "metadata": {"a": 1}}
    writer = _huffq.StoreWriter(path, json.dumps(schema), None, False)
    parts = [(source[f["name"]].reshape(-1).view(np.uint8), None) for f in fields]
    writer.write(LARGE, [parts[0], (parts[1][0], source["lengths"]), *parts[2:]])
    writer.finish()


def read_large(path: Path, source: dict[str, npt.NDArray[Any]]) -> None:
    """Read everything, group by group: it is right, or a typed error."""
    dataset = huffq.open(path, cache_bytes=0)
    assert dataset.metadata == {"a": 1}
    assert len(dataset) == LARGE
    ends = np.concatenate(([0], np.cumsum(source["lengths"]))).astype(int)
    for start in range(0, LARGE, LARGE_GROUP):
        group = slice(start, start + LARGE_GROUP)
        items = slice(int(ends[start]), int(ends[min(start + LARGE_GROUP, LARGE)]))
        for name in dataset.fields:
            with contextlib.suppress(huffq.HuffqError):
                if name == "tokens":
                    assert np.array_equal(dataset[name].flat[items], source[name][items])
                    assert np.array_equal(dataset[name].lengths(group), source["lengths"][group])
                else:
                    assert np.array_equal(dataset[name][group], source[name][group])


@pytest.mark.soak
@pytest.mark.parametrize(("level", "flips"), [("fast", 2000), ("dense", 4000), ("max", 4000)])
def test_random_bit_flips_of_a_large_file(
    path: Path, large: dict[str, npt.NDArray[Any]], level: str, flips: int, *, soak: bool
) -> None:
    write_large(path, level, large)
    whole = path.read_bytes()
    assert len(whole) > 20_000_000
    read_large(path, large)
    rng = np.random.default_rng(1)
    with path.open("r+b", buffering=0) as file:
        for _ in range(flips if soak else 10):
            place, bit = int(rng.integers(len(whole))), int(rng.integers(8))
            os.pwrite(file.fileno(), bytes([whole[place] ^ 1 << bit]), place)
            with pytest.raises(huffq.HuffqError):
                huffq.open(path).verify()
            with contextlib.suppress(huffq.HuffqError):
                read_large(path, large)
            os.pwrite(file.fileno(), whole[place : place + 1], place)


def test_a_file_cut_while_it_is_read_is_an_error(path: Path) -> None:
    data = write(path)
    dataset = huffq.open(path, cache_bytes=0)
    with path.open("r+b") as file:
        file.truncate(len(data) // 3)
    np.testing.assert_array_equal(dataset["acts"][0], ACTS[0])
    with pytest.raises(huffq.TruncatedFileError):
        dataset["acts"][-1]


def record(kind: int, payload: bytes, field: int = 0, group: int = 0, place: int = 0) -> bytes:
    rest = struct.pack("<BBHIII", kind, 1, field, group, place, len(payload)) + payload
    return b"\xf7HQR" + struct.pack("<I", crc32c(rest)) + rest


def file_of(schema: bytes, body: bytes, entries: list[tuple[int, ...]], totals: bytes) -> bytes:
    """A file whose root has these entries."""
    header = b"\x89HUFFQ\r\n" + struct.pack("<HHII", reference_store.VERSION, 0, 0, 0)
    front = header + struct.pack("<I", crc32c(header)) + record(1, schema) + body
    listed = b"".join(struct.pack("<QI" + "Q" * (len(entry) - 2), *entry) for entry in entries)
    root = record(5, struct.pack("<I", len(schema)) + schema + totals + listed)
    trailer = struct.pack("<QIHHII", len(front), len(root), reference_store.VERSION, 0, 0, 0)
    return front + root + trailer + struct.pack("<I", crc32c(trailer)) + b"HUFFQEND"


def varints(*numbers: int) -> bytes:
    out = bytearray()
    for number in numbers:
        while number > 127:
            out.append(number & 127 | 128)
            number >>= 7
        out.append(number)
    return bytes(out)


FIELD = {"name": "f", "bits": 4, "signed": False, "sample_shape": [2]}


def totals_of(items: int) -> bytes:
    """What the root says of `FIELD` as a whole, but for bytes and counts."""
    return struct.pack("<QQ", items, 0) + bytes(8 * 16)


def schema_of(**changes: Any) -> bytes:
    return json.dumps({"fields": [FIELD | changes]}).encode()


def page_file(page: bytes, samples: int, **changes: Any) -> bytes:
    """A file of one group whose page is made up."""
    schema = schema_of(**changes)
    start = 24 + 24 + len(schema)
    page = record(4, struct.pack("<Q", start) + page)
    return file_of(schema, page, [(start, len(page), samples)], totals_of(samples))


def hostile() -> Iterator[tuple[str, bytes]]:
    head = varints(0, 1 << 19)
    yield "samples without blocks", page_file(varints(1, len(head)) + head, 1 << 19)
    yield "more samples than a group has", page_file(b"", 1 << 40)
    for samples in (1 << 62, (1 << 64) - 1):
        yield "samples beyond memory", page_file(b"", samples)
    one = varints(0, 1)
    yield "a terabyte of a sample", page_file(varints(1, len(one)) + one, 1, sample_shape=[1 << 40])
    yield "a shape that overflows", page_file(b"", 1, sample_shape=[1 << 33, 1 << 33])
    yield "endless segments", page_file(varints((1 << 63) - 1), 1)
    yield "an endless segment", page_file(varints(1, (1 << 63) - 1), 1)
    yield "an endless block", page_file(varints(1, len(one)) + one + varints(1 << 62), 1)
    schema = schema_of()
    start = 24 + 24 + len(schema)
    page = record(4, struct.pack("<Q", start) + varints(1, len(one)) + one)
    entry = (start, len(page), 1)
    for what, entries in {
        "a page twice": [entry, (*entry[:2], 2)],
        "pages within each other": [entry, (start + 1, 10, 2)],
        "a page in the root": [(start + 40, 1 << 30, 1)],
        "a page at the end of numbers": [(2**64 - 9, 99, 1)],
    }.items():
        yield what, file_of(schema, page, entries, totals_of(entries[-1][2]))
    yield "more samples than its groups have", file_of(schema, page, [entry], totals_of(5))
    yield (
        "fewer samples than before",
        file_of(schema, page, [(start, 40, 5), (start + 40, 9, 4)], totals_of(4)),
    )
    axes = schema_of(sample_shape=[1] * 60_000)
    yield "a shape of many axes", file_of(axes, b"", [], totals_of(0))
    yield "a root that is too short", file_of(schema, page, [], totals_of(0)[:-1])
    yield "an element of terabytes", file_of(
        json.dumps({"fields": [{"name": "f", "item_bytes": 1 << 40, "dtype": "<i4",
                                "sample_shape": []}]}).encode(), b"", [], bytes(16),
    )  # fmt: skip
    yield "nested JSON", file_of(b"[" * 50_000, b"", [], b"")
    yield "no fields", file_of(b'{"fields": []}', b"", [], b"")


@pytest.mark.parametrize("data", [pytest.param(data, id=what) for what, data in hostile()])
def test_hostile_files_are_refused_at_once(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begin = time.perf_counter()
    with pytest.raises(huffq.CorruptFileError):  # noqa: PT012 (either may notice)
        dataset = huffq.open(path)
        dataset.verify()
    with pytest.raises(huffq.CorruptFileError):
        huffq.recover(path, path.with_name("new.huffq"))
    assert time.perf_counter() - begin < 0.2
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 8192


@pytest.mark.parametrize("tokens", [1 << 44, 1 << 63, (1 << 64) - 1])
def test_tokens_beyond_numbers_are_refused_on_opening(path: Path, tokens: int) -> None:
    schema = schema_of(sample_shape=[None, 1 << 20])
    start = 24 + 24 + len(schema)
    page = record(4, struct.pack("<Q", start))
    entries = [(start, len(page), 1, tokens)]
    path.write_bytes(file_of(schema, page, entries, totals_of(tokens)))
    with pytest.raises(huffq.CorruptFileError, match="more blocks than its page can list"):
        huffq.open(path)


def test_names_of_a_megabyte_are_read(path: Path) -> None:
    name = "n" * (1 << 20)
    huffq.encode_dataset({name: LABELS.astype(np.uint8)}, path)
    np.testing.assert_array_equal(huffq.open(path)[name][:5], LABELS[:5])


def with_form(data: bytearray, form: int, start: int, offset: int, value: int) -> bytearray:
    """A file whose version or features, 12 bytes at `form`, have another `value` at an offset.

    Their checksum follows them, and is that of the bytes from `start` on.
    """
    data = data.copy()
    data[form + offset] = value
    data[form + 12 : form + 16] = struct.pack("<I", crc32c(data[start : form + 12]))
    return data


def test_newer_files_are_named(path: Path) -> None:
    data = bytearray(write(path))
    # The trailer alone is looked at by who opens a file, the header by who finds no trailer.
    cut = data[:-36]
    trailer, header = (len(data) - 24, len(data) - 36), (8, 0)
    for whole, (form, start) in ((data, trailer), (cut, header)):
        for offset, value, message in (
            (0, 7, rf"version 7 .* reads version {reference_store.VERSION}"),
            (4, 4, "requires features 0x00000004"),
        ):
            newer = with_form(whole, form, start, offset, value)
            path.write_bytes(newer)
            with pytest.raises(huffq.UnsupportedVersionError, match=message):
                huffq.open(path)
    optional = 8
    path.write_bytes(with_form(with_form(data, *trailer, optional, 1), *header, optional, 1))
    read_all(path)


def test_a_root_that_counts_more_ragged_samples_than_its_page_is_refused(path: Path) -> None:
    samples = [np.zeros((n, 3), np.uint8) for n in (2, 0, 3)]
    huffq.encode_dataset({"tokens": samples}, path, bits={"tokens": 2})
    data = path.read_bytes()
    (root,) = records(data, reference_store.ROOT)
    # The last entry ends with the number of samples so far, and that of the field's items.
    assert root.payload[-16:] == struct.pack("<QQ", 3, 5)
    forged = record(reference_store.ROOT, root.payload[:-16] + struct.pack("<QQ", 4, 5))
    path.write_bytes(data[: root.offset] + forged + data[-36:])
    with pytest.raises(huffq.CorruptFileError, match="the root counts other samples"):
        huffq.open(path)["tokens"][3]

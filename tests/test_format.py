"""docs/format.md: a decoder written from the page reads what huffq writes."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import huffq
import reference_block
import reference_decoder
import reference_max
import reference_nested
import reference_store
from huffq import _huffq
from reference_block import FormatError
from reference_nested import Axes, Codebook

SHAPES = hnp.array_shapes(min_dims=0, max_dims=5, min_side=0, max_side=9)
LEVELS: tuple[huffq.codec.Level, ...] = ("fast", "dense", "max")
IMAGES = (12, 5, 17, 15)
"""Shape of arrays that are large enough for a codebook."""


@dataclass
class Trace:
    """What the reference decoder has met.

    Attributes:
        methods: Blocks by method byte.
        tags: Tags of masks: "raw", "static", "own".
        trees: Trees by their first bit.
        lanes: Nested payloads by number of lanes.
        flagged: Nested payloads with a flag set.
    """

    methods: Counter[int] = field(default_factory=Counter)
    tags: Counter[str] = field(default_factory=Counter)
    trees: Counter[str] = field(default_factory=Counter)
    lanes: Counter[int] = field(default_factory=Counter)
    flagged: int = 0


@pytest.fixture
def trace(monkeypatch: pytest.MonkeyPatch) -> Trace:
    seen = Trace()
    decode_block, read_tag = reference_block.decode_block, reference_nested.read_tag
    read_class = reference_nested.read_class

    def upcoming(reader: Any, bits: int) -> str:
        text: str = reader.text[reader.at : reader.at + bits]
        return text

    def traced_block(block: bytes, *rest: Any) -> Any:
        seen.methods[block[0]] += 1
        return decode_block(block, *rest)

    def traced_tag(reader: Any) -> Any:
        bits = upcoming(reader, 2)
        seen.tags["raw" if bits[0] == "0" else {"10": "static", "11": "own"}[bits]] += 1
        return read_tag(reader)

    def traced_class(reader: Any, size: int) -> Any:
        seen.trees[upcoming(reader, 1)] += 1
        return read_class(reader, size)

    class TracedPayload(reference_nested.PayloadReader):
        def __init__(self, payload: bytes, coded: int, n: int) -> None:
            super().__init__(payload, coded, n)
            seen.lanes[len(self.lanes)] += 1
            seen.flagged += any(payload[: (coded + 7) // 8])

    monkeypatch.setattr(reference_decoder, "decode_block", traced_block)
    monkeypatch.setattr(reference_store, "decode_block", traced_block)
    monkeypatch.setattr(reference_nested, "read_tag", traced_tag)
    monkeypatch.setattr(reference_nested, "read_class", traced_class)
    monkeypatch.setattr(reference_nested, "PayloadReader", TracedPayload)
    return seen


def activations(shape: tuple[int, ...], bits: int, signed: bool, seed: int = 0) -> npt.NDArray[Any]:
    """Codes like neighbours along every axis of a sample, with a spread of every channel's own."""
    random = np.random.default_rng(seed)
    x = random.normal(size=shape)
    for axis in range(1, len(shape)):
        x += 0.9 * np.roll(x, 1, axis)
    if len(shape) > 1:
        channel = 2 if len(shape) == 3 else max(1, len(shape) - 3)
        spread = random.normal(size=shape[channel])
        x *= np.exp(spread).reshape(-1, *[1] * (len(shape) - channel - 1))
    low, high = limits(bits, signed)
    scale = x.std() if x.size > 1 else 1.0
    codes: npt.NDArray[Any] = np.clip(np.round(x / scale * 2**bits / 8), low, high)
    return codes.astype(dtype(signed))


def limits(bits: int, signed: bool) -> tuple[int, int]:
    return (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)


def dtype(signed: bool) -> type[np.int8 | np.uint8]:
    return np.int8 if signed else np.uint8


def assert_decodes(x: npt.NDArray[Any], **options: Any) -> None:
    y = reference_decoder.decode_array(huffq.encode(x, **options))
    np.testing.assert_array_equal(y, x, strict=True)


def test_crc_is_castagnolis() -> None:
    assert reference_decoder.crc32c(b"123456789") == 0xE3069283  # the check value of RFC 3720's CRC


@given(st.data(), st.integers(1, 8), st.booleans(), st.sampled_from(LEVELS))
def test_encoded_arrays(
    data: st.DataObject, bits: int, signed: bool, level: huffq.codec.Level
) -> None:
    elements = st.one_of(st.just(0), st.integers(*limits(bits, signed)))
    x = data.draw(hnp.arrays(dtype(signed), SHAPES, elements=elements))
    assert_decodes(x, bits=bits, level=level)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("alphabet", [2, 3, 16, 100, 256])
@pytest.mark.parametrize("skew", [1.0, 3.0, 12.0])
def test_encoded_arrays_of_several_blocks(
    alphabet: int, skew: float, level: huffq.codec.Level
) -> None:
    random = np.random.default_rng(0).random((2, 40_001))
    assert_decodes((alphabet * random**skew).astype(np.uint8), level=level)


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("bits", range(1, 9))
@pytest.mark.parametrize(
    "shape", [(900, 12), (40, 30, 9), IMAGES, (7, 2, 3, 11, 30), (1, 4, 60, 60)]
)
def test_nested_blocks(shape: tuple[int, ...], bits: int, signed: bool, trace: Trace) -> None:
    assert_decodes(activations(shape, bits, signed), bits=bits)
    assert set(trace.methods) == {4}
    assert trace.tags["static"] > 0


@pytest.mark.parametrize("bits", [1, 2, 3])
def test_nested_blocks_without_axes(bits: int, trace: Trace) -> None:
    assert_decodes(activations((20_000,), bits, False), bits=bits)
    assert set(trace.methods) == {4}


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_nested_blocks_with_any_axes(data: st.DataObject) -> None:
    sides = st.lists(st.sampled_from([1, 2, 3, 4, 5, 7, 8]), max_size=4)
    sample_shape = data.draw(sides)
    samples = -(-4096 // int(np.prod(sample_shape))) + data.draw(st.integers(0, 3))
    bits, signed = data.draw(st.integers(1, 8)), data.draw(st.booleans())
    x = activations((samples, *sample_shape), bits, signed, data.draw(st.integers(0, 99)))
    if sample_shape:
        axes = data.draw(st.permutations(range(1, x.ndim)))
        neighbours = axes[1 : 1 + data.draw(st.integers(0, 2))]
        assert_decodes(x, bits=bits, channel_axis=axes[0], neighbour_axes=neighbours)
    else:
        assert_decodes(x, bits=bits)


def test_masks_under_every_kind_of_code(trace: Trace) -> None:
    x = np.repeat(np.repeat(activations((6, 4, 30, 30), 4, False), 2, 3), 2, 2)
    assert_decodes(x)
    assert set(trace.methods) == {4}
    assert min(trace.tags[kind] for kind in ("raw", "static", "own")) > 0


@pytest.mark.parametrize("signed", [False, True])
def test_trees_of_code_lengths(signed: bool, trace: Trace) -> None:
    """Frequencies that alternate from number to number."""
    x = activations(IMAGES, 4, False)
    order = np.array([0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15])
    x = order[x].astype(np.uint8)
    assert_decodes((x.astype(np.int8) - 8) if signed else x, bits=4)
    assert trace.methods[4] == 1
    assert trace.trees["0"] > 0


def test_masks_that_coding_does_not_shrink_and_few_lanes(trace: Trace) -> None:
    """What holds for the first blocks does not for the last, which is short."""
    x = activations((265, 4, 16, 16), 3, False)
    x[256:] = np.random.default_rng(0).permuted(x[256:].reshape(-1)).reshape(x[256:].shape)
    x[256:, 0] ^= 1
    x = x[:259]
    assert_decodes(x, bits=3)
    assert trace.methods[4] == 5
    assert trace.lanes == {8: 4, 1: 1}
    assert trace.flagged > 0


def test_groups_of_channels(trace: Trace) -> None:
    assert_decodes(activations((30, 1500), 4, True), bits=4)
    assert set(trace.methods) == {4}


def test_several_segments(trace: Trace) -> None:
    """Samples of two blocks, most of them constant."""
    x = np.zeros((65, 4, 64, 300), np.uint8)
    x[[0, 63, 64]] = activations((3, 4, 64, 300), 3, False)
    assert_decodes(x)
    assert trace.methods == {0: 2 * 62, 4: 2 * 3}


def test_the_serial_examples_of_the_page() -> None:
    code = reference_block.canonical_code([1, 2, 2])
    assert reference_block.decode_serial(bytes.fromhex("015980"), code, 6) == [0, 1, 2, 0, 0, 2]
    words = ["0000", "00C0", "0000", *["0000"] * 29, "0000", "0000", "0000"]
    odds = ["0080", "0000", "00C0", *["0000"] * 29, "0000", "0000", "0000"]
    payload = bytes.fromhex("40 23000000" + "".join(words + odds))
    assert reference_block.decode_serial(payload, code, 6) == [0, 1, 2, 0, 0, 2]
    with pytest.raises(reference_block.FormatError):
        reference_block.decode_serial(payload.replace(b"\x23", b"\x22"), code, 6)


@pytest.mark.parametrize("n", [3, 64, 1000, 40_000])
@pytest.mark.parametrize("lengths", [[1, 2, 3, 3], [*range(1, 13), 12], [4] * 16], ids=str)
def test_huffq_reads_64_streams_written_from_the_page(lengths: list[int], n: int) -> None:
    symbols = np.random.default_rng(n).integers(0, len(lengths), n)
    payload = bytes([64]) + streams(lengths, symbols)
    code = reference_block.canonical_code(lengths)
    assert reference_block.decode_serial(payload, code, n) == symbols.tolist()
    table = np.zeros(16, np.uint8)
    table[: len(lengths)] = lengths
    block = b"\2" + (table[::2] << 4 | table[1::2]).tobytes() + payload
    np.testing.assert_array_equal(huffq.decode(fast_blob(n, block)), symbols)
    other_count = block[:10] + bytes([block[10] ^ 1]) + block[11:]
    for damaged in (block[:-2], block + b"\0\0", other_count):
        with pytest.raises(huffq.HuffqError):
            huffq.decode(fast_blob(n, damaged))


def streams(lengths: list[int], symbols: npt.NDArray[np.int64]) -> bytes:
    """The words of 64 streams, by the page, behind the number of those of the first group."""
    words = {symbol: word for word, symbol in reference_block.canonical_code(lengths).items()}
    groups = [group_words([words[s] for s in symbols[i::2].tolist()]) for i in (0, 1)]
    numbers = [int(word, 2) for group in groups for word in group]
    return len(groups[0]).to_bytes(4, "little") + np.array(numbers, "<u2").tobytes()


def group_words(codewords: list[str]) -> list[str]:
    texts = ["".join(codewords[i::32]) for i in range(32)]
    texts = [text + "0" * (-len(text) % 16 + 16) for text in texts]
    words, held, taken = [text[:16] for text in texts], [16] * 32, [16] * 32
    for i, codeword in enumerate(codewords):
        stream = i % 32
        held[stream] -= len(codeword)
        if held[stream] < 16:
            words.append(texts[stream][taken[stream] : taken[stream] + 16])
            held[stream], taken[stream] = held[stream] + 16, taken[stream] + 16
    return words


def fast_blob(n: int, block: bytes) -> bytes:
    """An array at level fast of n unsigned 4-bit symbols in one block."""
    header = b"HQA" + bytes([1, 4, 1]) + varint(n) + varint(len(block))
    checksums = [reference_decoder.crc32c(part).to_bytes(4, "little") for part in (header, block)]
    return header + b"".join(checksums) + block


def varint(number: int) -> bytes:
    if number < 128:
        return bytes([number])
    return bytes([number & 127 | 128]) + varint(number >> 7)


def test_the_pivot_example_of_the_page() -> None:
    tree = reference_block.pivot_tree([1, 3, 3, 3, 4, 4])
    payload = bytes.fromhex("34 01 00 01 06 0B B2")
    assert reference_block.decode_pivot(payload, tree, 8) == [0, 3, 0, 0, 5, 1, 0, 4]


def test_the_sequence_example_of_the_page() -> None:
    order = [0, 1, 2, 3, 6, 7, 8, 9, 4, 5, 10, 11, 12, 13, 14, 15, 16, 17]
    places = reference_nested.channel_places(1, [3, 6], Axes(None, 1, 0))
    np.testing.assert_array_equal(places, [order])


def test_the_static_code_example_of_the_page() -> None:
    lengths = list(reference_nested.static_lengths(8))
    assert Counter(lengths) == {2: 1, 4: 5, 5: 3, 7: 26, 8: 2, 10: 53, 11: 166}
    words = {byte: word for word, byte in reference_block.canonical_code(lengths).items()}
    assert (words[0], words[1], words[0x24]) == ("00", "10010", "1011110")
    assert words[0xFF] == 11 * "1"


def test_the_nested_example_of_the_page() -> None:
    codebook = Codebook(bytes.fromhex("2C 62 0C"), 2, True, [2], reference_nested.usual_axes([2]))
    payload = bytes.fromhex("00 01 BC 01 01 8D 06")
    codes = reference_decoder.to_codes(codebook.decode(payload, 12), 2, True)
    assert codes.tolist() == [-2, -1, -2, 1, 0, -2, -2, 0, -2, 0, 1, -1]


@pytest.mark.parametrize(
    ("shape", "axes"),
    [
        ((90, 3, 16, 12), None),
        ((90, 3, 16, 12), (3, (1, 2))),
        ((60, 21, 9), None),
        ((60, 21, 9), (None, (2,))),
        ((4000, 5), None),
    ],
)
@pytest.mark.parametrize(("bits", "signed"), [(4, False), (5, True)])
def test_blocks_of_level_max(
    shape: tuple[int, ...], axes: Any, bits: int, signed: bool, trace: Trace
) -> None:
    channel, neighbours = axes or (None, None)
    x = activations(shape, bits, signed)
    assert_decodes(x, bits=bits, level="max", channel_axis=channel, neighbour_axes=neighbours)
    assert trace.methods[4] == 1


def test_samples_of_level_max_that_are_cut(trace: Trace) -> None:
    x = activations((1, 3, 500, 400), 3, False)
    assert_decodes(x, bits=3, level="max")
    assert trace.methods[4] == 2


def test_the_example_of_level_max_on_the_page() -> None:
    axes = Axes(None, 0, None)
    codebook = reference_max.Codebook(bytes.fromhex("08 46 80"), 1, False, [3], axes)
    assert codebook.decode(bytes.fromhex("04 02 0E 01"), 6) == [0, 1, 1, 1, 1, 0]


@settings(max_examples=25)
@given(
    st.integers(1, 9),
    st.integers(0, 2**32),
    st.sampled_from([(), (3,), (2, 5), (0, 2), (3, 40, 40)]),
    st.sampled_from(LEVELS),
)
def test_files(
    tmp_path_factory: Any,
    samples: int,
    seed: int,
    sample_shape: tuple[int, ...],
    level: huffq.codec.Level,
) -> None:
    path: Path = tmp_path_factory.mktemp("format") / "a.huffq"
    rng = np.random.default_rng(seed)
    fields = {
        "a": rng.integers(0, 4, (samples, *sample_shape)).astype(np.uint8) ** 2,
        "größe": rng.integers(-60, 60, (samples, 7)).astype(np.int8),
    }
    huffq.encode_dataset(fields, path, level=level)
    assert_holds(path, fields)


def assert_holds(path: Path, fields: dict[str, Any]) -> None:
    read = reference_store.decode_file(path.read_bytes())
    assert list(read) == list(fields)
    for name, x in fields.items():
        assert len(read[name]) == len(x)
        if isinstance(x, list):
            for one, expected in zip(read[name], x, strict=True):
                np.testing.assert_array_equal(one, expected, strict=True)
        else:
            np.testing.assert_array_equal(read[name], x, strict=True)


@pytest.mark.parametrize("level", LEVELS)
def test_files_of_several_groups(level: huffq.codec.Level, tmp_path: Path, trace: Trace) -> None:
    """Fields whose blocks have few samples, one of them with axes of its own."""
    fields = {
        "images": activations((300, 3, 8, 6), 4, False),
        "tokens": activations((300, 9, 20), 5, True),
        "noise": np.random.default_rng(0).integers(0, 256, 300).astype(np.uint8),
    }
    own: dict[str, dict[str, Any]] = {
        "images": {"bits": 4, "axes": None, "block_items": 1},
        "tokens": {"bits": 5, "axes": {"channel": 0, "neighbours": [1, None]}, "block_items": 2},
        "noise": {"bits": 8},
    }
    schema = {
        "level": level,
        "group_samples": 128,
        "fields": [
            {"name": name, "signed": x.dtype == np.int8, "sample_shape": x.shape[1:], **own[name]}
            for name, x in fields.items()
        ],
    }
    path = tmp_path / "a.huffq"
    writer = _huffq.StoreWriter(path, json.dumps(schema), None, False)
    for part in (slice(0, 100), slice(100, 300)):
        batch = [(huffq.codec.as_bytes(x[part]), None) for x in fields.values()]
        writer.write(len(range(300)[part]), batch)
    writer.finish()
    assert_holds(path, fields)
    kinds = Counter(record.kind for record in reference_store.records(path.read_bytes()))
    assert kinds == {1: 1, 2: 3 * 3, 3: 300 + 150 + 3, 4: 3, 5: 1}
    assert (trace.methods[4] > 0) == (level == "dense")


@pytest.mark.parametrize("level", LEVELS)
def test_files_of_ragged_and_side_fields(level: huffq.codec.Level, tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    lengths = [0, 5, 300, 0, 1, 40]
    samples = len(lengths)
    fields = {
        "tokens": [activations((n, 30), 4, True) for n in lengths],
        "ids": [rng.integers(0, 50_000, n) for n in lengths],
        "planes": [activations((n, 5, 9), 4, False) for n in lengths],
        "wide": [activations((n % 3, 2, 40_000), 4, False) for n in lengths],
        "one": [activations((n,), 3, False) for n in lengths],
        "scales": rng.random((samples, 2, 3)).astype(np.float32),
        "names": np.array(["a", "bc", "", "def", "x", "y"]),
        "mask": rng.random((samples, 70_000)) < 0.5,
        "long": rng.random((samples, 3, 9_000)),
        "pairs": np.zeros(samples, [("a", "<i4"), ("b", "<f8", (2,))]),
    }
    coded = {"tokens": 4, "planes": 4, "wide": 4, "one": 3}
    path = tmp_path / "a.huffq"
    for batches in ([slice(0, 6)], [slice(i, i + 1) for i in range(6)]):
        with huffq.Writer(path, bits=coded, level=level) as writer:
            for batch in batches:
                writer.write({name: x[batch] for name, x in fields.items()})
        assert_holds(path, fields)


@pytest.mark.parametrize(
    "shape", [(2, 5, 100, 150), (2, 40, 1, 2000), (1, 2, 70_001), (2, 7, 20_000)]
)
def test_arrays_and_files_of_samples_larger_than_a_block(
    shape: tuple[int, ...], tmp_path: Path, trace: Trace
) -> None:
    x = activations(shape, 4, False)
    assert_decodes(x, bits=4)
    assert trace.methods[4] > 0
    huffq.encode_dataset(x, tmp_path / "a.huffq", bits=4)
    assert_holds(tmp_path / "a.huffq", {"data": x})


def test_the_reference_refuses_damage(tmp_path: Path) -> None:
    path = tmp_path / "a.huffq"
    huffq.encode_dataset(np.arange(40, dtype=np.uint8) % 5, path)
    whole = path.read_bytes()
    damaged = bytearray(whole)
    damaged[len(whole) // 2] ^= 4
    for data in (bytes(damaged), whole[:-1]):
        with pytest.raises(FormatError):
            reference_store.decode_file(data)

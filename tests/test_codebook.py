"""huffq.Codebook: many small arrays that share their codes."""

from __future__ import annotations

import copy
import os
import pickle
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import huffq
from reference_block import FormatError
from reference_shared import SharedCodebook

SAMPLE_SHAPES = [(), (1,), (128,), (7, 3), (2, 4, 8), (3, 5, 6), (2, 1, 3, 9)]
LEVELS = ["dense", "max"]


def activations(shape: tuple[int, ...], bits: int, signed: bool, seed: int = 0) -> Any:
    """Codes like neighbours along every axis of a sample, small ones more frequent."""
    x = np.random.default_rng(seed).normal(size=shape)
    for axis in range(1, len(shape)):
        x += 0.9 * np.roll(x, 1, axis)
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    return np.clip(np.round(x * 2**bits / 8), low, high).astype(np.int8 if signed else np.uint8)


@settings(max_examples=80, deadline=None)
@given(
    st.sampled_from(SAMPLE_SHAPES),
    st.sampled_from(LEVELS),
    st.integers(1, 8),
    st.booleans(),
    st.integers(1, 40),
    st.none() | st.integers(0, 20),
    st.integers(0, 2**20),
    st.data(),
)
def test_arrays_come_back_here_and_by_the_reference(
    sample_shape: tuple[int, ...],
    level: Any,
    bits: int,
    signed: bool,
    trained: int,
    samples: int | None,
    seed: int,
    data: st.DataObject,
) -> None:
    axes: dict[str, Any] = {}
    if sample_shape and data.draw(st.booleans()):
        order = data.draw(st.permutations(range(1, 1 + len(sample_shape))))
        neighbours = order[1 : 1 + data.draw(st.integers(0, 2))]
        axes = {"channel_axis": order[0], "neighbour_axes": neighbours}
    learnt = activations((trained, *sample_shape), bits, signed, seed)
    book = huffq.Codebook.train(learnt, bits, level, **axes)
    assert (book.bits, book.level, book.signed) == (bits, level, signed)
    lead = () if samples is None else (samples,)
    x = activations((samples or 1, *sample_shape), bits, signed, seed + 1)
    x = x[: samples or 0] if lead else x[0]
    x = np.asarray(x)
    blob = huffq.encode(x, codebook=book)
    assert len(blob) <= -(-x.size * bits // 8) + 11
    read = huffq.Codebook.from_bytes(book.to_bytes())
    assert read == book
    np.testing.assert_array_equal(huffq.decode(blob, codebook=read), x, strict=True)
    reference = SharedCodebook(book.to_bytes())
    np.testing.assert_array_equal(reference.decode(blob), x, strict=True)


def test_the_example_of_the_page() -> None:
    data = bytes.fromhex("48 51 43 01 12 01 04 01 00 00 01 18 12 33 E6 E5 4B 02")
    one = bytes.fromhex("48 51 81 E6 E5 00 05 67 28 E9 D3 19")
    two = bytes.fromhex("48 51 81 E6 E5 03 05 23 38 C7 88 5D 56")
    book, reference = huffq.Codebook.from_bytes(data), SharedCodebook(data)
    assert (book.bits, book.dtype, book.sample_shape) == (2, np.uint8, (4,))
    for x, blob in ([0, 2, 0, 3], one), ([[0, 0, 1, 0], [0, 2, 0, 3]], two):
        assert huffq.decode(blob, codebook=book).tolist() == x
        assert reference.decode(blob).tolist() == x


@pytest.mark.parametrize("level", LEVELS)
def test_arrays_of_several_blocks(level: Any) -> None:
    x = activations((1900, 3, 10, 10), 4, False)
    book = huffq.Codebook.train(x[:300], bits=4, level=level)
    blobs = {huffq.encode(x, codebook=book, threads=n) for n in (1, 2, 5, None)}
    assert len(blobs) == 1
    (blob,) = blobs
    np.testing.assert_array_equal(huffq.decode(blob, codebook=book), x)
    np.testing.assert_array_equal(SharedCodebook(book.to_bytes()).decode(blob), x)
    assert len(blob) < 1.1 * len(huffq.encode(x, bits=4, level=level))


@pytest.mark.parametrize("level", LEVELS)
def test_a_small_array_takes_little_more_than_its_entropy(level: Any) -> None:
    x = np.random.default_rng(0).geometric(0.45, (2000, 128)).clip(1, 16).astype(np.uint8) - 1
    book = huffq.Codebook.train(x[:1000], bits=4, level=level, neighbour_axes=(1,))
    share = np.bincount(x[1000:].reshape(-1)) / x[1000:].size
    share = share[share > 0]
    entropy = -(share * np.log2(share)).sum() * 128 / 8
    sizes = [len(huffq.encode(row, codebook=book)) for row in x[1000:]]
    assert np.mean(sizes) < 1.03 * entropy + 12


def test_bytes_are_the_same_for_every_backend() -> None:
    program = """
import hashlib, numpy as np, huffq
rng = np.random.default_rng(0)
x = np.cumsum(rng.integers(-1, 2, (600, 3, 8, 8)), axis=3).clip(-8, 7).astype(np.int8)
digest = hashlib.sha256()
for level in ("dense", "max"):
    book = huffq.Codebook.train(x[:200], bits=4, level=level)
    for part in (x, x[5], x[:7]):
        blob = huffq.encode(part, codebook=book)
        assert (huffq.decode(blob, codebook=book) == part).all()
        digest.update(book.to_bytes() + blob)
print(digest.hexdigest())
"""
    digests = set()
    for backend in ("portable", "avx2", "avx512"):
        environment = os.environ | {"HUFFQ_BACKEND": backend}
        command = [sys.executable, "-c", program]
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        assert done.returncode == 0 or backend != "portable", done.stderr
        if done.returncode == 0:
            digests.add(done.stdout)
    assert len(digests) == 1


def test_out_is_filled_and_returned() -> None:
    x = activations((5, 2, 4), 4, True)
    book = huffq.Codebook.train(x)
    blob = huffq.encode(x, codebook=book)
    out = np.empty_like(x)
    assert huffq.decode(bytearray(blob), out=out, codebook=book) is out
    np.testing.assert_array_equal(out, x)
    for wrong in (np.empty((4, 2, 4), np.int8), np.empty((5, 2, 4), np.uint8)):
        with pytest.raises(ValueError, match="out is"):
            huffq.decode(blob, out=wrong, codebook=book)


def test_attributes() -> None:
    x = activations((50, 6, 5, 4), 4, True)
    book = huffq.Codebook.train(x, bits=5, level="max")
    assert (book.level, book.bits, book.signed, book.dtype) == ("max", 5, True, np.int8)
    assert (book.sample_shape, book.channel_axis, book.neighbour_axes) == ((6, 5, 4), 1, (3, 2))
    assert repr(book) == "<Codebook of level max for int8 of 5 bits, samples [6, 5, 4]>"
    other = huffq.Codebook.train(x, bits=5, level="max", channel_axis=3, neighbour_axes=(2,))
    assert (other.channel_axis, other.neighbour_axes) == (3, (2,))
    scalar = huffq.Codebook.train(x.reshape(-1))
    assert (scalar.sample_shape, scalar.channel_axis, scalar.neighbour_axes) == ((), None, ())
    for twin in (pickle.loads(pickle.dumps(book)), copy.deepcopy(book)):
        assert twin == book
        assert hash(twin) == hash(book)
    assert len({book, other, scalar}) == 3
    assert book != "book"


def test_arrays_that_contradict_the_codebook_are_refused() -> None:
    x = activations((50, 6, 5), 4, False)
    book = huffq.Codebook.train(x, bits=4)
    options: list[dict[str, Any]] = [
        {"bits": 5},
        {"level": "max"},
        {"level": "fast"},
        {"channel_axis": 1},
        {"neighbour_axes": (2,)},
    ]
    for wrong in options:
        with pytest.raises(ValueError, match=r"the codebook has .*leave it out"):
            huffq.encode(x, codebook=book, **wrong)
    same = huffq.encode(x, 4, "dense", channel_axis=2, neighbour_axes=(1,), codebook=book)
    assert same == huffq.encode(x, codebook=book)
    with pytest.raises(TypeError, match="int8; the codebook is for uint8"):
        huffq.encode(x.astype(np.int8), codebook=book)
    with pytest.raises(TypeError, match="float32"):
        huffq.encode(x.astype(np.float32), codebook=book)
    for shape in ((6, 6), (50, 5, 6), (1, 50, 6, 5), (5,), ()):
        with pytest.raises(ValueError, match=r"codebook is for samples \[6, 5\]"):
            huffq.encode(np.zeros(shape, np.uint8), codebook=book)
    x[3, 2, 1] = 16
    message = r"value 16 at index 101 does not fit 4 bits unsigned \(0 to 15\)"
    with pytest.raises(ValueError, match=message):
        huffq.encode(x, codebook=book)
    with pytest.raises(ValueError, match="threads is 0"):
        huffq.encode(x, codebook=book, threads=0)


def test_wrong_arguments_of_training_name_the_thing() -> None:
    train: Any = huffq.Codebook.train
    with pytest.raises(ValueError, match="level of a codebook is fast; it must be dense or max"):
        train(np.zeros((3, 4), np.uint8), level="fast")
    with pytest.raises(ValueError, match="samples to train on is 0"):
        train(np.zeros((0, 4), np.uint8))
    with pytest.raises(ValueError, match="sample shape"):
        train(np.zeros((3, 0), np.uint8))
    with pytest.raises(ValueError, match=r"sample shape .* 1 to 65536 elements"):
        train(np.zeros((1, 65_537), np.uint8))
    with pytest.raises(ValueError, match="scalar"):
        train(np.uint8(3))
    with pytest.raises(TypeError, match="int64"):
        train(np.zeros((3, 4), np.int64))
    with pytest.raises(ValueError, match="value 16 at index 5 does not fit 4 bits"):
        train(np.array([[0, 1, 2, 3], [4, 16, 3, 2]], np.uint8), bits=4)
    with pytest.raises(ValueError, match="axis 0 is the samples"):
        train(np.zeros((3, 4), np.uint8), channel_axis=0)


def test_array_and_codebook_must_belong_together() -> None:
    x = activations((50, 6, 5), 4, False)
    book, other = huffq.Codebook.train(x), huffq.Codebook.train(x[:20])
    blob = huffq.encode(x, codebook=book)
    with pytest.raises(huffq.CodebookError, match=r"under codebook \w{4}; the one given is \w{4}"):
        huffq.decode(blob, codebook=other)
    with pytest.raises(huffq.CodebookError, match="give that codebook"):
        huffq.decode(blob)
    with pytest.raises(huffq.CodebookError, match="without a codebook; decode it without one"):
        huffq.decode(huffq.encode(x), codebook=book)
    with pytest.raises(FormatError, match="another codebook"):
        SharedCodebook(other.to_bytes()).decode(blob)


@pytest.mark.parametrize("level", LEVELS)
def test_damage_is_an_error(level: Any) -> None:
    x = activations((50, 2, 3, 4), 4, False)
    book = huffq.Codebook.train(x, level=level)
    data, blob = book.to_bytes(), huffq.encode(x[:2], codebook=book)

    def read_array(damaged: bytes) -> None:
        huffq.decode(damaged, codebook=book)

    for whole, read in ((blob, read_array), (data, huffq.Codebook.from_bytes)):
        for n in range(len(whole)):
            with pytest.raises(huffq.CorruptFileError):
                read(whole[:n])
        for bit in range(8 * len(whole)):
            flipped = bytearray(whole)
            flipped[bit // 8] ^= 1 << bit % 8
            with pytest.raises(huffq.HuffqError):
                read(bytes(flipped))
        newer = bytearray(whole)
        newer[3 if whole is data else 2] += 9
        with pytest.raises(huffq.UnsupportedVersionError, match=r"version \d+ .* version 1"):
            read(bytes(newer))
    with pytest.raises(huffq.CorruptFileError, match="HQC"):
        huffq.Codebook.from_bytes(b"PK\x03\x04 something else")

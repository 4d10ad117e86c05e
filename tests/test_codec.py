"""huffq.encode, huffq.decode and huffq.CodeTable."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import huffq

SHAPES = hnp.array_shapes(min_dims=0, max_dims=5, min_side=0, max_side=9)


@given(st.data(), st.sampled_from([np.uint8, np.int8]))
def test_arrays_round_trip_with_shape_and_dtype(data: st.DataObject, dtype: type) -> None:
    x = data.draw(hnp.arrays(dtype, SHAPES))
    y = huffq.decode(huffq.encode(x))
    assert y.dtype == x.dtype
    np.testing.assert_array_equal(y, x, strict=True)


@given(st.integers(1, 8), st.booleans(), st.integers(0, 2000), st.integers(0, 2**32))
def test_every_bit_width_round_trips_and_is_small(
    bits: int, signed: bool, n: int, seed: int
) -> None:
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1)) if signed else (0, 2**bits)
    x = np.random.default_rng(seed).integers(low, high, n).astype(np.int8 if signed else np.uint8)
    blob = huffq.encode(x, bits=bits)
    np.testing.assert_array_equal(huffq.decode(blob), x)
    assert len(blob) <= n * bits / 8 + 24


@pytest.mark.parametrize(
    "x",
    [
        np.zeros((0, 3), np.uint8),
        np.full((1, 1, 1), 7, np.int8),
        np.asfortranarray(np.arange(60, dtype=np.uint8).reshape(3, 4, 5)),
        np.arange(60, dtype=np.uint8).reshape(3, 4, 5)[::-1, ::2],
        np.zeros((1,) * 32, np.uint8),
        np.arange(300_000, dtype=np.uint32).astype(np.uint8).reshape(3, 100_000) % 13,
    ],
    ids=["empty", "one", "fortran", "strided", "32 axes", "many blocks"],
)
def test_any_memory_order(x: np.ndarray[Any, Any]) -> None:
    np.testing.assert_array_equal(huffq.decode(huffq.encode(x)), x, strict=True)


def test_bytes_do_not_depend_on_threads() -> None:
    x = np.random.default_rng(0).geometric(0.5, 500_000).clip(0, 15).astype(np.uint8)
    assert len({huffq.encode(x, threads=n) for n in (1, 2, 5, None)}) == 1
    np.testing.assert_array_equal(huffq.decode(huffq.encode(x), threads=3), x)


def test_skewed_input_approaches_its_entropy() -> None:
    x = np.random.default_rng(0).geometric(0.45, 1 << 20).clip(1, 16).astype(np.uint8) - 1
    share = np.bincount(x) / x.size
    entropy = -(share * np.log2(share)).sum()
    assert 8 * len(huffq.encode(x)) / x.size < entropy + 0.06


def test_out_is_filled_and_returned() -> None:
    x = np.arange(-8, 8, dtype=np.int8).reshape(4, 4)
    blob = huffq.encode(x)
    out = np.full((4, 4), 99, np.int8)
    assert huffq.decode(blob, out=out) is out
    np.testing.assert_array_equal(out, x)
    read_only = np.zeros((4, 4), np.int8)
    read_only.flags.writeable = False
    for wrong in (np.zeros(16, np.int8), np.zeros((4, 4), np.uint8), out.T.copy().T, read_only):
        with pytest.raises(ValueError, match="out"):
            huffq.decode(blob, out=wrong)


@pytest.mark.parametrize("buffer", [bytes, bytearray, memoryview])
def test_any_buffer_decodes(buffer: Any) -> None:
    x = np.arange(9, dtype=np.uint8)
    np.testing.assert_array_equal(huffq.decode(buffer(huffq.encode(x))), x)


def test_a_torch_tensor_is_accepted() -> None:
    torch = pytest.importorskip("torch")
    x = torch.arange(12, dtype=torch.uint8).reshape(3, 4)
    np.testing.assert_array_equal(huffq.decode(huffq.encode(x)), x.numpy())


def test_wrong_arguments_name_the_thing() -> None:
    with pytest.raises(TypeError, match="float32"):
        huffq.encode(np.zeros(3, np.float32))
    with pytest.raises(
        ValueError, match=r"value 16 at index 5 does not fit 4 bits unsigned \(0 to 15\)"
    ):
        huffq.encode(np.array([0, 1, 2, 3, 4, 16, 17], np.uint8), bits=4)
    with pytest.raises(ValueError, match=r"value -9 at index 1 does not fit 4 bits signed"):
        huffq.encode(np.array([-8, -9], np.int8), bits=4)
    with pytest.raises(ValueError, match="bits is 9"):
        huffq.encode(np.zeros(3, np.uint8), bits=9)
    for bits in (-1, 300):
        with pytest.raises(ValueError, match=f"bits is {bits}"):
            huffq.encode(np.zeros(3, np.uint8), bits=bits)
    for threads in (0, -1):
        with pytest.raises(ValueError, match=f"threads is {threads}; it must be at least 1"):
            huffq.encode(np.zeros(3, np.uint8), threads=threads)


def test_axes_can_be_named() -> None:
    x = np.cumsum(np.random.default_rng(0).integers(-1, 2, (9, 20, 30, 3)), axis=2)
    x = x.clip(0, 15).astype(np.uint8)
    blobs = {
        huffq.encode(x, channel_axis=channel, neighbour_axes=neighbours)
        for channel, neighbours in ((None, None), (-1, None), (3, (2, 1)), (1, (2,)), (None, ()))
    }
    assert len(blobs) == 4  # the axes of [N, H, W, C] are named twice
    for blob in blobs:
        np.testing.assert_array_equal(huffq.decode(blob), x)
    planes = huffq.encode(x[..., 0], neighbour_axes=(2, 1))
    np.testing.assert_array_equal(huffq.decode(planes), x[..., 0])
    for channel, neighbours in ((0, None), (4, None), (1, (1,)), (None, (2, 2)), (1, (2, 3, -1))):
        with pytest.raises(ValueError, match=r"ax[ie]s"):
            huffq.encode(x, channel_axis=channel, neighbour_axes=neighbours)


def test_damage_is_an_error() -> None:
    blob = huffq.encode(np.arange(100, dtype=np.uint8) % 7)
    for n in range(len(blob)):
        with pytest.raises(huffq.TruncatedFileError):
            huffq.decode(blob[:n])
    for bit in range(8 * len(blob)):
        flipped = bytearray(blob)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(huffq.HuffqError):
            huffq.decode(flipped)
    with pytest.raises(huffq.CorruptFileError, match="HQA"):
        huffq.decode(b"PK\x03\x04 something else")


def test_another_version_gives_both_numbers() -> None:
    blob = bytearray(huffq.encode(np.zeros(3, np.uint8)))
    blob[3] = 9
    with pytest.raises(huffq.UnsupportedVersionError, match=r"version 9 .* version 1"):
        huffq.decode(blob)


def test_code_table_attributes() -> None:
    table = huffq.CodeTable.from_counts([5, 0, 1, 1])
    np.testing.assert_array_equal(table.lengths, np.array([1, 0, 2, 2], np.uint8), strict=True)
    np.testing.assert_array_equal(table.codewords, np.array([0, 0, 2, 3], np.uint16), strict=True)
    assert table.kraft_sum == 1.0
    assert table == huffq.CodeTable.from_lengths([1, 0, 2, 2])
    assert pickle.loads(pickle.dumps(table)) == table
    assert repr(table) == "CodeTable.from_lengths([1, 0, 2, 2])"


def test_code_table_bits_are_most_significant_first() -> None:
    table = huffq.CodeTable.from_lengths(np.array([1, 2, 3, 3], np.uint8))
    bits, n = table.encode(np.array([3, 0, 1], np.uint8))
    assert (bits, n) == (bytes([0b11101000]), 6)
    assert table.decode(bits, 3).tolist() == [3, 0, 1]
    assert table.encode([3, 0, 1]) == (bits, n)


@given(hnp.arrays(np.uint8, st.integers(0, 500)), st.integers(8, 15))
def test_code_tables_round_trip(symbols: Any, max_length: int) -> None:
    table = huffq.CodeTable.from_counts(np.bincount(symbols, minlength=256), max_length=max_length)
    bits, n = table.encode(symbols)
    assert n == int(table.lengths[symbols].sum())
    np.testing.assert_array_equal(table.decode(bits, len(symbols)), symbols)


def test_code_table_errors() -> None:
    with pytest.raises(ValueError, match="Kraft sum"):
        huffq.CodeTable.from_lengths([1, 1, 1])
    with pytest.raises(ValueError, match="count of symbol 1 is -3"):
        huffq.CodeTable.from_counts([1, -3])
    with pytest.raises(ValueError, match="max_length is 2"):
        huffq.CodeTable.from_counts([1] * 5, max_length=2)
    table = huffq.CodeTable.from_lengths([1, 2, 2])
    with pytest.raises(ValueError, match="symbol 3 at index 1 has no codeword"):
        table.encode(np.array([0, 3], np.uint8))
    with pytest.raises(huffq.CorruptFileError):
        table.decode(b"\x00\x00", 3)
    for n in (10**12, -1):
        with pytest.raises(ValueError, match="cannot lie in 1 bytes"):
            table.decode(b"\x00", n)
    with pytest.raises(ValueError, match="the symbol at index 1 is 300"):
        table.encode([0, 300])
    with pytest.raises(TypeError):
        table.encode([0.5, 1])
    for lengths in ([-1, 1], [300]):
        with pytest.raises(ValueError, match="a code length is"):
            huffq.CodeTable.from_lengths(lengths)
    with pytest.raises(ValueError, match="max_length is 300"):
        huffq.CodeTable.from_counts([1, 2], max_length=300)
    with pytest.raises(ValueError, match="sum of counts"):
        huffq.CodeTable.from_counts(np.full(256, 2**59))


def test_code_tables_take_integers_of_any_kind() -> None:
    table = huffq.CodeTable.from_counts(np.array([2**55, 1], np.uint64))
    assert hash(table) == hash(huffq.CodeTable.from_lengths(np.array([1, 1], np.int64)))
    symbols = np.array([0, 1, 1])
    bits, n = table.encode(symbols)
    assert table.encode(symbols.astype(np.uint8)[::1]) == (bits, n)
    assert table.decode(bytearray(bits), 3).tolist() == [0, 1, 1]

"""docs/format.md: a decoder written from the page reads what huffq writes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import huffq
import reference_decoder

SHAPES = hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=12)


def test_crc_is_castagnolis() -> None:
    assert reference_decoder.crc32c(b"123456789") == 0xE3069283  # the check value of RFC 3720's CRC


@given(st.data(), st.integers(1, 8), st.booleans())
def test_encoded_arrays(data: st.DataObject, bits: int, signed: bool) -> None:
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    elements = st.one_of(st.just(0), st.integers(low, high))
    x = data.draw(hnp.arrays(np.int8 if signed else np.uint8, SHAPES, elements=elements))
    y = reference_decoder.decode_array(huffq.encode(x, bits=bits))
    np.testing.assert_array_equal(y, x, strict=True)


@pytest.mark.parametrize("alphabet", [2, 3, 16, 100, 256])
@pytest.mark.parametrize("skew", [1.0, 3.0, 12.0])
def test_encoded_arrays_of_several_blocks(alphabet: int, skew: float) -> None:
    random = np.random.default_rng(0).random((2, 40_001))
    x = (alphabet * random**skew).astype(np.uint8)
    np.testing.assert_array_equal(reference_decoder.decode_array(huffq.encode(x)), x, strict=True)


def test_the_pivot_example_of_the_page() -> None:
    tree = reference_decoder.pivot_tree([1, 3, 3, 3, 4, 4])
    payload = bytes.fromhex("34 01 00 01 06 0B B2")
    assert reference_decoder.decode_pivot(payload, tree, 8) == [0, 3, 0, 0, 5, 1, 0, 4]


@settings(max_examples=25)
@given(st.integers(1, 9), st.integers(0, 2**32), st.sampled_from([(), (3,), (2, 5), (0, 2)]))
def test_files(
    tmp_path_factory: Any, samples: int, seed: int, sample_shape: tuple[int, ...]
) -> None:
    path: Path = tmp_path_factory.mktemp("format") / "a.huffq"
    rng = np.random.default_rng(seed)
    fields = {
        "a": rng.integers(0, 4, (samples, *sample_shape)).astype(np.uint8),
        "größe": rng.integers(-60, 60, (samples, 7)).astype(np.int8),
    }
    huffq.encode_dataset(fields, path)
    read = reference_decoder.decode_file(path.read_bytes())
    assert list(read) == list(fields)
    for name, x in fields.items():
        np.testing.assert_array_equal(read[name], x, strict=True)


def test_the_reference_refuses_damage(tmp_path: Path) -> None:
    path = tmp_path / "a.huffq"
    huffq.encode_dataset(np.arange(40, dtype=np.uint8) % 5, path)
    whole = path.read_bytes()
    damaged = bytearray(whole)
    damaged[len(whole) // 2] ^= 4
    for data in (bytes(damaged), whole[:-1]):
        with pytest.raises(reference_decoder.FormatError):
            reference_decoder.decode_file(data)

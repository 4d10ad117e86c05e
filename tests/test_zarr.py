"""huffq.zarr: chunks of zarr arrays, coded by huffq."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import huffq

zarr = pytest.importorskip("zarr", minversion="3")

from huffq.zarr import HuffmanCodec  # noqa: E402

RNG = np.random.default_rng(2)
CODES = RNG.geometric(0.5, (100, 8, 12, 12)).clip(1, 16).astype(np.uint8) - 1


def create(path: Path, x: np.ndarray, codec: HuffmanCodec, **options: Any) -> Any:
    return zarr.create_array(
        str(path), data=x, chunks=(16, *x.shape[1:]), serializer=codec, compressors=None, **options
    )


@pytest.mark.parametrize(
    ("x", "codec"),
    [
        (CODES, HuffmanCodec()),
        (CODES, HuffmanCodec(bits=4, level="fast")),
        (np.moveaxis(CODES, 1, -1), HuffmanCodec(bits=8, channel_axis=3)),
        (CODES.astype(np.int8) - 5, HuffmanCodec(bits=5)),
        (CODES.ravel(), HuffmanCodec()),
    ],
    ids=["default", "fast", "channels last", "signed", "flat"],
)
def test_arrays_come_back_and_their_metadata_name_the_codec(
    tmp_path: Path, x: np.ndarray, codec: HuffmanCodec
) -> None:
    create(tmp_path / "a.zarr", x, codec)
    opened = zarr.open_array(str(tmp_path / "a.zarr"), mode="r")
    np.testing.assert_array_equal(opened[:], x, strict=True)
    np.testing.assert_array_equal(opened.oindex[[3, 99]], x[[3, 99]])
    assert opened.metadata.codecs == (codec,)


def test_chunks_are_what_encode_gives(tmp_path: Path) -> None:
    create(tmp_path / "a.zarr", CODES, HuffmanCodec(bits=4))
    chunk = (tmp_path / "a.zarr" / "c" / "0" / "0" / "0" / "0").read_bytes()
    assert chunk == huffq.encode(CODES[:16], bits=4)


def test_parts_can_be_written_and_shards_read(tmp_path: Path) -> None:
    array = create(tmp_path / "a.zarr", CODES, HuffmanCodec(bits=4), shards=(64, 8, 12, 12))
    array[5:20] = 7
    expected = CODES.copy()
    expected[5:20] = 7
    np.testing.assert_array_equal(zarr.open_array(str(tmp_path / "a.zarr"))[:], expected)


def test_other_dtypes_and_values_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match=r"float32; the codec huffq\.huffman takes uint8 and int8"):
        create(tmp_path / "a.zarr", CODES.astype(np.float32), HuffmanCodec())
    with pytest.raises(ValueError, match=r"value \d+ at index \d+ does not fit 4 bits"):
        create(tmp_path / "b.zarr", CODES + 9, HuffmanCodec(bits=4))


def test_damaged_chunks_are_errors(tmp_path: Path) -> None:
    array = create(tmp_path / "a.zarr", CODES, HuffmanCodec(bits=4))
    chunk = tmp_path / "a.zarr" / "c" / "0" / "0" / "0" / "0"
    chunk.write_bytes(chunk.read_bytes()[:-1])
    with pytest.raises(huffq.TruncatedFileError):
        array[0]

"""Sources that lie elsewhere: read slice by slice, in whole chunks, never as a whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import huffq

SAMPLES, CHUNK = 10_000, 96
CODES = (np.random.default_rng(0).geometric(0.4, (SAMPLES, 4, 32, 32)).clip(1, 16) - 1).astype("u1")


class Elsewhere:
    """The least that a lazy array has; notes what is read."""

    def __init__(self, values: np.ndarray, chunk: int | None = CHUNK) -> None:
        self.values, self.shape, self.dtype = values, values.shape, values.dtype
        self.reads: list[slice] = []
        if chunk:
            self.chunks = (chunk, *values.shape[1:])

    def __getitem__(self, index: slice) -> np.ndarray:
        self.reads.append(index)
        return self.values[index]


def assert_read_in_pieces(reads: list[slice], start: int = 0, rows: int = CHUNK) -> None:
    """From `start` on in order, once, in pieces of about 8 MiB that begin with chunks."""
    assert [read.start for read in reads] == [start, *(read.stop for read in reads[:-1])]
    assert reads[-1].stop == SAMPLES
    assert all(read.start % rows == 0 for read in reads[1:])
    assert len(reads) > 2


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "acts.huffq"


def assert_stored(path: Path, **fields: np.ndarray) -> None:
    with huffq.open(path) as dataset:
        for name, values in fields.items():
            np.testing.assert_array_equal(dataset[name][:], values, strict=True)


@pytest.mark.parametrize("chunk", [CHUNK, None])
def test_lazy_arrays_are_read_chunk_by_chunk(path: Path, chunk: int | None) -> None:
    lazy = Elsewhere(CODES, chunk)
    huffq.encode_dataset(lazy, path, bits=4, progress=False)
    assert_read_in_pieces(lazy.reads, rows=chunk or 1)
    assert_stored(path, data=CODES)


def test_chunks_larger_than_a_piece_are_read_whole(path: Path) -> None:
    lazy = Elsewhere(CODES, 3000)
    huffq.encode_dataset(lazy, path, bits=4, progress=False)
    assert [(r.start, r.stop) for r in lazy.reads] == [
        (0, 3000), (3000, 6000), (6000, 9000), (9000, SAMPLES),
    ]  # fmt: skip


def test_bits_of_lazy_arrays_are_inferred_in_pieces(path: Path) -> None:
    lazy = Elsewhere(CODES)
    huffq.encode_dataset(lazy, path, progress=False)
    half = len(lazy.reads) // 2
    assert_read_in_pieces(lazy.reads[:half])
    assert_read_in_pieces(lazy.reads[half:])
    assert huffq.open(path)["data"].bits == 4


def test_lazy_arrays_in_codes_dicts_streams_and_ragged_samples(path: Path) -> None:
    codes, side = Elsewhere(CODES), Elsewhere(np.arange(SAMPLES * 3.0).reshape(-1, 3), None)
    source = {"x": huffq.Codes(codes, 4, scale=0.5), "side": side}
    huffq.encode_dataset(source, path, progress=False)
    assert_read_in_pieces(codes.reads)
    assert_stored(path, x=CODES, side=side.values)
    stream = Elsewhere(CODES)
    huffq.encode_dataset(iter([{"x": stream}, {"x": CODES[:7]}]), path, bits=4, progress=False)
    assert_read_in_pieces(stream.reads)
    ragged = Elsewhere(CODES.reshape(-1, 1024))
    tokens = huffq.Ragged(ragged, np.full(SAMPLES, 4))
    huffq.encode_dataset({"x": tokens}, path, bits=4, progress=False)
    assert len(ragged.reads) > 3
    np.testing.assert_array_equal(huffq.open(path)["x"].flat[:], ragged.values)


def test_resuming_reads_a_lazy_array_from_there(path: Path) -> None:
    def failing() -> Any:
        yield CODES[:5000]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        huffq.encode_dataset(failing(), path, bits=4, progress=False)
    start = huffq.resume_point(path)
    assert start % CHUNK
    lazy = Elsewhere(CODES)
    huffq.encode_dataset(lazy, path, bits=4, resume=True, progress=False)
    assert_read_in_pieces(lazy.reads, start)
    assert_stored(path, data=CODES)


def test_lazy_arrays_of_wrong_dtypes_are_refused_unread(path: Path) -> None:
    lazy = Elsewhere(np.zeros((9, 3)))
    with pytest.raises(TypeError, match="'data': the array is float64"):
        huffq.encode_dataset(lazy, path)
    assert lazy.reads == []


def test_hdf5_datasets(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py", reason="h5py is not installed")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        chunked = file.create_dataset("c", data=CODES, chunks=(CHUNK, 4, 32, 32), compression=1)
        plain = file.create_dataset("p", data=np.arange(SAMPLES, dtype=np.int16))
        huffq.encode_dataset({"c": chunked, "p": plain}, tmp_path / "a.huffq", progress=False)
    assert_stored(tmp_path / "a.huffq", c=CODES, p=np.arange(SAMPLES, dtype=np.int16))


def test_zarr_arrays(tmp_path: Path) -> None:
    zarr = pytest.importorskip("zarr", reason="zarr is not installed")
    array = zarr.create_array(
        tmp_path / "a.zarr", data=CODES, chunks=(CHUNK, 4, 32, 32), compressors=None
    )
    huffq.encode_dataset(array, tmp_path / "a.huffq", bits=4, progress=False)
    assert_stored(tmp_path / "a.huffq", data=CODES)


def test_pandas_series_are_arrays_in_memory(path: Path) -> None:
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    label = pandas.Series(np.arange(9), index=np.arange(9.0)[::-1])
    huffq.encode_dataset({"x": CODES[:9], "label": label}, path, progress=False)
    assert_stored(path, label=np.arange(9))

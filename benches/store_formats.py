"""Ways to keep an array of codes on disk: huffq's and other people's.

All cut the array into the same chunks, whole samples each, where they cut it at all. None keeps
decoded chunks from one read to the next.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import huffq
from inputs import Array, Input

NAME = "codes"

Read = Callable[[Any], Array]
"""Returns the samples of a slice or of numbers."""


class Format(NamedTuple):
    """`write` stores the array under a path; `open` returns how to read it, or None: whole only."""

    name: str
    suffix: str
    packages: str
    write: Callable[[Path, Input, int], None]
    open: Callable[[Path], Read] | None
    load: Callable[[Path], Array] | None = None

    def is_there(self) -> bool:
        return all(importlib.util.find_spec(name) is not None for name in self.packages.split())

    def size(self, path: Path) -> int:
        files = path.rglob("*") if path.is_dir() else [path]
        return sum(file.stat().st_size for file in files if file.is_file())


def write_huffq(path: Path, array: Input, _: int) -> None:
    huffq.encode_dataset({NAME: array.x}, path, bits=array.bits, progress=False)


def open_huffq(threads: int | None) -> Callable[[Path], Read]:
    def opened(path: Path) -> Read:
        return huffq.open(path, threads=threads, cache_bytes=0)[NAME].__getitem__

    return opened


def write_zarr(path: Path, array: Input, chunk: int) -> None:
    import zarr

    chunks = (chunk, *array.x.shape[1:])
    zarr.create_array(store=str(path), data=array.x, chunks=chunks)


def open_zarr(path: Path) -> Read:
    import zarr

    stored = zarr.open_array(str(path), mode="r")
    return lambda index: stored[index] if isinstance(index, slice) else stored.oindex[index]


def write_hdf5(filters: Callable[[], dict[str, Any]]) -> Callable[[Path, Input, int], None]:
    def write(path: Path, array: Input, chunk: int) -> None:
        import h5py

        with h5py.File(path, "w") as file:
            chunks = (chunk, *array.x.shape[1:])
            file.create_dataset(NAME, data=array.x, chunks=chunks, **filters())

    return write


def gzip() -> dict[str, Any]:
    return {"compression": "gzip"}


def blosc() -> dict[str, Any]:
    import hdf5plugin

    return dict(hdf5plugin.Blosc(cname="zstd", clevel=5, shuffle=hdf5plugin.Blosc.BITSHUFFLE))


def open_hdf5(path: Path) -> Read:
    import h5py
    import hdf5plugin  # noqa: F401  (registers its filters)

    stored = h5py.File(path, "r", rdcc_nbytes=0)[NAME]

    def read(index: Any) -> Array:
        if isinstance(index, slice):
            return stored[index]
        # It wants numbers in rising order, each once.
        numbers, places = np.unique(index, return_inverse=True)
        return stored[numbers][places]

    return read


def write_memmap(path: Path, array: Input, _: int) -> None:
    np.save(path, array.x)


def open_memmap(path: Path) -> Read:
    stored = np.load(path, mmap_mode="r")
    return lambda index: np.array(stored[index])


def write_savez(path: Path, array: Input, _: int) -> None:
    np.savez_compressed(path, array.x)


def load_savez(path: Path) -> Array:
    with np.load(path) as arrays:
        return arrays["arr_0"]


FORMATS = (
    Format("huffq", ".huffq", "huffq", write_huffq, open_huffq(None)),
    Format("huffq, 1 thread", ".huffq", "huffq", write_huffq, open_huffq(1)),
    Format("zarr v3", ".zarr", "zarr", write_zarr, open_zarr),
    Format("h5py gzip", ".h5", "h5py hdf5plugin", write_hdf5(gzip), open_hdf5),
    Format("h5py blosc", ".h5", "h5py hdf5plugin", write_hdf5(blosc), open_hdf5),
    Format("np.memmap", ".npy", "numpy", write_memmap, open_memmap),
    Format("np.savez_compressed", ".npz", "numpy", write_savez, None, load_savez),
)

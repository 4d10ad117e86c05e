"""Shuffled epochs of torch's DataLoader over two fields and labels: huffq's beside np.memmap's.

Every loader has the same workers, batch size and collation, and gives batches of the same form. The
files are written once, in a folder; whatever the operating system keeps of them, it keeps of all.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

import huffq
from huffq.torch import ActivationDataset, BlockSampler
from inputs import Array, Input

LABELS = "label"
WORKERS = 2
SAMPLE_BY_SAMPLE = "huffq, sample by sample"


class Memmaps(Dataset[dict[str, torch.Tensor]]):
    """Samples of uncompressed files, one by one; only collation copies them."""

    def __init__(self, folder: Path, names: Sequence[str]) -> None:
        self.paths = {name: folder / f"{name}.npy" for name in names}
        self.arrays: dict[str, Array] = {}

    def opened(self) -> dict[str, Array]:
        if not self.arrays:
            self.arrays = {name: np.load(path, mmap_mode="c") for name, path in self.paths.items()}
        return self.arrays

    def __len__(self) -> int:
        return len(next(iter(self.opened().values())))

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        arrays = self.opened().items()
        return {name: torch.from_numpy(np.asarray(array[index])) for name, array in arrays}


class GatheredMemmaps(Memmaps):
    """The same, a batch at a time, which is the best that a memory map can do."""

    def __getitems__(self, indices: list[int]) -> list[dict[str, torch.Tensor]]:
        rows = [torch.from_numpy(np.asarray(a[indices])).unbind() for a in self.opened().values()]
        return [dict(zip(self.paths, row, strict=True)) for row in zip(*rows, strict=True)]


class Epochs(NamedTuple):
    samples: int
    raw_bytes: int
    file_bytes: int
    loaders: dict[str, DataLoader[Any]]
    slow: tuple[str, ...]


def batches(fields: Sequence[Input], samples: int) -> Iterator[dict[str, Array]]:
    """The fields' samples again and again, with labels."""
    rng = np.random.default_rng(0)
    step = min(len(field.x) for field in fields)
    for start in range(0, samples, step):
        count = min(step, samples - start)
        batch = {f"field{n}": field.x[:count] for n, field in enumerate(fields)}
        yield {**batch, LABELS: rng.integers(0, 1000, count)}


def write(folder: Path, fields: Sequence[Input], samples: int) -> None:
    path = folder / "acts.huffq"
    bits = {f"field{n}": field.bits for n, field in enumerate(fields)}
    huffq.encode_dataset(batches(fields, samples), path, bits=bits, progress=False)
    maps: dict[str, Array] = {}
    start = 0
    for batch in batches(fields, samples):
        for name, x in batch.items():
            if name not in maps:
                file, shape = folder / f"{name}.npy", (samples, *x.shape[1:])
                maps[name] = np.lib.format.open_memmap(file, "w+", x.dtype, shape)
            maps[name][start : start + len(x)] = x
        start += len(x)


def make(folder: Path, batch_size: int, cache_bytes: int) -> Epochs:
    """The loaders over what `write` wrote."""
    path = folder / "acts.huffq"
    dataset = ActivationDataset(path, cache_bytes=cache_bytes)
    samples = len(dataset)

    def loader(dataset: Dataset[Any], **order: Any) -> DataLoader[Any]:
        return DataLoader(dataset, num_workers=WORKERS, **order)

    def blocks(**options: Any) -> dict[str, Any]:
        return {"batch_sampler": BlockSampler(dataset, batch_size, **options)}

    shuffled = {"batch_size": batch_size, "shuffle": True}
    maps = [Memmaps(folder, dataset.fields), GatheredMemmaps(folder, dataset.fields)]
    loaders = {
        "np.memmap, sample by sample": loader(maps[0], **shuffled),
        "np.memmap, batch by batch": loader(maps[1], **shuffled),
        "huffq, a lane per worker": loader(dataset, **blocks(lanes=WORKERS)),
        "huffq, one lane": loader(dataset, **blocks()),
        SAMPLE_BY_SAMPLE: loader(dataset, **shuffled),
    }
    raw = sum(x.nbytes for x in maps[0].opened().values())
    return Epochs(samples, raw, path.stat().st_size, loaders, (SAMPLE_BY_SAMPLE,))


def epoch(loader: DataLoader[Any], samples: int) -> float:
    """Seconds of an epoch, workers' start included; every sample must come."""
    begin, found = time.perf_counter(), 0
    for batch in loader:
        found += len(batch[LABELS])
    assert found == samples
    return time.perf_counter() - begin

"""The store beside other formats, and beside huffq's own codec, as ratios from one run.

    python benches/store.py [--quick] [--folder /dev/shm] [--epochs 3] [--mb 128]

- Files lie in a folder of their own, on tmpfs where there is one, so that disks and syncing are
  left out; what the operating system caches, it caches of every format alike.
- Each format reads chunks of the same samples, with the threads that it takes by itself, and keeps
  no decoded chunk from one read to the next. Runs take turns; the figures are medians.
- `bits` is the file's size per symbol, everything included. Speeds count a byte per symbol, in 10^9
  bytes a second. `random` reads batches of 256 samples, drawn from all, in thousands of samples a
  second. What can only be read whole has no such figure.
- An epoch is one of torch's DataLoader, 2 workers, batches of 256 samples of two fields and labels,
  from a file whose codes take 100 times the block cache of a worker.
- Formats whose packages are missing are named and left out.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import huffq
import inputs
from inputs import Array, Input
from store_formats import FORMATS, NAME, Format
from timing import Effort, alternate, timed

BATCH = 256
FIELDS = ("layer1.0.conv2", "layer3.0.conv2")
CACHES = 100


class Bar(NamedTuple):
    """What a ratio must be, and what it is."""

    what: str
    value: float
    least: float | None = None
    most: float | None = None
    unit: str = ""

    def __str__(self) -> str:
        bound = f">= {self.least:g}" if self.least is not None else f"<= {self.most:g}"
        met = self.value >= self.least if self.least is not None else self.value <= self.most
        return f"{self.what:66} {self.value:7.2f}{self.unit:3} {bound:>8} {'' if met else 'MISSED'}"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="small arrays, few runs")
    parser.add_argument("--folder", type=Path, help="where files go; /dev/shm, or a temporary one")
    parser.add_argument("--epochs", type=int, default=3, help="of each loader; 0 for none")
    parser.add_argument("--mb", type=float, help="of codes in an array; 128, quick 2")
    parser.add_argument("--cache-mb", type=float, help="block cache of a worker; 16, quick 0.25")
    return parser.parse_args()


def fields() -> list[Input]:
    """Two arrays of 4-bit activations: real ones, or generated where there are none."""
    path = inputs.FILES["resnet20-4bit"]
    if not path.is_file():
        return list(inputs.generated(32, "generated [25]0%*"))
    return [next(inputs.from_file(path, "resnet20-4bit", name)) for name in FIELDS]


def repeated(array: Input, megabytes: float) -> Input:
    """Its samples again and again. No format sees that far; chunks hold each sample once."""
    count = max(1, round(megabytes * 2**20 / np.prod(array.x.shape[1:])))
    return array._replace(x=np.resize(array.x, (count, *array.x.shape[1:])))


def beside_formats(array: Input, effort: Effort, folder: Path) -> Iterator[object]:
    """A row for each format, and huffq's random batches over zarr's."""
    running = [format_ for format_ in FORMATS if format_.is_there()]
    path = folder / "probe.huffq"
    huffq.encode_dataset({NAME: array.x}, path, bits=array.bits, progress=False)
    chunk = huffq.open(path)[NAME].block_items
    yield f"\n{array.describe()}; chunks of {chunk} samples"
    yield f"{'format':22} {'bits':>7} {'write GB/s':>10} {'read GB/s':>10} {'random k/s':>10}"
    paths = [folder / (format_.name + format_.suffix) for format_ in running]
    writes = [partial(write, *pair, array, chunk) for pair in zip(running, paths, strict=True)]
    writing = alternate(writes, [timed(task)[0] for task in writes], effort)
    reads = [
        partial(in_order, format_, path, array.x)
        for format_, path in zip(running, paths, strict=True)
    ]
    reading = alternate(reads, [timed(task)[0] for task in reads], effort)
    rng = np.random.default_rng(0)
    seeking = [random_batches(f, p, array.x, rng) for f, p in zip(running, paths, strict=True)]
    medians = in_turn([task for task in seeking if task], effort.runs)
    seconds = {f.name: next(medians) for f, task in zip(running, seeking, strict=True) if task}
    giga = array.x.size / 1e9
    for format_, path, w, r in zip(running, paths, writing, reading, strict=True):
        wall, _ = seconds.get(format_.name, (np.nan, np.nan))
        bits = 8e-9 * format_.size(path) / giga
        speeds = f"{giga / w:10.3f} {giga / r:10.3f} {BATCH / wall / 1e3:10.2f}"
        yield f"{format_.name:22} {bits:7.3f} {speeds.replace('nan', '  -')}"
    if "zarr v3" in seconds:
        (wall, processor), zarr = seconds["huffq"], seconds["zarr v3"]
        yield Bar(f"random batches a second over zarr's, {array.name}", zarr[0] / wall, 10)
        what = "the same by processor time, which a busy machine does not change"
        yield f"{what:66} {zarr[1] / processor:7.2f}"


def in_turn(tasks: list[Callable[[], None]], turns: int) -> Iterator[tuple[float, float]]:
    """Median seconds of each task, on the clock and of the processor; the tasks take turns."""
    runs = np.empty((turns, len(tasks), 2))
    for turn, number in np.ndindex(turns, len(tasks)):
        processor = time.process_time()
        runs[turn, number, 0], _ = timed(tasks[number])
        runs[turn, number, 1] = time.process_time() - processor
    for wall, processor in np.median(runs, axis=0):
        yield float(wall), float(processor)


def write(format_: Format, path: Path, array: Input, chunk: int) -> None:
    if path.is_dir():
        for file in sorted(path.rglob("*"), reverse=True):
            file.rmdir() if file.is_dir() else file.unlink()
        path.rmdir()
    format_.write(path, array, chunk)


def in_order(format_: Format, path: Path, x: Array) -> None:
    """Read all of it, batch by batch where the format can, and compare."""
    if format_.open is None:
        assert format_.load is not None
        np.testing.assert_array_equal(format_.load(path)[-1], x[-1])
        return
    read = format_.open(path)
    for start in range(0, len(x), BATCH):
        batch = read(slice(start, start + BATCH))
        assert batch[-1, ..., -1].tobytes() == x[start : start + BATCH][-1, ..., -1].tobytes()


def random_batches(
    format_: Format, path: Path, x: Array, rng: np.random.Generator
) -> Callable[[], None] | None:
    if format_.open is None:
        return None
    read = format_.open(path)

    def task() -> None:
        numbers = rng.integers(0, len(x), BATCH)
        assert read(numbers)[-1].tobytes() == x[numbers[-1]].tobytes()

    return task


def beside_codec(array: Input, effort: Effort, folder: Path) -> Iterator[object]:
    """Streams of the store over the codec's own speed, on the same threads."""
    path, x, out = folder / "codec.huffq", array.x, np.empty_like(array.x)
    # Looking for them takes time, too.
    bits = array.bits
    blob = huffq.encode(x, bits=bits)
    huffq.encode_dataset({NAME: x}, path, bits=bits, progress=False)

    def iterate(threads: int | None) -> None:
        for batch in huffq.open(path, threads=threads, cache_bytes=0).iter_batches(BATCH):
            assert len(batch[NAME])

    tasks: list[Callable[[], Any]] = [
        lambda: huffq.encode(x, bits=bits),
        lambda: huffq.encode_dataset({NAME: x}, path, bits=bits, progress=False),
        lambda: huffq.decode(blob, out=out),
        lambda: iterate(None),
        lambda: huffq.decode(blob, out=out, threads=1),
        lambda: iterate(1),
    ]
    t = alternate(tasks, [timed(task)[0] for task in tasks], effort)
    yield Bar(f"encode_dataset over encode, {array.name}, all cores", t[0] / t[1], 0.8)
    yield Bar(f"iter_batches over decode, {array.name}, all cores", t[2] / t[3], 0.7)
    yield Bar(f"iter_batches over decode, {array.name}, 1 thread", t[4] / t[5], 0.7)


def rows(count: int) -> Input:
    """Samples of 128 symbols."""
    found = next(inputs.generated(count * 128 / 2**20, "generated 50%*"))
    return found._replace(name="rows of 128", x=found.x.reshape(-1, 128))


def single_samples(samples: int, folder: Path) -> Iterator[object]:
    """Samples of 128 symbols, one at a time, of blocks that are not cached."""
    path = folder / "small.huffq"
    x = rows(samples).x
    huffq.encode_dataset({NAME: x}, path, bits=4, progress=False)
    field = huffq.open(path, cache_bytes=0)[NAME]
    numbers = np.random.default_rng(0).integers(0, len(x), 2000).tolist()
    seconds = []
    for number in numbers:
        took, sample = timed(lambda number=number: field[number])
        assert sample.tobytes() == x[number].tobytes()
        seconds.append(took)
    what = f"microseconds for one of {len(x):,} samples of 128 symbols, median"
    yield Bar(what, float(np.median(seconds)) * 1e6, most=60, unit=" us")


def epochs(arrays: list[Input], count: int, cache_bytes: int, folder: Path) -> Iterator[object]:
    import store_epochs

    sample = sum(np.prod(array.x.shape[1:]) for array in arrays)
    store_epochs.write(folder, arrays, int(CACHES * cache_bytes / sample))
    made = store_epochs.make(folder, BATCH, cache_bytes)
    yield (
        f"\nepochs of {made.samples:,} samples, {made.raw_bytes / 2**20:,.0f} MiB uncompressed, "
        f"{made.file_bytes / 2**20:,.0f} MiB as .huffq, {cache_bytes / 2**20:g} MiB of block cache"
    )
    runs: dict[str, list[float]] = {name: [] for name in made.loaders}
    for turn in range(count):
        for name, loader in made.loaders.items():
            if turn == 0 or name not in made.slow:
                runs[name].append(store_epochs.epoch(loader, made.samples))
    medians = {name: float(np.median(seconds)) for name, seconds in runs.items()}
    for name, seconds in medians.items():
        yield f"{name:34} {seconds:8.2f} s {made.samples / seconds:10,.0f} samples/s"
    single, gathered, ours = (medians[name] for name in list(medians)[:3])
    yield Bar("seconds over those of np.memmap, sample by sample", ours / single, most=1.3)
    yield f"{'seconds over those of np.memmap, batch by batch':66} {ours / gathered:7.2f}"


def main() -> None:
    options = arguments()
    megabytes = options.mb or (2 if options.quick else 128)
    cache_bytes = int((options.cache_mb or (0.25 if options.quick else 16)) * 2**20)
    effort = Effort(runs=3, seconds=0.1) if options.quick else Effort(runs=15, seconds=6)
    small = 10_000 if options.quick else 1_000_000
    real = fields()
    arrays = [repeated(array, megabytes) for array in real]
    parts: list[Callable[[Path], Iterator[object]]] = [
        *(partial(beside_formats, array, effort) for array in arrays),
        *(partial(beside_codec, array, effort) for array in [*arrays, rows(small)]),
        partial(single_samples, small),
    ]
    if options.epochs and importlib.util.find_spec("torch"):
        parts.append(partial(epochs, real, options.epochs, cache_bytes))
    print(f"huffq {huffq.__version__}, {len(os.sched_getaffinity(0))} cores, level dense")
    missing = [format_.name for format_ in FORMATS if not format_.is_there()]
    if missing:
        print("not installed:", ", ".join(missing))
    root = options.folder or (Path("/dev/shm") if Path("/dev/shm").is_dir() else None)
    for part in parts:
        with tempfile.TemporaryDirectory(dir=root) as folder:
            for line in part(Path(folder)):
                print(line, flush=True)


if __name__ == "__main__":
    main()

"""The store under load: memory, many readers, huge files."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import huffq
from huffq import _huffq

MEMORY_CHILD = """
import json, resource, sys
import numpy as np
import huffq
shape, samples, batch, path = json.loads(sys.argv[1])
rng = np.random.default_rng(0)
block = rng.integers(0, 16, (batch, *shape), np.uint8)
block &= np.arange(shape[-1], dtype=np.uint8) | 3
def source():
    for _ in range(0, samples, batch):
        yield {"x": block, "label": np.arange(batch)}
begin = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
huffq.encode_dataset(source(), path, bits={"x": 4}, threads=2, level=sys.argv[2])
print(begin, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def peak(shape: tuple[int, ...], samples: int, batch: int, path: Path, level: str) -> list[int]:
    """Peak memory in KiB of a process that has one batch, and of the same after encoding."""
    arguments = json.dumps([shape, samples, batch, str(path)])
    command = [sys.executable, "-c", MEMORY_CHILD, arguments, level]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return list(map(int, done.stdout.split()))


@pytest.mark.soak
@pytest.mark.parametrize("level", ["dense", "max"])
@pytest.mark.parametrize(
    ("shape", "samples", "batch"),
    [((2048, 4096), 8, 1), ((256, 56, 56), 60, 2), ((16, 16, 16), 20_000, 64)],
)
def test_memory_is_bounded_however_long_the_stream(
    shape: tuple[int, ...], samples: int, batch: int, level: str, tmp_path: Path, soak: bool
) -> None:
    if not soak and level == "max":
        pytest.skip("level max is left to --soak")
    begin, short = peak(shape, samples, batch, tmp_path / "a.huffq", level)
    assert short - begin < 384 * 1024
    if soak:
        _, long = peak(shape, 20 * samples, batch, tmp_path / "a.huffq", level)
        assert long < 1.1 * short


def _read_for(path: str, seconds: float, seed: int, dataset: huffq.Dataset | None = None) -> int:
    """Read at random and compare; return how often."""
    rng = np.random.default_rng(seed)
    dataset = dataset or huffq.open(path, threads=1, cache_bytes=1 << 16)
    stop, count = time.monotonic() + seconds, 0
    while time.monotonic() < stop:
        picks = rng.integers(0, len(dataset), 5)
        np.testing.assert_array_equal(dataset["x"][picks], expected(picks))
        sample = int(picks[0])
        np.testing.assert_array_equal(dataset["x"][sample], expected(picks[:1])[0])
        assert (dataset["label"][picks] == picks).all()
        count += 1
    return count


def expected(samples: Any) -> Any:
    return ((np.asarray(samples)[:, None] * 31 + np.arange(200)) % 16).astype(np.uint8)


def handles(path: str) -> int:
    """How often this process has a file open."""
    links = []
    for link in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            links.append(str(link.readlink()))
    return links.count(path)


def status(name: str) -> int:
    text = Path("/proc/self/status").read_text()
    return int(next(line.split()[1] for line in text.splitlines() if line.startswith(name)))


@pytest.mark.soak
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_threads_forks_and_spawned_workers_read_one_store(tmp_path: Path, soak: bool) -> None:
    path = str(tmp_path / "a.huffq")
    source = {"x": expected(np.arange(30_000)), "label": np.arange(30_000)}
    huffq.encode_dataset(source, path, bits={"x": 4})
    dataset = huffq.open(path, threads=1, cache_bytes=1 << 16)
    _read_for(path, 0.3, 99, dataset)
    seconds = 60.0 if soak else 1.0
    counts: list[int] = []

    def read(seed: int) -> None:
        counts.append(_read_for(path, seconds, seed, dataset))

    threads = [threading.Thread(target=read, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    memory = status("VmRSS")
    forked, spawned = (multiprocessing.get_context(m).Pool(4) for m in ("fork", "spawn"))
    with forked, spawned:
        jobs = [
            pool.starmap_async(_read_for, [(path, seconds, 10 + i, given) for i in range(4)])
            for pool, given in ((forked, dataset), (spawned, None))
        ]
        for job in jobs:
            counts += job.get(120)
    for thread in threads:
        thread.join()
    assert len(counts) == 16
    assert min(counts) > 0
    assert handles(path) == 1
    assert status("VmRSS") < memory + 64 * 1024


def test_an_iterator_from_before_a_fork_says_so(tmp_path: Path) -> None:
    huffq.encode_dataset(np.zeros((100, 3), np.uint8), tmp_path / "a.huffq")
    reader = _huffq.StoreReader(tmp_path / "a.huffq", 0)
    batches = reader.batches([0], 0, 100, 10, 1)
    next(batches)
    child = os.fork()
    if child == 0:
        try:
            next(batches)
        except ValueError as error:
            os._exit(0 if "before a fork" in str(error) else 1)
        os._exit(2)
    assert os.waitpid(child, 0)[1] == 0

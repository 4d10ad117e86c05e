"""Size and speed of the codec on real or generated activations, one thread.

    python benches/throughput.py [FILE.npz]

FILE.npz holds uint8 or int8 arrays, of 4-bit codes unless their values need more; without it the
activations are generated. Speeds are medians of alternating runs in one process, one byte per
symbol; `copy` is `np.copyto` of the same array in the same run.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import huffq

RUNS = 15


def generated() -> dict[str, np.ndarray[Any, Any]]:
    """4-bit activations after a ReLU: zeros, and a geometric fall-off above."""
    rng = np.random.default_rng(0)
    arrays = {}
    for zeros in (0.2, 0.5, 0.8):
        x = rng.geometric(0.35, (64, 64, 64, 64)).clip(1, 15).astype(np.uint8)
        x[rng.random(x.shape) < zeros] = 0
        arrays[f"generated, {zeros:.0%} zeros"] = x
    return arrays


def alternate(tasks: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Median seconds of each task, the tasks taking turns."""
    seconds: dict[str, list[float]] = {name: [] for name in tasks}
    for _ in range(RUNS):
        for name, task in tasks.items():
            begin = time.perf_counter()
            task()
            seconds[name].append(time.perf_counter() - begin)
    return {name: float(np.median(s)) for name, s in seconds.items()}


def entropy(x: np.ndarray[Any, Any]) -> float:
    share = np.bincount(x.view(np.uint8).ravel(), minlength=256) / x.size
    share = share[share > 0]
    return float(-(share * np.log2(share)).sum())


def row(name: str, x: np.ndarray[Any, Any]) -> str:
    bits = 4 if x.min() >= -8 and x.max() <= (7 if x.dtype == np.int8 else 15) else 8
    blob = huffq.encode(x, bits=bits, threads=1)
    out = np.empty_like(x)
    seconds = alternate(
        {
            "copy": lambda: np.copyto(out, x),
            "encode": lambda: huffq.encode(x, bits=bits, threads=1),
            "decode": lambda: huffq.decode(blob, out=out, threads=1),
        }
    )
    np.testing.assert_array_equal(out, x)
    speed = {task: x.size / s / 1e9 for task, s in seconds.items()}
    width = 8 * len(blob) / x.size
    return (
        f"{name:24} {x.size / 1e6:7.1f} M {(x == 0).mean():6.1%} {entropy(x):8.3f} {width:8.3f} "
        f"{width / bits:7.3f} {speed['encode']:8.2f} {speed['decode']:8.2f} {speed['copy']:8.2f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", nargs="?", help=".npz file of uint8 or int8 arrays")
    file = parser.parse_args().file
    arrays = dict(np.load(file)) if file else generated()
    print(
        f"{'array':24} {'symbols':>9} {'zeros':>6} {'entropy':>8} {'bits':>8} {'ratio':>7} "
        f"{'enc GB/s':>8} {'dec GB/s':>8} {'copy':>8}"
    )
    for name, x in arrays.items():
        if x.dtype in (np.uint8, np.int8):
            print(row(name, np.ascontiguousarray(x)))


if __name__ == "__main__":
    main()

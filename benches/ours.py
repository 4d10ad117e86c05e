"""huffq's own rows: every level, at the backend of this process."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import get_args

import numpy as np

import huffq
from huffq.codec import Level
from inputs import Array, Input
from timing import Case, Coder

VARIABLE = "HUFFQ_BACKEND"
LEVELS = get_args(Level)
TWO_THREADS = 1 << 23  # symbols from which a second thread is worth a row

PROBE = "import huffq, numpy; huffq.encode(numpy.arange(64, dtype=numpy.uint8) % 3)"


@functools.cache
def backends() -> tuple[str, ...]:
    """The names of this machine's backends, the one of this process last."""
    return (*(name for name in available() if name != current()), current())


@functools.cache
def available() -> tuple[str, ...]:
    def runs(name: str) -> bool:
        environment = os.environ | {VARIABLE: name}
        command = [sys.executable, "-c", PROBE]
        return not subprocess.run(command, env=environment, capture_output=True).returncode

    return tuple(name for name in ("portable", "avx2", "avx512") if runs(name))


def current() -> str:
    """The backend of this process: the one that it was told to use, or the fastest."""
    return os.environ.get(VARIABLE) or available()[-1]


def coder(array: Input, level: Level, threads: int) -> Coder:
    x, bits, out = array.x, array.bits, np.empty_like(array.x)
    out.view(np.uint8).fill(0xAA)

    def decode(blob: bytes) -> Array:
        return huffq.decode(blob, out=out, threads=threads)

    return Coder(lambda: huffq.encode(x, bits=bits, level=level, threads=threads), decode)


def cases(array: Input) -> Iterator[Case]:
    many = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    for level in LEVELS:
        for threads in (1, 2) if array.x.size >= TWO_THREADS and (many or 1) > 1 else (1,):
            form = current() + (", 2 threads" if threads > 1 else "")
            made = coder(array, level, threads)
            yield Case(f"huffq {level}", form, array.x.size, array.x, made)

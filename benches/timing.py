"""Alternating runs, their medians, and the check that what was decoded is what was encoded."""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from inputs import Array


class Coder(NamedTuple):
    """One codec on one input. What both calls allocate besides, such as tables, is theirs to pay.

    `decode` returns the symbols, in a buffer that it was given before wherever its codec can fill
    one; `size` is that of all that decoding needs.
    """

    encode: Callable[[], Any]
    decode: Callable[[Any], Any]
    size: Callable[[Any], int] = len


class Case(NamedTuple):
    """A row to be: what codes which form of how many symbols, and what must come back."""

    codec: str
    form: str
    symbols: int
    expected: Array
    coder: Coder


class Row(NamedTuple):
    codec: str
    form: str
    symbols: int
    bits: float
    encode: float
    decode: float
    copy: float
    checksum: int = 0


class Effort(NamedTuple):
    """At most `runs` runs of each task, and no more than fit into `seconds`, but three.

    A task that takes longer than `once` seconds runs once.
    """

    runs: int = 15
    seconds: float = 2.0
    once: float = 1.0

    def runs_of(self, seconds: float) -> int:
        if seconds > self.once:
            return 1
        return min(self.runs, max(3, int(self.seconds / max(seconds, 1e-9))))


def timed(task: Callable[[], Any]) -> tuple[float, Any]:
    begin = time.perf_counter()
    result = task()
    return time.perf_counter() - begin, result


def alternate(tasks: Sequence[Callable[[], Any]], first: list[float], effort: Effort) -> Array:
    """Median seconds of each task, the tasks taking turns; `first` is a run already made."""
    runs = [[seconds] for seconds in first]
    wanted = [effort.runs_of(seconds) for seconds in first]
    for turn in range(1, max(wanted)):
        for task, seconds, number in zip(tasks, runs, wanted, strict=True):
            if turn < number:
                seconds.append(timed(task)[0])
    return np.array([np.median(seconds) for seconds in runs])


def first_runs(case: Case) -> tuple[Any, list[float]]:
    encode, blob = timed(case.coder.encode)
    decode, decoded = timed(lambda: case.coder.decode(blob))
    np.testing.assert_array_equal(
        np.asarray(decoded).reshape(-1), case.expected.reshape(-1), f"{case.codec} {case.form}"
    )
    return blob, [encode, decode]


def measure(cases: Sequence[Case], x: Array, effort: Effort) -> list[Row]:
    """A row for each case, and before them one for `np.copyto` of `x`, which takes its turns."""
    out = np.empty_like(x)
    tasks: list[Callable[[], Any]] = [lambda: np.copyto(out, x)]
    first = [timed(tasks[0])[0]]
    blobs = []
    for case in cases:
        blob, seconds = first_runs(case)
        blobs.append(blob)
        tasks += [case.coder.encode, partial(case.coder.decode, blob)]
        first += seconds
    copy, *seconds = alternate(tasks, first, effort)
    speed = x.size / copy / 1e9
    rows = [Row("copy", "", x.size, 8.0, speed, speed, speed)]
    for case, blob, encode, decode in zip(cases, blobs, seconds[::2], seconds[1::2], strict=True):
        n = case.symbols
        checksum = zlib.crc32(blob) if isinstance(blob, bytes) else 0
        bits = 8 * case.coder.size(blob) / n
        rows.append(
            Row(case.codec, case.form, n, bits, n / encode / 1e9, n / decode / 1e9, speed, checksum)
        )
    return rows

"""Arrays in pieces of bounded size."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

CHUNK_BYTES = 1 << 23
"""Codes of an array that pass through memory at a time, whatever the array's size."""


def chunks(*shapes: Sequence[int], rows: int = 1) -> Iterator[slice]:
    """Cut the samples, the first axis, of arrays that are walked through together.

    Args:
        shapes: Shapes of the arrays, of one byte per element and equally many samples.
        rows: Samples that are read at once in any case: the pieces are multiples of them.

    Yields:
        Slices of the first axis, in order. Each takes at most `CHUNK_BYTES` of any array, but at
        least `rows` samples.
    """
    sample_bytes = max(math.prod(shape[1:]) for shape in shapes)
    step = max(1, CHUNK_BYTES // max(1, sample_bytes) // rows) * rows
    samples = shapes[0][0]
    for start in range(0, samples, step):
        yield slice(start, min(start + step, samples))

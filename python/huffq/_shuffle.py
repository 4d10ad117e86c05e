"""The order of an epoch that is random and still reads block by block."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.int64]

_WASTE = 0.25
"""Codes decoded in vain, as a share of those used, that runs may cost where they cut blocks."""


@dataclass(frozen=True)
class BlockShuffle:
    """A random order of samples in which those of one block stay near each other.

    The samples are cut into runs of neighbours, and the runs permuted, uniformly over the whole
    epoch. Windows of `window` samples are cut from the permuted runs, and the samples of each are
    permuted, uniformly. `lanes` windows are handed out side by side, in turns of `batch_size`
    samples, so that as many readers that take turns each keep to a window of their own.

    So every sample is equally likely to come at any time, and samples of different runs are as good
    as independent; samples of one run come within ``2 * lanes * window`` of each other. A single
    window that takes all samples gives a uniform permutation. The order depends on these attributes
    and the epoch alone: the random bits are PCG64's, which numpy keeps the same for ever.

    Attributes:
        samples: How many samples an epoch has.
        run: Samples of a run: those of one block, or of a few.
        window: Samples of a window; a multiple of `batch_size`.
        lanes: Windows that are handed out side by side.
        batch_size: Samples of a turn.
        seed: At least 0.
    """

    samples: int
    run: int
    window: int
    lanes: int
    batch_size: int
    seed: int

    def pieces(self, epoch: int, start: int, size: int) -> Iterator[Samples]:
        """Yield the order of an epoch from its `start` on, `size` samples at a time.

        Memory holds a number per run, and the windows that are handed out side by side.
        """
        runs = self._permutation(-(-self.samples // self.run), epoch, 0)
        lengths = np.minimum(self.samples - runs * self.run, self.run)
        ends = lengths.cumsum()
        group_size = self.lanes * self.window
        rest = np.empty(0, np.int64)
        for group in range(start // group_size, -(-self.samples // group_size)):
            first = group * group_size
            last = min(first + group_size, self.samples)
            low, high = np.searchsorted(ends, [first + 1, last])
            members = _members(runs[low : high + 1] * self.run, lengths[low : high + 1])
            skip = first - int(ends[low] - lengths[low])
            order = self._group(members[skip : skip + last - first], epoch, group)
            rest = np.concatenate([rest, order[max(0, start - first) :]])
            whole = len(rest) - len(rest) % size
            yield from rest[:whole].reshape(-1, size)
            rest = rest[whole:]
        if len(rest):
            yield rest

    def _group(self, members: Samples, epoch: int, group: int) -> Samples:
        """Return the samples of `lanes` windows in the order in which they are handed out."""
        windows = []
        for lane, window in enumerate(np.array_split(members, self.lanes)):
            key = 1 + group * self.lanes + lane
            windows.append(window[self._permutation(len(window), epoch, key)])
        turns = range(0, max(map(len, windows)), self.batch_size)
        return np.concatenate([w[turn : turn + self.batch_size] for turn in turns for w in windows])

    def _permutation(self, length: int, epoch: int, key: int) -> Samples:
        bits = np.random.PCG64(np.random.SeedSequence(self.seed, spawn_key=(epoch, key)))
        return np.argsort(bits.random_raw(length), kind="stable")


def _members(starts: Samples, lengths: Samples) -> Samples:
    """Return the numbers from each start on, as many as its length, one after another."""
    before = lengths.cumsum() - lengths
    return np.repeat(starts - before, lengths) + np.arange(lengths.sum())


def run_length(fields: Sequence[tuple[float, float]]) -> int:
    """Return how many samples a run should have, so that reading runs decodes little in vain.

    Args:
        fields: Samples of a block, and bytes of a sample, of each field.

    Returns:
        A multiple of the samples in a block of the field with the largest samples.
    """
    largest, _ = max(fields, key=lambda field: field[1])
    base = max(1, round(largest))
    used = sum(size for _, size in fields)
    run = base
    while decoded_bytes(fields, run) > (1 + _WASTE) * used * run:
        run += base
    return run


def decoded_bytes(fields: Sequence[tuple[float, float]], run: int) -> float:
    """Return how many bytes the blocks take that a run of samples touches, at a random place.

    That is the run itself where it is made of whole blocks of b samples, and (run + b - 1) / b
    blocks otherwise.
    """
    return sum(size * (run + (max(0, block - 1) if run % block else 0)) for block, size in fields)

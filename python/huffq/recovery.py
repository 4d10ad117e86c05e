"""Salvage of damaged files."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from huffq import _huffq
from huffq._atomic import check_output

if TYPE_CHECKING:
    from huffq.store import Dataset

_KEY = "huffq.recovered"


@dataclass(frozen=True)
class RecoveryReport:
    """What `recover` found.

    Attributes:
        path: The new file.
        ranges: Samples that were salvaged, as ranges ``(first, last + 1)`` of the damaged file's.
        total: Samples that the damaged file had, as far as that is known: what lay behind its last
            legible part is not counted.
        lost_blocks: Blocks that are damaged or missing in parts of the file that are known.
        lost_bytes: Bytes of the file that belong to no whole record.
    """

    path: str
    ranges: list[tuple[int, int]]
    total: int
    lost_blocks: int
    lost_bytes: int

    @property
    def samples(self) -> int:
        """Number of samples that were salvaged."""
        return sum(stop - start for start, stop in self.ranges)

    @property
    def lost(self) -> list[tuple[int, int]]:
        """Samples that were not, as ranges."""
        edges = [0, *(edge for pair in self.ranges for edge in pair), self.total]
        return [(a, b) for a, b in zip(edges[::2], edges[1::2], strict=True) if a < b]

    @property
    def indices(self) -> npt.NDArray[np.int64]:
        """Where each sample of the new file stood in the damaged one, int64 `[samples]`."""
        return _indices(self.ranges)


def recover(
    path: str | os.PathLike[str], out: str | os.PathLike[str], threads: int | None = None
) -> RecoveryReport:
    """Write every whole sample of a damaged or unfinished file to a new file.

    A sample is whole if all of its fields are. Neither footer nor index is needed, and each
    codebook has a second copy. The new file's metadata keep where its samples stood; see
    `original_indices`.

    Args:
        path: The file; a ``.part`` of an interrupted writer will do.
        out: The new file.
        threads: Upper bound on threads; None is every core that the process may use.

    Raises:
        CorruptFileError: Its fields are not known any more, or no sample is left whole.
        OSError: A file cannot be read or written.
    """
    check_output(out)
    source, target = os.fspath(path), os.fspath(out)
    if os.path.realpath(source) == os.path.realpath(target):
        raise ValueError(f"{out} is the damaged file itself; give the new one another name")
    ranges, total, lost_blocks, lost_bytes = _huffq.recover(source, target, threads)
    return RecoveryReport(target, ranges, total, lost_blocks, lost_bytes)


def original_indices(dataset: Dataset) -> npt.NDArray[np.int64]:
    """Return where the samples of a recovered dataset stood in the damaged one, int64 `[samples]`.

    Raises:
        ValueError: The dataset was not made by `recover`.
    """
    recovered = dataset.metadata.get(_KEY)
    if not isinstance(recovered, dict):
        raise ValueError(f"{dataset.path} was not made by huffq.recover")
    return _indices(recovered["ranges"])


def _indices(ranges: list[tuple[int, int]]) -> npt.NDArray[np.int64]:
    parts = [np.arange(start, stop) for start, stop in ranges]
    return np.concatenate([np.empty(0, np.int64), *parts])

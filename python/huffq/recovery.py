"""Salvage of damaged files, and of folders of them."""

from __future__ import annotations

import contextlib
import errno
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from huffq import _huffq
from huffq._arguments import check_path, check_whole
from huffq._atomic import check_output
from huffq._progress import progress_bar
from huffq.errors import CorruptFileError, DataError, HuffqError
from huffq.manifest import SHARD, find_shards, holds_shards, write_manifest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from huffq.store import Dataset

_KEY = "huffq.recovered"

_SHARD_BYTES = 1 << 30
"""Size of the new files of a folder."""


@dataclass(frozen=True)
class RecoveredFile:
    """What `recover` found in one damaged file.

    Attributes:
        path: The file.
        samples: Samples that were salvaged.
        total: Samples that it had, as far as that is known: what lay behind its last legible part
            is not counted, unless a manifest does.
        lost_blocks: Blocks that are damaged or missing in parts of the file that are known.
        lost_bytes: Bytes of the file that belong to no whole record.
        lost: Why nothing of it is left, if the file could not be looked at; else None.
    """

    path: str
    samples: int
    total: int
    lost_blocks: int
    lost_bytes: int
    lost: str | None

    @property
    def whole(self) -> bool:
        """Whether no sample and no byte is lost, an index apart."""
        damage = self.lost_blocks or self.lost_bytes or self.lost
        return self.samples == self.total and not damage


@dataclass(frozen=True)
class RecoveryReport:
    """What `recover` found.

    Attributes:
        path: The new file or folder.
        ranges: Samples that were salvaged, as ranges ``(first, last + 1)`` of the damaged
            dataset's.
        total: Samples that the damaged dataset had, as far as that is known.
        files: Each damaged file.
    """

    path: str
    ranges: list[tuple[int, int]]
    total: int
    files: list[RecoveredFile]

    @property
    def samples(self) -> int:
        """Number of samples that were salvaged."""
        return sum(stop - start for start, stop in self.ranges)

    @property
    def lost_blocks(self) -> int:
        """Blocks that are damaged or missing, of all files."""
        return sum(file.lost_blocks for file in self.files)

    @property
    def lost_bytes(self) -> int:
        """Bytes that belong to no whole record, of all files."""
        return sum(file.lost_bytes for file in self.files)

    @property
    def lost(self) -> list[tuple[int, int]]:
        """Samples that were not, as ranges."""
        edges = [0, *(edge for pair in self.ranges for edge in pair), self.total]
        return [(a, b) for a, b in zip(edges[::2], edges[1::2], strict=True) if a < b]

    @property
    def indices(self) -> npt.NDArray[np.int64]:
        """Where each sample of the new dataset stood in the damaged one, int64 `[samples]`."""
        return _indices(self.ranges)


def recover(
    path: str | os.PathLike[str],
    out: str | os.PathLike[str],
    threads: int | None = None,
    progress: bool = False,
) -> RecoveryReport:
    """Write every whole sample of a damaged or unfinished file, or folder of them, to a new one.

    A sample is whole if all of its fields are. Neither footer nor index is needed, and each
    codebook has a second copy. The new dataset's metadata keep where its samples stood; see
    `original_indices`. What is damaged stays as it is. If the work fails or is interrupted, nothing
    of the new dataset is there.

    Args:
        path: The file; a ``.part`` of an interrupted writer will do. Or a folder: its files are
            those that its manifest lists, unless that is damaged too, and then its others, parts
            included.
        out: The new file; of a folder, a new folder.
        threads: Upper bound on threads; None is every core that the process may use.
        progress: Show a bar on a terminal (needs tqdm).

    Raises:
        CorruptFileError: The fields are not known any more, or no sample is left whole.
        DataError: A folder has no files.
        ValueError: A path is empty; or `out` is the damaged file itself, or would grow under its
            name.
        OSError: A file cannot be read or written; or the folder `out` has shards already.
    """
    source, target = check_path(path), check_path(out)
    check_whole(1, threads=threads)
    folder = Path(source).is_dir()
    files = _files(source) if folder else [(source, None)]
    # Each file is gone through three times.
    total = 3 * sum(Path(file).stat().st_size for file, _ in files if Path(file).exists())
    with (
        _place(target, folder=folder),
        progress_bar("recover", total=total, unit="B", enabled=progress) as advance,
    ):
        shard_bytes = _SHARD_BYTES if folder else None
        ranges, samples, found = _huffq.recover(files, target, shard_bytes, threads, advance)
        if folder:
            write_manifest(target)
    pairs = zip(files, found, strict=True)
    return RecoveryReport(target, ranges, samples, [RecoveredFile(f, *r) for (f, _), r in pairs])


def _files(folder: str) -> list[tuple[str, int | None]]:
    """Return the files of a damaged folder, each with its number of samples if that is known.

    Raises:
        DataError: There are none.
    """
    listed: list[tuple[str, int | None]] = []
    with contextlib.suppress(HuffqError, OSError):
        listed = [(shard.path, shard.samples) for shard in find_shards(folder)]
    known = {os.path.realpath(file) for file, _ in listed}
    own = [os.fspath(file) for file in sorted(Path(folder).iterdir()) if SHARD.search(file.name)]
    # The part of a file that is there is a later writer's.
    others = [f for f in own if f.endswith(".huffq") or f.removesuffix(".part") not in own]
    files = listed + [(file, None) for file in others if os.path.realpath(file) not in known]
    if not files:
        raise DataError(f"{folder} has no .huffq files to recover")
    return files


@contextlib.contextmanager
def _place(path: str, *, folder: bool) -> Iterator[None]:
    """Find a place for a new file, or for shards of a folder, none of which stay if this fails."""
    made = folder and not Path(path).exists()
    if not folder or made:
        check_output(path)
    elif holds_shards(path):
        raise FileExistsError(errno.EEXIST, "has shards already; give another folder", path)
    if made:
        Path(path).mkdir()
    try:
        yield
    except BaseException:
        # Parts are gone already, or another writer's.
        for file in Path(path).glob("*.huffq") if folder else ():
            file.unlink()
        if made:
            with contextlib.suppress(OSError):
                Path(path).rmdir()
        raise


def original_indices(dataset: Dataset) -> npt.NDArray[np.int64]:
    """Return where the samples of a recovered dataset stood in the damaged one, int64 `[samples]`.

    Raises:
        ValueError: The dataset was not made by `recover`.
        CorruptFileError: What it says of them does not fit its samples.
    """
    recovered = dataset.metadata.get(_KEY)
    if recovered is None:
        raise ValueError(f"{dataset.path} was not made by huffq.recover")
    match recovered:
        case {"ranges": [*ranges]} if _are_ranges(ranges, len(dataset)):
            return _indices(ranges)
    raise CorruptFileError(
        f"{dataset.path}: its {_KEY} does not say where {len(dataset)} samples stood"
    )


def _are_ranges(ranges: list[Any], samples: int) -> bool:
    """Return whether `ranges` are pairs ``[first, last + 1]`` of so many samples."""
    for pair in ranges:
        match pair:
            case [int(first), int(stop)] if 0 <= first < stop < 1 << 63:
                samples -= stop - first
            case _:
                return False
    return samples == 0


def _indices(ranges: list[tuple[int, int]]) -> npt.NDArray[np.int64]:
    parts = [np.arange(start, stop) for start, stop in ranges]
    return np.concatenate([np.empty(0, np.int64), *parts])

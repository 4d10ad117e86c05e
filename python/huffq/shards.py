"""The files of a dataset, opened when they are needed."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from huffq import _huffq
from huffq.errors import CorruptFileError

_OPEN_SHARDS = 64
"""Files that a dataset keeps open."""

_SAME = ("name", "bits", "signed", "item_bytes", "dtype", "sample_shape", "attributes")
"""What a field has in common in all shards."""


class Shard(NamedTuple):
    """One file of a dataset: its length in bytes if a manifest says it, and it if it is open."""

    path: str
    samples: int
    size: int | None = None
    reader: _huffq.StoreReader | None = None


Opener: TypeAlias = Callable[[str, int | None], _huffq.StoreReader]
"""Opens a file by its path, and its length if that is known."""


class Shards:
    """The files of a dataset, opened when they are needed.

    Attributes:
        starts: First sample of each file, and the number of all, int64 `[files + 1]`.
        schema: The first file's schema.
    """

    def __init__(self, shards: Sequence[Shard], open_: Opener) -> None:
        self._shards = shards
        self._open = open_
        self._readers: OrderedDict[int, _huffq.StoreReader] = OrderedDict()
        self._closed: str | None = None
        self.starts = np.cumsum([0, *(shard.samples for shard in shards)])
        self.schema: dict[str, Any] = {}
        self.schema = read_schema(self._shards[0].path, self.reader(0))
        # Nobody would touch a file that the manifest takes to be empty.
        for number, shard in enumerate(shards):
            if shard.samples == 0:
                self.reader(number)

    def __len__(self) -> int:
        return len(self._shards)

    def close(self, path: str) -> None:
        """Let the files of the dataset `path` go."""
        self._closed = path
        self._shards = [shard._replace(reader=None) for shard in self._shards]
        self._readers.clear()

    def check_open(self) -> None:
        """Demand that it was not closed.

        Raises:
            ValueError: It was.
        """
        if self._closed is not None:
            raise ValueError(f"{self._closed} is closed; open it again with huffq.open")

    def reader(self, number: int) -> _huffq.StoreReader:
        """Return the open file of that number.

        Raises:
            ValueError: The dataset was closed.
            CorruptFileError: It is damaged, or not what the manifest says.
            OSError: It cannot be read.
        """
        reader = self._readers.get(number)
        if reader is None:
            self.check_open()
            reader = self._checked(number)
            self._readers[number] = reader
            if self._closed is not None:
                # Another thread has closed it meanwhile.
                self._readers.clear()
            while len(self._readers) > _OPEN_SHARDS:
                # Another thread may have been faster.
                self._readers.pop(next(iter(self._readers)), None)
        return reader

    def _checked(self, number: int) -> _huffq.StoreReader:
        shard = self._shards[number]
        reader = shard.reader or self._open(shard.path, shard.size)
        if shard.size not in (None, reader.size):
            raise CorruptFileError(
                f"{shard.path} has {reader.size} bytes; the manifest says {shard.size}: rebuild it "
                "with huffq.write_manifest"
            )
        if len(self._shards) > 1 or shard.samples != reader.samples:
            if reader.samples != shard.samples:
                raise CorruptFileError(
                    f"{shard.path} has {reader.samples} samples; the manifest says "
                    f"{shard.samples}: rebuild it with huffq.write_manifest"
                )
            own = read_schema(shard.path, reader)
            if forms(own) != forms(self.schema or own):
                raise CorruptFileError(f"{shard.path} has other fields than {self._shards[0].path}")
        return reader

    def touch(self, start: int, stop: int) -> None:
        """Open the files of samples `start` to `stop`, before memory is taken for a wrong count."""
        if len(self) > 1:
            for number, _, _ in self.spans(start, stop):
                self.reader(number)

    def spans(self, start: int, stop: int) -> list[tuple[int, int, int]]:
        """Return the files that samples `start` to `stop` lie in: number, first and last + 1."""
        if len(self) == 1:
            return [(0, start, stop)] if start < stop else []
        spans = []
        number = int(np.searchsorted(self.starts, start, side="right")) - 1
        while start < stop:
            base, end = int(self.starts[number]), int(self.starts[number + 1])
            if start < min(stop, end):
                spans.append((number, start - base, min(stop, end) - base))
            start, number = max(start, end), number + 1
        return spans


def read_schema(path: str, reader: _huffq.StoreReader) -> dict[str, Any]:
    """Return a file's schema.

    Raises:
        CorruptFileError: Its free-form parts are nested too deeply, or hold too long numbers.
    """
    try:
        schema: dict[str, Any] = json.loads(reader.schema)
    except (ValueError, RecursionError) as error:
        raise CorruptFileError(f"{path}: its schema cannot be read: {error}") from error
    return schema


def forms(schema: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what the fields of a schema have in common with those of other shards."""
    return [{key: field.get(key) for key in _SAME} for field in schema["fields"]]

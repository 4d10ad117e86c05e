"""Folders of `.huffq` files that are one dataset."""

from __future__ import annotations

import json
import os
import posixpath
import zlib
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from huffq import _huffq
from huffq._arguments import check_list
from huffq._atomic import atomic_writer
from huffq._remote import is_url, open_reader, read_url
from huffq.errors import CorruptFileError, DataError, UnsupportedVersionError

MANIFEST = "manifest.json"
"""Name of the file that lists a folder's shards."""

_VERSION = 1
"""Version of the manifest's form."""

_OPEN_SHARDS = 64
"""Files that a dataset keeps open."""

_SAME = ("name", "bits", "signed", "item_bytes", "dtype", "sample_shape", "attributes")
"""What a field has in common in all shards."""


class Shard(NamedTuple):
    """One file of a dataset, and that file if it is open already."""

    path: str
    samples: int
    reader: _huffq.StoreReader | None = None


class Shards:
    """The files of a dataset, opened when they are needed.

    Attributes:
        starts: First sample of each file, and the number of all, int64 `[files + 1]`.
        schema: The first file's schema.
    """

    def __init__(self, shards: Sequence[Shard], open_: Callable[[str], _huffq.StoreReader]) -> None:
        self._shards = shards
        self._open = open_
        self._readers: OrderedDict[int, _huffq.StoreReader] = OrderedDict()
        self._closed: str | None = None
        self.starts = np.cumsum([0, *(shard.samples for shard in shards)])
        self.schema: dict[str, Any] = {}
        self.schema = json.loads(self.reader(0).schema)
        # Nobody would touch a file that the manifest takes to be empty.
        for number in np.flatnonzero(np.diff(self.starts) == 0).tolist():
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
        reader = shard.reader or self._open(shard.path)
        if len(self._shards) > 1 or shard.samples != reader.samples:
            if reader.samples != shard.samples:
                raise CorruptFileError(
                    f"{shard.path} has {reader.samples} samples; the manifest says "
                    f"{shard.samples}: rebuild it with huffq.write_manifest"
                )
            first = self.schema or json.loads(reader.schema)
            if _forms(json.loads(reader.schema)) != _forms(first):
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


def listed_files(folder: str) -> list[str]:
    """Return the files that a folder's manifest lists, if there is one, and then its own others.

    Raises:
        HuffqError: The manifest is damaged, or another version's.
    """
    found: list[str] = []
    if (Path(folder) / MANIFEST).exists():
        found = [shard.path for shard in find_shards(folder, _open)]
    known = {os.path.realpath(path) for path in found}
    own = map(os.fspath, sorted(Path(folder).glob("*.huffq")))
    return found + [path for path in own if os.path.realpath(path) not in known]


def check_same_fields(folder: str, schema: dict[str, Any]) -> None:
    """Demand, before anything is written, that new shards have the fields of those that are there.

    Raises:
        ValueError: They have others.
    """
    # By way of JSON: a schema that was stored has lists where a new one has tuples.
    forms = _forms(json.loads(json.dumps(schema)))
    for first in listed_files(folder)[:1]:
        if _forms(json.loads(_open(first).schema)) != forms:
            raise ValueError(f"{folder} has shards with other fields; write to another folder")


def _forms(schema: dict[str, Any]) -> list[dict[str, Any]]:
    return [{key: field.get(key) for key in _SAME} for field in schema["fields"]]


def find_shards(path: str, open_: Callable[[str], _huffq.StoreReader]) -> list[Shard]:
    """Return the files of the dataset `path`, which is one of them or a folder.

    A URL is that of a folder if it ends with a slash.

    Raises:
        DataError: A folder has no manifest.
        CorruptFileError: The manifest is no such list.
        UnsupportedVersionError: It is that of another version of huffq.
    """
    remote = is_url(path)
    if not (path.endswith("/") if remote else Path(path).is_dir()):
        reader = open_(path)
        return [Shard(path, reader.samples, reader)]
    manifest = os.path.join(path, MANIFEST)  # noqa: PTH118  (of URLs, too)
    try:
        listed = json.loads(read_url(manifest) if remote else Path(manifest).read_bytes())
        version, shards = listed["version"], listed["shards"]
        found = [Shard(_joined(path, shard["file"]), shard["samples"]) for shard in shards]
        crc = listed.get("crc", _crc(shards))
    except FileNotFoundError:
        raise DataError(
            f"{path} is a folder without {MANIFEST}; huffq.write_manifest makes one of its shards"
        ) from None
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise CorruptFileError(
            f"{manifest} is no list of shards: {error!r}; huffq.write_manifest makes a new one"
        ) from error
    if type(version) is int and version > _VERSION:
        raise UnsupportedVersionError(
            f"{manifest} has version {version}; this huffq reads version {_VERSION}: update it"
        )
    numbers = [shard.samples for shard in found]
    if version != _VERSION or not found or not _are_counts(numbers):
        raise CorruptFileError(f"{manifest} is no list of shards; huffq.write_manifest makes one")
    if crc != _crc(shards):
        raise CorruptFileError(
            f"{manifest} is damaged: its checksum differs; huffq.write_manifest makes a new one"
        )
    return found


def _crc(shards: Sequence[dict[str, Any]]) -> int:
    """Return the checksum of a manifest's list."""
    text = "".join(f"{shard['samples']} {shard['file']}\n" for shard in shards)
    return zlib.crc32(text.encode("utf-8", "surrogatepass"))


def _joined(folder: str, file: str) -> str:
    """Return the place of a shard; a URL without ``..``, which object stores take for a name."""
    if not is_url(folder):
        return os.path.join(folder, file)  # noqa: PTH118
    protocol, rest = folder.split("://", 1)
    return f"{protocol}://{posixpath.normpath(posixpath.join(rest, file))}"


def _are_counts(numbers: Sequence[Any]) -> bool:
    whole = all(type(number) is int and number >= 0 for number in numbers)
    return whole and sum(numbers) < 1 << 63


def write_manifest(
    folder: str | os.PathLike[str], parts: Sequence[str | os.PathLike[str]] | None = None
) -> list[Shard]:
    """Make files one dataset: write the manifest of a folder.

    No shard is touched, so datasets that were written independently are merged by this alone.

    Args:
        folder: Where the manifest goes; made if it does not exist.
        parts: Files, and folders of them, in the order of their samples. None takes the files of
            `folder` by name.

    Returns:
        The shards, each with its number of samples.

    Raises:
        DataError: There are no files.
        TypeError: `parts` is one string.
        CorruptFileError: A file is damaged, or its fields differ from the first one's.
        OSError: A file cannot be read, or the manifest not be written.
    """
    if parts is not None:
        check_list("parts", parts)
    target = Path(folder)
    files: list[Path] = []
    for part in [target] if parts is None else [Path(part) for part in parts]:
        if part.is_dir() and parts is not None and (part / MANIFEST).exists():
            files += [Path(shard.path) for shard in find_shards(os.fspath(part), _open)]
        else:
            files += sorted(part.glob("*.huffq")) if part.is_dir() else [part]
    if not files:
        raise DataError(f"{folder} has no .huffq files to list")
    shards = [Shard(os.fspath(file), _open(os.fspath(file)).samples) for file in files]
    checked = Shards(shards, _open)
    for number in range(len(shards)):
        checked.reader(number)
    listed = [
        {"file": os.path.relpath(shard.path, target), "samples": shard.samples} for shard in shards
    ]
    manifest = {"version": _VERSION, "crc": _crc(listed), "shards": listed}
    target.mkdir(exist_ok=True)
    with atomic_writer(target / MANIFEST) as file:
        file.write(json.dumps(manifest, indent=1).encode())
    return shards


def _open(path: str) -> _huffq.StoreReader:
    return open_reader(path, 0)

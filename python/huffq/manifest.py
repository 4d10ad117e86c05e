"""Folders of `.huffq` files that are one dataset: the manifest that lists them."""

from __future__ import annotations

import json
import os
import posixpath
import re
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from huffq import _huffq
from huffq._arguments import check_list, check_path
from huffq._atomic import atomic_writer
from huffq._remote import is_url, open_reader, read_url
from huffq.errors import CorruptFileError, DataError, UnsupportedVersionError
from huffq.shards import Opener, Shard, Shards, forms, read_schema

MANIFEST = "manifest.json"
"""Name of the file that lists a folder's shards."""

_VERSION = 1
"""Version of the manifest's form."""

SHARD = re.compile(r"\.huffq(\.part)?$")
"""How the names of files end that can be part of a dataset, or can become one."""


def _open(path: str, size: int | None = None) -> _huffq.StoreReader:
    return open_reader(path, 0, size)


def listed_files(folder: str) -> list[str]:
    """Return the files that a folder's manifest lists, if there is one, and then its own others.

    Raises:
        HuffqError: The manifest is damaged, or another version's.
    """
    found: list[str] = []
    if (Path(folder) / MANIFEST).exists():
        found = [shard.path for shard in find_shards(folder)]
    known = {os.path.realpath(path) for path in found}
    own = map(os.fspath, sorted(Path(folder).glob("*.huffq")))
    return found + [path for path in own if os.path.realpath(path) not in known]


def holds_shards(folder: str) -> bool:
    """Return whether a folder has a manifest, or any file, finished or not, that one would list."""
    names = [path.name for path in Path(folder).iterdir()]
    return any(name == MANIFEST or SHARD.search(name) for name in names)


def check_same_fields(folder: str, schema: dict[str, Any]) -> None:
    """Demand, before anything is written, that new shards have the fields of those that are there.

    Raises:
        ValueError: They have others.
    """
    # By way of JSON: a schema that was stored has lists where a new one has tuples.
    own = forms(json.loads(json.dumps(schema)))
    for first in listed_files(folder)[:1]:
        if forms(read_schema(first, _open(first))) != own:
            raise ValueError(f"{folder} has shards with other fields; write to another folder")


def find_shards(path: str, open_: Opener = _open) -> list[Shard]:
    """Return the files of the dataset `path`, which is one of them or a folder.

    A URL is that of a folder if it ends with a slash.

    Raises:
        DataError: A folder has no manifest.
        CorruptFileError: The manifest is no such list.
        UnsupportedVersionError: It is that of another version of huffq.
    """
    remote = is_url(path)
    if not (path.endswith("/") if remote else Path(path).is_dir()):
        reader = open_(path, None)
        return [Shard(path, reader.samples, reader=reader)]
    manifest = os.path.join(path, MANIFEST)  # noqa: PTH118  (of URLs, too)
    try:
        listed = json.loads(read_url(manifest) if remote else Path(manifest).read_bytes())
        version, shards = listed["version"], listed["shards"]
        found = [
            Shard(_joined(path, shard["file"]), shard["samples"], shard.get("bytes"))
            for shard in shards
        ]
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
    sizes = [shard.size for shard in found if shard.size is not None]
    if version != _VERSION or not found or not (_are_counts(numbers) and _are_counts(sizes)):
        raise CorruptFileError(f"{manifest} is no list of shards; huffq.write_manifest makes one")
    if crc != _crc(shards):
        raise CorruptFileError(
            f"{manifest} is damaged: its checksum differs; huffq.write_manifest makes a new one"
        )
    return found


def _crc(shards: Sequence[dict[str, Any]]) -> int:
    """Return the checksum of a manifest's list."""
    keys = ("samples", "bytes", "file")
    lines = [" ".join(str(shard[key]) for key in keys if key in shard) + "\n" for shard in shards]
    return zlib.crc32("".join(lines).encode("utf-8", "surrogatepass"))


def _joined(folder: str, file: str) -> str:
    """Return the place of a shard; a URL without ``..``, which object stores take for a name."""
    if not is_url(folder):
        return os.path.join(folder, file)  # noqa: PTH118  (Path would tidy it up)
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
        The shards, each with its number of samples and of bytes.

    Raises:
        DataError: There are no files.
        TypeError: `parts` is one string.
        ValueError: `folder` is empty.
        CorruptFileError: A file is damaged, or its fields differ from the first one's.
        OSError: A file cannot be read, or the manifest not be written.
    """
    if parts is not None:
        check_list("parts", parts)
    target = Path(check_path(folder))
    files: list[Path] = []
    for part in [target] if parts is None else [Path(part) for part in parts]:
        if part.is_dir() and parts is not None and (part / MANIFEST).exists():
            files += [Path(shard.path) for shard in find_shards(os.fspath(part))]
        else:
            files += sorted(part.glob("*.huffq")) if part.is_dir() else [part]
    if not files:
        raise DataError(f"{folder} has no .huffq files to list")
    shards = []
    for path in map(os.fspath, files):
        reader = _open(path)
        shards.append(Shard(path, reader.samples, reader.size))
    checked = Shards(shards, _open)
    for number in range(len(shards)):
        checked.reader(number)
    listed = [
        {"file": os.path.relpath(path, target), "samples": samples, "bytes": size}
        for path, samples, size, _ in shards
    ]
    manifest = {"version": _VERSION, "crc": _crc(listed), "shards": listed}
    target.mkdir(exist_ok=True)
    with atomic_writer(target / MANIFEST) as file:
        file.write(json.dumps(manifest, indent=1).encode())
    return shards

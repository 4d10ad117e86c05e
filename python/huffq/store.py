"""Random access to a `.huffq` file, or a folder of them."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from huffq import _huffq
from huffq._arguments import check_list, check_whole
from huffq._progress import progress_bar
from huffq._remote import open_reader
from huffq.errors import CorruptFileError
from huffq.field import Array, Field
from huffq.shards import Shards, find_shards

if TYPE_CHECKING:
    from typing import Self

CACHE_BYTES = 1 << 24
"""Bytes of decoded blocks that an open file keeps unless told otherwise."""

_CHUNK_BYTES = 1 << 21
"""Bytes of samples that a thread decodes at once for `Dataset.iter_batches`, about."""


def open(  # noqa: A001
    path: str | os.PathLike[str], threads: int | None = None, cache_bytes: int = CACHE_BYTES
) -> Dataset:
    """Open a `.huffq` file, or a folder of them, for reading; no block is read yet.

    Args:
        path: The file, or a folder with a manifest; or the URL of one, of any protocol that fsspec
            knows, a folder's with a slash at its end. What is behind a URL is read by range.
        threads: Upper bound on threads for each read; None is every core that the process may use.
        cache_bytes: Bytes of decoded blocks that each open file keeps.

    Raises:
        CorruptFileError: The file is foreign or damaged.
        TruncatedFileError: The file was cut off, or never finished.
        UnsupportedVersionError: Another version of huffq wrote it.
        ValueError: `path` is empty, or a number out of range.
        TypeError: A number is no integer.
        DataError: A folder has no manifest.
        ModuleNotFoundError: A URL needs a package that is not installed.
        OSError: The file cannot be read.
    """
    return Dataset(path, threads, cache_bytes)


class Dataset:
    """An open dataset: named fields of equally many samples.

    ``len(dataset)`` is the number of samples; ``name in dataset`` tells whether it has a field of
    that name. It is no iterable: loop over `fields` or `iter_batches`. Any number of threads, and
    of forked processes, may read one dataset. It pickles as its path. A ``with`` block closes it at
    its end; one that is not closed lets its files go when nobody refers to it any more.

    Attributes:
        path: The file or folder.
        fields: Each field by name, in the file's order.
        level: The level that the first file was encoded at.
        metadata: What the first file's writer stored with it.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        threads: int | None = None,
        cache_bytes: int = CACHE_BYTES,
    ) -> None:
        self.path = os.fspath(path)
        if not self.path:
            raise ValueError("the path is empty; give that of a .huffq file or folder")
        check_whole(0, cache_bytes=cache_bytes)
        check_whole(1, threads=threads)
        self._threads = threads
        self._cache_bytes = cache_bytes
        self._shards = Shards(find_shards(self.path, self._open), self._open)
        schema = self._shards.schema
        self.fields: Mapping[str, Field] = {
            description["name"]: self._field(number, description)
            for number, description in enumerate(schema["fields"])
        }
        self.level: str = schema["level"]
        self.metadata: dict[str, Any] = {} if schema["metadata"] is None else schema["metadata"]
        if not isinstance(self.metadata, dict):
            raise CorruptFileError(f"{self.path}: its metadata is no JSON object")

    def _open(self, path: str) -> _huffq.StoreReader:
        return open_reader(path, self._cache_bytes)

    def _field(self, number: int, description: dict[str, Any]) -> Field:
        try:
            return Field(self._shards, number, description, self._threads)
        except (TypeError, ValueError, OverflowError, KeyError, SyntaxError) as error:
            raise CorruptFileError(
                f"{self.path}: the attributes of field {description['name']!r} have a wrong form: "
                f"{error}"
            ) from error

    def __len__(self) -> int:
        return int(self._shards.starts[-1])

    def __contains__(self, name: object) -> bool:
        return name in self.fields

    def __iter__(self) -> NoReturn:
        raise TypeError("a dataset is no iterable; loop over its .fields or .iter_batches(n)")

    def __getitem__(self, name: str) -> Field:
        try:
            return self.fields[name]
        except KeyError:
            known = ", ".join(map(repr, self.fields))
            raise KeyError(f"{self.path} has no field {name!r}; it has {known}") from None

    def __repr__(self) -> str:
        return f"<huffq dataset {self.path!r}: {len(self)} samples, {len(self.fields)} fields>"

    def __enter__(self) -> Self:
        self._shards.check_open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let the files go; reading afterwards is a ValueError.

        Reads that are under way in other threads are not disturbed. Arrays that were read stay.
        """
        self._shards.close(self.path)

    def __reduce__(self) -> tuple[Any, ...]:
        return Dataset, (self.path, self._threads, self._cache_bytes)

    @property
    def info(self) -> dict[str, Any]:
        """What the dataset holds, as JSON-serialisable values; decodes nothing."""
        readers = [self._shards.reader(number) for number in range(len(self._shards))]
        return {
            "path": self.path,
            "bytes": sum(reader.size for reader in readers),
            "files": len(readers),
            "samples": len(self),
            "level": self.level,
            "fields": {
                name: {
                    "shape": list(field.shape),
                    "dtype": str(field.dtype),
                    "bits": field.bits,
                    "scale": field.scale.tolist(),
                    "zero_point": field.zero_point,
                    "encoded_bits": field.encoded_bits,
                }
                for name, field in self.fields.items()
            },
            "metadata": self.metadata,
        }

    def iter_batches(
        self, batch_size: int, fields: Sequence[str] | None = None, start: int = 0
    ) -> Iterator[dict[str, Any]]:
        """Yield samples in order, decoding the next ones on threads while a batch is in use.

        Args:
            batch_size: Samples in a batch, all but the last.
            fields: Names of the fields that are wanted; None is all.
            start: The first sample.

        Yields:
            A dict by field of arrays `[batch_size, ...]`; a ragged field gives a list of arrays.
            Arrays of neighbouring batches may share memory, which they keep alive.

        Raises:
            KeyError: There is no such field.
            TypeError: `fields` is one string, or a number no integer.
            ValueError: A number is out of range.
            CorruptFileError: A block is damaged.
        """
        check_whole(1, batch_size=batch_size)
        check_whole(0, start=start)
        if fields is not None:
            check_list("fields", fields)
        chosen = [self[name] for name in (self.fields if fields is None else fields)]
        if not chosen:
            raise ValueError("fields is empty; name at least one")
        return self._batches(batch_size, chosen, start)

    def _batches(
        self, batch_size: int, chosen: list[Field], start: int
    ) -> Iterator[dict[str, Any]]:
        keys = [field.name for field in chosen]
        rest: list[Any] = []
        for chunk in self._chunks(batch_size, chosen, start):
            joined = [_join(*pair) for pair in zip(rest, chunk, strict=True)] if rest else chunk
            samples = len(joined[0])
            whole = samples - samples % batch_size
            for batch in zip(*(_cut(v[:whole], batch_size) for v in joined), strict=True):
                yield dict(zip(keys, batch, strict=True))
            rest = [values[whole:] for values in joined] if whole < samples else []
        if rest:
            yield dict(zip(keys, rest, strict=True))

    def _chunks(self, batch_size: int, chosen: list[Field], start: int) -> Iterator[list[Any]]:
        """Yield as many samples at a time as are worth decoding together."""
        step = self._chunk_samples(batch_size, chosen)
        numbers = [field._number for field in chosen]
        for shard, first, last in self._shards.spans(max(start, 0), len(self)):
            reader = self._shards.reader(shard)
            for chunk in reader.batches(numbers, first, last, step, self._threads):
                self._shards.check_open()
                samples = min(step, last - first)
                yield [
                    field.unpack(samples, np.asarray(codes), lengths)
                    for field, (codes, lengths) in zip(chosen, chunk, strict=True)
                ]
                first += samples

    def _chunk_samples(self, batch_size: int, chosen: list[Field]) -> int:
        """Return a number of whole batches, and if they stay small of whole blocks too."""
        sample_bytes = max(1.0, sum(self._mean_bytes(field) for field in chosen))
        step = batch_size
        for field in sorted(chosen, key=self._mean_bytes, reverse=True):
            whole = step if field.ragged else math.lcm(step, field.block_items)
            if whole * sample_bytes <= 2 * _CHUNK_BYTES:
                step = whole
        return step * max(1, int(_CHUNK_BYTES / (sample_bytes * step)))

    def _mean_bytes(self, field: Field) -> float:
        if not field.ragged:
            return field.item_bytes
        reader = self._shards.reader(0)
        items: int = reader.totals(field._number)[0]
        return field.item_bytes * items / max(1, reader.samples)

    def verify(self, fraction: float = 1.0, progress: bool = False) -> None:
        """Read, check and decode every block of every field, or a share of them.

        Args:
            fraction: The share of blocks that are read, spread evenly; above 0, at most 1.
            progress: Show a bar on a terminal.

        Raises:
            CorruptFileError: Names the first damaged part.
        """
        if isinstance(fraction, str) or not 0 < fraction <= 1:
            raise ValueError(f"fraction is {fraction!r}; it must be above 0 and at most 1")
        for number in range(len(self._shards)):
            reader = self._shards.reader(number)
            reader.verify_schema()
            bar = progress_bar("verify", total=reader.groups, unit="group", enabled=progress)
            with bar as advance:
                for group in range(reader.groups):
                    reader.verify_group(group, fraction, self._threads)
                    advance(1)


def _cut(values: Any, size: int) -> Any:
    """Return samples, an array or a list of ragged ones, as batches of `size`."""
    if isinstance(values, list):
        return [values[first : first + size] for first in range(0, len(values), size)]
    return values.reshape(len(values) // size, size, *values.shape[1:])


def _join(first: Any, second: Any) -> Any:
    """Return samples of two chunks, arrays or lists of ragged ones, as one."""
    if isinstance(first, list):
        return first + second
    joined: Array = np.concatenate((first, second))
    return joined

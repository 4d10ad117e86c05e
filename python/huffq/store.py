"""Random access to a `.huffq` file, or a folder of them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

import numpy.typing as npt

from huffq import _huffq
from huffq._arguments import check_list, check_path, check_whole
from huffq._progress import progress_bar
from huffq._remote import open_reader
from huffq.batches import Ahead
from huffq.errors import CorruptFileError
from huffq.field import Field
from huffq.manifest import find_shards
from huffq.quantisation import fields_to_dequantize
from huffq.scales import Numbers, require_floating
from huffq.shards import Shards

if TYPE_CHECKING:
    from typing import Self

CACHE_BYTES = 1 << 24
"""Bytes of decoded blocks that an open file keeps unless told otherwise."""


def open(  # noqa: A001
    path: str | os.PathLike[str], threads: int | None = None, cache_bytes: int = CACHE_BYTES
) -> Dataset:
    """Open a `.huffq` file, or a folder of them, for reading; no block is read yet.

    Args:
        path: The file, or a folder with a manifest; or the URL of one, of any protocol that fsspec
            knows, a folder's with a slash at its end. What is behind a URL is read by range, and
            the interpreter waits for requests that are under way before it exits.
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
        self.path = check_path(path)
        check_whole(0, cache_bytes=cache_bytes)
        check_whole(1, threads=threads)
        self._threads = threads
        self._cache_bytes = cache_bytes
        self._shards = Shards(find_shards(self.path, self._open), self._open)
        schema = self._shards.schema
        described = {found["name"]: (n, found) for n, found in enumerate(schema["fields"])}
        sides = {
            name: self._field(*found, {})
            for name, found in described.items()
            if "bits" not in found[1]
        }
        self.fields: Mapping[str, Field] = {
            name: sides[name] if name in sides else self._field(*found, sides)
            for name, found in described.items()
        }
        self.level: str = schema["level"]
        self.metadata: dict[str, Any] = {} if schema["metadata"] is None else schema["metadata"]
        if not isinstance(self.metadata, dict):
            raise CorruptFileError(f"{self.path}: its metadata is no JSON object")

    def _open(self, path: str, size: int | None) -> _huffq.StoreReader:
        return open_reader(path, self._cache_bytes, size)

    def _field(self, number: int, description: dict[str, Any], sides: Mapping[str, Field]) -> Field:
        try:
            return Field(self._shards, number, description, self._threads, sides)
        except Exception as error:
            # What numpy raises of a dtype in words is not said anywhere.
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
                    "scale": _plain(field.scale),
                    "zero_point": _plain(field.zero_point),
                    "real_dtype": field.real_dtype if field.bits else None,
                    "metadata": field.metadata,
                    "encoded_bits": field.encoded_bits,
                }
                for name, field in self.fields.items()
            },
            "metadata": self.metadata,
        }

    def iter_batches(
        self,
        batch_size: int,
        fields: Sequence[str] | None = None,
        start: int = 0,
        *,
        dequantize: bool | Sequence[str] = False,
        dtype: npt.DTypeLike | None = None,
    ) -> Iterator[dict[str, Any]]:
        """Yield samples in order, decoding the next ones on threads while a batch is in use.

        Args:
            batch_size: Samples in a batch, all but the last.
            fields: Names of the fields that are wanted; None is all.
            start: The first sample.
            dequantize: Whether to give real values in place of codes, or the fields where to.
            dtype: Floating-point dtype of real values, by default as for `Field.dequantize`.

        Yields:
            A dict by field of arrays `[batch_size, ...]`; a ragged field gives a list of arrays.
            Arrays of neighbouring batches may share memory, which they keep alive.

        Raises:
            KeyError: There is no such field, or it is not among those that are wanted.
            CorruptFileError: A block is damaged.
            TypeError: `fields` is one string, a number no integer, or `dtype` not floating-point.
            ValueError: A number is out of range, a side field is to be dequantised, or no fields
                are wanted.
        """
        check_whole(1, batch_size=batch_size)
        check_whole(0, start=start)
        if fields is not None:
            check_list("fields", fields)
        chosen = {name: self[name] for name in (self.fields if fields is None else fields)}
        if not chosen:
            raise ValueError("fields is empty; name at least one")
        real = fields_to_dequantize(dequantize, chosen)
        if dtype is not None:
            require_floating(dtype)
        ahead = Ahead(self._shards, list(chosen.values()), real, dtype, self._threads)
        return ahead.batches(batch_size, start)

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
            reader.verify_front()
            bar = progress_bar("verify", total=reader.groups, unit="group", enabled=progress)
            with bar as advance:
                for group in range(reader.groups):
                    reader.verify_group(group, fraction, self._threads)
                    advance(1)


def _plain(parameter: Numbers | Field) -> Any:
    """Return a scale or a zero point as JSON has it."""
    return {"field": parameter.name} if isinstance(parameter, Field) else parameter.tolist()

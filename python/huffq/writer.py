"""Batches of samples pushed into a `.huffq` file, or a folder of them."""

from __future__ import annotations

import contextlib
import json
import math
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
import numpy.typing as npt

from huffq import _huffq
from huffq._arguments import check_path, check_whole
from huffq._atomic import check_output
from huffq._metadata import plain
from huffq.codec import Level, check_bits
from huffq.columns import Column, check_parameters, check_same_form, column_samples
from huffq.encode_report import EncodeReport, FieldReport
from huffq.errors import DataError
from huffq.manifest import check_same_fields, holds_shards, listed_files, write_manifest
from huffq.source import Batch, Bits, as_columns

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self


class Writer:
    """Writes a dataset batch by batch; a context manager.

    Blocks are coded by threads while the caller computes the next batch. The file grows as
    ``NAME.part`` and takes its name when the ``with`` block ends well. If it ends with an
    exception, Ctrl-C included, the part stays, provided that a whole group of samples is in it, and
    ``resume=True`` goes on with it. Memory holds the batch, one unfinished group (up to 8 Mi
    symbols of a field and 64 Mi of all) and a few segments that are being coded.

    Example:
        >>> import numpy as np, tempfile
        >>> path = tempfile.mkdtemp() + "/acts.huffq"
        >>> with Writer(path, bits={"codes": 4}) as writer:
        ...     writer.write({"codes": np.zeros((3, 8), np.uint8), "labels": np.arange(3)})
        3
        >>> writer.report.samples
        3
    """

    report: EncodeReport
    """What was written; from the end of the ``with`` block on."""

    def __init__(
        self,
        path: str | os.PathLike[str],
        bits: Bits = None,
        level: Level = "dense",
        threads: int | None = None,
        metadata: Mapping[str, Any] | None = None,
        shard_bytes: int | None = None,
        append: bool = False,
        resume: bool = False,
    ) -> None:
        """Prepare to write; files are made with the first batch.

        Args:
            path: The file; with `shard_bytes`, a folder.
            bits: Bit width 1 to 8 of plain uint8 and int8 arrays, for all fields or by name.
                `Codes` know theirs. With a dict, fields without bits are stored as they are, and so
                are arrays of all other dtypes.
            level: As for `huffq.encode`.
            threads: Number of threads; None is every core that the process may use.
            metadata: JSON-serialisable mapping that is stored with the file.
            shard_bytes: Write a folder of files; each ends with the group of samples that brings it
                to this size.
            append: Add shards to a folder that has some.
            resume: Go on with what an interrupted writer left, if anything; `samples` says from
                which sample on batches are wanted.

        Raises:
            OSError: The file has no place; or a folder holds shards already.
            ValueError: `append` and `resume` are both given, there is no such level, `path` is
                empty, or a number is out of range.
            TypeError: A number is no integer, or `metadata` no mapping.
        """
        _check_options(bits, level)
        check_whole(1, threads=threads, shard_bytes=shard_bytes)
        self.path = check_path(path)
        self._bits: Bits = bits
        self._options = {"level": level, "metadata": plain(metadata)}
        self._threads = threads
        self._resume = resume
        self._writer: _huffq.StoreWriter | None = None
        self._first: dict[str, Column] = {}
        self._begin = time.perf_counter()
        self._shards: dict[str, int] | None = None
        if append and resume:
            raise ValueError("append begins new shards, and resume goes on with one; choose one")
        if append and shard_bytes is None:
            shard_bytes = 1 << 30
        self._append = append
        if shard_bytes is None:
            check_output(path)
        else:
            self._shards = {"bytes": shard_bytes, "first": _first_shard(path, append, resume)}
        stored, schema = _huffq.resume_point(self.path) if resume else (0, None)
        self._stored, self._stored_schema = stored, schema

    @property
    def samples(self) -> int:
        """Samples that the dataset has, those resumed from included."""
        if hasattr(self, "report"):
            return self.report.samples
        return self._writer.samples if self._writer else self._stored

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self.close()
            return
        kept = self.suspend()
        if kept and isinstance(error, KeyboardInterrupt):
            raise KeyboardInterrupt(
                f"interrupted; {self.path} has {kept} samples so far: go on with resume=True"
            ) from None

    def write(self, batch: Batch) -> int:
        """Append samples.

        Args:
            batch: An array, `Codes` or `Ragged`, or a dict of them, one per field; first axis =
                samples. The first batch says which fields there are.

        Returns:
            The number of samples appended.

        Raises:
            ValueError: A value does not fit its field's bits (names field, sample, value and
                index); or the batch differs from the first in fields, sample shape, bits, scale or
                what else `Codes` have; or a side field that codes name is not there or does not
                fit.
            TypeError: An array has a dtype that cannot be stored.
            OSError: The disk does not take it. The writer is given up then, and its whole groups
                are left for ``resume=True``.
        """
        return self.write_columns(as_columns(batch, self._bits, infer=False))

    def write_columns(self, columns: dict[str, Column]) -> int:
        """Append samples that `huffq.source` has looked at; as `write`."""
        writer = self._take(columns)
        samples = column_samples(columns)
        writer.write(samples, [columns[name].buffers() for name in self._first])
        return samples

    def write_whole(self, columns: dict[str, Column]) -> Iterator[int]:
        """Append samples that all lie in memory, coded there; yield how many after each part.

        As `write`, but the writer is also given up if a value does not fit.
        """
        writer = self._take(columns)
        while samples := column_samples(columns):
            taken = writer.write_borrowed(
                samples, [columns[name].buffers() for name in self._first]
            )
            yield taken
            columns = {name: column[taken:] for name, column in columns.items()}

    def _take(self, columns: dict[str, Column]) -> _huffq.StoreWriter:
        """Return the writer that takes columns, which are like those before."""
        check_parameters(columns)
        if not self._writer:
            self._start(columns)
        assert self._writer is not None
        if columns.keys() != self._first.keys():
            raise ValueError(
                f"a batch has fields {list(columns)}; the first had {list(self._first)}"
            )
        for name, column in columns.items():
            check_same_form(name, column, self._first[name])
        return self._writer

    def close(self) -> EncodeReport:
        """Write what is left and the index, sync, and give the file its name; do so once.

        Raises:
            DataError: Nothing was written.
            ValueError: A write has failed, or the writer was suspended.
            OSError: The disk does not take it.
        """
        if hasattr(self, "report"):
            return self.report
        if not self._writer:
            if not self._stored_schema:
                raise DataError("no samples were given; there is nothing to encode")
            # All that there was to write had been written before.
            self._writer = self._open(self._stored_schema)
        schema = json.loads(self._writer.schema)
        samples, files, summaries = self._writer.finish()
        fields = {
            field["name"]: _field_report(field, samples, *summary)
            for field, summary in zip(schema["fields"], summaries, strict=True)
        }
        if self._shards is not None:
            write_manifest(self.path, listed_files(self.path))
        paths = [os.fspath(path) for path, _, _ in files]
        encoded_bits = 8 * sum(size for _, _, size in files)
        seconds = time.perf_counter() - self._begin
        self.report = EncodeReport(samples, fields, encoded_bits, seconds, paths)
        return self.report

    def suspend(self) -> int:
        """Stop, and leave what can be resumed; return how many samples that is."""
        if not self._writer:
            return self._stored
        with contextlib.suppress(OSError, ValueError):
            return self._writer.suspend()
        return _huffq.resume_point(self.path)[0]

    def _start(self, columns: dict[str, Column]) -> None:
        fields = [column.description(name) for name, column in columns.items()]
        schema: dict[str, Any] = {**self._options, "fields": fields}
        if self._shards is not None:
            Path(self.path).mkdir(exist_ok=True)
            schema["shards"] = self._shards
        if self._append:
            check_same_fields(self.path, schema)
        self._writer = self._open(json.dumps(schema, allow_nan=False))
        self._first = columns

    def _open(self, schema: str) -> _huffq.StoreWriter:
        return _huffq.StoreWriter(self.path, schema, self._threads, self._resume)


def resume_point(path: str | os.PathLike[str]) -> int:
    """Return from which sample on an interrupted dataset is to be gone on with; 0 for none.

    Raises:
        CorruptFileError: What is there is no part of a file.
        ValueError: `path` is empty.
        OSError: It cannot be read.
    """
    samples, _ = _huffq.resume_point(check_path(path))
    return samples


def _check_options(bits: Bits, level: Level) -> None:
    if level not in get_args(Level):
        raise ValueError(f"level is {level!r}; it must be one of {', '.join(get_args(Level))}")
    for name, width in bits.items() if isinstance(bits, Mapping) else [("", bits)]:
        check_bits(width, f"bits[{name!r}]" if name else "bits")


def _first_shard(path: str | os.PathLike[str], append: bool, resume: bool) -> int:
    folder = Path(path)
    if not folder.exists():
        check_output(path)
        return 0
    if not append and not resume and folder.is_dir() and holds_shards(os.fspath(path)):
        raise FileExistsError(
            f"{path} has shards already; give append=True to add to them, or another folder"
        )
    number = _huffq.next_shard(os.fspath(path))
    return number if append else 0


def _field_report(
    field: dict[str, Any],
    samples: int,
    totals: tuple[int, int, npt.NDArray[np.uint64]],
    encoded: int,
    seconds: float,
) -> FieldReport:
    items, record_bytes, counts = totals
    item_shape = [length for length in field["sample_shape"] if length is not None]
    return FieldReport(
        name=field["name"],
        sample_shape=tuple(field["sample_shape"]),
        bits=field.get("bits", 8 * field.get("item_bytes", 0)),
        signed=field.get("signed"),
        samples=samples,
        elements=items * math.prod(item_shape),
        counts=counts.astype(np.int64),
        encoded_bits=8 * record_bytes,
        encoded=encoded,
        encode_seconds=seconds,
    )

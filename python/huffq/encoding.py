"""Whole sources of samples, or streams of them, pulled into a `.huffq` file or a folder of them."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

from huffq._progress import progress_bar
from huffq.codec import Level
from huffq.columns import column_samples
from huffq.encode_report import EncodeReport
from huffq.errors import DataError
from huffq.source import Bits, Source, batches
from huffq.writer import Writer


def encode_dataset(
    source: Source | Callable[[int], Source],
    path: str | os.PathLike[str],
    bits: Bits = None,
    level: Level = "dense",
    threads: int | None = None,
    progress: bool = True,
    metadata: Mapping[str, Any] | None = None,
    resume: bool = False,
    shard_bytes: int | None = None,
    append: bool = False,
) -> EncodeReport:
    """Encode a dataset into a `.huffq` file, or a folder of them, in one pass.

    Memory and interruptions are as for `Writer`. An older file of that name stays as it was until
    the new one is whole. The bytes depend on codes and options alone, not on batch sizes or
    threads.

    Args:
        source: A whole array or memory map; `huffq.Codes`; a dict of these, one per field; or an
            iterable of such batches, for example `huffq.capture.activations`. First axis = samples.
            The field of a lone array is called ``"data"``. Arrays of uint8 and int8 are coded,
            those of other dtypes in a dict are stored as they are; `huffq.Ragged`, or a list of
            arrays, is samples of differing length. Or a function of a sample's number that returns
            such a source from that sample on.
        path: The file; with `shard_bytes`, a folder.
        bits: Bit width 1 to 8, for all fields or by name. `Codes` know theirs; None infers it from
            whole arrays.
        level: As for `huffq.encode`.
        threads: Number of threads; None is every core that the process may use.
        progress: Show a bar on a terminal (needs tqdm).
        metadata: JSON-serialisable mapping that is stored with the file.
        resume: Go on with what an interrupted run left, if anything. The result is that of an
            undisturbed run, byte for byte. A source that is no function is passed over up to there.
        shard_bytes: As for `Writer`.
        append: As for `Writer`.

    Raises:
        DataError: The source gave no samples.
        ValueError: A value does not fit its field's bits (names field, sample, value and index), or
            batches differ in fields, sample shape, bit width, scale or what else `Codes` have;
            `bits` names an unknown field or contradicts `Codes`; a side field that codes name does
            not fit; or what is to be resumed has other options or metadata.
        TypeError: An array's dtype cannot be stored, a field's name is no string, or an option is
            of a wrong type.
        OSError: The file cannot be written.
    """
    writer = Writer(path, bits, level, threads, metadata, shard_bytes, append, resume)
    start = writer.samples
    with writer:
        if callable(source) and not hasattr(source, "__array__"):
            given = batches(source(start), bits)
        else:
            given = batches(source, bits, start)
        with progress_bar(
            "encode", total=given.samples, unit="sample", enabled=progress
        ) as advance:
            for columns in given.batches:
                if not column_samples(columns):
                    continue
                if not given.in_memory:
                    advance(writer.write_columns(columns))
                    continue
                for taken in writer.write_whole(columns):
                    advance(taken)
        if not writer.samples:
            raise DataError("the source gave no samples; there is nothing to encode")
    return writer.report

"""Streams of codes into a `.huffq` file."""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from huffq import _huffq
from huffq._atomic import check_output
from huffq._progress import progress_bar
from huffq.codec import Level, as_bytes
from huffq.errors import DataError
from huffq.source import Bits, Source, batches

if TYPE_CHECKING:
    from collections.abc import Mapping

    from huffq.codes import Codes


@dataclass(frozen=True)
class FieldReport:
    """What encoding did to one field.

    Attributes:
        name: The field's name.
        sample_shape: Shape of one sample.
        bits: Bit width.
        signed: Whether codes are two's complement.
        samples: Number of samples.
        counts: Occurrences of each symbol, int64 `[2**bits]`; a code c counts at
            ``c & (2**bits - 1)``.
        encoded_bits: Bits of the field's records in the file, headers and checksums included.
        encode_seconds: Time spent in encoding, summed over threads.
    """

    name: str
    sample_shape: tuple[int, ...]
    bits: int
    signed: bool
    samples: int
    counts: npt.NDArray[np.int64]
    encoded_bits: int
    encode_seconds: float

    @property
    def symbols(self) -> int:
        """Number of symbols."""
        return int(self.counts.sum())

    @property
    def raw_bits(self) -> int:
        """Bits of the symbols at the field's bit width."""
        return self.symbols * self.bits

    @property
    def ratio(self) -> float:
        """Encoded bits over raw bits, smaller is better; nan without symbols."""
        return self.encoded_bits / self.raw_bits if self.symbols else float("nan")

    @property
    def zeros(self) -> float:
        """Share of symbols that are 0; nan without symbols."""
        return int(self.counts[0]) / self.symbols if self.symbols else float("nan")

    @property
    def entropy(self) -> float:
        """Order-0 entropy in bits per symbol (Shannon, 1948); nan without symbols."""
        if not self.symbols:
            return float("nan")
        share = self.counts[self.counts > 0] / self.symbols
        return float(-(share * np.log2(share)).sum()) + 0.0  # + 0.0 turns -0.0 into 0.0


@dataclass(frozen=True)
class EncodeReport:
    """What `encode_dataset` wrote.

    Attributes:
        samples: Number of samples.
        fields: Each field by name.
        encoded_bits: Bits of the whole file.
        seconds: Time that the call took, the source's own included.
    """

    samples: int
    fields: dict[str, FieldReport]
    encoded_bits: int
    seconds: float

    @property
    def symbols(self) -> int:
        """Number of symbols of all fields."""
        return sum(field.symbols for field in self.fields.values())

    @property
    def raw_bits(self) -> int:
        """Bits of all symbols at their fields' bit widths."""
        return sum(field.raw_bits for field in self.fields.values())

    @property
    def ratio(self) -> float:
        """Encoded bits over raw bits, smaller is better; nan without symbols."""
        return self.encoded_bits / self.raw_bits if self.symbols else float("nan")

    @property
    def entropy(self) -> float:
        """Mean of the fields' order-0 entropies, weighted by symbols, in bits per symbol."""
        if not self.symbols:
            return float("nan")
        fields = [field for field in self.fields.values() if field.symbols]
        return sum(field.entropy * field.symbols for field in fields) / self.symbols


def encode_dataset(
    source: Source,
    path: str | os.PathLike[str],
    bits: Bits = None,
    level: Level = "dense",
    threads: int | None = None,
    progress: bool = True,
    metadata: Mapping[str, Any] | None = None,
) -> EncodeReport:
    """Encode a dataset of integer codes into one `.huffq` file, in one pass.

    Memory holds one batch and, per field, one unfinished segment of up to 128 blocks. The file
    appears under its name when it is whole and synced; before, and after an error, an older file of
    that name stays as it was.
    The bytes depend on codes and options alone, not on batch sizes or threads.

    Args:
        source: A whole array or memory map; `huffq.Codes`; a dict of these, one per field; or an
            iterable of such batches, for example `huffq.capture.activations`. First axis = samples;
            arrays are uint8 or int8, and the field of a lone array is called ``"data"``.
        path: The file.
        bits: Bit width 1 to 8, for all fields or by name. `Codes` know theirs; None infers it from
            whole arrays.
        level: As for `huffq.encode`.
        threads: Upper bound on threads; None is every core that the process may use.
        progress: Show a bar on a terminal (needs tqdm).
        metadata: JSON-serialisable mapping that is stored with the file.

    Raises:
        DataError: The source gave no samples.
        ValueError: A value does not fit its field's bits (names field, sample, value and index), or
            batches differ in fields, bit width, scale or sample shape; or `bits` names an unknown
            field or contradicts `Codes`.
        TypeError: An array is not uint8 or int8, or a field's name no string.
        OSError: The file cannot be written.
    """
    begin = time.perf_counter()
    check_output(path)
    stream, total = batches(source, bits)
    first = next(stream, None)
    if first is None:
        raise DataError("the source gave no samples; there is nothing to encode")
    writer = _huffq.StoreWriter(path, _schema(first, level, metadata), threads)
    try:
        with progress_bar("encode", total=total, unit="sample", enabled=progress) as advance:
            batch: dict[str, Codes] | None = first
            while batch is not None:
                advance(_write(writer, batch, first))
                batch = next(stream, None)
        samples, file_bytes, summaries = writer.finish()
    except BaseException:
        writer.abort()
        raise
    fields = {}
    for (name, codes), (counts, field_bytes, seconds) in zip(first.items(), summaries, strict=True):
        fields[name] = FieldReport(
            name=name,
            sample_shape=codes.values.shape[1:],
            bits=codes.bits,
            signed=codes.signed,
            samples=samples,
            counts=counts[: 1 << codes.bits].astype(np.int64),
            encoded_bits=8 * field_bytes,
            encode_seconds=seconds,
        )
    return EncodeReport(samples, fields, 8 * file_bytes, time.perf_counter() - begin)


def _write(writer: _huffq.StoreWriter, batch: dict[str, Codes], first: dict[str, Codes]) -> int:
    """Write a batch of the form of the `first`; return its number of samples."""
    if batch.keys() != first.keys():
        raise ValueError(f"a batch has fields {list(batch)}; the first had {list(first)}")
    for name, codes in batch.items():
        _check_same_form(name, codes, first[name])
    samples = len(batch[next(iter(first))].values)
    writer.write(samples, [as_bytes(batch[name].values) for name in first])
    return samples


def _check_same_form(name: str, codes: Codes, first: Codes) -> None:
    def form(c: Codes) -> dict[str, Any]:
        return {
            "sample shape": c.values.shape[1:],
            "dtype": str(c.values.dtype),
            "bits": c.bits,
            "scale": c.scale.tolist(),
            "zero point": c.zero_point,
        }

    for what, value in form(codes).items():
        if value != (expected := form(first)[what]):
            raise ValueError(
                f"field {name!r}: a batch has {what} {value}; the first batch had {expected}"
            )


def _schema(first: dict[str, Codes], level: Level, metadata: Mapping[str, Any] | None) -> str:
    fields = [
        {
            "name": name,
            "bits": codes.bits,
            "signed": codes.signed,
            "sample_shape": codes.values.shape[1:],
            "attributes": {
                "scale": {"dtype": str(codes.scale.dtype), "values": codes.scale.tolist()},
                "zero_point": codes.zero_point,
            },
        }
        for name, codes in first.items()
    ]
    try:
        described = {"level": level, "fields": fields, "metadata": dict(metadata or {})}
        return json.dumps(described, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise type(error)(f"metadata must be serialisable as JSON: {error}") from None

"""Random access to a `.huffq` file."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn, TypeAlias

import numpy as np
import numpy.typing as npt

from huffq import _huffq
from huffq._progress import progress_bar
from huffq.codec import IntegerArray, as_bytes
from huffq.codes import as_scale, dequantize
from huffq.errors import CorruptFileError

Index: TypeAlias = "int | slice | Sequence[int] | npt.NDArray[np.integer | np.bool_]"

_VERIFY_BLOCKS = 64
"""Blocks that are verified between two looks at Ctrl-C."""


def open(path: str | os.PathLike[str], threads: int | None = None) -> Dataset:  # noqa: A001
    """Open a `.huffq` file for reading; no block is read yet.

    Args:
        path: The file.
        threads: Upper bound on threads for each read; None is every core that the process may use.

    Raises:
        CorruptFileError: The file is foreign or damaged.
        TruncatedFileError: The file was cut off, or never finished.
        UnsupportedVersionError: Another version of huffq wrote it.
        OSError: The file cannot be read.
    """
    return Dataset(path, threads)


class Field:
    """One named array of a file; indexing decodes what it asks for.

    Attributes:
        name: The field's name.
        shape: ``(samples, *sample_shape)``.
        dtype: uint8 or int8.
        bits: Bit width of the codes.
        signed: Whether codes are two's complement.
        scale: The quantisation step; broadcasts against one sample.
        zero_point: The code that stands for 0.0.
        block_samples: Samples of a block, which is what a read decodes at least.
    """

    def __init__(
        self,
        reader: _huffq.StoreReader,
        number: int,
        description: dict[str, Any],
        threads: int | None,
    ) -> None:
        self._reader = reader
        self._number = number
        self._threads = threads
        self.name: str = description["name"]
        self.shape: tuple[int, ...] = (reader.samples, *description["sample_shape"])
        self.bits: int = description["bits"]
        self.signed: bool = description["signed"]
        self.block_samples: int = description["block_samples"]
        self.dtype: np.dtype[Any] = np.dtype(np.int8 if self.signed else np.uint8)
        self.scale, self.zero_point = _quantisation(description["attributes"], self.shape[1:])

    def __len__(self) -> int:
        return self.shape[0]

    def __repr__(self) -> str:
        return f"<huffq field {self.name!r}: {self.dtype}{list(self.shape)}, {self.bits} bits>"

    @property
    def encoded_bits(self) -> int:
        """Bits of the field's records in the file, headers and checksums included."""
        return 8 * self._reader.encoded_bytes(self._number)

    def __getitem__(self, index: Index) -> IntegerArray:
        """Return the codes of one sample (int) or of several (slice, integers, booleans).

        Raises:
            IndexError: An index is out of range, or a mask has another length.
            CorruptFileError: A block that holds the samples is damaged.
        """
        if isinstance(index, slice):
            start, stop, step = index.indices(len(self))
            if step == 1:
                return self._read_range(start, max(start, stop))
            return self.take(np.arange(start, stop, step))
        if isinstance(index, tuple):
            raise TypeError("a field is indexed by sample only; index the result further")
        array: npt.NDArray[Any] = np.asarray(index)
        codes = self.take(np.atleast_1d(array))
        return codes if array.ndim else codes.reshape(self.shape[1:])

    def take(self, samples: npt.ArrayLike, out: IntegerArray | None = None) -> IntegerArray:
        """Return the codes of several samples; the same as indexing, and into an array if given.

        Args:
            samples: Sample numbers, or booleans for all samples.
            out: Array to decode into, ``[n, *sample_shape]`` of the field's dtype, in C order.

        Raises:
            IndexError, CorruptFileError: As for indexing.
            ValueError: `out` has another shape or dtype, or is not in C order.
        """
        numbers = self._sample_numbers(np.asarray(samples))
        shape = (len(numbers), *self.shape[1:])
        if out is None:
            out = np.empty(shape, self.dtype)
        elif out.shape != shape or out.dtype != self.dtype or not out.flags.c_contiguous:
            raise ValueError(f"out must be {self.dtype}{list(shape)} in C order")
        unsigned = numbers.astype(np.uint64)
        self._reader.read_samples(self._number, unsigned, as_bytes(out), self._threads)
        return out

    def dequantize(
        self, index: Index = slice(None), dtype: npt.DTypeLike | None = None
    ) -> npt.NDArray[np.floating]:
        """Return ``scale * (codes - zero_point)`` of the samples that `index` selects.

        Args:
            index: As for indexing; everything by default.
            dtype: Floating-point dtype; the scale's own by default.
        """
        dtype = self.scale.dtype if dtype is None else dtype
        return dequantize(self[index], self.scale, self.zero_point, dtype)

    def verify(self, progress: bool = False) -> None:
        """Read and decode every block.

        Raises:
            CorruptFileError: Names the first damaged block.
        """
        blocks = self._reader.blocks(self._number)
        bar = progress_bar(f"verify {self.name}", total=blocks, unit="block", enabled=progress)
        with bar as advance:
            for start in range(0, blocks, _VERIFY_BLOCKS):
                stop = min(start + _VERIFY_BLOCKS, blocks)
                self._reader.verify(self._number, start, stop, self._threads)
                advance(stop - start)

    def _sample_numbers(self, array: npt.NDArray[Any]) -> npt.NDArray[np.integer]:
        if array.dtype == np.bool_:
            if array.shape != (len(self),):
                raise IndexError(f"the mask has shape {array.shape}; it must be ({len(self)},)")
            return np.flatnonzero(array)
        if array.size == 0:
            return np.empty(0, np.int64)
        if array.ndim != 1 or not np.issubdtype(array.dtype, np.integer):
            raise TypeError(
                f"an index must be integers or booleans, not {array.dtype} {array.shape}"
            )
        outside = (array < -len(self)) | (array >= len(self))
        if outside.any():
            raise IndexError(
                f"sample {array[outside][0]} is outside a field of {len(self)} samples"
            )
        return np.where(array < 0, array + len(self), array)

    def _read_range(self, start: int, stop: int) -> IntegerArray:
        out: IntegerArray = np.empty((stop - start, *self.shape[1:]), self.dtype)
        self._reader.read_range(self._number, start, stop, as_bytes(out), self._threads)
        return out


def _quantisation(
    attributes: Any, sample_shape: tuple[int, ...]
) -> tuple[npt.NDArray[np.floating], int]:
    """Return a field's scale and zero point: 1 and 0 unless its attributes hold others.

    Raises:
        TypeError, ValueError, OverflowError: The attributes have a wrong form.
    """
    defaults = {"scale": {"dtype": "float32", "values": 1.0}, "zero_point": 0}
    given = defaults | ({} if attributes is None else attributes)
    match given["scale"], given["zero_point"]:
        case {"dtype": str(dtype), "values": values}, int(zero_point):
            return as_scale(np.array(values, dtype), sample_shape), zero_point
    raise ValueError("scale must have a dtype and values, and zero_point be an integer")


class Dataset:
    """An open `.huffq` file: named fields of equally many samples.

    ``len(dataset)`` is the number of samples; ``name in dataset`` tells whether it has a field of
    that name. It is no iterable: loop over `fields` or `iter_batches`. Any number of threads may
    read one dataset. It pickles as its path.

    Attributes:
        path: The file.
        fields: Each field by name, in the file's order.
        level: The level that the file was encoded at.
        metadata: What the writer stored with the file.
    """

    def __init__(self, path: str | os.PathLike[str], threads: int | None = None) -> None:
        self.path = os.fspath(path)
        self._threads = threads
        reader = _huffq.StoreReader(self.path)
        schema = json.loads(reader.schema)
        self._samples = reader.samples
        self.fields: Mapping[str, Field] = {
            description["name"]: self._field(reader, number, description)
            for number, description in enumerate(schema["fields"])
        }
        self.level: str = schema["level"]
        self.metadata: dict[str, Any] = {} if schema["metadata"] is None else schema["metadata"]
        if not isinstance(self.metadata, dict):
            raise CorruptFileError(f"{self.path}: its metadata is no JSON object")

    def _field(self, reader: _huffq.StoreReader, number: int, description: dict[str, Any]) -> Field:
        try:
            return Field(reader, number, description, self._threads)
        except (TypeError, ValueError, OverflowError) as error:
            raise CorruptFileError(
                f"{self.path}: the attributes of field {description['name']!r} have a wrong form: "
                f"{error}"
            ) from error

    def __len__(self) -> int:
        return self._samples

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

    def __reduce__(self) -> tuple[Any, ...]:
        return Dataset, (self.path, self._threads)

    @property
    def info(self) -> dict[str, Any]:
        """What the file holds, as JSON-serialisable values."""
        return {
            "path": self.path,
            "bytes": Path(self.path).stat().st_size,
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

    def iter_batches(self, batch_size: int) -> Iterator[dict[str, IntegerArray]]:
        """Yield all samples in order, `batch_size` at a time, as a dict of arrays by field."""
        if batch_size < 1:
            raise ValueError(f"batch_size is {batch_size}; it must be at least 1")
        for start in range(0, len(self), batch_size):
            batch = slice(start, start + batch_size)
            yield {name: field[batch] for name, field in self.fields.items()}

    def verify(self, progress: bool = False) -> None:
        """Read, check and decode every block of every field.

        Raises:
            CorruptFileError: Names the first damaged block.
        """
        for field in self.fields.values():
            field.verify(progress)

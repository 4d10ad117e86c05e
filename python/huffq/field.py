"""Named arrays of an open dataset; indexing decodes what it asks for."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from huffq.codec import as_bytes
from huffq.codes import as_scale, dequantize
from huffq.shards import Shards

Index: TypeAlias = "int | slice | Sequence[int] | npt.NDArray[np.integer | np.bool_]"

Array: TypeAlias = "npt.NDArray[Any]"


class Field:
    """One named array of a dataset.

    Attributes:
        name: The field's name.
        dtype: uint8 or int8 of a coded field, any dtype of a side field.
        item_shape: Shape of one sample; of a ragged one without its first axis.
        ragged: Whether samples differ in the length of their first axis.
        bits: Bit width of the codes; None for a side field.
        signed: Whether codes are two's complement; None for a side field.
        scale: The quantisation step; broadcasts against one sample. 1 for a side field.
        zero_point: The code that stands for 0.0.
        item_bytes: Bytes of one sample's elements; of a ragged one's first index.
        block_items: Samples, or first indices of ragged ones, that are decoded at once: reading one
            costs as much as reading all of its block.
    """

    def __init__(
        self, shards: Shards, number: int, description: dict[str, Any], threads: int | None
    ) -> None:
        self._shards = shards
        self._number = number
        self._threads = threads
        self.name: str = description["name"]
        shape = description["sample_shape"]
        self.ragged = bool(shape) and shape[0] is None
        self.item_shape: tuple[int, ...] = tuple(shape[self.ragged :])
        self.block_items: int = description["block_items"]
        self.bits: int | None = description.get("bits")
        self.signed: bool | None = description.get("signed")
        if self.bits is None:
            self.dtype: np.dtype[Any] = _dtype(description["dtype"])
            if self.dtype.itemsize != description["item_bytes"]:
                raise ValueError(f"{self.dtype} has {self.dtype.itemsize} bytes")
        else:
            self.dtype = np.dtype(np.int8 if self.signed else np.uint8)
        self.scale, self.zero_point = _quantisation(description["attributes"], self.item_shape)
        self.item_bytes: int = self.dtype.itemsize * math.prod(self.item_shape)
        self._end = int(shards.starts[-1])

    def __len__(self) -> int:
        return self._end

    @property
    def shape(self) -> tuple[Any, ...]:
        """``(samples, *sample_shape)``; None for an extent that differs from sample to sample."""
        return (len(self), None, *self.item_shape) if self.ragged else (len(self), *self.item_shape)

    def __repr__(self) -> str:
        kind = f"{self.bits} bits" if self.bits else "side field"
        return f"<huffq field {self.name!r}: {self.dtype}{list(self.shape)}, {kind}>"

    @property
    def encoded_bits(self) -> int:
        """Bits of the field's records in all files, headers and checksums included."""
        readers = map(self._shards.reader, range(len(self._shards)))
        return 8 * sum(reader.totals(self._number)[1] for reader in readers)

    @property
    def counts(self) -> npt.NDArray[np.int64]:
        """Occurrences of each symbol, int64 `[2**bits]`; empty for a side field."""
        readers = map(self._shards.reader, range(len(self._shards)))
        counts = [reader.totals(self._number)[2] for reader in readers]
        total: npt.NDArray[np.int64] = np.sum(counts, axis=0, dtype=np.int64)
        return total

    @property
    def elements(self) -> int:
        """Number of symbols, or of a side field's elements."""
        readers = map(self._shards.reader, range(len(self._shards)))
        items = sum(reader.totals(self._number)[0] for reader in readers)
        return items * math.prod(self.item_shape)

    def __getitem__(self, index: Index) -> Any:
        """Return one sample (int) or several (slice, integers, booleans).

        Returns:
            An array; a list of arrays for several ragged samples.

        Raises:
            IndexError: An index is out of range, or a mask has another length.
            CorruptFileError: A block that holds the samples is damaged.
        """
        if isinstance(index, slice):
            start, stop, step = index.indices(len(self))
            if step == 1:
                return self._range(start, max(start, stop))
            return self._samples(np.arange(start, stop, step))
        if isinstance(index, int) and not isinstance(index, bool):
            sample = index + len(self) if index < 0 else index
            if 0 <= sample < len(self):
                found = self._range(sample, sample + 1)
                return found[0]
        numbers = sample_numbers(index, len(self))
        found = self._samples(numbers)
        return found if np.ndim(index) else found[0]

    def take(self, samples: npt.ArrayLike, out: Array | None = None) -> Any:
        """Return several samples, as indexing does; in an array that is there already, if given.

        Args:
            samples: Sample numbers, or booleans for all samples.
            out: Array to decode into, ``[n, *item_shape]`` of the field's dtype, in C order; not
                for ragged fields.

        Raises:
            IndexError, CorruptFileError: As for indexing.
            ValueError: `out` is not such an array.
        """
        numbers = sample_numbers(samples, len(self))
        if out is None:
            return self._samples(numbers)
        shape = (len(numbers), *self.item_shape)
        fits = out.shape == shape and out.dtype == self.dtype and out.flags.c_contiguous
        if self.ragged or not fits:
            raise ValueError(
                f"out must be {self.dtype}{list(shape)} in C order, and the field not ragged"
            )
        return self._gather(numbers, out)

    def dequantize(self, index: Index = slice(None), dtype: npt.DTypeLike | None = None) -> Any:
        """Return ``scale * (codes - zero_point)`` of the samples that `index` selects.

        Args:
            index: As for indexing; everything by default.
            dtype: Floating-point dtype; the scale's own by default.

        Raises:
            IndexError, CorruptFileError: As for indexing.
            TypeError: `dtype` is no floating-point one.
        """
        dtype = self.scale.dtype if dtype is None else dtype
        found = self[index]
        if isinstance(found, list):
            return [dequantize(codes, self.scale, self.zero_point, dtype) for codes in found]
        return dequantize(found, self.scale, self.zero_point, dtype)

    @property
    def flat(self) -> FlatView:
        """Ragged samples laid end to end, indexed by their first axis (tokens, say).

        Raises:
            TypeError: The field is not ragged.
        """
        if not self.ragged:
            raise TypeError(f"field {self.name!r} is not ragged; index its samples")
        return FlatView(self)

    def lengths(self, index: Index = slice(None)) -> npt.NDArray[np.int64]:
        """Return the first extents of the samples that `index` selects, int64; decodes nothing."""
        if isinstance(index, slice):
            numbers = np.arange(len(self))[index]
        else:
            numbers = sample_numbers(index, len(self))
        if not self.ragged:
            raise TypeError(f"field {self.name!r} is not ragged; all its samples are of one shape")
        lengths = np.empty(len(numbers), np.int64)
        for shard, places, local in self._by_shard(numbers):
            starts, stops = self._shards.reader(shard).sample_items(self._number, local)
            lengths[places] = stops - starts
        return lengths

    def unpack(
        self, samples: int, data: npt.NDArray[np.uint8], lengths: npt.NDArray[np.uint64] | None
    ) -> Any:
        """Return decoded bytes as samples: an array, or a list of arrays if they are ragged."""
        items: Array = data.view(self.dtype)
        if lengths is None:
            return items.reshape(samples, *self.item_shape)
        joined = items.reshape(int(lengths.sum()), *self.item_shape)
        return np.split(joined, np.cumsum(lengths.astype(np.int64))[:-1])

    def _range(self, start: int, stop: int) -> Any:
        if self.ragged:
            return self._ragged(np.arange(start, stop))
        out: Array = np.empty((stop - start, *self.item_shape), self.dtype)
        done = 0
        for shard, first, last in self._shards.spans(start, stop):
            part = as_bytes(out[done : done + last - first])
            self._shards.reader(shard).read_range(self._number, first, last, part, self._threads)
            done += last - first
        return out

    def _samples(self, numbers: npt.NDArray[np.integer]) -> Any:
        if self.ragged:
            return self._ragged(numbers)
        return self._gather(numbers)

    def _gather(self, numbers: npt.NDArray[np.integer], out: Array | None = None) -> Array:
        if out is None:
            out = np.empty((len(numbers), *self.item_shape), self.dtype)
        for shard, places, local in self._by_shard(numbers):
            whole = len(local) == len(numbers)
            part = out if whole else np.empty((len(local), *self.item_shape), self.dtype)
            reader = self._shards.reader(shard)
            reader.read_ranges(self._number, local, local + 1, as_bytes(part), self._threads)
            if not whole:
                out[places] = part
        return out

    def _ragged(self, numbers: npt.NDArray[np.integer]) -> list[Array]:
        samples: list[Array] = [np.empty(0)] * len(numbers)
        for shard, places, local in self._by_shard(numbers):
            reader = self._shards.reader(shard)
            starts, stops = reader.sample_items(self._number, local)
            lengths = (stops - starts).astype(np.int64)
            joined: Array = np.empty((lengths.sum(), *self.item_shape), self.dtype)
            reader.read_ranges(self._number, starts, stops, as_bytes(joined), self._threads)
            parts = np.split(joined, np.cumsum(lengths)[:-1]) if len(lengths) else []
            for place, part in zip(places, parts, strict=True):
                samples[place] = part
        return samples

    def _by_shard(
        self, numbers: npt.NDArray[np.integer]
    ) -> list[tuple[int, npt.NDArray[np.integer], npt.NDArray[np.uint64]]]:
        """Return for each file that is hit its number, places among `numbers`, and own numbers."""
        if len(self._shards) == 1:
            return [(0, np.arange(len(numbers)), numbers.astype(np.uint64))]
        starts = self._shards.starts
        shards = np.searchsorted(starts, numbers, side="right") - 1
        hits: list[tuple[int, npt.NDArray[np.integer], npt.NDArray[np.uint64]]] = []
        for shard in np.unique(shards).tolist():
            places = np.flatnonzero(shards == shard)
            hits.append((shard, places, (numbers[places] - starts[shard]).astype(np.uint64)))
        return hits


class FlatView:
    """A ragged field's samples laid end to end; indexed as numpy does, decodes what is asked for.

    Attributes:
        shape: ``(items of all samples, *item_shape)``.
        dtype: As the field's.
    """

    def __init__(self, field: Field) -> None:
        self._field = field
        shards, number = field._shards, field._number
        items = [shards.reader(shard).totals(number)[0] for shard in range(len(shards))]
        self._starts = np.cumsum([0, *items])
        self.shape: tuple[int, ...] = (int(self._starts[-1]), *field.item_shape)
        self.dtype = field.dtype

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: Index) -> Array:
        """Return one item (int) or several (slice, integers, booleans), an array.

        Raises:
            IndexError: An index is out of range, or a mask has another length.
            CorruptFileError: A block that holds the items is damaged.
        """
        if isinstance(index, slice):
            start, stop, step = index.indices(len(self))
            if step == 1:
                return self._read(np.array([start]), np.array([max(start, stop)]))
            numbers = np.arange(start, stop, step)
        else:
            numbers = sample_numbers(index, len(self))
        found = self._read(numbers, numbers + 1)
        return found if isinstance(index, slice) or np.ndim(index) else found[0]

    def _read(self, starts: npt.NDArray[np.int64], stops: npt.NDArray[np.int64]) -> Array:
        field = self._field
        out: Array = np.empty((int((stops - starts).sum()), *field.item_shape), field.dtype)
        ends = np.cumsum(stops - starts)
        for shard in range(len(self._starts) - 1):
            base, end = self._starts[shard], self._starts[shard + 1]
            first, last = np.clip(starts, base, end), np.clip(stops, base, end)
            if not (hit := np.flatnonzero(first < last)).size:
                continue
            lengths = (last - first)[hit]
            part: Array = np.empty((int(lengths.sum()), *field.item_shape), field.dtype)
            begin, end = ((x[hit] - base).astype(np.uint64) for x in (first, last))
            reader = field._shards.reader(shard)
            reader.read_ranges(field._number, begin, end, as_bytes(part), field._threads)
            places = ends[hit] - (stops - first)[hit]
            within = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
            out[np.repeat(places, lengths) + within] = part
        return out


def sample_numbers(index: Any, total: int) -> npt.NDArray[np.int64]:
    """Return the numbers, below `total`, that an int, integers or booleans select, int64 `[n]`.

    Raises:
        IndexError: One is out of range, or a mask has another length.
        TypeError: It is none of these.
    """
    if isinstance(index, tuple):
        raise TypeError("a field is indexed by sample only; index the result further")
    array: Array = np.atleast_1d(np.asarray(index))
    if array.dtype == np.bool_ and not np.ndim(index):
        raise TypeError(f"{index} is no index; give a mask of {total} booleans")
    if array.dtype == np.bool_:
        if array.shape != (total,):
            raise IndexError(f"the mask has shape {array.shape}; it must be ({total},)")
        return np.flatnonzero(array)
    if array.size == 0:
        return np.empty(0, np.int64)
    if array.ndim != 1 or not np.issubdtype(array.dtype, np.integer):
        raise TypeError(f"an index must be integers or booleans, not {array.dtype} {array.shape}")
    outside = (array < -total) | (array >= total)
    if outside.any():
        raise IndexError(f"sample {array[outside][0]} is outside a field of {total} samples")
    numbers = array.astype(np.int64)
    return np.where(numbers < 0, numbers + total, numbers)


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


def _dtype(descr: Any) -> np.dtype[Any]:
    """Return the dtype of numpy's description of it, as JSON has it."""

    def tuples(part: Any) -> Any:
        # JSON has no tuples: a field is one, and so is a shape.
        if not isinstance(part, list):
            return part
        name, kind, *shape = part
        kind = [tuples(field) for field in kind] if isinstance(kind, list) else kind
        return (name, kind, *(tuple(extents) for extents in shape))

    plain = [tuples(field) for field in descr] if isinstance(descr, list) else descr
    dtype: np.dtype[Any] = np.lib.format.descr_to_dtype(plain)
    if dtype.hasobject:
        raise ValueError(f"{dtype} holds Python objects")
    return dtype

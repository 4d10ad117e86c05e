"""Named arrays of an open dataset; indexing decodes what it asks for."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from huffq._index import Index, sample_numbers
from huffq.attributes import read_dtype
from huffq.codec import as_bytes
from huffq.flat import FlatView
from huffq.quantisation import Quantisation
from huffq.scales import Numbers
from huffq.shards import Shards

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
        scale: The quantisation step, which broadcasts against one sample as `huffq.Codes` says; or
            the side field that holds one for each sample. 1 for a side field.
        zero_point: The code that stands for 0.0; likewise.
        real_dtype: Name of the floating-point type that the codes were quantised from.
        metadata: What was stored with the codes.
        quantisation: All four, and how real values follow from them.
        item_bytes: Bytes of one sample's elements; of a ragged one's first index.
        block_items: Samples, or first indices of ragged ones, that are decoded at once: reading one
            costs as much as reading all of its block.
    """

    def __init__(
        self,
        shards: Shards,
        number: int,
        description: dict[str, Any],
        threads: int | None,
        sides: Mapping[str, Field],
    ) -> None:
        self._shards = shards
        self.number = number
        self._threads = threads
        self.name: str = description["name"]
        shape = description["sample_shape"]
        self.ragged = bool(shape) and shape[0] is None
        self.item_shape: tuple[int, ...] = tuple(shape[self.ragged :])
        self.block_items: int = description["block_items"]
        self.bits: int | None = description.get("bits")
        self.signed: bool | None = description.get("signed")
        if self.bits is None:
            self.dtype: np.dtype[Any] = read_dtype(description["dtype"])
            if self.dtype.itemsize != description["item_bytes"]:
                raise ValueError(f"{self.dtype} has {self.dtype.itemsize} bytes")
        else:
            self.dtype = np.dtype(np.int8 if self.signed else np.uint8)
        attributes = description["attributes"]
        self.quantisation = Quantisation(attributes, self.item_shape, self.ragged, sides)
        self.scale: Numbers | Field = self.quantisation.scale
        self.zero_point: Numbers | Field = self.quantisation.zero_point
        self.real_dtype: str = self.quantisation.real_dtype
        self.metadata: dict[str, Any] = self.quantisation.metadata
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
        return 8 * sum(reader.totals(self.number)[1] for reader in readers)

    @property
    def counts(self) -> npt.NDArray[np.int64]:
        """Occurrences of each symbol, int64 `[2**bits]`; empty for a side field."""
        readers = map(self._shards.reader, range(len(self._shards)))
        counts = [reader.totals(self.number)[2] for reader in readers]
        total: npt.NDArray[np.int64] = np.sum(counts, axis=0, dtype=np.int64)
        return total

    @property
    def elements(self) -> int:
        """Number of symbols, or of a side field's elements."""
        readers = map(self._shards.reader, range(len(self._shards)))
        items = sum(reader.totals(self.number)[0] for reader in readers)
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
            self._shards.touch(*_ends(index, len(self)))
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
            dtype: Floating-point dtype; `real_dtype` by default, float32 where that is bfloat16.

        Raises:
            IndexError, CorruptFileError: As for indexing.
            TypeError: `dtype` is no floating-point one.
            ValueError: It is a side field, which has no real values.
        """
        return self.to_real(self[index], lambda side: side[index], dtype)

    def to_real(
        self, found: Any, of_side: Callable[[Field], Any], dtype: npt.DTypeLike | None
    ) -> Any:
        """Return the real values of codes that were read.

        Args:
            found: What indexing gave.
            of_side: Gives what a side field holds of the same samples.
            dtype: As for `dequantize`.
        """
        self.require_codes()
        return self.quantisation.to_real(found, of_side, dtype)

    @property
    def sides(self) -> tuple[Field, ...]:
        """The side fields that real values need."""
        return tuple(x for x in (self.scale, self.zero_point) if isinstance(x, Field))

    def require_codes(self) -> None:
        """Demand a coded field.

        Raises:
            ValueError: It is a side field.
        """
        if self.bits is None:
            raise ValueError(f"{self.name!r} is a side field; it holds no codes to dequantise")

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
        if not self.ragged:
            raise TypeError(f"field {self.name!r} is not ragged; all its samples are of one shape")
        if isinstance(index, slice):
            self._shards.touch(*_ends(index, len(self)))
            numbers = np.arange(len(self))[index]
        else:
            numbers = sample_numbers(index, len(self))
        lengths = np.empty(len(numbers), np.int64)
        for shard, places, local in self._by_shard(numbers):
            starts, stops = self._shards.reader(shard).sample_items(self.number, local)
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
            self._shards.reader(shard).read_range(self.number, first, last, part, self._threads)
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
            reader.read_ranges(self.number, local, local + 1, as_bytes(part), self._threads)
            if not whole:
                out[places] = part
        return out

    def _ragged(self, numbers: npt.NDArray[np.integer]) -> list[Array]:
        samples: list[Array] = [np.empty(0)] * len(numbers)
        for shard, places, local in self._by_shard(numbers):
            reader = self._shards.reader(shard)
            starts, stops = reader.sample_items(self.number, local)
            lengths = (stops - starts).astype(np.int64)
            joined: Array = np.empty((lengths.sum(), *self.item_shape), self.dtype)
            reader.read_ranges(self.number, starts, stops, as_bytes(joined), self._threads)
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


def _ends(index: slice, total: int) -> tuple[int, int]:
    """Return the first sample that a slice selects, in the file's order, and that behind its last.

    Both are 0 if there are none.
    """
    samples = range(total)[index]
    return (min(samples[0], samples[-1]), max(samples[0], samples[-1]) + 1) if samples else (0, 0)

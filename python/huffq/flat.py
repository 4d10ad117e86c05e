"""Ragged samples laid end to end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from huffq._index import Index, sample_numbers
from huffq.codec import as_bytes

if TYPE_CHECKING:
    from huffq.field import Field

Array: TypeAlias = "npt.NDArray[Any]"


class FlatView:
    """A ragged field's samples laid end to end; indexed as numpy does, decodes what is asked for.

    Attributes:
        shape: ``(items of all samples, *item_shape)``.
        dtype: As the field's.
    """

    def __init__(self, field: Field) -> None:
        self._field = field
        shards, number = field._shards, field.number
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

    def dequantize(
        self, index: Index = slice(None), dtype: npt.DTypeLike | None = None
    ) -> npt.NDArray[np.floating]:
        """Return the real values of the items that `index` selects, as `Field.dequantize` does.

        Raises:
            IndexError, CorruptFileError: As for indexing.
            TypeError: `dtype` is no floating-point one.
            ValueError: It is a side field, which has no real values.
        """

        def of_items(side: Field) -> Array:
            return side.flat[index] if side.ragged else np.asarray(side[self._samples(index)])

        real: npt.NDArray[np.floating] = self._field.to_real(self[index], of_items, dtype)
        return real

    def _samples(self, index: Index) -> Index:
        """Return the samples that items lie in."""
        ends = np.cumsum(self._field.lengths())
        if isinstance(index, slice):
            return np.searchsorted(ends, np.arange(len(self))[index], side="right")
        samples = np.searchsorted(ends, sample_numbers(index, len(self)), side="right")
        return samples if np.ndim(index) else int(samples[0])

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
            reader.read_ranges(field.number, begin, end, as_bytes(part), field._threads)
            places = ends[hit] - (stops - first)[hit]
            within = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
            out[np.repeat(places, lengths) + within] = part
        return out

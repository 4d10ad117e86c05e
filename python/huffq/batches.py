"""Samples in order, batch by batch, decoded ahead of the one who takes them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from itertools import repeat
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from huffq.field import Field
    from huffq.shards import Shards

_CHUNK_BYTES = 1 << 19
"""Bytes of samples that a thread decodes at once, about: a few of these stay in its caches."""

_TORN_CHUNK_BYTES = 1 << 21
"""The same where blocks lie across the borders of chunks, so that they are decoded twice."""

_REMOTE_CHUNK_BYTES = 1 << 23
"""The same where a chunk takes a request for each field."""


@dataclass(frozen=True)
class Ahead:
    """Reads some fields of a dataset from front to back.

    Attributes:
        shards: The dataset's files.
        fields: What a batch has.
        real: Names of those of which it has real values.
        dtype: Floating-point dtype of these; None takes each field's own.
        threads: Upper bound on threads.
    """

    shards: Shards
    fields: Sequence[Field]
    real: Set[str]
    dtype: npt.DTypeLike | None
    threads: int | None

    def batches(self, size: int, start: int) -> Iterator[dict[str, Any]]:
        """Yield `size` samples at a time, from sample `start` on."""
        names = [field.name for field in self.fields]
        rest: list[Any] = []
        for chunk in self._chunks(size, start):
            joined = [_join(*pair) for pair in zip(rest, chunk, strict=True)] if rest else chunk
            samples = len(joined[0])
            whole = samples - samples % size
            yield from _batches(names, [_cut(values[:whole], size) for values in joined])
            rest = [values[whole:] for values in joined] if whole < samples else []
        if rest:
            yield dict(zip(names, rest, strict=True))

    def _chunks(self, size: int, start: int) -> Iterator[list[Any]]:
        """Yield as many samples at a time as are worth decoding together."""
        step = self._chunk_samples(size)
        sides = [side for field in self.fields if field.name in self.real for side in field.sides]
        needed = list({field.name: field for field in (*self.fields, *sides)}.values())
        numbers = [field.number for field in needed]
        for shard, first, last in self.shards.spans(max(start, 0), int(self.shards.starts[-1])):
            reader = self.shards.reader(shard)
            for chunk in reader.batches(numbers, first, last, step, self.threads):
                self.shards.check_open()
                samples = min(step, last - first)
                read = [
                    field.unpack(samples, np.asarray(codes), lengths)
                    for field, (codes, lengths) in zip(needed, chunk, strict=True)
                ]
                yield self._real_values(needed, read) if self.real else read
                first += samples

    def _real_values(self, needed: Sequence[Field], read: list[Any]) -> list[Any]:
        """Return what was read, in place of codes their real values where these are wanted."""
        found = {field.name: values for field, values in zip(needed, read, strict=True)}
        return [
            field.to_real(found[field.name], lambda side: found[side.name], self.dtype)
            if field.name in self.real
            else found[field.name]
            for field in self.fields
        ]

    def _chunk_samples(self, size: int) -> int:
        """Return a number of whole batches, and if they stay small of whole blocks too."""
        sample_bytes = max(1.0, sum(map(self._mean_bytes, self.fields)))
        step, least = size, _CHUNK_BYTES
        for field in sorted(self.fields, key=self._mean_bytes, reverse=True):
            whole = math.lcm(step, field.block_items)
            if not field.ragged and whole * sample_bytes <= 2 * _TORN_CHUNK_BYTES:
                step = whole
            else:
                least = _TORN_CHUNK_BYTES
        if self.shards.reader(0).is_remote:
            least = _REMOTE_CHUNK_BYTES
        return step * max(1, int(least / (sample_bytes * step)))

    def _mean_bytes(self, field: Field) -> float:
        if not field.ragged:
            return field.item_bytes
        reader = self.shards.reader(0)
        items: int = reader.totals(field.number)[0]
        return field.item_bytes * items / max(1, reader.samples)


def _batches(names: list[str], cut: list[Any]) -> Iterator[dict[str, Any]]:
    """Return the batches that each field was cut into; small ones come by the million."""
    if len(names) == 1:
        # Much faster than the general way.
        return ({names[0]: batch} for batch in cut[0])
    # Not a line of Python is run for each.
    return map(dict, map(zip, repeat(names), zip(*cut, strict=True)))


def _cut(values: Any, size: int) -> Any:
    """Return samples, an array or a list of ragged ones, as batches of `size`."""
    if isinstance(values, list):
        return [values[first : first + size] for first in range(0, len(values), size)]
    return values.reshape(len(values) // size, size, *values.shape[1:])


def _join(first: Any, second: Any) -> Any:
    """Return samples of two chunks, arrays or lists of ragged ones, as one."""
    if isinstance(first, list):
        return first + second
    return np.concatenate((first, second))

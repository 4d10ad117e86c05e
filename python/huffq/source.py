"""Everything that can be encoded, as batches of columns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from huffq import _huffq
from huffq._chunks import chunks
from huffq._lazy import chunk_rows, is_lazy
from huffq.codec import as_bytes, integer_array
from huffq.codes import Codes
from huffq.columns import Column, Ragged, Values, column_samples, side_column
from huffq.errors import DataError

Batch: TypeAlias = "Values | Mapping[str, Values]"
Source: TypeAlias = "Batch | Iterable[Batch]"
Bits: TypeAlias = "int | Mapping[str, int] | None"

DEFAULT_FIELD = "data"
"""Name of the field of a source that is arrays rather than dicts of them."""


class Batches(NamedTuple):
    """A source as batches of equally many samples per field."""

    batches: Iterator[dict[str, Column]]
    samples: int | None
    """How many they are together, if that is known."""
    in_memory: bool
    """Whether they are one batch, there already."""


def batches(source: Source, bits: Bits, start: int = 0) -> Batches:
    """Look at a source.

    Args:
        source: A whole array, `Codes`, `Ragged` or dict of these, or an iterable of batches of the
            same forms. First axis = samples.
        bits: Bit width, for all fields or by name; `Codes` know theirs. None infers it from whole
            arrays.
        start: Samples to pass over.

    Raises:
        ValueError: Fields differ in their number of samples; a stream of plain arrays comes without
            `bits`; `bits` names an unknown field or contradicts `Codes`; a value does not fit.
        TypeError: An array has a dtype that cannot be stored, or a field's name is no string.
    """
    if _is_batch(source):
        columns = as_columns(source, bits, infer=True)
        samples = column_samples(columns)
        left = samples - min(start, samples)
        if all(column.in_memory for column in columns.values()):
            rest = {name: column[samples - left :] for name, column in columns.items()}
            return Batches(iter([rest]), left, in_memory=True)
        return Batches(_pieces(columns, start), left, in_memory=False)
    if isinstance(source, str | bytes) or not isinstance(source, Iterable):
        raise TypeError(f"the source is a {type(source).__name__}; give arrays or batches of them")
    return Batches(_stream(source, bits, start), None, in_memory=False)


def _is_batch(source: Any) -> bool:
    whole = isinstance(source, Codes | Ragged | Mapping) or hasattr(source, "__array__")
    return whole or is_lazy(source)


def _stream(source: Iterable[Any], bits: Bits, start: int) -> Iterator[dict[str, Column]]:
    for batch in source:
        columns = as_columns(batch, bits, infer=False)
        samples = column_samples(columns)
        yield from _pieces(columns, min(start, samples))
        start -= min(start, samples)


def as_columns(batch: Any, bits: Bits, *, infer: bool) -> dict[str, Column]:
    """Return a batch as columns by field; `infer` bits that are not given."""
    named = batch if isinstance(batch, Mapping) else {DEFAULT_FIELD: batch}
    _check_names(named, bits)
    if not isinstance(batch, Mapping | Codes | Ragged | list | tuple):
        _check_integers(batch)
    beside = _sides(named)
    columns = {
        name: _as_column(name, x, bits, infer=infer, side=name in beside)
        for name, x in named.items()
    }
    counts = {name: len(column) for name, column in columns.items()}
    if not counts:
        raise DataError("a batch has no fields; give at least one array")
    if len(set(counts.values())) > 1:
        raise ValueError(f"the fields differ in their number of samples: {counts}")
    return columns


def _sides(batch: Mapping[str, Any]) -> set[str]:
    """Return the names of the side fields that codes name."""
    plain = [x.values if isinstance(x, Ragged) else x for x in batch.values()]
    codes = [x for x in plain if isinstance(x, Codes)]
    parameters = [parameter for x in codes for parameter in (x.scale, x.zero_point)]
    return {parameter for parameter in parameters if isinstance(parameter, str)}


def _as_column(name: str, x: Any, bits: Bits, *, infer: bool, side: bool) -> Column:
    if isinstance(x, list | tuple):
        try:
            x = Ragged.of(x)
        except ValueError as error:
            raise ValueError(f"field {name!r}: {error}") from None
    if isinstance(x, Ragged):
        column = _as_column(name, x.values, bits, infer=infer, side=side)
        return Column(column.items, x.lengths)
    width = bits.get(name) if isinstance(bits, Mapping) else bits
    if isinstance(x, Codes):
        _check_axis(name, x.values)
        if width not in (None, x.bits):
            raise ValueError(
                f"field {name!r} holds Codes of {x.bits} bits, and bits asks for {width}; "
                "leave it out"
            )
        return Column(x)
    array: npt.NDArray[Any] = x if is_lazy(x) else np.asarray(x)
    _check_axis(name, array)
    if side:
        return side_column(name, array)
    if array.dtype not in (np.uint8, np.int8):
        if isinstance(bits, Mapping) and width is not None:
            _check_integers(array, name)
        return side_column(name, array)
    if width is None and infer:
        width = _infer_bits(array)
    if width is None and isinstance(bits, Mapping):
        return side_column(name, array)
    if width is None:
        raise ValueError(
            f"field {name!r} is a stream of plain arrays; give its bits (or a dict of bits without "
            "it, to store its bytes as they are)"
        )
    return Column(Codes(array, width))


def _infer_bits(values: npt.NDArray[Any]) -> int:
    """Return the narrowest width of all values, reading what is not in memory piece by piece."""
    signed = values.dtype == np.int8
    rows = chunk_rows(values)
    pieces = (as_bytes(values[piece]) for piece in chunks(values.shape, rows=rows))
    return max((_huffq.infer_bits(piece, signed) for piece in pieces), default=1)


def _check_integers(array: Any, name: str = DEFAULT_FIELD) -> None:
    """Demand codes where an array is named by nothing that a side field would be named by."""
    try:
        integer_array(np.empty(0, array.dtype) if is_lazy(array) else array)
    except TypeError as error:
        raise TypeError(f"field {name!r}: {error}") from None


def _check_names(batch: Mapping[str, Any], bits: Bits) -> None:
    for name in batch:
        if not isinstance(name, str):
            raise TypeError(f"the field name {name!r} is no string; name fields by strings")
    for name in bits if isinstance(bits, Mapping) else ():
        if name not in batch:
            known = ", ".join(map(repr, batch))
            raise ValueError(f"bits names the field {name!r}; the source has {known}")


def _check_axis(name: str, array: npt.NDArray[Any]) -> None:
    if not array.shape:
        raise ValueError(f"field {name!r} is a scalar; its first axis must be the samples")


def _pieces(whole: dict[str, Column], start: int) -> Iterator[dict[str, Column]]:
    """Yield the samples from `start` on in pieces; of what is read by chunk, whole chunks."""
    samples = column_samples(whole)
    if not samples:
        return
    by_sample = (column.array for column in whole.values() if column.lengths is None)
    rows = max(map(chunk_rows, by_sample), default=1)
    # Ragged samples count as long as on average.
    shapes = [(samples, -(-column.nbytes // samples)) for column in whole.values()]
    for piece in chunks(*shapes, rows=rows):
        part = slice(max(start, piece.start), piece.stop)
        if part == slice(0, samples):
            yield whole
        elif part.start < part.stop:
            yield {name: column[part] for name, column in whole.items()}

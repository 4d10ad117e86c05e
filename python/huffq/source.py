"""Everything that can be encoded, as batches of codes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from huffq import _huffq
from huffq.codec import as_bytes, integer_array
from huffq.codes import Codes
from huffq.errors import DataError

Batch: TypeAlias = "npt.ArrayLike | Codes | Mapping[str, npt.ArrayLike | Codes]"
Source: TypeAlias = "Batch | Iterable[Batch]"
Bits: TypeAlias = "int | Mapping[str, int] | None"

DEFAULT_FIELD = "data"
"""Name of the field of a source that is arrays rather than dicts of them."""

CHUNK_BYTES = 1 << 24
"""Codes that are cut from a whole array at a time: they pass through memory, not through swap."""


def batches(source: Source, bits: Bits) -> tuple[Iterator[dict[str, Codes]], int | None]:
    """Return the source as batches of equally many samples per field, and its length if known.

    Args:
        source: A whole array, `Codes` or dict of these, or an iterable of batches of the same
            forms. First axis = samples.
        bits: Bit width, for all fields or by name; not needed for `Codes`. None infers it from
            whole arrays.

    Raises:
        ValueError: Fields differ in their number of samples; a stream of plain arrays comes without
            `bits`; a value does not fit.
        TypeError: An array is not uint8 or int8.
    """
    if _is_batch(source):
        whole = _named(source)
        _check_samples(whole)
        codes = {name: _as_codes(name, x, bits, infer=True) for name, x in whole.items()}
        return _chunks(codes), _samples(codes)
    if not isinstance(source, Iterable):
        raise TypeError(f"the source is a {type(source).__name__}; give arrays or batches of them")
    return _stream(source, bits), None


def _is_batch(source: Any) -> bool:
    return isinstance(source, Codes | Mapping) or hasattr(source, "__array__")


def _stream(source: Iterable[Any], bits: Bits) -> Iterator[dict[str, Codes]]:
    for batch in source:
        named = _named(batch)
        _check_samples(named)
        yield {name: _as_codes(name, x, bits, infer=False) for name, x in named.items()}


def _named(batch: Any) -> Mapping[str, Any]:
    return batch if isinstance(batch, Mapping) else {DEFAULT_FIELD: batch}


def _as_codes(name: str, x: Any, bits: Bits, *, infer: bool) -> Codes:
    if isinstance(x, Codes):
        return x
    try:
        values = integer_array(x)
    except TypeError as error:
        raise TypeError(f"field {name!r}: {error}") from None
    width = bits.get(name) if isinstance(bits, Mapping) else bits
    if width is None and infer:
        width = _infer_bits(values)
    if width is None:
        raise ValueError(f"field {name!r} is a stream of plain arrays; give its bits")
    return Codes(values, width)


def _infer_bits(values: npt.NDArray[Any]) -> int:
    """Return the narrowest width of all values, reading a memory map piece by piece."""
    step = _chunk_samples(values)
    pieces = (values[i : i + step] for i in range(0, max(len(values), 1), step))
    signed = values.dtype == np.int8
    return max(_huffq.infer_bits(as_bytes(piece), signed) for piece in pieces)


def _check_samples(batch: Mapping[str, Any]) -> None:
    counts = {}
    for name, x in batch.items():
        shape = np.shape(x.values if isinstance(x, Codes) else x)
        if not shape:
            raise ValueError(f"field {name!r} is a scalar; its first axis must be the samples")
        counts[name] = shape[0]
    if not counts:
        raise DataError("a batch has no fields; give at least one array")
    if len(set(counts.values())) > 1:
        raise ValueError(f"the fields differ in their number of samples: {counts}")


def _samples(batch: Mapping[str, Codes]) -> int:
    return len(next(iter(batch.values())).values)


def _chunks(whole: dict[str, Codes]) -> Iterator[dict[str, Codes]]:
    step = min(_chunk_samples(codes.values) for codes in whole.values())
    for start in range(0, _samples(whole), step):
        yield {name: codes[start : start + step] for name, codes in whole.items()}


def _chunk_samples(values: npt.NDArray[Any]) -> int:
    sample_bytes = int(np.prod(values.shape[1:], dtype=np.int64))
    return max(1, CHUNK_BYTES // max(1, sample_bytes))

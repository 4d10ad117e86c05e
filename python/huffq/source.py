"""Everything that can be encoded, as batches of codes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from huffq import _huffq
from huffq._chunks import chunks
from huffq.codec import as_bytes, integer_array
from huffq.codes import Codes
from huffq.errors import DataError

Batch: TypeAlias = "npt.ArrayLike | Codes | Mapping[str, npt.ArrayLike | Codes]"
Source: TypeAlias = "Batch | Iterable[Batch]"
Bits: TypeAlias = "int | Mapping[str, int] | None"

DEFAULT_FIELD = "data"
"""Name of the field of a source that is arrays rather than dicts of them."""


def batches(source: Source, bits: Bits) -> tuple[Iterator[dict[str, Codes]], int | None]:
    """Return the source as batches of equally many samples per field, and its length if known.

    Args:
        source: A whole array, `Codes` or dict of these, or an iterable of batches of the same
            forms. First axis = samples.
        bits: Bit width, for all fields or by name; `Codes` know theirs. None infers it from whole
            arrays.

    Raises:
        ValueError: Fields differ in their number of samples; a stream of plain arrays comes without
            `bits`; `bits` names an unknown field or contradicts `Codes`; a value does not fit.
        TypeError: An array is not uint8 or int8, or a field's name no string.
    """
    if _is_batch(source):
        codes = _as_fields(source, bits, infer=True)
        return _pieces(codes), _samples(codes)
    if not isinstance(source, Iterable):
        raise TypeError(f"the source is a {type(source).__name__}; give arrays or batches of them")
    return _stream(source, bits), None


def _is_batch(source: Any) -> bool:
    return isinstance(source, Codes | Mapping) or hasattr(source, "__array__")


def _stream(source: Iterable[Any], bits: Bits) -> Iterator[dict[str, Codes]]:
    for batch in source:
        codes = _as_fields(batch, bits, infer=False)
        if _samples(codes):
            yield codes


def _as_fields(batch: Any, bits: Bits, *, infer: bool) -> dict[str, Codes]:
    named = batch if isinstance(batch, Mapping) else {DEFAULT_FIELD: batch}
    _check_names(named, bits)
    _check_samples(named)
    return {name: _as_codes(name, x, bits, infer=infer) for name, x in named.items()}


def _as_codes(name: str, x: Any, bits: Bits, *, infer: bool) -> Codes:
    width = bits.get(name) if isinstance(bits, Mapping) else bits
    if isinstance(x, Codes):
        if width not in (None, x.bits):
            raise ValueError(
                f"field {name!r} holds Codes of {x.bits} bits, and bits asks for {width}; "
                "leave it out"
            )
        return x
    try:
        values = integer_array(x)
    except TypeError as error:
        raise TypeError(f"field {name!r}: {error}") from None
    if width is None and infer:
        width = _infer_bits(values)
    if width is None:
        raise ValueError(f"field {name!r} is a stream of plain arrays; give its bits")
    return Codes(values, width)


def _infer_bits(values: npt.NDArray[Any]) -> int:
    """Return the narrowest width of all values, reading a memory map piece by piece."""
    signed = values.dtype == np.int8
    pieces = (as_bytes(values[piece]) for piece in chunks(values.shape))
    return max((_huffq.infer_bits(piece, signed) for piece in pieces), default=1)


def _check_names(batch: Mapping[str, Any], bits: Bits) -> None:
    for name in batch:
        if not isinstance(name, str):
            raise TypeError(f"the field name {name!r} is no string; name fields by strings")
    for name in bits if isinstance(bits, Mapping) else ():
        if name not in batch:
            known = ", ".join(map(repr, batch))
            raise ValueError(f"bits names the field {name!r}; the source has {known}")


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


def _pieces(whole: dict[str, Codes]) -> Iterator[dict[str, Codes]]:
    for piece in chunks(*(codes.values.shape for codes in whole.values())):
        yield {name: codes[piece] for name, codes in whole.items()}

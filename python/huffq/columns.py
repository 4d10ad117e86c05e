"""One field's samples in the form in which a file takes them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from huffq._lazy import is_lazy
from huffq.attributes import attributes_of
from huffq.codec import as_bytes
from huffq.codes import Codes
from huffq.scales import check_numbers, check_shape


@dataclass(frozen=True, eq=False)
class Ragged:
    """Samples that differ in the length of their first axis, laid end to end.

    Attributes:
        values: The samples' first axes joined, `[sum of lengths, ...]`: `Codes`, or an array.
        lengths: Length of each sample, integers `[samples]`.

    Raises:
        TypeError: `lengths` are no integers.
        ValueError: They are negative, or do not add up to the length of `values`.
    """

    values: Codes | npt.NDArray[Any]
    lengths: npt.NDArray[np.integer]

    def __post_init__(self) -> None:
        lengths: npt.NDArray[Any] = np.asarray(self.lengths)
        if lengths.size == 0:
            lengths = lengths.astype(np.int64)
        if lengths.ndim != 1 or not np.issubdtype(lengths.dtype, np.integer):
            raise TypeError(f"lengths are {lengths.dtype} {lengths.shape}; give integers [samples]")
        if not isinstance(self.values, Codes) and not is_lazy(self.values):
            object.__setattr__(self, "values", np.asarray(self.values))
        items = (self.values.values if isinstance(self.values, Codes) else self.values).shape[0]
        if (lengths < 0).any() or lengths.sum() != items:
            raise ValueError(
                f"the lengths of ragged samples add up to {lengths.sum()}; there are {items} items"
            )
        object.__setattr__(self, "lengths", lengths)

    @classmethod
    def of(cls, samples: Sequence[npt.ArrayLike]) -> Ragged:
        """Join arrays that differ in the length of their first axis alone.

        Raises:
            ValueError: There are none, or they differ in anything else.
        """
        arrays: list[npt.NDArray[Any]] = [np.asarray(sample) for sample in samples]
        forms = {(array.dtype, array.shape[1:], array.ndim > 0) for array in arrays}
        if len(forms) != 1 or not next(iter(forms))[2]:
            raise ValueError("ragged samples must be arrays that differ in their first axis alone")
        return cls(np.concatenate(arrays), np.array([len(array) for array in arrays]))


Values: TypeAlias = "npt.ArrayLike | Codes | Ragged"
"""Samples of one field: a list or tuple of arrays is ragged."""


@dataclass(frozen=True, eq=False)
class Column:
    """Samples of one field.

    Attributes:
        items: `Codes` of a coded field, an array of a side field; first axis = samples, or all
            ragged samples' first axes joined.
        lengths: Items of each ragged sample; None if samples are of one shape.
    """

    items: Codes | npt.NDArray[Any]
    lengths: npt.NDArray[np.integer] | None = None

    @property
    def array(self) -> npt.NDArray[Any]:
        """The codes, or the elements."""
        return self.items.values if isinstance(self.items, Codes) else self.items

    @property
    def in_memory(self) -> bool:
        """Whether samples of one shape lie one after another in memory, or in a mapped file."""
        array = self.array
        plain = isinstance(array, np.ndarray) and array.flags.c_contiguous
        return plain and self.lengths is None

    @property
    def nbytes(self) -> int:
        """Bytes of the codes or elements."""
        return math.prod(self.array.shape) * self.array.dtype.itemsize

    def __len__(self) -> int:
        return int((self.array if self.lengths is None else self.lengths).shape[0])

    def __getitem__(self, samples: slice) -> Column:
        if self.lengths is None:
            return Column(self.items[samples])
        ends = np.concatenate(([0], np.cumsum(self.lengths)))
        start, stop, _ = samples.indices(len(self))
        return Column(self.items[slice(int(ends[start]), int(ends[stop]))], self.lengths[samples])

    @property
    def sample_shape(self) -> tuple[int | None, ...]:
        """Shape of one sample; None for an extent that differs."""
        shape = self.array.shape[1:]
        return shape if self.lengths is None else (None, *shape)

    def form(self) -> dict[str, Any]:
        """What all batches of a field have in common, by words for it."""
        form: dict[str, Any] = {
            "sample shape": self.sample_shape,
            "dtype": str(self.array.dtype),
        }
        if isinstance(self.items, Codes):
            codes = self.items
            form["bits"] = codes.bits
            for what, numbers in (("scale", codes.scale), ("zero point", codes.zero_point)):
                form[what] = numbers if isinstance(numbers, str) else numbers.tolist()
            form |= {"real dtype": codes.real_dtype, "metadata": codes.metadata}
        return form

    def description(self, name: str) -> dict[str, Any]:
        """Return the field as a file's schema has it."""
        field: dict[str, Any] = {"name": name, "sample_shape": self.sample_shape}
        if isinstance(self.items, Codes):
            codes = self.items
            coded = {"bits": codes.bits, "signed": codes.signed}
            return field | coded | {"attributes": attributes_of(codes)}
        dtype = self.array.dtype
        descr = np.lib.format.dtype_to_descr(dtype)
        return field | {"dtype": descr, "item_bytes": dtype.itemsize}

    def buffers(self) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint64] | None]:
        """Return the bytes of all items in C order, and the lengths."""
        lengths = None if self.lengths is None else self.lengths.astype(np.uint64)
        return as_bytes(self.array), lengths


def column_samples(columns: Mapping[str, Column]) -> int:
    """Return the number of samples that all columns have."""
    return len(next(iter(columns.values())))


def side_column(name: str, array: npt.NDArray[Any]) -> Column:
    """Return the column of a side field.

    Raises:
        TypeError: The array holds Python objects.
    """
    if array.dtype.hasobject or array.dtype.itemsize == 0:
        raise TypeError(f"field {name!r} has dtype {array.dtype}, which has no bytes to store")
    return Column(array)


def check_parameters(columns: Mapping[str, Column]) -> None:
    """Demand that the side fields that codes name hold scales and zero points of their samples.

    Raises:
        ValueError: There is no such field, or it does not fit.
    """
    for name, column in columns.items():
        if not isinstance(codes := column.items, Codes):
            continue
        for what, side in (("scale", codes.scale), ("zero_point", codes.zero_point)):
            if isinstance(side, str):
                try:
                    _check_parameter(what, column, side, columns.get(side))
                except ValueError as error:
                    raise ValueError(f"field {name!r}: {error}") from None


def _check_parameter(what: str, column: Column, name: str, side: Column | None) -> None:
    if side is None or isinstance(side.items, Codes):
        raise ValueError(f"its {what} is {name!r}, which is no side field; write one beside it")
    own = () if column.lengths is None else column.lengths
    if side.lengths is not None and not np.array_equal(side.lengths, own):
        raise ValueError(f"its {what}, {name!r}, is ragged with other lengths than the codes have")
    check_numbers(what, side.array)
    check_shape(what, side.array.shape[1:], column.array.shape[1:])


def check_same_form(name: str, column: Column, first: Column) -> None:
    """Demand that a batch of a field is like its first one.

    Raises:
        ValueError: It is not; says in what they differ.
    """
    expected = first.form()
    for what, value in column.form().items():
        if value != expected.get(what):
            given, before = (_brief(found) for found in (value, expected.get(what, "none")))
            raise ValueError(f"field {name!r}: a batch has {what} {given}; the first had {before}")


def _brief(value: Any) -> str:
    """Return a value in words that fit a sentence: of many numbers, their shape."""
    text = str(value)
    return text if len(text) <= 80 else f"{text[:60]}... of shape {np.shape(value)}"

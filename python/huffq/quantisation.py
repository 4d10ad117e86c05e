"""Scale and zero point of a stored field, wherever they lie, and its real values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from huffq.attributes import read_attributes
from huffq.errors import CorruptFileError
from huffq.scales import Numbers, check_numbers, check_shape, dequantize, numpy_dtype

if TYPE_CHECKING:
    from huffq.field import Field


_OTHER_LENGTHS = "a ragged scale or zero point has other lengths than its codes"


class Quantisation:
    """What the codes of a field stand for.

    Attributes:
        scale: Numbers that broadcast against a sample, or the side field that holds some for each.
        zero_point: Likewise.
        real_dtype: Name of the floating-point type that the codes were quantised from.
        metadata: What was stored with the codes.
    """

    def __init__(
        self,
        attributes: Any,
        item_shape: tuple[int, ...],
        ragged: bool,
        sides: Mapping[str, Field],
    ) -> None:
        """Read a field's attributes, of a file that has these `sides`.

        Raises:
            TypeError, ValueError, OverflowError: They have a wrong form.
        """
        self._item_shape = item_shape
        found = read_attributes(attributes, item_shape)

        def resolve(what: str, parameter: Numbers | str) -> Numbers | Field:
            if not isinstance(parameter, str):
                return parameter
            if parameter not in sides:
                raise ValueError(f"its {what} is in {parameter!r}, which is no side field")
            side = sides[parameter]
            if side.ragged and not ragged:
                raise ValueError(f"its {what} is ragged, and it is not")
            check_numbers(what, np.empty(0, side.dtype))
            check_shape(what, side.item_shape, item_shape)
            return side

        self.scale = resolve("scale", found.scale)
        self.zero_point = resolve("zero_point", found.zero_point)
        self.real_dtype = found.real_dtype or self.scale.dtype.name
        self.metadata = found.metadata

    def to_real(
        self, found: Any, of_side: Callable[[Field], Any], dtype: npt.DTypeLike | None
    ) -> Any:
        """Return real values; see `Field.to_real`."""
        dtype = numpy_dtype(self.real_dtype) if dtype is None else dtype
        if not isinstance(found, list):
            return dequantize(found, *self.numbers(np.shape(found)[:1], of_side), dtype)
        if not found:
            return []
        lengths = np.array([len(codes) for codes in found])
        joined = np.concatenate(found)
        numbers = self.numbers(joined.shape[:1], lambda side: by_item(of_side(side), lengths))
        real = dequantize(joined, *numbers, dtype)
        return np.split(real, np.cumsum(lengths)[:-1])

    def numbers(
        self, first: tuple[int, ...], of_side: Callable[[Field], Any]
    ) -> tuple[Numbers, Numbers]:
        """Return scale and zero point as they broadcast against codes; see `Field.to_real`.

        Args:
            first: The length of the codes' first axis, if they have one.
            of_side: Gives what a side field holds of the same samples.

        Raises:
            CorruptFileError: A ragged side field has samples of other lengths.
        """
        scale, zero_point = (
            x if isinstance(x, np.ndarray) else self._aligned(of_side(x), first, x.item_shape)
            for x in (self.scale, self.zero_point)
        )
        return scale, zero_point

    def _aligned(self, numbers: Numbers, first: tuple[int, ...], shape: tuple[int, ...]) -> Numbers:
        """Insert axes, so that numbers of several samples lie along the first axis of these."""
        lead = numbers.shape[: numbers.ndim - len(shape)]
        if lead not in ((), first):
            raise CorruptFileError(_OTHER_LENGTHS)
        return numbers.reshape(*lead, *[1] * (len(self._item_shape) - len(shape)), *shape)


def fields_to_dequantize(
    dequantize: bool | Sequence[str], fields: Mapping[str, Field]
) -> frozenset[str]:
    """Return the names of the fields of which real values are wanted.

    Args:
        dequantize: Whether of all coded ones, or their names.
        fields: Those that are read, by name.

    Raises:
        KeyError: A name is none of these.
        ValueError: It is that of a side field.
    """
    if isinstance(dequantize, bool):
        return frozenset(name for name, field in fields.items() if dequantize and field.bits)
    for name in dequantize:
        if name not in fields:
            known = ", ".join(map(repr, fields))
            raise KeyError(f"{name!r} is no field of the samples; they have {known}")
        fields[name].require_codes()
    return frozenset(dequantize)


def by_item(values: Any, lengths: npt.NDArray[np.integer]) -> Numbers:
    """Return what a side field holds of ragged samples for each index of their first axes.

    Raises:
        CorruptFileError: It is ragged, and its samples have other lengths.
    """
    if not isinstance(values, list):
        return np.repeat(values, lengths, axis=0)
    if [len(numbers) for numbers in values] != lengths.tolist():
        raise CorruptFileError(_OTHER_LENGTHS)
    return np.concatenate(values)

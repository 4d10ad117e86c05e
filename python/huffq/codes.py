"""Integer codes together with what they stand for."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from huffq._metadata import plain
from huffq.codec import check_bits
from huffq.scales import (
    Parameter,
    as_real_dtype,
    as_scale,
    as_zero_point,
    dequantize,
    numpy_dtype,
)


@dataclass(frozen=True, eq=False)
class Codes:
    """Integer codes of a quantised tensor: ``real = scale * (values - zero_point)``.

    Scale and zero point broadcast against one sample of `values` (of ragged samples: against one
    index of their first axis) as numpy does, and by groups besides: an axis may also have a divisor
    of the sample's length, and each number then stands for equally many consecutive indices. So 0-d
    is one per tensor, ``[C, 1, 1]`` one per channel, ``[C // 16, 1, 1]`` one per 16 channels.

    Where they differ from sample to sample they are side fields, written along with the codes under
    the name that is given here. What such a field holds for a sample broadcasts as above. If it is
    ragged, as the codes are, it holds numbers for each index of the first axis (for each token).

    Attributes:
        values: The codes, uint8 (unsigned) or int8 (signed), any shape.
        bits: Bit width, 1 to 8: unsigned codes lie in ``[0, 2**bits)``, signed ones in
            ``[-2**(bits - 1), 2**(bits - 1))``.
        scale: The quantisation step, finite float16, float32 or float64 (a Python float becomes
            float64); or the name of a side field.
        zero_point: The code that stands for 0.0, any integer, or a number as `scale` is; or the
            name of a side field.
        real_dtype: Floating-point type that the codes were quantised from, numpy's or torch's:
            ``"float16"``, ``"bfloat16"``, ``"float32"`` or ``"float64"``. None takes the scale's.
        metadata: JSON-serialisable mapping about these codes.

    Raises:
        TypeError: `values` is not uint8 or int8, `bits` is no integer, `real_dtype` is no such
            type, or `metadata` cannot be JSON.
        ValueError: `bits` is out of range; or `scale` or `zero_point` is not finite, or of a dtype
            or shape that does not fit.
    """

    values: npt.NDArray[np.uint8] | npt.NDArray[np.int8]
    bits: int
    scale: Parameter = field(default_factory=lambda: np.ones((), np.float32))
    zero_point: Parameter = field(default_factory=lambda: np.zeros((), np.int64))
    real_dtype: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not hasattr(self.values, "dtype"):
            raise TypeError(f"codes are a {type(self.values).__name__}; give a uint8 or int8 array")
        if self.values.dtype not in (np.uint8, np.int8):
            raise TypeError(f"codes are {self.values.dtype}; they must be uint8 or int8")
        check_bits(self.bits)
        scale, zero_point, real_dtype = self.scale, self.zero_point, self.real_dtype
        if not isinstance(scale, str):
            scale = as_scale(scale, self.values.shape[1:])
        if not isinstance(zero_point, str):
            zero_point = as_zero_point(zero_point, self.values.shape[1:])
        if real_dtype is not None:
            real_dtype = as_real_dtype(real_dtype)
        elif not isinstance(scale, str):
            real_dtype = scale.dtype.name
        bits = operator.index(self.bits)
        checked = {"bits": bits, "scale": scale, "zero_point": zero_point, "real_dtype": real_dtype}
        for name, value in (checked | {"metadata": plain(self.metadata)}).items():
            object.__setattr__(self, name, value)

    @property
    def signed(self) -> bool:
        """Whether the codes are two's complement."""
        return self.values.dtype == np.int8

    def __getitem__(self, samples: slice) -> Codes:
        """Return some samples, without copying them."""
        return replace(self, values=self.values[samples])

    def dequantize(self, dtype: npt.DTypeLike | None = None) -> npt.NDArray[np.floating]:
        """Return the real values, an array of the codes' shape.

        Args:
            dtype: Floating-point dtype; `real_dtype` by default, float32 where that is bfloat16.

        Raises:
            TypeError: `dtype` is no floating-point one.
            ValueError: Scale or zero point lie in a side field.
        """
        scale, zero_point = self.scale, self.zero_point
        if isinstance(scale, str) or isinstance(zero_point, str):
            raise ValueError(
                "these codes have a scale or zero point in a side field; write both, and use the "
                "dequantize of the field that huffq.open gives"
            )
        dtype = numpy_dtype(self.real_dtype or scale.dtype.name) if dtype is None else dtype
        return dequantize(self.values, scale, zero_point, dtype)

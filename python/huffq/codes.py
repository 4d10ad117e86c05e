"""Integer codes together with what they stand for."""

from __future__ import annotations

import operator
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from huffq.codec import check_bits


@dataclass(frozen=True, eq=False)
class Codes:
    """Integer codes of a quantised tensor: ``real = scale * (values - zero_point)``.

    Attributes:
        values: The codes, uint8 (unsigned) or int8 (signed), any shape.
        bits: Bit width, 1 to 8: unsigned codes lie in ``[0, 2**bits)``, signed ones in
            ``[-2**(bits - 1), 2**(bits - 1))``.
        scale: The quantisation step, finite float16, float32 or float64 (a Python float becomes
            float64); broadcasts against one sample of `values`, 0-d for one step per tensor.
        zero_point: The code that stands for 0.0.

    Raises:
        TypeError: `values` is not uint8 or int8, or `bits` or `zero_point` is no integer.
        ValueError: `bits` is out of range, or `scale` is not finite, not floating or of a shape
            that does not fit.
    """

    values: npt.NDArray[np.uint8] | npt.NDArray[np.int8]
    bits: int
    scale: npt.NDArray[np.floating] = field(default_factory=lambda: np.ones((), np.float32))
    zero_point: int = 0

    def __post_init__(self) -> None:
        if not hasattr(self.values, "dtype"):
            raise TypeError(f"codes are a {type(self.values).__name__}; give a uint8 or int8 array")
        if self.values.dtype not in (np.uint8, np.int8):
            raise TypeError(f"codes are {self.values.dtype}; they must be uint8 or int8")
        check_bits(self.bits)
        for name in ("bits", "zero_point"):
            object.__setattr__(self, name, operator.index(getattr(self, name)))
        object.__setattr__(self, "scale", as_scale(self.scale, self.values.shape[1:]))

    @property
    def signed(self) -> bool:
        """Whether the codes are two's complement."""
        return self.values.dtype == np.int8

    def __getitem__(self, samples: slice) -> Codes:
        """Return some samples, without copying them."""
        return replace(self, values=self.values[samples])

    def dequantize(self, dtype: npt.DTypeLike = np.float32) -> npt.NDArray[np.floating]:
        """Return the real values, an array of `dtype` of the codes' shape."""
        return dequantize(self.values, self.scale, self.zero_point, dtype)


def dequantize(
    values: npt.NDArray[np.uint8] | npt.NDArray[np.int8],
    scale: npt.NDArray[np.floating],
    zero_point: int,
    dtype: npt.DTypeLike,
) -> npt.NDArray[np.floating]:
    """Return ``scale * (values - zero_point)``, computed in the floating-point `dtype`.

    Raises:
        TypeError: `dtype` is no floating-point one.
    """
    if not np.issubdtype(dtype, np.floating):
        raise TypeError(f"dtype is {np.dtype(dtype)}; real values need a floating-point one")
    centred = values.astype(dtype) - np.asarray(zero_point, dtype)
    return np.asarray(centred * scale.astype(dtype))


def as_scale(scale: npt.ArrayLike, sample_shape: tuple[int, ...]) -> npt.NDArray[np.floating]:
    """Return a quantisation step as an array that suits samples of `sample_shape`.

    Raises:
        ValueError: It is not float16, float32 or float64, not finite, or does not broadcast.
    """
    array: npt.NDArray[np.floating] = np.asarray(scale)
    if array.dtype not in (np.float16, np.float32, np.float64):
        raise ValueError(f"scale is {array.dtype}; it must be float16, float32 or float64")
    if not np.isfinite(array).all():
        raise ValueError("scale holds NaN or infinity; it must be finite")
    try:
        fits = np.broadcast_shapes(array.shape, sample_shape) == sample_shape
    except ValueError:
        fits = False
    if not fits:
        raise ValueError(
            f"scale has shape {array.shape}; it must broadcast against one sample, {sample_shape}"
        )
    return array

"""Integer codes together with what they stand for."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, eq=False)
class Codes:
    """Integer codes of a quantised tensor: ``real = scale * (values - zero_point)``.

    Attributes:
        values: The codes, uint8 (unsigned) or int8 (signed), any shape.
        bits: Bit width, 1 to 8: unsigned codes lie in ``[0, 2**bits)``, signed ones in
            ``[-2**(bits - 1), 2**(bits - 1))``.
        scale: The quantisation step; broadcasts against one sample of `values`, 0-d for one step
            per tensor.
        zero_point: The code that stands for 0.0.
    """

    values: npt.NDArray[np.uint8] | npt.NDArray[np.int8]
    bits: int
    scale: npt.NDArray[np.floating] = field(default_factory=lambda: np.ones((), np.float32))
    zero_point: int = 0

    def __post_init__(self) -> None:
        if self.values.dtype not in (np.uint8, np.int8):
            raise TypeError(f"codes are {self.values.dtype}; they must be uint8 or int8")
        if not 1 <= self.bits <= 8:
            raise ValueError(f"bits is {self.bits}; it must lie between 1 and 8")

    @property
    def signed(self) -> bool:
        """Whether the codes are two's complement."""
        return self.values.dtype == np.int8

    def __getitem__(self, samples: slice) -> Codes:
        """Return some samples, without copying them."""
        return replace(self, values=self.values[samples])

    def dequantize(self, dtype: npt.DTypeLike = np.float32) -> npt.NDArray[np.floating]:
        """Return the real values, an array of `dtype` of the codes' shape."""
        centred = self.values.astype(dtype) - np.asarray(self.zero_point, dtype)
        return np.asarray(centred * self.scale.astype(dtype))

"""What indexes of a field select."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Index: TypeAlias = "int | slice | Sequence[int] | npt.NDArray[np.integer | np.bool_]"


def sample_numbers(index: Any, total: int) -> npt.NDArray[np.int64]:
    """Return the numbers, below `total`, that an int, integers or booleans select, int64 `[n]`.

    Raises:
        IndexError: One is out of range, or a mask has another length.
        TypeError: It is none of these.
    """
    if isinstance(index, tuple):
        raise TypeError("a field is indexed by sample only; index the result further")
    array: npt.NDArray[Any] = np.atleast_1d(np.asarray(index))
    if array.dtype == np.bool_ and not np.ndim(index):
        raise TypeError(f"{index} is no index; give a mask of {total} booleans")
    if array.dtype == np.bool_:
        if array.shape != (total,):
            raise IndexError(f"the mask has shape {array.shape}; it must be ({total},)")
        return np.flatnonzero(array)
    if array.size == 0:
        return np.empty(0, np.int64)
    if array.ndim != 1 or not np.issubdtype(array.dtype, np.integer):
        raise TypeError(f"an index must be integers or booleans, not {array.dtype} {array.shape}")
    outside = (array < -total) | (array >= total)
    if outside.any():
        raise IndexError(f"sample {array[outside][0]} is outside a field of {total} samples")
    numbers = array.astype(np.int64)
    return np.where(numbers < 0, numbers + total, numbers)

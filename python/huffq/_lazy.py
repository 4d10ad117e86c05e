"""Arrays that lie elsewhere and are read slice by slice, as those of h5py and zarr."""

from __future__ import annotations

from typing import Any

import numpy as np


def is_lazy(x: Any) -> bool:
    """Return whether `x` has a shape, a dtype of numpy's and slices, but is no array of numpy's."""
    if isinstance(x, np.ndarray | np.generic) or hasattr(x, "iloc"):
        # What has an iloc (pandas) slices by label.
        return False
    has_dtype = isinstance(getattr(x, "dtype", None), np.dtype)
    return has_dtype and bool(getattr(x, "shape", None)) and hasattr(x, "__getitem__")


def chunk_rows(x: Any) -> int:
    """Return how many samples a chunk of the array has; 1 if it does not say."""
    chunks = getattr(x, "chunks", None) or (1,)
    rows = max(chunks[0]) if isinstance(chunks[0], tuple) else chunks[0]
    return max(1, int(rows))

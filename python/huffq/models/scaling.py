"""Width factors."""

import math


def scale_channels(channels: int, width: float) -> int:
    """Return `channels` times the factor `width`, rounded, at least 1.

    Raises:
        ValueError: `channels` is below 1, or `width` is not positive and finite.
    """
    if channels < 1:
        raise ValueError(f"channels is {channels}; it must be at least 1")
    if not 0 < width < math.inf:
        raise ValueError(f"width is {width}; it must be positive and finite")
    return max(1, round(channels * width))

"""Width factors."""


def scale_channels(channels: int, width: float) -> int:
    """Return `channels` times the factor `width`, rounded, at least 1.

    Raises:
        ValueError: `width` is not positive.
    """
    if not width > 0:
        raise ValueError(f"width is {width}; it must be positive")
    return max(1, round(channels * width))

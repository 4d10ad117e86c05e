"""Whole arrays to bytes and back."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from huffq import _huffq

if TYPE_CHECKING:
    from huffq.codebook import Codebook

Level: TypeAlias = Literal["fast", "dense", "max"]
"""How hard to compress."""

IntegerArray: TypeAlias = "npt.NDArray[np.uint8] | npt.NDArray[np.int8]"


def encode(
    x: npt.ArrayLike,
    bits: int | None = None,
    level: Level | None = None,
    channel_axis: int | None = None,
    neighbour_axes: Sequence[int] | None = None,
    threads: int | None = None,
    codebook: Codebook | None = None,
) -> bytes:
    """Encode an integer array into a byte string, self-contained unless there is a `codebook`.

    The bytes depend on the array alone, not on the number of threads. The interpreter lock is
    released; a concurrent writer to `x` makes the result unspecified.

    Args:
        x: uint8 or int8 array of any shape of up to 32 axes; a torch CPU tensor will do. One that
            is not in C order is copied first.
        bits: Bit width, 1 to 8; unsigned for uint8, two's complement for int8. None takes the
            narrowest that holds every value.
        level: ``"dense"``, the default, learns which channels are alike and codes neighbours
            together; ``"fast"`` gives the size of the optimal Huffman code and decodes several
            times faster; ``"max"`` predicts from neighbours too: the smallest, and the slowest.
        channel_axis: Except at level fast, the axis of `x` whose indices have statistics of their
            own. Axis 0 is the samples. By default: 1 of ``[N, C, H, W]`` and of ``[N, D]``, 2 of
            ``[N, T, D]``, the third from the end of longer shapes; none if that is one of
            `neighbour_axes`.
        neighbour_axes: Except at level fast, up to two axes of `x` along which symbols resemble
            their neighbours, the fastest first. By default the last two axes that are neither
            samples nor channels, from the end.
        threads: Upper bound on threads; None is every core that the process may use.
        codebook: Codes that `x` shares with others, which `decode` needs too. `x` is then
            ``[samples, *sample_shape]`` or one sample of the codebook's; bits, level and axes are
            the codebook's.

    Returns:
        Bytes for `decode`, at most the bit-packed size and a small header.

    Raises:
        TypeError: `x` is not uint8 or int8, or not of the codebook's dtype; or `bits` is no
            integer.
        ValueError: A value does not fit `bits` (names the value and its flat index), the axes are
            not such axes of `x`, or the codebook is for other shapes or options.
    """
    if codebook is not None:
        codebook._check(bits, level, channel_axis, neighbour_axes)
        return codebook._encode(x, threads)
    check_bits(bits)
    array = integer_array(x)
    axes = None
    if channel_axis is not None or neighbour_axes is not None:
        axes = sample_axes(array.ndim, channel_axis, neighbour_axes)
    signed = array.dtype == np.int8
    level = level or "dense"
    return _huffq.encode(as_bytes(array), array.shape, bits, signed, level, axes, threads)


def decode(
    blob: bytes | bytearray | memoryview,
    out: IntegerArray | None = None,
    threads: int | None = None,
    codebook: Codebook | None = None,
) -> IntegerArray:
    """Decode what `encode` returned.

    Args:
        blob: The bytes; any contiguous buffer.
        out: Array to decode into, of the encoded array's shape and dtype, in C order.
        threads: Upper bound on threads; None is every core that the process may use.
        codebook: The one that the array was encoded with, if there was one.

    Returns:
        `out`, or a new uint8 or int8 array.

    Raises:
        CorruptFileError: The bytes are foreign or damaged.
        TruncatedFileError: The bytes end too early.
        UnsupportedVersionError: Another version of huffq wrote them.
        CodebookError: The array was encoded with another codebook, or without one.
        ValueError: `out` has another shape or dtype, or is not a writable array in C order.
    """
    source = np.frombuffer(blob, np.uint8)
    if codebook is not None:
        return codebook._decode(source, out, threads)
    shape, _, signed = _huffq.describe(source)
    out = output(out, shape, np.dtype(np.int8 if signed else np.uint8))
    _huffq.decode_into(source, as_bytes(out), threads)
    return out


def output(out: IntegerArray | None, shape: list[int], dtype: np.dtype[Any]) -> IntegerArray:
    """Return `out` if an array of that shape and dtype can be decoded into it, else a new one."""
    if out is None:
        return np.empty(shape, dtype)
    if out.shape != tuple(shape) or out.dtype != dtype:
        raise ValueError(f"out is {out.dtype}{list(out.shape)}; it must be {dtype}{shape}")
    if not (out.flags.c_contiguous and out.flags.writeable):
        raise ValueError("out must be a writable array in C order")
    return out


def check_bits(bits: Any, name: str = "bits") -> None:
    """Demand a bit width, or None.

    Raises:
        TypeError: It is no integer.
        ValueError: It is not 1 to 8.
    """
    if bits is None:
        return
    if isinstance(bits, bool) or not hasattr(bits, "__index__"):
        raise TypeError(f"{name} is {bits!r}; give a whole number from 1 to 8")
    if not 1 <= operator.index(bits) <= 8:
        raise ValueError(f"{name} is {bits}; it must lie between 1 and 8")


def integer_array(x: npt.ArrayLike) -> IntegerArray:
    """Return `x` as a uint8 or int8 array, or raise TypeError."""
    array: npt.NDArray[Any] = np.asarray(x)
    if array.dtype not in (np.uint8, np.int8):
        raise TypeError(f"the array is {array.dtype}; huffq codes uint8 and int8 (use .astype)")
    return array


def sample_axes(
    ndim: int, channel_axis: int | None, neighbour_axes: Sequence[int] | None
) -> tuple[int | None, list[int]]:
    """Return channel and neighbour axes counted within a sample, defaults filled in.

    Args:
        ndim: Number of axes of the array, samples included.
        channel_axis: As for `encode`.
        neighbour_axes: As for `encode`.
    """
    if channel_axis is not None:
        channel: int | None = _sample_axis(channel_axis, ndim)
    else:
        channel = {0: None, 1: None, 2: 0, 3: 1}.get(ndim, ndim - 4)
    if neighbour_axes is None:
        others = [axis for axis in reversed(range(ndim - 1)) if axis != channel]
        return channel, others[:2]
    if len(neighbour_axes) > 2:
        raise ValueError(f"neighbour_axes is {tuple(neighbour_axes)}; it must have at most two")
    neighbours = [_sample_axis(axis, ndim) for axis in neighbour_axes]
    named = neighbours if channel_axis is None else [channel, *neighbours]
    if len(set(named)) < len(named):
        raise ValueError(
            f"channel_axis {channel_axis} and neighbour_axes {tuple(neighbour_axes)} name an axis "
            f"twice"
        )
    return None if channel in neighbours else channel, neighbours


def _sample_axis(axis: int, ndim: int) -> int:
    if not -ndim <= axis < ndim or axis % ndim == 0:
        raise ValueError(
            f"axis {axis} is not an axis of a sample; the array has {ndim} axes, and axis 0 is the "
            f"samples"
        )
    return axis % ndim - 1


def as_bytes(array: IntegerArray) -> npt.NDArray[np.uint8]:
    """Return the array's bytes in C order, a view where they lie so already."""
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8)

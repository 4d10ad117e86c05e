"""Scales and zero points: numbers that broadcast against samples, and what codes stand for."""

from __future__ import annotations

import math
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Numbers: TypeAlias = "npt.NDArray[Any]"

Parameter: TypeAlias = "Numbers | str"
"""A scale or a zero point of all samples; or the side field that holds one for each of them."""

REAL_DTYPES = ("float16", "bfloat16", "float32", "float64")
"""Floating-point types that codes may have been quantised from."""

_SCALE_DTYPES = ("float16", "float32", "float64")


def as_scale(scale: npt.ArrayLike, sample_shape: tuple[int, ...]) -> Numbers:
    """Return a quantisation step as an array that suits samples of `sample_shape`.

    Raises:
        ValueError: It is not float16, float32 or float64, not finite, or does not broadcast.
    """
    array = np.asarray(scale)
    check_numbers("scale", array)
    check_shape("scale", array.shape, sample_shape)
    return array


def as_zero_point(zero_point: npt.ArrayLike, sample_shape: tuple[int, ...]) -> Numbers:
    """Return a zero point as an array that suits samples of `sample_shape`.

    Raises:
        ValueError: It is no integer nor a number as of a scale, or does not broadcast.
    """
    array = np.asarray(zero_point)
    check_numbers("zero_point", array)
    check_shape("zero_point", array.shape, sample_shape)
    return array


def check_numbers(what: str, array: Numbers) -> None:
    """Demand numbers that can be a ``"scale"`` or a ``"zero_point"``.

    Raises:
        ValueError: Their dtype is wrong, or one is not finite.
    """
    integers = what == "zero_point" and np.issubdtype(array.dtype, np.integer)
    if not integers and array.dtype not in _SCALE_DTYPES:
        also = "an integer, " if what == "zero_point" else ""
        raise ValueError(f"{what} is {array.dtype}; it must be {also}float16, float32 or float64")
    if not np.isfinite(array).all():
        raise ValueError(f"{what} holds NaN or infinity; it must be finite")


def check_shape(what: str, shape: tuple[int, ...], sample_shape: tuple[int, ...]) -> None:
    """Demand that numbers broadcast against one sample, by groups where their axes are shorter.

    Raises:
        ValueError: They do not.
    """
    pairs = zip(reversed(shape), reversed(sample_shape), strict=False)
    fits = all(own == length or (own and length % own == 0) for own, length in pairs)
    if not fits or len(shape) > len(sample_shape):
        raise ValueError(
            f"{what} has shape {shape}; it must broadcast against one sample, {sample_shape}, each "
            "axis being as long, or 1, or a divisor"
        )
    if not math.prod(shape):
        raise ValueError(f"{what} has shape {shape}, which holds no number; give one at least")


def as_real_dtype(dtype: Any) -> str:
    """Return the name of a floating-point type of numpy's or torch's.

    Raises:
        TypeError: It is none of `REAL_DTYPES`.
    """
    name = str(dtype).removeprefix("torch.")
    if name not in REAL_DTYPES:
        try:
            name = np.dtype(dtype).name
        except TypeError:
            name = repr(dtype)
    if name not in REAL_DTYPES:
        raise TypeError(f"real_dtype is {name}; it must be one of {', '.join(REAL_DTYPES)}")
    return name


def numpy_dtype(real_dtype: str) -> np.dtype[np.floating]:
    """Return the dtype of numpy's that holds all values of a type: float32 for bfloat16."""
    return np.dtype("float32" if real_dtype == "bfloat16" else real_dtype)


def require_floating(dtype: npt.DTypeLike) -> None:
    """Demand a dtype that real values can have.

    Raises:
        TypeError: It is no floating-point one.
    """
    if not np.issubdtype(dtype, np.floating):
        raise TypeError(f"dtype is {np.dtype(dtype)}; real values need a floating-point one")


def dequantize(
    codes: npt.NDArray[np.integer], scale: Numbers, zero_point: Numbers, dtype: npt.DTypeLike
) -> npt.NDArray[np.floating]:
    """Return ``scale * (codes - zero_point)``, computed in `dtype`, or in float32 if that is wider.

    Args:
        codes: Integer codes, any shape.
        scale: Broadcasts against `codes`, by groups where its axes are shorter.
        zero_point: Likewise.
        dtype: Floating-point dtype of the result.

    Raises:
        TypeError: `dtype` is no floating-point one.
    """
    require_floating(dtype)
    wide = np.promote_types(dtype, np.float32)
    real: npt.NDArray[np.floating] = np.array(codes, wide, order="C")
    for apply, numbers in ((np.subtract, zero_point), (np.multiply, scale)):
        shape, own = grouped(real.shape, numbers.shape)
        view = real.reshape(shape)
        apply(view, numbers.astype(wide).reshape(own), out=view)
    return real.astype(dtype, copy=False)


def grouped(
    shape: tuple[int, ...], numbers: tuple[int, ...]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return shapes that make numbers broadcast: that of the codes, and that of the numbers.

    An axis of which each number stands for several indices becomes two: groups, and the indices of
    a group.
    """
    codes, own = list(shape[: len(shape) - len(numbers)]), []
    for length, count in zip(shape[len(shape) - len(numbers) :], numbers, strict=True):
        if count in (1, length):
            codes.append(length)
            own.append(count)
        else:
            codes += [count, length // count]
            own += [count, 1]
    return tuple(codes), tuple(own)

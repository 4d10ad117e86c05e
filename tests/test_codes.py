"""huffq.Codes: what it accepts, and what it stands for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import huffq

SIGNED = np.arange(-30, 30, dtype=np.int8).repeat(100).reshape(-1, 20)


def test_dequantize_applies_scale_and_zero_point() -> None:
    scale = np.linspace(0.5, 1, 20)
    codes = huffq.Codes(SIGNED, 6, scale, zero_point=3)
    np.testing.assert_allclose(codes.dequantize(np.float64), (SIGNED - 3.0) * scale)
    assert codes[5:7].dequantize().dtype == np.float32
    np.testing.assert_array_equal(codes[5:7].values, SIGNED[5:7])


@pytest.mark.parametrize("bits", [0, 9])
def test_bits_lie_between_1_and_8(bits: int) -> None:
    with pytest.raises(ValueError, match=f"bits is {bits}"):
        huffq.Codes(SIGNED, bits)


def test_values_are_uint8_or_int8() -> None:
    with pytest.raises(TypeError, match="codes are int64"):
        huffq.Codes(SIGNED.astype(np.int64), 6)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("scale", "message"),
    [
        (1, "scale is int64"),
        (np.longdouble(1), "scale is float"),
        ("1", "scale is <U1"),
        (float("nan"), "scale holds NaN"),
        ([float("inf")] * 20, "scale holds NaN or infinity"),
        (np.ones(300), r"scale has shape \(300,\); .* one sample, \(20,\)"),
        (np.ones((1, 20)), r"scale has shape \(1, 20\)"),
    ],
)
def test_scales_that_cannot_be_are_refused(scale: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        huffq.Codes(SIGNED, 6, scale)


def test_zero_points_are_integers() -> None:
    with pytest.raises(TypeError, match="integer"):
        huffq.Codes(SIGNED, 6, zero_point=0.5)  # type: ignore[arg-type]

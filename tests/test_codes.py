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
    assert codes[5:7].dequantize(np.float32).dtype == np.float32
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
        (["1"], "scale is <U1"),
        (float("nan"), "scale holds NaN"),
        ([float("inf")] * 20, "scale holds NaN or infinity"),
        (np.ones(300), r"scale has shape \(300,\); .* one sample, \(20,\)"),
        (np.ones((1, 20)), r"scale has shape \(1, 20\)"),
    ],
)
def test_scales_that_cannot_be_are_refused(scale: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        huffq.Codes(SIGNED, 6, scale)


@pytest.mark.parametrize(
    ("zero_point", "message"),
    [
        (True, "zero_point is bool"),
        (["1"], "zero_point is <U1"),
        (float("nan"), "zero_point holds NaN"),
        (np.ones(3, np.int64), r"zero_point has shape \(3,\); .* one sample, \(20,\)"),
        (np.ones(0, np.int64), r"zero_point has shape \(0,\)"),
    ],
)
def test_zero_points_that_cannot_be_are_refused(zero_point: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        huffq.Codes(SIGNED, 6, zero_point=zero_point)


def test_groups_of_channels_share_a_scale() -> None:
    scale, zero_point = np.array([1.0, 2, 3, 4, 5]), np.array([[-1, 7]]).T.astype(np.int16)
    values = SIGNED.reshape(-1, 4, 20)
    codes = huffq.Codes(values, 6, scale, zero_point)
    zeros = np.array([-1.0, -1, 7, 7]).reshape(4, 1)
    expected = (values - zeros) * np.repeat(scale, 4)
    np.testing.assert_array_equal(codes.dequantize(), expected, strict=True)


@pytest.mark.parametrize(
    ("dtype", "name"),
    [(np.float16, "float16"), (np.dtype("<f4"), "float32"), ("f8", "float64"),
     ("bfloat16", "bfloat16"), ("torch.bfloat16", "bfloat16")],
)  # fmt: skip
def test_codes_know_the_dtype_that_they_came_from(dtype: Any, name: str) -> None:
    codes = huffq.Codes(SIGNED, 6, np.float32(0.25), real_dtype=dtype)
    assert codes.real_dtype == name
    assert codes.dequantize().dtype == ("float32" if name == "bfloat16" else name)
    assert codes.dequantize(np.float64).dtype == np.float64
    assert huffq.Codes(SIGNED, 6, np.float16(1)).real_dtype == "float16"


@pytest.mark.parametrize("dtype", ["int8", "float128", "nonsense", np.complex64, 3, [1]])
def test_codes_come_from_floating_dtypes(dtype: Any) -> None:
    with pytest.raises(TypeError, match="real_dtype is"):
        huffq.Codes(SIGNED, 6, real_dtype=dtype)


def test_narrow_real_values_are_rounded_once() -> None:
    """A scale that float16 cannot hold does no harm to values that it can."""
    codes = huffq.Codes(np.array([100], np.int8), 8, np.float32(2e-7), real_dtype="float16")
    assert codes.dequantize() == np.float16(100 * 2e-7)


def test_metadata_are_json() -> None:
    assert huffq.Codes(SIGNED, 6, metadata={"layer": 3}).metadata == {"layer": 3}
    with pytest.raises(TypeError, match="metadata must be serialisable as JSON"):
        huffq.Codes(SIGNED, 6, metadata={"layer": SIGNED})


@pytest.mark.parametrize("names", [{"scale": "s"}, {"zero_point": "z"}])
def test_codes_alone_do_not_know_what_a_side_field_holds(names: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="in a side field"):
        huffq.Codes(SIGNED, 6, **names).dequantize()

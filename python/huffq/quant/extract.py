"""From the real values of a quantised layer to the integers that they stand for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from huffq.codes import Codes
from huffq.errors import ExtractionError
from huffq.quant.quantizer import quantize_activation

if TYPE_CHECKING:
    from torch import Tensor

    from huffq.quant.layers import QuantizedLayer

TOLERANCE = 1e-3
"""Farthest that ``value / delta`` may lie from an integer."""


def integer_codes(values: Tensor, delta: Tensor, *, name: str) -> Tensor:
    """Divide quantised values by their step and round off the float error, and nothing but that.

    Args:
        values: Quantised real values, any shape but an empty one.
        delta: The step between two of them, 0-d; may be negative.
        name: The layer's name, for messages.

    Returns:
        Whole numbers in the dtype and shape of `values`.

    Raises:
        ExtractionError: Some ``value / delta`` is farther than 1e-3 from an integer, or not finite.
    """
    ratio = values / delta
    codes = ratio.round()
    worst = (ratio - codes).abs().max().item()
    if not worst <= TOLERANCE:
        raise ExtractionError(
            f"layer {name!r}: with delta {delta.item():.6g} the values are not integer codes: the "
            f"worst deviation is {worst:.3g}, {TOLERANCE:g} is allowed; check that the layer "
            f"computes in float32 and that delta belongs to its bit width"
        )
    return codes


@torch.no_grad()
def activation_codes(
    layer: QuantizedLayer, x: Tensor, *, name: str, signed: bool | None = None
) -> Codes:
    """Return the integers that `layer` computes with when its input is `x`.

    Args:
        layer: A quantised layer.
        x: Real input of the layer, any shape but an empty one, on the layer's device.
        name: The layer's name, for messages.
        signed: False gives uint8 codes of the layer's bit width; True gives int8 codes of the
            smallest width, at least the layer's, that holds them; None decides by whether any code
            is negative.

    Returns:
        Codes of the shape of `x`, which know its dtype. The scale is the layer's ``x_delta``,
        negative if its ``act_alpha`` is.

    Raises:
        ExtractionError: `x` holds NaN or infinity, or the codes are not integers or do not fit.
    """
    require_finite(x, name, "input")
    quantized = quantize_activation(x, layer.act_alpha, layer.bits)
    codes = integer_codes(quantized, layer.x_delta, name=name)
    low, high = (int(bound) for bound in codes.aminmax())
    if signed is None:
        signed = low < 0
    bits = max(layer.bits, signed_width(low, high)) if signed else layer.bits
    if bits > 8:
        raise ExtractionError(
            f"layer {name!r}: its codes span {low} to {high}, which is outside the 8-bit range "
            f"-128 to 127; use fewer bits or rescale its input"
        )
    if low < 0 and not signed:
        raise ExtractionError(
            f"layer {name!r}: its codes go down to {low}, but it is taken as unsigned; list it in "
            f"`signed`"
        )
    return _to_codes(codes, layer.x_delta, bits, signed, x.dtype)


@torch.no_grad()
def weight_codes(layer: QuantizedLayer, *, name: str) -> Codes:
    """Return the weights of `layer` as signed integers of the layer's bit width.

    They come from ``weight``, so they are right even if no forward pass has refreshed ``weight_q``.

    Returns:
        Int8 codes of the weight's shape, at most ``2**(bits - 1) - 1`` in magnitude. The scale is
        the layer's ``w_delta``.

    Raises:
        ExtractionError: The weights hold NaN or infinity, or the codes are not integers.
    """
    require_finite(layer.weight, name, "weight")
    codes = integer_codes(layer.weight_quant(layer.weight), layer.w_delta, name=name)
    return _to_codes(codes, layer.w_delta, layer.bits, True, layer.weight.dtype)


def require_finite(values: Tensor, name: str, what: str) -> None:
    """Demand that no value is NaN or infinite.

    Args:
        values: Any float tensor.
        name: The layer's name, for the message.
        what: What `values` are of the layer, for the message.

    Raises:
        ExtractionError: Some value is.
    """
    if not values.isfinite().all():
        raise ExtractionError(f"layer {name!r}: its {what} holds NaN or infinity")


def signed_width(low: int, high: int) -> int:
    """Return the bits that two's complement needs for codes from `low` to `high`."""
    return max((code if code >= 0 else ~code).bit_length() + 1 for code in (low, high))


def _to_codes(codes: Tensor, delta: Tensor, bits: int, signed: bool, real: torch.dtype) -> Codes:
    values = codes.to(torch.int8 if signed else torch.uint8).cpu().numpy()
    return Codes(values, bits, np.asarray(delta.item(), np.float32), real_dtype=str(real))

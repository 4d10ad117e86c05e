"""Quantised layers, and the integers in them."""

from huffq.quant.extract import (
    activation_codes,
    integer_codes,
    require_finite,
    signed_width,
    weight_codes,
)
from huffq.quant.layers import (
    QuantConv2d,
    QuantizedLayer,
    QuantLinear,
    find_layer,
    quantized_layers,
)

__all__ = [
    "QuantConv2d",
    "QuantLinear",
    "QuantizedLayer",
    "activation_codes",
    "find_layer",
    "integer_codes",
    "quantized_layers",
    "require_finite",
    "signed_width",
    "weight_codes",
]

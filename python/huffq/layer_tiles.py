"""From a layer of a network to the integers that its tiles are cut from."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from huffq.capture import layer_inputs
from huffq.errors import TileError
from huffq.quant import QuantConv2d, activation_codes, find_layer, weight_codes
from huffq.tile_export import Convolution

if TYPE_CHECKING:
    from torch import Tensor, nn


def layer_convolution(model: nn.Module, image: Tensor, layer: str) -> Convolution:
    """Run one image through `model` and take the integers of one convolution.

    Args:
        model: The network; left as it was.
        image: A batch of one image, ``[1, 3, H, W]``.
        layer: Name of a quantised convolution of stride and dilation 1, in one group, padded
            equally on all sides.

    Returns:
        Codes of the narrowest width that holds the image's, at least the layer's, and the weights.

    Raises:
        LayerError: The layer is unknown or not quantised.
        ExtractionError: The layer's values are not integer codes.
        TileError: The layer is no such convolution.
    """
    target = find_layer(model, layer)
    if not isinstance(target, QuantConv2d):
        raise TileError(f"layer {layer!r} is a {type(target).__name__}; tiles need a convolution")
    padding = target.padding
    geometry = {
        "stride": (target.stride, (1, 1)),
        "dilation": (target.dilation, (1, 1)),
        "groups": (target.groups, 1),
        "padding": (padding, (padding[0], padding[0])),
    }
    for name, (found, wanted) in geometry.items():
        if found != wanted:
            raise TileError(f"layer {layer!r} has {name} {found}; tiles need {wanted}")
    inputs = layer_inputs(model, image, [layer])[layer]
    codes = activation_codes(target, inputs, name=layer)
    return Convolution(
        replace(codes, values=codes.values[0]), weight_codes(target, name=layer), int(padding[0])
    )

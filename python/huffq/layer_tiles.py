"""From the layers of a network to the integers that their tiles are cut from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from huffq.capture import layer_inputs
from huffq.errors import TileError
from huffq.quant import (
    QuantConv2d,
    activation_codes,
    find_layer,
    quantized_layers,
    weight_codes,
)
from huffq.tiles import Convolution

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor, nn


def layer_convolutions(
    model: nn.Module, images: Tensor, layers: Sequence[str] | None = None
) -> dict[str, Convolution]:
    """Run images through `model` and take the integers of its convolutions.

    Args:
        model: The network; left as it was.
        images: A batch, ``[N, 3, H, W]``.
        layers: Names of quantised convolutions; None takes all of them.

    Returns:
        By layer name, codes of the narrowest width that holds the images', at least the layer's,
        and the weights.

    Raises:
        LayerError: A layer is unknown or not quantised.
        ExtractionError: A layer's values are not integer codes.
        TileError: A layer is not a convolution.
    """
    if layers is None:
        known = quantized_layers(model).items()
        layers = [name for name, layer in known if isinstance(layer, QuantConv2d)]
    targets: dict[str, QuantConv2d] = {}
    for name in layers:
        target = find_layer(model, name)
        if not isinstance(target, QuantConv2d):
            raise TileError(
                f"layer {name!r} is a {type(target).__name__}; tiles need a convolution"
            )
        targets[name] = target
    inputs = layer_inputs(model, images, list(targets))
    return {
        name: Convolution(
            activation_codes(layer, inputs[name], name=name),
            weight_codes(layer, name=name),
            stride=(layer.stride[0], layer.stride[1]),
            padding=_padding(layer),
            dilation=(layer.dilation[0], layer.dilation[1]),
            groups=layer.groups,
        )
        for name, layer in targets.items()
    }


def _padding(layer: QuantConv2d) -> tuple[int, int, int, int]:
    """Return the rows and columns of zeros at top, bottom, left and right."""
    padding = layer.padding
    if padding == "valid":
        return 0, 0, 0, 0
    if padding == "same":
        down, right = ((k - 1) * d for k, d in zip(layer.kernel_size, layer.dilation, strict=True))
        return down // 2, down - down // 2, right // 2, right - right // 2
    return int(padding[0]), int(padding[0]), int(padding[1]), int(padding[1])

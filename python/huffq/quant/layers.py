"""Convolution and linear layers that quantise their input and their weight before they compute."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from huffq.errors import LayerError
from huffq.quant.quantizer import WeightQuantizer, quantize_activation


class QuantizedLayer(nn.Module):
    """What quantised layers share; a base beside `nn.Conv2d` or `nn.Linear`, which hold the weight.

    The names of the parameters are fixed: they are the keys of existing checkpoints.

    Attributes:
        bits: Bit width of weights and activations.
        act_alpha: Clipping point of the activations, a 0-d parameter.
        weight_q: The quantised weights that the latest forward pass used. A parameter without
            gradient rather than a buffer: existing checkpoints number it among the parameters in
            their optimizer states.
        weight_quant: The quantiser of the weights; holds their clipping point, ``wgt_alpha``.
    """

    weight: Tensor
    bias: Any

    def _init_quantizers(self, bits: int) -> None:
        if not 2 <= bits <= 8:
            raise ValueError(f"bits is {bits}; it must lie between 2 and 8")
        if self.weight.numel() < 2:
            raise ValueError(
                f"a quantised layer's weight has shape {list(self.weight.shape)}; it must have at "
                f"least two elements, or its standard deviation is undefined"
            )
        self.bits = bits
        self.act_alpha = nn.Parameter(torch.tensor(8.0))
        self.weight_quant = WeightQuantizer(bits)
        self.weight_q = nn.Parameter(self.weight_quant(self.weight).detach(), requires_grad=False)

    @property
    def x_delta(self) -> Tensor:
        """Step between two activation codes: ``act_alpha / (2**bits - 1)``, 0-d."""
        return self.act_alpha.detach().div(2**self.bits - 1)

    @property
    def w_delta(self) -> Tensor:
        """Step between two weight codes: ``wgt_alpha / (2**(bits - 1) - 1)``, 0-d."""
        return self.weight_quant.wgt_alpha.detach().div(self.weight_quant.levels)

    def forward(self, x: Tensor) -> Tensor:
        """Apply quantised weights to the quantised input, and keep these weights in `weight_q`."""
        weight_q = self.weight_quant(self.weight)
        with torch.no_grad():
            self.weight_q.copy_(weight_q)
        return self.apply_weight(
            quantize_activation(x, self.act_alpha, self.bits), weight_q, self.bias
        )

    def apply_weight(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """Compute what the layer computes, with the given input, weight and bias as they are."""
        raise NotImplementedError

    def extra_repr(self) -> str:
        """Describe the layer in its printed form."""
        return f"{super().extra_repr()}, bits={self.bits}"


class QuantConv2d(QuantizedLayer, nn.Conv2d):
    """2-d convolution of quantised inputs ``[N, in, H, W]`` with quantised weights.

    The arguments are those of `torch.nn.Conv2d`, with no bias by default.

    Raises:
        ValueError: `bits` is not between 2 and 8, or the weight has fewer than two elements.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] = 1,
        padding: int | tuple[int, int] = 0,
        dilation: int | tuple[int, int] = 1,
        groups: int = 1,
        bias: bool = False,
        *,
        bits: int = 4,
    ) -> None:
        super().__init__(
            in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias
        )
        self._init_quantizers(bits)

    def apply_weight(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """Convolve `x` ``[N, in, H, W]`` with `weight` ``[out, in / groups, kH, kW]``."""
        return F.conv2d(x, weight, bias, self.stride, self.padding, self.dilation, self.groups)


class QuantLinear(QuantizedLayer, nn.Linear):
    """Linear layer of quantised inputs ``[..., in]`` and quantised weights ``[out, in]``.

    Raises:
        ValueError: `bits` is not between 2 and 8, or the weight has fewer than two elements.
    """

    def __init__(
        self, in_features: int, out_features: int, bias: bool = True, *, bits: int = 4
    ) -> None:
        super().__init__(in_features, out_features, bias)
        self._init_quantizers(bits)

    def apply_weight(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """Multiply `x` ``[..., in]`` by the transpose of `weight`."""
        return F.linear(x, weight, bias)


def quantized_layers(model: nn.Module) -> dict[str, QuantizedLayer]:
    """Return the quantised layers of `model` by module name, in the order of their definition."""
    return {
        name: module for name, module in model.named_modules() if isinstance(module, QuantizedLayer)
    }


def find_layer(model: nn.Module, name: str) -> QuantizedLayer:
    """Return the quantised layer called `name`.

    Raises:
        LayerError: There is no such layer, or it is not quantised.
    """
    layers = quantized_layers(model)
    if name in layers:
        return layers[name]
    known = ", ".join(layers) or "none"
    if name in dict(model.named_modules()):
        raise LayerError(f"layer {name!r} is not quantised; the quantised layers are: {known}")
    raise LayerError(f"there is no layer {name!r}; the quantised layers are: {known}")

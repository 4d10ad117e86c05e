"""The fake quantiser of weights and activations: real values in, real values on a uniform grid out.

Weights are normalised and clipped on both sides, as in APoT (Li et al. 2020, arXiv 1909.13144) but
with uniform levels; activations are clipped above by a learned alpha, as in PACT (Choi et al. 2018,
arXiv 1805.06085).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class _Quantize(torch.autograd.Function):
    """Clip ``x / alpha`` to ``[low, 1]``, round to multiples of ``1 / levels``, scale back."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, alpha: Tensor, levels: int, low: float | None) -> Tensor:
        ratio = x / alpha
        ctx.save_for_backward(ratio)
        ctx.low = low
        # Rounding half to even is an odd function: no sign need be split off for weights.
        return ratio.clamp(min=low, max=1).mul(levels).round().div(levels).mul(alpha)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None, None]:
        (ratio,) = ctx.saved_tensors
        clipped = ratio > 1
        if ctx.low is not None:
            clipped |= ratio < ctx.low
        grad_alpha = (grad * ratio.sign()).masked_fill(~clipped, 0).sum()
        return grad.masked_fill(clipped, 0), grad_alpha, None, None


def quantize_activation(x: Tensor, alpha: Tensor, bits: int) -> Tensor:
    """Quantise activations to multiples of ``alpha / (2**bits - 1)``, clipped above at alpha.

    Nothing clips below: negative inputs stay negative, and their codes may need more than `bits`
    bits.

    Args:
        x: Real activations, any shape.
        alpha: The clipping point, 0-d. Its gradient is the sum of the output's gradient over
            clipped places; that of `x` is the output's gradient, and zero where clipped.
        bits: Bit width.

    Returns:
        The quantised activations, of the shape and dtype of `x`.
    """
    quantized: Tensor = _Quantize.apply(x, alpha, 2**bits - 1, None)
    return quantized


class WeightQuantizer(nn.Module):
    """Normalises a weight tensor and quantises it to ``2**bits - 1`` levels symmetric about zero.

    Attributes:
        wgt_alpha: The clipping point in units of the standard deviation, a 0-d parameter. Its
            gradient is the sum, over clipped places, of the output's gradient times the sign of
            the weight.
        levels: Levels on either side of zero, ``2**(bits - 1) - 1``.
    """

    def __init__(self, bits: int) -> None:
        super().__init__()
        self.levels = 2 ** (bits - 1) - 1
        self.wgt_alpha = nn.Parameter(torch.tensor(3.0))

    def forward(self, weight: Tensor) -> Tensor:
        """Return the quantised weights, in units of the standard deviation.

        The gradient passes where not clipped, divided by the standard deviation; none flows through
        the mean and the standard deviation themselves.
        """
        mean, std = weight.detach().mean(), weight.detach().std()
        quantized: Tensor = _Quantize.apply(
            (weight - mean) / std, self.wgt_alpha, self.levels, -1.0
        )
        return quantized

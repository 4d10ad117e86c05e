"""The recovered-output check: integer arithmetic gives back what the network computes in floats."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from huffq.capture import evaluation, layer_inputs
from huffq.errors import LayerError
from huffq.quant import QuantizedLayer, activation_codes, find_layer, quantized_layers, weight_codes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from huffq.capture import Batch
    from huffq.codes import Codes

TOLERANCE = 1e-4
"""Largest error that passes, relative to the output's scale."""


@dataclass(frozen=True)
class CheckResult:
    """How far the output recovered from integers is from the network's own.

    Attributes:
        layer: The layer whose integers were used.
        next_layer: The layer whose input was recovered.
        max_error: Largest absolute difference.
        mean_error: Mean absolute difference.
        scale: Largest magnitude of the network's own values.
    """

    layer: str
    next_layer: str
    max_error: float
    mean_error: float
    scale: float

    @property
    def relative_error(self) -> float:
        """`max_error` over `scale`; infinite if the scale is zero and the error is not."""
        if self.max_error == 0:
            return 0.0
        return self.max_error / self.scale if self.scale else float("inf")

    @property
    def ok(self) -> bool:
        """Whether the relative error is at most 1e-4."""
        return self.relative_error <= TOLERANCE


def verify_layer(
    model: nn.Module,
    batch: Batch,
    layer: str,
    next_layer: str | None = None,
    *,
    between: Sequence[nn.Module] | None = None,
) -> CheckResult:
    """Recover the input of `next_layer` from the integers of `layer`, and compare.

    Args:
        model: The network; runs in eval mode and is left as it was.
        batch: Images, as they are or first in a tuple.
        layer: Name of the quantised layer to check.
        next_layer: Name of the quantised layer that consumes its output; None takes the next one
            in the same `torch.nn.Sequential`.
        between: The modules between the two, in order. None reads them off the `Sequential` that
            holds both layers; elsewhere they must be given, together with `next_layer`.

    Raises:
        LayerError: A layer is unknown or not quantised, or what lies between cannot be known.
        ExtractionError: The layer's values are not integer codes, or a weight is not finite.
        DataError: `batch` holds no images.
    """
    target = find_layer(model, layer)
    if between is None:
        next_layer, between = _path_to_next(model, layer, next_layer)
    elif next_layer is None:
        raise LayerError("`between` says what lies before `next_layer`; name that layer too")
    # The network's own convolution must not lose more than the tolerance: TF32 would.
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        inputs = layer_inputs(model, batch, [layer, next_layer])
    x = activation_codes(target, inputs[layer], name=layer)
    with evaluation(model):
        recovered = recover_output(target, x, weight_codes(target, name=layer), between)
    expected = inputs[next_layer]
    if recovered.shape != expected.shape:
        raise LayerError(
            f"`between` turns the output of {layer!r} into shape {tuple(recovered.shape)}, but the "
            f"input of {next_layer!r} is {tuple(expected.shape)}"
        )
    error = (recovered - expected).abs()
    return CheckResult(
        layer, next_layer, error.max().item(), error.mean().item(), expected.abs().max().item()
    )


@torch.no_grad()
def recover_output(
    layer: QuantizedLayer, x: Codes, weight: Codes, between: Sequence[nn.Module] = ()
) -> Tensor:
    """Compute in integers what `layer` and the modules after it compute in floats.

    The layer's bias, and a batch norm right after the layer, are folded into the one multiplication
    and addition per output channel that turns the integer sums into real values.

    Args:
        layer: The quantised layer, for its geometry, bias and device.
        x: Codes of its input, ``[N, in, H, W]`` or ``[N, in]``.
        weight: Codes of its weight.
        between: The modules that follow, in order and in eval mode.

    Returns:
        Real values in the dtype of the layer.
    """
    # Whatever algorithm a backend's convolution uses, float64 (2**53) holds sums of 8-bit products
    # exactly; float32 would need sums below 2**24 and a backend without Winograd or TF32.
    sums = layer.apply_weight(_integers(x, layer), _integers(weight, layer), None)
    channels, *rest = layer.weight.shape
    scale = sums.new_full((channels, *(1 for _ in rest)), float(x.scale) * float(weight.scale))
    shift = sums.new_zeros(channels) if layer.bias is None else layer.bias.to(sums)
    remaining = list(between)
    norm = remaining[0] if remaining else None
    if (
        isinstance(norm, nn.BatchNorm2d)
        and norm.running_mean is not None
        and norm.running_var is not None
    ):
        scale, shift = fuse_conv_bn_weights(
            scale, shift, norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias
        )
        del remaining[0]
    per_channel = scale.shape[:-1]
    output = sums * scale.reshape(per_channel) + shift.reshape(per_channel)
    output = output.to(layer.weight.dtype)
    for module in remaining:
        output = module(output)
    return output


def _integers(codes: Codes, layer: QuantizedLayer) -> Tensor:
    return torch.from_numpy(codes.values).to(layer.weight.device, torch.float64)


def _path_to_next(
    model: nn.Module, layer: str, next_layer: str | None
) -> tuple[str, list[nn.Module]]:
    """Return the name of the quantised layer after `layer`, and the modules between the two."""
    parent = model.get_submodule(layer.rpartition(".")[0])
    if not isinstance(parent, nn.Sequential) or type(parent).forward is not nn.Sequential.forward:
        raise LayerError(
            f"layer {layer!r} is not in a torch.nn.Sequential, so what follows it is unknown; give "
            f"`next_layer` and `between`"
        )
    if next_layer is not None:
        find_layer(model, next_layer)
    modules = list(parent)
    following = modules[modules.index(find_layer(model, layer)) + 1 :]
    between = list(takewhile(lambda module: not quantized_layers(module), following))
    names: dict[nn.Module, str] = {module: name for name, module in quantized_layers(model).items()}
    successor = names.get(following[len(between)]) if len(between) < len(following) else None
    if successor is None:
        raise LayerError(
            f"no quantised layer follows {layer!r} in its torch.nn.Sequential; give `next_layer` "
            f"and `between`"
        )
    if next_layer not in (None, successor):
        raise LayerError(
            f"the quantised layer after {layer!r} is {successor!r}, not {next_layer!r}; give "
            f"`between` to recover across it"
        )
    return successor, between

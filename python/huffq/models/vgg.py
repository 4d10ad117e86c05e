"""VGG16 with batch norm for 32x32 images, its convolutions quantised."""

from __future__ import annotations

from torch import Tensor, nn

from huffq.models.scaling import scale_channels
from huffq.quant import QuantConv2d

# Convolutions per stage and their channels: configuration D of Simonyan and Zisserman 2015
# (arXiv 1409.1556).
_STAGES = ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512))
_BOTTLENECK_STAGE = 3
_BOTTLENECK_CHANNELS = 8


class VGG(nn.Module):
    """Convolutions in stages that each end in max pooling, then one float linear layer.

    Attributes:
        features: Convolution, batch norm and ReLU in turn, with a pooling layer after each stage.
        classifier: The linear layer.
    """

    def __init__(self, features: nn.Sequential, channels: int, num_classes: int) -> None:
        super().__init__()
        self.features = features
        self.classifier = nn.Linear(channels, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits ``[N, num_classes]`` of images ``[N, 3, 32, 32]``."""
        logits: Tensor = self.classifier(self.features(x).flatten(1))
        return logits


def vgg16(
    *,
    num_classes: int = 10,
    width: float = 1.0,
    bits: int = 4,
    bottleneck: bool = False,
    quantize_first: bool = True,
) -> VGG:
    """Build a VGG16.

    Args:
        num_classes: Number of logits.
        width: Factor on the channels of every layer but the bottleneck's.
        bits: Bit width of weights and activations, 2 to 8.
        bottleneck: Narrow the fourth stage to 8 channels, the size of a small systolic array. Its
            middle convolution, ``features.27``, then maps 8 channels to 8 without a batch norm,
            so that only a ReLU lies between it and the next convolution, ``features.29``.
        quantize_first: Quantise the first convolution too, whose input is the normalised image.

    Raises:
        ValueError: `width` is not positive and finite, or `bits` is out of range.
    """
    layers: list[nn.Module] = []
    channels = 3
    for stage, (depth, base_channels) in enumerate(_STAGES):
        full = scale_channels(base_channels, width)
        narrow = bottleneck and stage == _BOTTLENECK_STAGE
        for position in range(depth):
            out = _BOTTLENECK_CHANNELS if narrow and position < depth - 1 else full
            if layers or quantize_first:
                layers.append(QuantConv2d(channels, out, 3, padding=1, bits=bits))
            else:
                layers.append(nn.Conv2d(channels, out, 3, padding=1, bias=False))
            if not (narrow and position == 1):
                layers.append(nn.BatchNorm2d(out))
            layers.append(nn.ReLU(inplace=True))
            channels = out
        layers.append(nn.MaxPool2d(2))
    return VGG(nn.Sequential(*layers), channels, num_classes)

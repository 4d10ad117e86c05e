"""ResNet-20 for 32x32 images, all convolutions but the first quantised."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from huffq.models.scaling import scale_channels
from huffq.quant import QuantConv2d

_BLOCKS_PER_STAGE = 3


class BasicBlock(nn.Module):
    """Two 3x3 convolutions beside a shortcut (He et al. 2016, arXiv 1512.03385).

    Where the shape changes, the shortcut is a quantised 1x1 convolution with batch norm.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int, bits: int) -> None:
        super().__init__()
        # Both convolutions come before the batch norms: existing checkpoints number their
        # optimizer states in this order of the parameters.
        self.conv1 = QuantConv2d(in_channels, out_channels, 3, stride, padding=1, bits=bits)
        self.conv2 = QuantConv2d(out_channels, out_channels, 3, padding=1, bits=bits)
        self.bn1 = nn.BatchNorm2d(out_channels)
        self.bn2 = nn.BatchNorm2d(out_channels)
        self.downsample = nn.Sequential()
        if stride != 1 or in_channels != out_channels:
            self.downsample.append(QuantConv2d(in_channels, out_channels, 1, stride, bits=bits))
            self.downsample.append(nn.BatchNorm2d(out_channels))

    def forward(self, x: Tensor) -> Tensor:
        """Return ``[N, out, H / stride, W / stride]`` for ``[N, in, H, W]``."""
        out = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(out)) + self.downsample(x))


class ResNet(nn.Module):
    """Float convolution, three stages of blocks, global average pooling, float linear layer."""

    def __init__(self, channels: tuple[int, int, int], num_classes: int, bits: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, channels[0], 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels[0])
        self.layer1 = _stage(channels[0], channels[0], 1, bits)
        self.layer2 = _stage(channels[0], channels[1], 2, bits)
        self.layer3 = _stage(channels[1], channels[2], 2, bits)
        self.fc = nn.Linear(channels[2], num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits ``[N, num_classes]`` of images ``[N, 3, 32, 32]``."""
        x = F.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        logits: Tensor = self.fc(x.mean(dim=(2, 3)))
        return logits


def _stage(in_channels: int, out_channels: int, stride: int, bits: int) -> nn.Sequential:
    first = BasicBlock(in_channels, out_channels, stride, bits)
    rest = (BasicBlock(out_channels, out_channels, 1, bits) for _ in range(_BLOCKS_PER_STAGE - 1))
    return nn.Sequential(first, *rest)


def resnet20(
    *,
    num_classes: int = 10,
    channels: tuple[int, int, int] = (16, 32, 64),
    width: float = 1.0,
    bits: int = 4,
) -> ResNet:
    """Build a ResNet-20.

    Args:
        num_classes: Number of logits.
        channels: Channels of the three stages.
        width: Factor on all channels.
        bits: Bit width of weights and activations, 2 to 8.

    Raises:
        ValueError: One of `channels` is below 1, `width` is not positive and finite, or `bits` is
            out of range; or the narrowest convolution would have a single weight.
    """
    first, second, third = (scale_channels(count, width) for count in channels)
    return ResNet((first, second, third), num_classes, bits)

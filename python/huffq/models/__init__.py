"""Quantised networks, and a way to build them by name."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from huffq.models.resnet import ResNet, resnet20
from huffq.models.vgg import VGG, vgg16

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import nn

__all__ = ["NAMES", "VGG", "ResNet", "build", "resnet20", "vgg16"]

_BUILDERS: dict[str, Callable[..., nn.Module]] = {
    "vgg16": vgg16,
    "vgg16-bottleneck": partial(vgg16, bottleneck=True),
    "resnet20": resnet20,
}

NAMES = tuple(_BUILDERS)
"""Names that `build` knows."""


def build(name: str, **options: Any) -> nn.Module:
    """Build the network called `name` with the options of `vgg16` or `resnet20`.

    Raises:
        ValueError: The name is unknown, or an option has a wrong value.
    """
    if name not in _BUILDERS:
        raise ValueError(f"there is no model {name!r}; the models are: {', '.join(NAMES)}")
    return _BUILDERS[name](**options)

"""Checkpoints in the notebook's format: ``checkpoint.pth`` and ``model_best.pth.tar``.

Both are ``torch.save`` files of ``{'epoch', 'state_dict', 'best_prec', 'optimizer'}``.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypedDict, cast

import numpy as np
import torch
from torch import nn

from huffq._atomic import atomic_writer
from huffq.errors import CheckpointError
from huffq.quant import quantized_layers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from huffq.quant import QuantizedLayer

LAST: Final = "checkpoint.pth"
"""File name of the newest checkpoint."""
BEST: Final = "model_best.pth.tar"
"""File name of the checkpoint with the best validation accuracy."""

_KEYS_SHOWN: Final = 4
_SAME_LEVEL: Final = 1e-4  # in units of alpha; neighbouring levels of 8 bits are 1/127 apart


class Checkpoint(TypedDict, total=False):
    """What a checkpoint file holds; only `state_dict` is always there.

    Attributes:
        epoch: Number of finished epochs.
        state_dict: The model's parameters and buffers by name.
        best_prec: Best top-1 accuracy on the validation images so far, in per cent.
        optimizer: The optimizer's state dict.
    """

    epoch: int
    state_dict: dict[str, torch.Tensor]
    best_prec: float
    optimizer: dict[str, Any]


def save(
    folder: str | Path,
    model: nn.Module,
    *,
    epoch: int,
    best_prec: float,
    optimizer: dict[str, Any],
    is_best: bool,
) -> None:
    """Write ``checkpoint.pth``, and ``model_best.pth.tar`` beside it if `is_best`.

    Each file appears whole or not at all. The best model is written first: a run killed between the
    two goes on from the older ``checkpoint.pth`` and writes both again.

    Args:
        folder: An existing folder.
        model: The network.
        epoch: Number of finished epochs.
        best_prec: Best top-1 accuracy so far, in per cent.
        optimizer: The optimizer's state dict.
        is_best: Whether this epoch reached `best_prec`.

    Raises:
        OSError: The folder does not exist or cannot be written.
    """
    state = Checkpoint(
        epoch=epoch, state_dict=model.state_dict(), best_prec=best_prec, optimizer=optimizer
    )
    for name in (BEST, LAST) if is_best else (LAST,):
        with atomic_writer(Path(folder) / name) as file:
            torch.save(state, file)


def load(path: str | Path, model: nn.Module) -> Checkpoint:
    """Read a checkpoint and put its state dict into `model`, which stays on its device.

    Args:
        path: The checkpoint file.
        model: A network of the checkpoint's architecture; unchanged if this raises.

    Returns:
        The whole checkpoint, on the CPU.

    Raises:
        FileNotFoundError: There is no such file.
        CheckpointError: The file is no checkpoint, is truncated, belongs to another
            architecture, or was trained with another bit width.
    """
    checkpoint = _read(Path(path))
    state_dict = checkpoint["state_dict"]
    difference = _difference(state_dict, model.state_dict())
    if difference:
        raise CheckpointError(f"{path} belongs to another architecture: {difference}")
    for name, layer in quantized_layers(model).items():
        prefix = f"{name}." if name else ""
        found = _other_width(
            layer,
            state_dict[f"{prefix}weight"].float(),
            state_dict[f"{prefix}weight_q"].float(),
            state_dict[f"{prefix}weight_quant.wgt_alpha"].float(),
        )
        if found is not None:
            raise CheckpointError(
                f"{path} was trained with another bit width: the weights of layer {name!r} have "
                f"{found} bits, the model's {layer.bits}"
            )
    model.load_state_dict(state_dict)
    return checkpoint


def _read(path: Path) -> Checkpoint:
    if not path.is_file():
        raise FileNotFoundError(f"there is no checkpoint {path}; train a network first")
    with path.open("rb") as file:
        try:
            content = torch.load(file, map_location="cpu", weights_only=True)
        except Exception as error:  # damaged bytes make the unpickler raise nearly anything
            raise CheckpointError(
                f"{path} is not a PyTorch checkpoint, or is damaged or truncated"
            ) from error
    state_dict = content.get("state_dict") if isinstance(content, dict) else None
    if not isinstance(state_dict, dict) or not all(map(torch.is_tensor, state_dict.values())):
        raise CheckpointError(f"{path} holds no 'state_dict' of tensors by name")
    return cast("Checkpoint", content)


def _difference(found: Mapping[str, torch.Tensor], wanted: Mapping[str, torch.Tensor]) -> str:
    """Name the keys in which two state dicts differ; empty if they agree."""
    reshaped = [
        f"{key} {list(found[key].shape)} instead of {list(wanted[key].shape)}"
        for key in wanted
        if key in found and found[key].shape != wanted[key].shape
    ]
    groups = {
        "missing": [key for key in wanted if key not in found],
        "unexpected": [str(key) for key in found if key not in wanted],
        "of another shape": reshaped,
    }
    return "; ".join(f"{what}: {_abridged(keys)}" for what, keys in groups.items() if keys)


@torch.no_grad()
def _other_width(
    layer: QuantizedLayer, weight: Tensor, weight_q: Tensor, alpha: Tensor
) -> int | None:
    """Return the bit width of stored quantised weights if it is not the layer's.

    An optimizer may have moved `weight` and `alpha` since a forward pass made `weight_q`, so its
    values prove nothing. The distance between its levels does: from one width to the next it
    halves, more than a step of training changes it.
    """
    quantizer = layer.weight_quant
    # Of fewer weights than levels, perhaps no two lie on neighbouring levels.
    if weight.numel() <= 2 * quantizer.levels or not weight.isfinite().all():
        return None
    expected = torch.func.functional_call(quantizer, {"wgt_alpha": alpha}, weight)
    found = _apparent_width(weight_q, alpha)
    # Weights that use few of their levels look narrower, but then those expected do so too.
    return None if found in (None, layer.bits, _apparent_width(expected, alpha)) else found


def _apparent_width(quantized: Tensor, alpha: Tensor) -> int | None:
    """Tell the bit width from the smallest distance of two levels; None if there is just one."""
    levels = quantized / alpha
    gaps = np.diff(np.unique(levels[levels.isfinite()].numpy()))
    gaps = gaps[gaps > _SAME_LEVEL]
    return round(1 + math.log2(1 + 1 / gaps.min())) if len(gaps) else None


def _abridged(keys: list[str]) -> str:
    more = len(keys) - _KEYS_SHOWN
    return ", ".join(keys[:_KEYS_SHOWN]) + (f" and {more} more" if more > 0 else "")

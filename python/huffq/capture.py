"""What enters the quantised layers of a network while it runs: real values, or integer codes."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from huffq.errors import DataError, ExtractionError, LayerError
from huffq.quant import (
    activation_codes,
    find_layer,
    quantized_layers,
    require_finite,
    signed_width,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    import numpy.typing as npt

    from huffq.codes import Codes
    from huffq.quant import QuantizedLayer

T = TypeVar("T")

_MAX_BITS = 8

Batch = Tensor | tuple[Any, ...] | list[Any]
"""Images ``[N, ...]``, alone or first in a tuple or list (as with labels)."""


def activations(
    model: nn.Module,
    loader: Iterable[Batch],
    layers: Sequence[str] | None = None,
    device: torch.device | str | None = None,
    *,
    signed: Sequence[str] = (),
    sides: Sequence[str] = (),
) -> Iterator[dict[str, Any]]:
    """Yield, batch by batch, the integer codes at the inputs of quantised layers.

    The network runs once per batch, however many layers there are. Codes come with their bit width,
    scale and floating-point dtype; labels, and whatever else a batch holds beside its images, go
    along under the names in `sides`.

    Bit width and signedness of a layer are the same in every batch. A layer whose inputs in the
    first batch have no negative code gives uint8 of its own bit width; any other gives int8 with
    one bit more than that batch needs, at least the layer's own width and at most 8.

    The model runs in eval mode and without gradients, and is as before between batches.

    Args:
        model: The network.
        loader: Batches of images, as they are or first in tuples (as with labels).
        layers: Names of the layers to capture; None captures every quantised layer.
        device: Where to run; the model is moved there. None runs where the model is.
        signed: Layers to give as int8 of 8 bits whatever the first batch holds.
        sides: Names for what follows the images in each batch, in order; it is passed on as arrays
            ``[N, ...]`` of its own dtype.

    Returns:
        An iterator of dicts from layer name to codes ``[N, ...]``, in the order of `layers`, and
        after them from the names in `sides` to arrays.

    Raises:
        LayerError: A layer is unknown, not quantised, or does not run exactly once per batch.
        ValueError: A name in `sides` comes twice, or is that of a layer.
        DataError: `loader` gives no images, or something other than images, or nothing to go by a
            name in `sides`, or not as much of it as images. Raised on iteration.
        ExtractionError: Values are not integer codes or not finite, or codes do not fit what the
            first batch declared: list their layer in `signed`. Raised on iteration.
    """
    names = list(quantized_layers(model)) if layers is None else list(layers)
    targets = {name: find_layer(model, name) for name in names}
    if not targets:
        raise LayerError("there is no quantised layer to capture")
    for name in signed:
        find_layer(model, name)
    if len({*targets, *sides}) < len(targets) + len(sides):
        raise ValueError(
            f"sides are {', '.join(sides)}; names must differ, and from those of layers"
        )
    if device is not None:
        model.to(device)
    return _stream(model, loader, targets, dict.fromkeys(signed, _MAX_BITS), sides)


def layer_inputs(model: nn.Module, batch: Batch, layers: Sequence[str]) -> dict[str, Tensor]:
    """Return the real inputs of quantised layers for one batch.

    Args:
        model: The network; runs where it is, in eval mode, and is left as it was.
        batch: Images, as they are or first in a tuple.
        layers: Names of the layers.

    Returns:
        Float tensors ``[N, ...]`` by layer name, copies on the model's device.

    Raises:
        LayerError: A layer is unknown, not quantised, or does not run exactly once.
        DataError: `batch` holds no images.
        ExtractionError: The weight of a quantised layer is not finite.
    """
    targets = {name: find_layer(model, name) for name in layers}
    _require_finite_weights(model)
    # A later layer may overwrite the tensor in place.
    return _visit_inputs(model, batch, targets, lambda _, x: x.clone())


def _stream(
    model: nn.Module,
    loader: Iterable[Batch],
    targets: dict[str, QuantizedLayer],
    signed_bits: dict[str, int | None],
    sides: Sequence[str],
) -> Iterator[dict[str, Any]]:
    """Capture batch after batch; `signed_bits` gets what the first declares, None for unsigned."""

    def extract(name: str, x: Tensor) -> Codes:
        layer = targets[name]
        declared = name in signed_bits
        signed = signed_bits[name] is not None if declared else None
        codes = activation_codes(layer, x, name=name, signed=signed)
        needed = signed_width(int(codes.values.min()), int(codes.values.max()))
        if not declared:
            spare = min(_MAX_BITS, max(layer.bits, needed + 1))
            signed_bits[name] = spare if codes.signed else None
        bits = signed_bits[name]
        if bits is None:
            return codes
        if needed > bits:
            raise ExtractionError(
                f"layer {name!r}: its codes need {needed} bits, but the first batch declared "
                f"{bits}; list it in `signed`"
            )
        return replace(codes, bits=bits)

    _require_finite_weights(model)
    empty = True
    for batch in loader:
        beside = _side_arrays(batch, sides)
        yield {**_visit_inputs(model, batch, targets, extract), **beside}
        empty = False
    if empty:
        raise DataError("the loader gives no batch; there is nothing to capture")


def _require_finite_weights(model: nn.Module) -> None:
    """Blame the layer whose weight is at fault, not the next one, whose input it spoils."""
    for name, layer in quantized_layers(model).items():
        require_finite(layer.weight, name, "weight")


def _visit_inputs(
    model: nn.Module,
    batch: Batch,
    targets: dict[str, QuantizedLayer],
    visit: Callable[[str, Tensor], T],
) -> dict[str, T]:
    """Run `model` once and return what `visit` makes of the input of each target."""
    images = _images(batch).to(next(model.parameters()).device)
    results: dict[str, T] = {}

    def hook(name: str, _: nn.Module, args: tuple[Tensor, ...]) -> None:
        if name in results:
            raise LayerError(f"layer {name!r} runs more than once in a forward pass")
        results[name] = visit(name, args[0])

    with evaluation(model), ExitStack() as hooks:
        for name, layer in targets.items():
            hooks.enter_context(layer.register_forward_pre_hook(partial(hook, name)))
        model(images)
    for name in targets:
        if name not in results:
            raise LayerError(f"layer {name!r} does not run in a forward pass")
    return {name: results[name] for name in targets}


def _side_arrays(batch: Batch, names: Sequence[str]) -> dict[str, npt.NDArray[Any]]:
    images = _images(batch)
    items = () if isinstance(batch, Tensor) else batch[1:]
    if len(items) < len(names):
        raise DataError(
            f"a batch holds {len(items)} items beside its images; sides names {len(names)}"
        )
    arrays = {
        name: x.numpy(force=True) if isinstance(x, Tensor) else np.asarray(x)
        for name, x in zip(names, items, strict=False)
    }
    for name, array in arrays.items():
        if array.shape[:1] != (len(images),):
            raise DataError(
                f"a batch holds {len(images)} images and {name!r} of shape {list(array.shape)}; "
                "their first axes must agree"
            )
    return arrays


def _images(batch: Batch) -> Tensor:
    images = batch[0] if isinstance(batch, (tuple, list)) and batch else batch
    if not isinstance(images, Tensor):
        raise DataError(
            f"a batch is a {type(images).__name__}; it must be a tensor of images, or a tuple that "
            f"starts with one"
        )
    if len(images) == 0:
        raise DataError("a batch holds no images; drop empty batches from the loader")
    return images


@contextmanager
def evaluation(model: nn.Module) -> Iterator[None]:
    """Eval mode without gradients; afterwards every module has the mode that it had."""
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for module, mode in modes.items():
            module.training = mode

"""The whole of huffq on one small network: train, prove, cut tiles, encode, compare.

Nothing here is special to the demonstration but its size: each step is the public function that a
large run would call, and memory holds one batch at a time.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

import huffq
from huffq import capture, checkpoint, data, models
from huffq._chunks import chunks
from huffq._progress import track
from huffq.check import CheckResult, verify_layer
from huffq.errors import CorruptFileError, ExtractionError
from huffq.layer_tiles import layer_convolutions
from huffq.report import encode_table, format_bytes
from huffq.tiles import Tiling, code_tiles, export_tiles
from huffq.train import fit, validate

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from torch import nn

MODEL = "vgg16-bottleneck"
LAYER = "features.27"
"""The bottleneck's 8x8 convolution."""


@dataclass(frozen=True)
class Settings:
    """What the demonstration trains; the defaults take about a minute on two cores.

    Attributes:
        epochs: Training epochs.
        width: Factor on the network's channels.
        batch_size: Images in a batch.
        lr: Learning rate; it falls to a tenth for the last quarter of the epochs.
        seed: Seed of weights, order and augmentation.
        device: Where to train: ``"auto"``, ``"cpu"`` or ``"cuda"``. The rest runs on the CPU.
    """

    epochs: int = 6
    width: float = 0.25
    batch_size: int = 32
    lr: float = 0.02
    seed: int = 0
    device: str = "auto"


def run(out_dir: str | Path, settings: Settings = Settings()) -> None:
    """Run the demonstration and print what every step found.

    Args:
        out_dir: Folder of the checkpoints, the tile files and ``activations.huffq``; made if need
            be.
        settings: What to train.

    Raises:
        ExtractionError: Integer arithmetic does not give back the layer's output.
        CorruptFileError: The file does not hold what was captured.
        OSError: A file cannot be written.
    """
    folder = Path(out_dir)
    images = data.load("digits", batch_size=settings.batch_size, seed=settings.seed)
    model = _train(folder, images, settings)
    batch = next(iter(images.test_loader()))
    _show_integers(model, batch)
    _show_tiles(model, batch[0][:1], folder / "tiles")
    _show_store(model, images, folder / "activations.huffq")


def prove(model: nn.Module, batch: capture.Batch, layer: str = LAYER) -> CheckResult:
    """Demand that integer arithmetic gives back the input of the layer after `layer`.

    Args:
        model: The network.
        batch: Images to run.
        layer: A quantised layer in a `torch.nn.Sequential` with the next one.

    Returns:
        How exact it is.

    Raises:
        ExtractionError: The error is above `huffq.check.TOLERANCE` of the output's scale.
    """
    result = verify_layer(model, batch, layer)
    if not result.ok:
        raise ExtractionError(
            f"integer arithmetic misses the input of {result.next_layer} by {result.max_error:.3g},"
            f" {result.relative_error:.1e} of its scale"
        )
    return result


def compare(dataset: huffq.Dataset, batches: Iterable[Mapping[str, huffq.Codes]]) -> int:
    """Compare a file with the batches that it should hold, symbol by symbol.

    Args:
        dataset: The open file.
        batches: Codes by field, in order from the first sample on.

    Returns:
        The number of symbols compared.

    Raises:
        CorruptFileError: A field differs (names it and the samples), or the file holds more or
            fewer samples.
    """
    start = symbols = 0
    for batch in batches:
        stop = start
        for name, codes in batch.items():
            stop = start + len(codes.values)
            if not np.array_equal(dataset[name][start:stop], codes.values):
                raise CorruptFileError(
                    f"{dataset.path}: field {name!r} differs from the network in samples "
                    f"{start} to {stop - 1}"
                )
            symbols += codes.values.size
        start = stop
    if start != len(dataset):
        raise CorruptFileError(f"{dataset.path}: holds {len(dataset)} samples instead of {start}")
    return symbols


def time_decoding(dataset: huffq.Dataset) -> dict[str, float]:
    """Decode every field once, piece by piece, and return the seconds that each took."""
    seconds = {}
    for name, field in dataset.fields.items():
        begin = time.perf_counter()
        for piece in chunks(field.shape):
            field[piece]
        seconds[name] = time.perf_counter() - begin
    return seconds


def _train(folder: Path, images: data.ImageData, settings: Settings) -> nn.Module:
    """Train, and return a network that was filled from the best checkpoint's file."""
    print(f"1. Training {MODEL} (width {settings.width:g}) on digits, {settings.epochs} epochs ...")
    options = {"num_classes": images.num_classes, "width": settings.width}
    torch.manual_seed(settings.seed)
    report = fit(
        models.build(MODEL, **options),
        images,
        out_dir=folder,
        epochs=settings.epochs,
        lr=settings.lr,
        milestones=(math.ceil(0.75 * settings.epochs),),
        seed=settings.seed,
        device=settings.device,
    )
    best = models.build(MODEL, **options)
    checkpoint.load(report.path, best)
    result = validate(best, images.test_loader(), device=settings.device)
    print(
        f"2. Validated the best epoch: top-1 {result.top1:.2f} %, top-5 {result.top5:.2f} % of "
        f"{result.samples} test images"
    )
    return best.eval()


def _show_integers(model: nn.Module, batch: capture.Batch) -> None:
    (captured,) = capture.activations(model, [batch], [LAYER])
    codes = captured[LAYER].values
    result = prove(model, batch)
    print(
        f"3. Captured {LAYER} {list(codes.shape)} as integers {codes.min()} to {codes.max()}; "
        f"integer convolution\n   gives back the input of {result.next_layer} within "
        f"{result.relative_error:.1e} of its scale"
    )


def _show_tiles(model: nn.Module, image: torch.Tensor, folder: Path) -> None:
    coded = code_tiles(Tiling(layer_convolutions(model, image, [LAYER])[LAYER]))
    export_tiles(folder, coded)
    print(f"4. Wrote the tiles of the first test image to {folder}")
    print("   " + str(coded.report(0, 0)).replace("\n", "\n   "))


def _show_store(model: nn.Module, images: data.ImageData, path: Path) -> None:
    loader = images.test_loader()
    report = huffq.encode_dataset(
        capture.activations(model, track(loader, "encode", total=len(loader))),
        path,
        progress=False,
        metadata={"model": MODEL, "data": images.name},
    )
    raw, encoded = format_bytes(report.raw_bits / 8), format_bytes(report.encoded_bits / 8)
    print(
        f"5. Encoded the inputs of {len(report.fields)} quantised layers for {report.samples} "
        f"images in {report.seconds:.1f} s:\n   {raw} of packed integers became {encoded} in {path}"
    )
    dataset = huffq.open(path, threads=1)
    again = capture.activations(model, track(loader, "compare", total=len(loader)))
    symbols = compare(dataset, again)
    print(f"6. Reopened the file and captured again: all {symbols:,} symbols agree\n")
    print(encode_table(report, time_decoding(dataset)))
    print(
        "\nbits/symbol and ratio: coded size, smaller is better; M/s: million symbols per second\n"
        f"of one core. Next: huffq info {path}"
    )

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
from huffq.check import CheckResult, verify_layer
from huffq.coded_tile import TileReport
from huffq.errors import CorruptFileError, ExtractionError
from huffq.layer_tiles import layer_convolution
from huffq.report import encode_table, format_bytes
from huffq.tile_export import export_convolution
from huffq.train import ValidationReport, fit, validate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from torch import nn

LAYER = "features.27"
"""The bottleneck's 8x8 convolution."""

_CHUNK_SYMBOLS = 1 << 24


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
        progress: Show progress bars on a terminal.
    """

    epochs: int = 6
    width: float = 0.25
    batch_size: int = 32
    lr: float = 0.02
    seed: int = 0
    device: str = "auto"
    progress: bool = True


@dataclass(frozen=True)
class DemoReport:
    """What the demonstration found.

    Attributes:
        validation: Accuracy of the best epoch's network on the test images.
        check: How far integer arithmetic is from the network's own output.
        tile: Length of the activation tile of the first test image.
        encoding: What encoding the activations of all quantised layers gave.
        decode_seconds: Time that one thread takes to decode each layer.
    """

    validation: ValidationReport
    check: CheckResult
    tile: TileReport
    encoding: huffq.EncodeReport
    decode_seconds: dict[str, float]


def run(
    out_dir: str | Path, settings: Settings = Settings(), say: Callable[[str], object] = print
) -> DemoReport:
    """Run the demonstration.

    Args:
        out_dir: Folder of the checkpoints, the tile files and ``activations.huffq``; made if need
            be.
        settings: What to train.
        say: Takes the text of every step.

    Returns:
        What was found.

    Raises:
        ExtractionError: Integer arithmetic does not give back the layer's output.
        CorruptFileError: The file does not hold what was captured.
        OSError: A file cannot be written.
    """
    folder = Path(out_dir)
    images = data.load("digits", batch_size=settings.batch_size, seed=settings.seed)
    model = _train(folder, images, settings, say)
    validation = validate(
        model, images.test_loader(), device=settings.device, progress=settings.progress
    )
    say(
        f"2. Validated the best epoch: top-1 {validation.top1:.2f} %, top-5 {validation.top5:.2f} %"
        f" of {validation.samples} test images"
    )
    batch = next(iter(images.test_loader()))
    check = _prove(model, batch, say)
    tile = _write_tiles(model, batch[0][:1], folder / "tiles", say)
    encoding = _encode(model, images, folder / "activations.huffq", settings, say)
    dataset = huffq.open(folder / "activations.huffq", threads=1)
    symbols = compare(dataset, capture.activations(model, images.test_loader()))
    say(f"6. Reopened the file and captured again: all {symbols:,} symbols agree")
    decode_seconds = time_decoding(dataset)
    say(f"\n{encode_table(encoding, decode_seconds)}")
    say("\nbits/symbol and ratio: coded size, smaller is better; M/s: million symbols per second")
    say(f"of one core. See 'huffq info {dataset.path}'.")
    return DemoReport(validation, check, tile, encoding, decode_seconds)


def compare(dataset: huffq.Dataset, batches: Iterable[Mapping[str, huffq.Codes]]) -> int:
    """Compare a file with the batches that it should hold, symbol by symbol.

    Args:
        dataset: The open file.
        batches: Codes by field, in order from the first sample on.

    Returns:
        The number of symbols compared, which are all of the file's.

    Raises:
        CorruptFileError: A field differs (names it and the first samples), or the file holds more
            or fewer samples.
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
        step = max(1, _CHUNK_SYMBOLS // max(1, math.prod(field.shape[1:])))
        begin = time.perf_counter()
        for start in range(0, len(field), step):
            field[start : start + step]
        seconds[name] = time.perf_counter() - begin
    return seconds


def _train(
    folder: Path, images: data.ImageData, settings: Settings, say: Callable[[str], object]
) -> nn.Module:
    """Train, and return a network that was filled from the best checkpoint's file."""
    say(
        f"1. Training the bottleneck VGG16 (width {settings.width:g}, 4 bits) on digits, "
        f"{settings.epochs} epochs ..."
    )
    options = {"num_classes": images.num_classes, "width": settings.width}
    torch.manual_seed(settings.seed)
    report = fit(
        models.build("vgg16-bottleneck", **options),
        images,
        out_dir=folder,
        epochs=settings.epochs,
        lr=settings.lr,
        milestones=(math.ceil(0.75 * settings.epochs),),
        seed=settings.seed,
        device=settings.device,
        progress=settings.progress,
    )
    best = models.build("vgg16-bottleneck", **options)
    checkpoint.load(report.path, best)
    return best.eval()


def _prove(model: nn.Module, batch: capture.Batch, say: Callable[[str], object]) -> CheckResult:
    """Capture the 8x8 layer and recover its output from integers."""
    (codes,) = capture.activations(model, [batch], [LAYER])
    result = verify_layer(model, batch, LAYER)
    if not result.ok:
        raise ExtractionError(
            f"integer arithmetic misses the input of {result.next_layer} by {result.max_error:.3g},"
            f" {result.relative_error:.1e} of its scale"
        )
    shape = list(codes[LAYER].values.shape)
    say(
        f"3. Captured {LAYER} {shape} as integers 0 to {codes[LAYER].values.max()}; integer "
        f"convolution gives back\n   the input of {result.next_layer} within "
        f"{result.relative_error:.1e} of its scale"
    )
    return result


def _write_tiles(
    model: nn.Module, image: torch.Tensor, folder: Path, say: Callable[[str], object]
) -> TileReport:
    (tile,) = export_convolution(folder, layer_convolution(model, image, LAYER))
    files = len(list(folder.iterdir()))
    say(f"4. Wrote the tiles of the first test image: {files} files in {folder}")
    say("   " + str(tile).replace("\n", "\n   "))
    return tile


def _encode(
    model: nn.Module,
    images: data.ImageData,
    path: Path,
    settings: Settings,
    say: Callable[[str], object],
) -> huffq.EncodeReport:
    report = huffq.encode_dataset(
        capture.activations(model, images.test_loader()),
        path,
        progress=settings.progress,
        metadata={"model": "vgg16-bottleneck", "width": settings.width, "data": images.name},
    )
    raw, encoded = format_bytes(report.raw_bits / 8), format_bytes(report.encoded_bits / 8)
    say(
        f"5. Encoded the inputs of {len(report.fields)} quantised layers for {report.samples} "
        f"images in {report.seconds:.1f} s:\n   {raw} of packed integers became {encoded} in {path}"
    )
    return report

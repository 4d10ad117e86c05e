"""Commands that run a network: ``train`` and ``extract``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from huffq._atomic import atomic_writer, check_output
from huffq._progress import track
from huffq.cli.options import (
    DEFAULT,
    Commands,
    add_command,
    add_data_options,
    add_device_option,
    add_model_options,
    build_model,
    load_data,
    load_model,
    positive_number,
    require_device,
    test_images,
    whole_number,
)

if TYPE_CHECKING:
    import argparse

    import numpy.typing as npt
    from torch import nn

    from huffq.data import ImageData


def add_commands(commands: Commands) -> None:
    """Add the commands of this module."""
    _add_train(commands)
    _add_extract(commands)


def _add_train(commands: Commands) -> None:
    parser = add_command(
        commands,
        train,
        "Train a quantised network",
        "  huffq train --data cifar10 --root data --download --out-dir result/project\n"
        "  huffq train --model resnet20 --data folder --root images --epochs 30 --lr 0.05\n"
        "  huffq train --data cifar10 --root data --out-dir result/project --resume",
    )
    parser.add_argument("--out-dir", default="result", help=f"folder of checkpoints {DEFAULT}")
    parser.add_argument("--resume", action="store_true", help="go on from checkpoint.pth")
    parser.add_argument("--epochs", type=whole_number(1), default=100, help=DEFAULT)
    parser.add_argument("--lr", type=positive_number, default=0.02, help=f"learning rate {DEFAULT}")
    parser.add_argument("--momentum", type=float, default=0.8, help=DEFAULT)
    parser.add_argument("--weight-decay", type=float, default=1e-4, help=DEFAULT)
    parser.add_argument(
        "--milestones",
        type=whole_number(0),
        nargs="*",
        default=[150, 225],
        metavar="EPOCH",
        help="epochs at which the learning rate falls to a tenth (default: 150 225)",
    )
    add_device_option(parser)
    add_model_options(parser)
    add_data_options(parser)


def train(args: argparse.Namespace) -> None:
    """Train a network and say what it reached."""
    import torch

    from huffq.train import fit

    data = load_data(args)
    torch.manual_seed(args.seed)
    report = fit(
        build_model(args, data.num_classes),
        data,
        out_dir=args.out_dir,
        epochs=args.epochs,
        lr=args.lr,
        momentum=args.momentum,
        weight_decay=args.weight_decay,
        milestones=args.milestones,
        resume=args.resume,
        device=require_device(args),
        seed=args.seed,
    )
    print(f"{report.epochs} epochs, best top-1 {report.best_top1:.2f} %: {report.path}")


def _add_extract(commands: Commands) -> None:
    parser = add_command(
        commands,
        extract,
        "Write the integers of a network's quantised layers to a file",
        "  huffq extract result/model_best.pth.tar integers.npz --images 32\n"
        "  huffq extract result/model_best.pth.tar activations.huffq --data cifar10 --root data\n"
        "  huffq extract model.pth acts.huffq --model resnet20 --layers layer1.0.conv2",
    )
    parser.add_argument("checkpoint")
    parser.add_argument(
        "output",
        help=".npz: NAME.x_int, NAME.w_int, NAME.x_delta and NAME.w_delta per layer for the first "
        "test images; .huffq: the inputs of the layers over all test images",
    )
    parser.add_argument("--layers", nargs="+", metavar="NAME", help="default: all quantised ones")
    parser.add_argument(
        "--images", type=whole_number(1), default=32, help=f"test images in the .npz {DEFAULT}"
    )
    parser.add_argument(
        "--signed",
        nargs="+",
        default=(),
        metavar="NAME",
        help="layers whose codes turn negative, or outgrow the first batch, later (.huffq)",
    )
    add_device_option(parser)
    add_model_options(parser)
    add_data_options(parser)


def extract(args: argparse.Namespace) -> None:
    """Write integers for a few images, or activations of the whole test set."""
    suffix = Path(args.output).suffix
    if suffix not in (".npz", ".huffq"):
        raise ValueError(f"{args.output}: the output must end in .npz or .huffq")
    check_output(args.output)
    data = load_data(args)
    model = load_model(args, data.num_classes)
    if suffix == ".npz":
        _extract_integers(args, model, data)
    else:
        _extract_activations(args, model, data)


def _extract_integers(args: argparse.Namespace, model: nn.Module, data: ImageData) -> None:
    from huffq.capture import activations
    from huffq.quant import find_layer, weight_codes

    batch = test_images(data, 0, args.images)
    (inputs,) = activations(model, [batch], args.layers, require_device(args), signed=args.signed)
    arrays: dict[str, npt.NDArray[Any]] = {}
    for name, x in inputs.items():
        w = weight_codes(find_layer(model, name), name=name)
        arrays[f"{name}.x_int"], arrays[f"{name}.x_delta"] = x.values, np.asarray(x.scale)
        arrays[f"{name}.w_int"], arrays[f"{name}.w_delta"] = w.values, np.asarray(w.scale)
    with atomic_writer(args.output) as file:
        np.savez(file, allow_pickle=False, **arrays)
    print(f"{args.output}: integers of {len(inputs)} layers for {len(batch)} images")


def _extract_activations(args: argparse.Namespace, model: nn.Module, data: ImageData) -> None:
    import huffq
    from huffq.capture import activations
    from huffq.report import encode_table

    loader = data.test_loader()
    images = track(loader, "extract", total=len(loader))
    report = huffq.encode_dataset(
        activations(model, images, args.layers, require_device(args), signed=args.signed),
        args.output,
        progress=False,
        metadata={"model": args.model, "checkpoint": args.checkpoint, "data": args.data},
    )
    print(encode_table(report))

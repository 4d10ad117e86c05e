"""Options that several commands share, and what they stand for."""

from __future__ import annotations

import argparse
import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor, nn

    from huffq.data import ImageData

Commands = Any
"""What `argparse.ArgumentParser.add_subparsers` returns; its class has no public name."""

MODELS = ("vgg16", "vgg16-bottleneck", "resnet20")
DATASETS = ("digits", "cifar10", "folder", "npz")
"""Names that `huffq.models` and `huffq.data` know; these modules need torch, help texts do not."""

_LARGEST = 2**31 - 1

DEFAULT = "(default: %(default)s)"
"""Text by which argparse names an option's default in the help."""


def add_command(
    commands: Commands,
    run: Callable[[argparse.Namespace], None],
    summary: str,
    examples: str,
) -> argparse.ArgumentParser:
    """Add the command that is called as the function `run` is.

    Args:
        commands: Where it is added.
        run: Carries it out.
        summary: One sentence for the help text, without a full stop.
        examples: Command lines, shown at the end of the command's own help.

    Returns:
        The command's parser.
    """
    parser: argparse.ArgumentParser = commands.add_parser(
        run.__name__,
        help=summary,
        description=f"{summary}.",
        epilog=f"examples:\n{examples}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run)
    return parser


def whole_number(smallest: int) -> Callable[[str], int]:
    """Return what argparse calls to read an integer from `smallest` to 2^31 - 1."""

    def read(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is no whole number") from None
        if not smallest <= number <= _LARGEST:
            raise argparse.ArgumentTypeError(
                f"{number} does not lie between {smallest} and {_LARGEST}"
            )
        return number

    return read


def positive_number(text: str) -> float:
    """Read a finite number above 0, for argparse."""
    try:
        number = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no number") from None
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is no finite number above 0")
    return number


def add_threads_option(parser: argparse.ArgumentParser) -> None:
    """Add the upper bound on threads."""
    parser.add_argument("--threads", type=whole_number(1), help="default: every core")


def add_model_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that `build_model` reads."""
    group = parser.add_argument_group("model")
    group.add_argument("--model", choices=MODELS, default="vgg16-bottleneck", help=DEFAULT)
    group.add_argument(
        "--width", type=positive_number, default=1.0, help=f"factor on the channels {DEFAULT}"
    )
    group.add_argument(
        "--bits",
        type=whole_number(1),
        default=4,
        help=f"bit width of weights and activations {DEFAULT}",
    )
    group.add_argument(
        "--channels",
        type=whole_number(1),
        nargs=3,
        metavar="C",
        help="channels of resnet20's three stages (default: 16 32 64)",
    )


def add_data_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that `load_data` reads."""
    group = parser.add_argument_group("data")
    group.add_argument("--data", choices=DATASETS, default="digits", help=DEFAULT)
    group.add_argument("--root", help="folder of the images, or the .npz file")
    group.add_argument(
        "--keys",
        nargs=4,
        metavar="KEY",
        default=("x_train", "y_train", "x_test", "y_test"),
        help="names, or patterns with *, of the arrays in the .npz file: training images, training "
        "labels, test images, test labels (default: x_train y_train x_test y_test)",
    )
    group.add_argument("--download", action="store_true", help="fetch CIFAR-10 if it is absent")
    group.add_argument("--batch-size", type=whole_number(1), default=100, help=DEFAULT)
    group.add_argument(
        "--workers",
        type=whole_number(0),
        default=2,
        help=f"processes that load images {DEFAULT}",
    )
    group.add_argument("--seed", type=whole_number(0), default=0, help=DEFAULT)


def add_device_option(parser: argparse.ArgumentParser) -> None:
    """Add the option that `require_device` reads."""
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help=DEFAULT)


def require_device(args: argparse.Namespace) -> str:
    """Return ``"cpu"`` or ``"cuda"``: what the options ask for, if this machine has it.

    Raises:
        ValueError: A GPU is asked for, and PyTorch finds none.
    """
    import torch

    found = torch.cuda.is_available()
    if args.device == "cuda" and not found:
        raise ValueError("--device cuda: PyTorch finds no CUDA GPU on this machine; use cpu")
    return "cuda" if found and args.device != "cpu" else "cpu"


def load_data(args: argparse.Namespace) -> ImageData:
    """Open the dataset that the options name."""
    from huffq import data

    return data.load(
        args.data,
        args.root,
        batch_size=args.batch_size,
        workers=args.workers,
        seed=args.seed,
        download=args.download,
        keys=data.NpzKeys(*args.keys),
    )


def build_model(args: argparse.Namespace, num_classes: int) -> nn.Module:
    """Build the network that the options name, untrained."""
    from huffq import models

    options = {"num_classes": num_classes, "width": args.width, "bits": args.bits}
    if args.channels is not None:
        if args.model != "resnet20":
            raise ValueError(f"--channels belongs to resnet20; {args.model} takes --width alone")
        options["channels"] = tuple(args.channels)
    return models.build(args.model, **options)


def load_model(args: argparse.Namespace, num_classes: int) -> nn.Module:
    """Build the network that the options name and fill it from ``args.checkpoint``."""
    from huffq import checkpoint

    model = build_model(args, num_classes)
    checkpoint.load(args.checkpoint, model)
    return model.eval()


def test_images(data: ImageData, start: int, count: int) -> Tensor:
    """Return `count` test images from number `start` on, ``[count,3,H,W]``."""
    import torch

    total = len(data.test)  # type: ignore[arg-type]  # torch's Dataset declares no length
    if start > total - count:
        raise ValueError(f"there are no {count} test images from number {start} on, only {total}")
    return torch.stack([data.test[i][0] for i in range(start, start + count)])

"""The command ``demo``."""

from __future__ import annotations

import argparse
from dataclasses import fields

from huffq.cli.options import (
    DEFAULT,
    Commands,
    add_command,
    add_device_option,
    positive_number,
    require_device,
    whole_number,
)


def add_commands(commands: Commands) -> None:
    """Add the command of this module."""
    parser = add_command(
        commands,
        demo,
        "Train a small 4-bit network, prove its integers, cut tiles, encode and compare",
        "  huffq demo\n  huffq demo --out my-demo --epochs 10 --width 0.5",
    )
    parser.add_argument("--out", default="huffq-demo", help=f"folder for everything {DEFAULT}")
    for option, kind, meaning in (
        ("--epochs", whole_number(1), "training epochs"),
        ("--width", positive_number, "factor on the network's channels"),
        ("--batch-size", whole_number(1), "images in a batch"),
        ("--lr", positive_number, "learning rate"),
        ("--seed", whole_number(0), "seed of weights, order and augmentation"),
    ):
        # Absent options stay out of the namespace: the defaults are those of demo.Settings.
        parser.add_argument(option, type=kind, help=meaning, default=argparse.SUPPRESS)
    add_device_option(parser)


def demo(args: argparse.Namespace) -> None:
    """Run the demonstration with the settings that were given."""
    from huffq.demo import Settings, run

    args.device = require_device(args)
    names = {field.name for field in fields(Settings)}
    run(args.out, Settings(**{key: value for key, value in vars(args).items() if key in names}))

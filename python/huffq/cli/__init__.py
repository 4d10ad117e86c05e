"""The command line, ``huffq``.

Every expected failure is one sentence on the error stream and exit code 2; an interrupt is exit
code 130.
"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, NoReturn

from huffq import __version__
from huffq.cli import demo, files, network, rtl, tiles
from huffq.errors import HuffqError

if TYPE_CHECKING:
    from collections.abc import Sequence

_EXPECTED = (HuffqError, ValueError, TypeError, OSError)
_FAILED = 2
_INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: Arguments without the program's name; None takes the process's own.

    Returns:
        The exit code: 0, 2 after an error, 130 after an interrupt.

    Raises:
        SystemExit: The arguments were not understood (code 2), or help or the version was asked
            for (code 0).
    """
    args = build_parser().parse_args(argv)
    try:
        args.run(args)
    except KeyboardInterrupt as interrupt:
        return _fail(_INTERRUPTED, str(interrupt) or "interrupted")
    except ModuleNotFoundError as error:
        if error.name is None:
            # One of ours, which says what to install.
            return _fail(_FAILED, f"error: {_sentence(error)}")
        return _fail(
            _FAILED,
            f"error: '{args.command}' needs the package {error.name!r}; "
            "install it with: pip install 'huffq[train]'",
        )
    except _EXPECTED as error:
        return _fail(_FAILED, f"error: {_sentence(error)}")
    return 0


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    parser = _Parser(
        prog="huffq",
        description="Huffman-coded storage for the integers of low-bit quantised networks.",
        epilog="Start with 'huffq demo'. 'huffq COMMAND --help' shows examples.",
    )
    parser.add_argument("--version", action="version", version=f"huffq {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    demo.add_commands(commands)
    network.add_commands(commands)
    tiles.add_commands(commands)
    rtl.add_commands(commands)
    files.add_commands(commands)
    return parser


class _Parser(argparse.ArgumentParser):
    """A parser that says what is wrong as the commands do, in one sentence."""

    def error(self, message: str) -> NoReturn:
        self.exit(_fail(_FAILED, f"error: {message}; see '{self.prog} --help'"))


def _fail(code: int, message: str) -> int:
    print(f"huffq: {message}", file=sys.stderr)
    return code


def _sentence(error: Exception) -> str:
    """Return what went wrong on one line, without errno numbers."""
    if isinstance(error, OSError) and error.strerror:
        named = f"{error.filename}: " if error.filename else ""
        return f"{named}{error.strerror}"
    return " ".join(str(error).split()) or type(error).__name__

"""The text files that an RTL test bench reads: activations, weights, psums and outputs.

A file holds one line per position or column and, on it, one two's-complement binary number per
channel, the highest channel leftmost. In arrays the channel index ascends, so a file of `L` lines
is an array ``[L, channels]``:

======================== ================= ============ ================
content                  line              channel      array
======================== ================= ============ ================
activation tile          position nij      ic ("row")   ``[nij, ic]``
weights of one kij       oc ("col")        ic ("row")   ``[oc, ic]``
psums of one kij         position nij      oc ("col")   ``[nij, oc]``
output                   position o_nij    oc ("col")   ``[o_nij, oc]``
======================== ================= ============ ================
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from huffq._atomic import atomic_writer
from huffq.errors import TileError

if TYPE_CHECKING:
    import os

    from huffq.tiles import Integers

PSUM_BITS = 16
"""Binary digits of a partial sum and of an output, as real test benches for 8x8 arrays have it."""

_HEADER_LINES = 3


class Content(Enum):
    """What a file holds: the names of a line and of a channel in its header."""

    ACTIVATION = ("time", "row")
    WEIGHT = ("col", "row")
    PSUM = ("time", "col")

    def header(self, channels: int) -> list[str]:
        """Return the three comment lines that course material puts above the numbers."""
        line, channel = self.value
        described = [
            f"#{line}{i}{channel}{channels - 1}[msb-lsb],"
            f"{line}{i}{channel}{max(channels - 2, 0)}[msb-lst],....,{line}{i}{channel}0[msb-lst]#"
            for i in range(_HEADER_LINES - 1)
        ]
        return [*described, "#................#"]


@dataclass(frozen=True)
class TextForm:
    """The choices that readers of these files differ in; reading accepts every combination.

    Attributes:
        header: Put three ``#`` lines above the numbers.
        newline: What ends a line.
        final_newline: Whether the last line is ended too.
    """

    header: bool = False
    newline: Literal["\n", "\r\n"] = "\n"
    final_newline: bool = True

    def join(self, lines: list[str]) -> bytes:
        """Return the file's bytes."""
        text = self.newline.join(lines) + (self.newline if self.final_newline else "")
        return text.encode("ascii")


PLAIN = TextForm()


def write_text_lines(path: str | os.PathLike[str], lines: list[str], form: TextForm) -> None:
    """Write `lines` as they are in the given form; the file appears whole or not at all."""
    with atomic_writer(path) as file:
        file.write(form.join(lines))


def read_text_lines(path: str | os.PathLike[str]) -> list[tuple[int, str]]:
    """Return the numbered lines of a tile file below its header, in any `TextForm`.

    Args:
        path: The file.

    Returns:
        Pairs of line number, counted from 1 in the file, and text without line ending.

    Raises:
        TileError: The file is not ASCII, holds neither three header lines nor none, or no numbers.
        OSError: The file cannot be read.
    """
    try:
        text = Path(path).read_bytes().decode("ascii")
    except UnicodeDecodeError as error:
        raise TileError(f"{path}: byte {error.start} is not ASCII text") from error
    lines = text.split("\n")
    if lines[-1] == "":
        lines.pop()
    numbered = [(number, line.removesuffix("\r")) for number, line in enumerate(lines, start=1)]
    header = next((i for i, (_, line) in enumerate(numbered) if line[:1] != "#"), len(numbered))
    if header not in (0, _HEADER_LINES):
        raise TileError(f"{path}: has {header} header lines; it must have three or none")
    if header == len(numbered):
        raise TileError(f"{path}: holds no numbers")
    return numbered[header:]


def check_fits(values: Integers, bits: int, signed: bool, path: str | os.PathLike[str]) -> None:
    """Demand a matrix of integers of the given width before it goes into the file `path`.

    Args:
        values: What should be integers ``[lines, channels]``.
        bits: Binary digits per number.
        signed: Whether numbers are two's complement.
        path: The file that messages name.

    Raises:
        TypeError: `values` are not integers.
        TileError: `values` are not a matrix with a line at least, or one does not fit.
    """
    if not np.issubdtype(values.dtype, np.integer):
        raise TypeError(f"{path}: values are {values.dtype}; they must be integers")
    if values.ndim != 2 or values.size == 0:
        raise TileError(f"{path}: an array of shape {list(values.shape)} is not [lines, channels]")
    low, high = (-(1 << (bits - 1)), 1 << (bits - 1)) if signed else (0, 1 << bits)
    outside = np.argwhere((values < low) | (values >= high))
    if outside.size:
        line, channel = outside[0]
        raise TileError(
            f"{path}: value {values[line, channel]} of line {line}, channel {channel} does not fit "
            f"{bits} {'signed' if signed else 'unsigned'} bits, which hold {low} to {high - 1}"
        )


def _check_bits(bits: int) -> None:
    if not 1 <= bits <= 32:
        raise ValueError(f"bits is {bits}; it must lie between 1 and 32")


def check_digits(path: str | os.PathLike[str], number: int, line: str) -> None:
    """Demand that line `number` of the file consists of binary digits, or raise `TileError`."""
    foreign = line.strip("01")
    if foreign:
        raise TileError(f"{path}:{number}: {foreign[0]!r} is not a binary digit")


def write_numbers(
    path: str | os.PathLike[str],
    values: Integers,
    content: Content,
    *,
    bits: int,
    signed: bool,
    form: TextForm = PLAIN,
) -> None:
    """Write integers in the text form; the file appears whole or not at all.

    Args:
        path: The file to write.
        values: Integers ``[lines, channels]``.
        content: What they are; it decides the header.
        bits: Binary digits per number, 1 to 32.
        signed: Whether numbers are two's complement.
        form: Header and line endings.

    Raises:
        TypeError: `values` are not integers.
        TileError: `values` are not a matrix with a line at least, or one does not fit.
        ValueError: `bits` is out of range.
        OSError: The file cannot be written.
    """
    _check_bits(bits)
    check_fits(values, bits, signed, path)
    codes = values.astype(np.int64) & ((1 << bits) - 1)
    lines = ["".join(f"{code:0{bits}b}" for code in row) for row in codes[:, ::-1].tolist()]
    header = content.header(values.shape[1]) if form.header else []
    write_text_lines(path, header + lines, form)


def read_numbers(
    path: str | os.PathLike[str], *, bits: int, signed: bool, channels: int = 8
) -> npt.NDArray[np.int64]:
    """Read integers from the text form, whatever its header and line endings.

    Args:
        path: The file.
        bits: Binary digits per number, 1 to 32.
        signed: Whether numbers are two's complement.
        channels: Numbers per line.

    Returns:
        ``[lines, channels]``.

    Raises:
        TileError: A line is not `channels` numbers of `bits` binary digits; it is named.
        ValueError: `bits` is out of range.
        OSError: The file cannot be read.
    """
    _check_bits(bits)
    numbered = read_text_lines(path)
    for number, line in numbered:
        check_digits(path, number, line)
        if len(line) != bits * channels:
            raise TileError(
                f"{path}:{number}: has {len(line)} digits; {channels} numbers of {bits} bits "
                f"have {bits * channels}"
            )
    text = "".join(line for _, line in numbered).encode("ascii")
    digits = np.frombuffer(text, np.uint8).reshape(len(numbered), channels, bits) - ord("0")
    values = digits.astype(np.int64) @ (1 << np.arange(bits - 1, -1, -1, dtype=np.int64))
    if signed:
        values -= digits[..., 0].astype(np.int64) << bits
    return values[:, ::-1]

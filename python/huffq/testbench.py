"""The text files that an RTL test bench reads: activations, weights, psums and outputs.

A file holds one line per position or column and, on it, one two's-complement number per channel,
the highest channel leftmost: in binary digits, or all of the line's bits as one hexadecimal number.
In arrays the channel index ascends, so a file of `L` lines is an array ``[L, channels]``:

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

import re
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from huffq._atomic import atomic_writer
from huffq.errors import TileError
from huffq.words import Radix

if TYPE_CHECKING:
    import os

Integers: TypeAlias = "npt.NDArray[np.integer[Any]]"

PSUM_BITS = 16
"""Binary digits of a partial sum and of an output, as real test benches for 8x8 arrays have it."""

MAX_BITS = 63
"""Most binary digits of a number: any such number, signed or not, is an int64."""

_HEADER_LINES = 3
_HEX_DIGITS = np.frombuffer(b"0123456789abcdef", np.uint8)
_FOREIGN = {"binary": re.compile("[^01]"), "hex": re.compile("[^0-9a-fA-F]")}


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
        digits: Binary digits, or one hexadecimal number per line, for ``$readmemh``.
    """

    header: bool = False
    newline: Literal["\n", "\r\n"] = "\n"
    final_newline: bool = True
    digits: Radix = "binary"

    def finish(self, text: bytes) -> bytes:
        """Return the file's bytes for lines that all end in the newline."""
        return text if self.final_newline else text.removesuffix(self.newline.encode())


PLAIN = TextForm()


def write_text_lines(path: str | os.PathLike[str], lines: list[str], form: TextForm) -> None:
    """Write `lines` as they are, with the form's line endings; the file appears whole or not."""
    text = "".join(line + form.newline for line in lines).encode("ascii")
    with atomic_writer(path) as file:
        file.write(form.finish(text))


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
    if low <= values.min() and values.max() < high:
        return
    line, channel = np.argwhere((values < low) | (values >= high))[0]
    raise TileError(
        f"{path}: value {values[line, channel]} of line {line}, channel {channel} does not fit "
        f"{bits} {'signed' if signed else 'unsigned'} bits, which hold {low} to {high - 1}"
    )


def check_digits(
    path: str | os.PathLike[str], number: int, line: str, digits: Radix = "binary"
) -> None:
    """Demand that line `number` of the file consists of digits, or raise `TileError`."""
    foreign = _FOREIGN[digits].search(line)
    if foreign:
        kind = "hexadecimal" if digits == "hex" else "binary"
        raise TileError(f"{path}:{number}: {foreign.group()!r} is not a {kind} digit")


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
        bits: Binary digits per number, 1 to 63.
        signed: Whether numbers are two's complement.
        form: Header, digits and line endings.

    Raises:
        TypeError: `values` are not integers.
        TileError: `values` are not a matrix with a line at least, or one does not fit.
        ValueError: `bits` is out of range.
        OSError: The file cannot be written.
    """
    _check_bits(bits)
    check_fits(values, bits, signed, path)
    newline = form.newline.encode()
    header = [line.encode() + newline for line in content.header(values.shape[1]) if form.header]
    digits = _digits(_bit_rows(values, bits), form.digits)
    ends = np.broadcast_to(np.frombuffer(newline, np.uint8), (len(digits), len(newline)))
    text = b"".join(header) + np.concatenate([digits, ends], axis=1).tobytes()
    with atomic_writer(path) as file:
        file.write(form.finish(text))


def read_numbers(
    path: str | os.PathLike[str], *, bits: int, signed: bool, channels: int = 8
) -> npt.NDArray[np.int64]:
    """Read integers from the text form, whatever its header, digits and line endings.

    The length of the first line tells binary digits from hexadecimal ones.

    Args:
        path: The file.
        bits: Binary digits per number, 1 to 63.
        signed: Whether numbers are two's complement.
        channels: Numbers per line.

    Returns:
        ``[lines, channels]``.

    Raises:
        TileError: A line is not `channels` numbers of `bits` bits; it is named.
        ValueError: `bits` is out of range.
        OSError: The file cannot be read.
    """
    _check_bits(bits)
    numbered = read_text_lines(path)
    line_bits = bits * channels
    hex_digits = -(-line_bits // 4)
    digits: Radix = "hex" if len(numbered[0][1]) == hex_digits < line_bits else "binary"
    expected = hex_digits if digits == "hex" else line_bits
    for number, line in numbered:
        check_digits(path, number, line, digits)
        if len(line) != expected:
            raise TileError(
                f"{path}:{number}: has {len(line)} digits; {channels} numbers of {bits} bits "
                f"have {line_bits} binary or {hex_digits} hexadecimal digits"
            )
    text = "".join(line for _, line in numbered)
    rows = _parse(text, digits).reshape(len(numbered), -1)
    spare = rows.shape[1] - line_bits
    if rows[:, :spare].any():
        first = int(np.flatnonzero(rows[:, :spare].any(axis=1))[0])
        raise TileError(f"{path}:{numbered[first][0]}: does not fit {line_bits} bits")
    return _numbers(rows[:, spare:].reshape(len(numbered), channels, bits), signed)[:, ::-1]


def _check_bits(bits: int) -> None:
    if not 1 <= bits <= MAX_BITS:
        raise ValueError(f"bits is {bits}; it must lie between 1 and {MAX_BITS}")


def _bit_rows(values: Integers, bits: int) -> npt.NDArray[np.uint8]:
    """Return the bits of each line, highest channel first, ``[lines, channels * bits]``."""
    codes = np.ascontiguousarray(values[:, ::-1], ">i8")
    octets = codes.view(np.uint8).reshape(*values.shape, 8)[..., 8 - -(-bits // 8) :]
    rows = np.unpackbits(octets, axis=-1)[..., -bits:]
    return rows.reshape(len(values), -1)


def _digits(rows: npt.NDArray[np.uint8], digits: Radix) -> npt.NDArray[np.uint8]:
    """Return the characters of each line of bits."""
    if digits == "binary":
        return rows + np.uint8(ord("0"))
    padded = np.pad(rows, ((0, 0), (-rows.shape[1] % 4, 0))).reshape(len(rows), -1, 4)
    return np.asarray(_HEX_DIGITS[padded @ np.array([8, 4, 2, 1], np.uint8)])


def _parse(text: str, digits: Radix) -> npt.NDArray[np.uint8]:
    """Return the bits of digits that have been checked."""
    if digits == "binary":
        return np.frombuffer(text.encode("ascii"), np.uint8) - np.uint8(ord("0"))
    padded = text + "0" * (len(text) % 2)
    return np.unpackbits(np.frombuffer(bytes.fromhex(padded), np.uint8), count=4 * len(text))


def _numbers(bits: npt.NDArray[np.uint8], signed: bool) -> npt.NDArray[np.int64]:
    """Return the numbers whose bits stand in the last axis, the highest first."""
    width = bits.shape[-1]
    values = bits.astype(np.int64) @ (1 << np.arange(width - 1, -1, -1, dtype=np.int64))
    if signed:
        values -= bits[..., 0].astype(np.int64) << width
    return np.asarray(values)

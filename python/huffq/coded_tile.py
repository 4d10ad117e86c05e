"""One activation tile in the three text files of the notebook that huffq grew out of.

``activation_tile0.txt`` holds the numbers (see `huffq.testbench`), ``activation_tile0_ref.txt`` the
code table and ``activation_tile0_huffman.txt`` the coded tile: one line per position, the codewords
from the highest channel to channel 0.

The code table has one line per symbol, in symbol order; a symbol of a signed tile is its number in
two's complement. The line is the symbol's codeword, or ``-`` if the symbol has none because it does
not occur.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from huffq._huffq import CodeTable
from huffq.errors import HuffqError, TileError
from huffq.testbench import (
    PLAIN,
    Content,
    TextForm,
    check_digits,
    check_fits,
    read_text_lines,
    write_numbers,
    write_text_lines,
)

if TYPE_CHECKING:
    import os

    from huffq.tiles import Integers

_NO_CODEWORD = "-"


@dataclass(frozen=True)
class TileReport:
    """Length of one tile in binary digits, plain and coded; prints as the notebook's three lines.

    Attributes:
        raw_bits: Digits of the plain tile.
        encoded_bits: Digits of the coded tile, without its code table.
    """

    raw_bits: int
    encoded_bits: int

    @property
    def ratio(self) -> float:
        """Coded length over plain length; smaller is better."""
        return self.encoded_bits / self.raw_bits

    def __str__(self) -> str:
        return (
            f"Activation.txt file length: {self.raw_bits} bits.\n"
            f"Activation.txt with Huffman coding file length: {self.encoded_bits} bits.\n"
            f"Compression ratio: {self.ratio:.4f}"
        )


def tile_code(rows: Integers, *, bits: int, every_symbol: bool = False) -> CodeTable:
    """Build the best code for one tile.

    Args:
        rows: The tile ``[nij, ic]``.
        bits: Bit width of its numbers, 1 to 8.
        every_symbol: Give symbols that do not occur a codeword too, as the notebook does, at the
            smallest cost to those that do. Without it they have none.

    Returns:
        A code over ``2**bits`` symbols.
    """
    symbols = rows.astype(np.int64) & ((1 << bits) - 1)
    counts = np.bincount(symbols.ravel(), minlength=1 << bits)
    if every_symbol:
        # One use of an absent symbol must weigh less than any real one: 256 symbols of at most
        # 15 bits stay below 4096 bits together.
        counts = np.where(counts == 0, 1, counts << 12)
    return CodeTable.from_counts(counts)


def _codewords(table: CodeTable) -> list[str]:
    """Return each symbol's codeword as binary digits, empty where it has none."""
    pairs = zip(table.codewords.tolist(), table.lengths.tolist(), strict=True)
    return [f"{codeword:0{length}b}" if length else "" for codeword, length in pairs]


def write_code_table(
    path: str | os.PathLike[str], table: CodeTable, form: TextForm = PLAIN
) -> None:
    """Write one codeword per line, in symbol order, ``-`` for a symbol without one.

    Args:
        path: The file to write.
        table: The code.
        form: Line endings; a code table has no header.

    Raises:
        OSError: The file cannot be written.
    """
    write_text_lines(path, [word or _NO_CODEWORD for word in _codewords(table)], form)


def read_code_table(path: str | os.PathLike[str]) -> CodeTable:
    """Read a code table.

    Args:
        path: The file, as `write_code_table` writes it.

    Returns:
        The code.

    Raises:
        TileError: A line is not a codeword, or the codewords are not a canonical code.
        OSError: The file cannot be read.
    """
    numbered = read_text_lines(path)
    words = ["" if line == _NO_CODEWORD else line for _, line in numbered]
    for (number, line), word in zip(numbered, words, strict=True):
        check_digits(path, number, word)
        if not line:
            raise TileError(f"{path}:{number}: is empty; a symbol without codeword has '-'")
    try:
        table = CodeTable.from_lengths(np.array([len(word) for word in words], np.uint8))
    except (HuffqError, ValueError) as error:
        raise TileError(f"{path}: {error}") from error
    for (number, line), word, expected in zip(numbered, words, _codewords(table), strict=True):
        if word != expected:
            raise TileError(
                f"{path}:{number}: codeword {line} is {expected} in the canonical code of these "
                "lengths"
            )
    return table


def write_coded_tile(
    path: str | os.PathLike[str],
    rows: Integers,
    table: CodeTable,
    *,
    bits: int,
    signed: bool,
    form: TextForm = PLAIN,
) -> int:
    """Write one line of codewords per position, from the highest channel to channel 0.

    Args:
        path: The file to write.
        rows: The tile ``[nij, ic]``.
        table: A code over ``2**bits`` symbols.
        bits: Bit width of the numbers, 1 to 8.
        signed: Whether the numbers are two's complement.
        form: Line endings; a coded tile has no header.

    Returns:
        The number of binary digits written.

    Raises:
        TypeError: `rows` are not integers.
        TileError: A number does not fit, or has no codeword.
        OSError: The file cannot be written.
    """
    check_fits(rows, bits, signed, path)
    words = _codewords(table)
    lines = []
    for row in (rows.astype(np.int64) & ((1 << bits) - 1))[:, ::-1].tolist():
        missing = [symbol for symbol in row if symbol >= len(words) or not words[symbol]]
        if missing:
            raise TileError(f"{path}: the code table has no codeword for symbol {missing[0]}")
        lines.append("".join(words[symbol] for symbol in row))
    write_text_lines(path, lines, form)
    return sum(len(line) for line in lines)


def read_coded_tile(
    path: str | os.PathLike[str], table: CodeTable, *, bits: int, signed: bool, channels: int = 8
) -> npt.NDArray[np.int64]:
    """Decode a coded tile.

    Args:
        path: The file, as `write_coded_tile` writes it.
        table: The code that it was written with.
        bits: Bit width of the numbers, 1 to 8.
        signed: Whether the numbers are two's complement.
        channels: Codewords per line.

    Returns:
        The tile ``[nij, ic]``.

    Raises:
        TileError: A line is not exactly `channels` codewords; it is named.
        OSError: The file cannot be read.
    """
    rows = [
        _decode_line(path, number, line, table, channels) for number, line in read_text_lines(path)
    ]
    values = np.stack(rows)[:, ::-1].astype(np.int64)
    if signed:
        values -= (values >> (bits - 1)) << bits
    return values


def _decode_line(
    path: str | os.PathLike[str], number: int, line: str, table: CodeTable, channels: int
) -> npt.NDArray[np.uint8]:
    check_digits(path, number, line)
    digits = np.frombuffer(line.encode("ascii"), np.uint8) - ord("0")
    fault = TileError(f"{path}:{number}: is not {channels} codewords of the code table")
    try:
        symbols: npt.NDArray[np.uint8] = table.decode(np.packbits(digits).tobytes(), channels)
    except (HuffqError, ValueError) as error:
        raise fault from error
    if table.lengths[symbols].sum() != len(line):
        raise fault
    return symbols


def export_tile(
    folder: str | os.PathLike[str],
    rows: Integers,
    *,
    bits: int,
    signed: bool,
    index: int = 0,
    every_symbol: bool = False,
    form: TextForm = PLAIN,
) -> TileReport:
    """Write the notebook's three files for one tile.

    Args:
        folder: Where ``activation_tile<index>.txt``, ``…_ref.txt`` and ``…_huffman.txt`` go; made
            if it does not exist.
        rows: The tile ``[nij, ic]``.
        bits: Bit width of its numbers, 1 to 8.
        signed: Whether its numbers are two's complement.
        index: Number of the input tile.
        every_symbol: See `tile_code`.
        form: Header (of the plain tile) and line endings.

    Returns:
        The lengths of both tiles.

    Raises:
        TypeError: `rows` are not integers.
        TileError: A number does not fit `bits`.
        OSError: A file cannot be written.
    """
    folder = Path(folder)
    name = f"activation_tile{index}"
    plain = folder / f"{name}.txt"
    check_fits(rows, bits, signed, plain)
    table = tile_code(rows, bits=bits, every_symbol=every_symbol)
    folder.mkdir(parents=True, exist_ok=True)
    write_numbers(plain, rows, Content.ACTIVATION, bits=bits, signed=signed, form=form)
    write_code_table(folder / f"{name}_ref.txt", table, form)
    encoded_bits = write_coded_tile(
        folder / f"{name}_huffman.txt", rows, table, bits=bits, signed=signed, form=form
    )
    return TileReport(raw_bits=rows.size * bits, encoded_bits=encoded_bits)

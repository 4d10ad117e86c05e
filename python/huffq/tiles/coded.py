"""Code tables and coded tiles as text, in the form of the notebook that huffq grew out of.

The code table has one line per symbol, in symbol order; a symbol of a signed tile is its number in
two's complement. The line is the symbol's codeword, or ``-`` if the symbol has none. The coded tile
has one line per line of the tile: the codewords from the highest channel to channel 0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from huffq._huffq import CodeTable
from huffq.errors import HuffqError, TileError
from huffq.testbench import (
    PLAIN,
    TextForm,
    check_digits,
    check_fits,
    read_text_lines,
    write_text_lines,
)
from huffq.tiles.tables import count_symbols, require_codewords, stream_symbols, tile_rows

if TYPE_CHECKING:
    import os

    import numpy.typing as npt

    from huffq.testbench import Integers

_NO_CODEWORD = "-"


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
        form: Line endings; a code table has no header, and its digits are binary.

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
        if len(word) > 15:
            raise TileError(f"{path}:{number}: the codeword has {len(word)} bits; 15 are the most")
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
) -> None:
    """Write one line of codewords per line of the tile, from the highest channel to channel 0.

    Args:
        path: The file to write.
        rows: The tile ``[line, ic]``.
        table: A code over ``2**bits`` symbols.
        bits: Bit width of the numbers, 1 to 8.
        signed: Whether the numbers are two's complement.
        form: Line endings; a coded tile has no header, and its digits are binary.

    Raises:
        TypeError: `rows` are not integers.
        TileError: A number does not fit, or has no codeword.
        OSError: The file cannot be written.
    """
    check_fits(rows, bits, signed, path)
    require_codewords(table, count_symbols(rows, bits), str(path))
    words = np.array(_codewords(table), object)
    symbols = stream_symbols(rows, bits).reshape(rows.shape)
    lines = ["".join(row) for row in words[symbols].tolist()]
    write_text_lines(path, lines, form)


def read_coded_tile(
    path: str | os.PathLike[str], table: CodeTable, *, bits: int, signed: bool, channels: int = 8
) -> Integers:
    """Decode a coded tile.

    Args:
        path: The file, as `write_coded_tile` writes it.
        table: The code that it was written with.
        bits: Bit width of the numbers, 1 to 8.
        signed: Whether the numbers are two's complement.
        channels: Codewords per line.

    Returns:
        The tile ``[line, ic]``, int64.

    Raises:
        TileError: A line is not exactly `channels` codewords; it is named.
        OSError: The file cannot be read.
    """
    lines = [
        _decode_line(path, number, line, table, channels) for number, line in read_text_lines(path)
    ]
    return tile_rows(np.concatenate(lines), bits, signed, channels)


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

"""Bitstreams and code tables as memories: words of a fixed width, for ``$readmemh``, ``$readmemb``.

A word is a Python integer below ``2**width``. The first bit of a stream is the most significant
bit of word 0; the last word is filled up with zeros. docs/hardware.md is the contract.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from huffq._atomic import atomic_writer
from huffq._huffq import CodeTable
from huffq.errors import HuffqError, TileError

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Sequence

MAX_WIDTH = 1024
"""Widest word, in bits."""

LENGTH_BITS = 4
"""Bits of the codeword's length in an entry of a code table."""

Radix: TypeAlias = Literal["hex", "binary"]
"""Digits of a memory file: for ``$readmemh`` or for ``$readmemb``."""

_BITS_PER_DIGIT = {"hex": 4, "binary": 1}
_FOREIGN = {"hex": re.compile(r"[^0-9a-fA-F]"), "binary": re.compile(r"[^01]")}
_COMMENT = re.compile(r"//.*")
_ADDRESS = re.compile(r"@[0-9a-fA-F]+")


def pack_words(bits: bytes, n_bits: int, width: int) -> list[int]:
    """Cut a bitstream into words.

    Args:
        bits: The stream, most significant bit first, as `CodeTable.encode` returns it.
        n_bits: How many bits of it count.
        width: Bits of a word, 1 to 1024.

    Returns:
        ``ceil(n_bits / width)`` words, the last one filled up with zeros.

    Raises:
        ValueError: `width` is out of range, or `bits` holds fewer than `n_bits` bits.
    """
    check_width(width)
    if not 0 <= n_bits <= 8 * len(bits):
        raise ValueError(f"n_bits is {n_bits}; {len(bits)} bytes hold 0 to {8 * len(bits)} bits")
    digits = np.unpackbits(np.frombuffer(bits, np.uint8), count=n_bits)
    matrix = np.pad(digits, (0, -n_bits % width)).reshape(-1, width)
    packed = np.packbits(np.pad(matrix, ((0, 0), (-width % 8, 0))), axis=1)
    raw, step = packed.tobytes(), packed.shape[1]
    return [int.from_bytes(raw[i : i + step], "big") for i in range(0, len(raw), step)]


def unpack_words(words: Sequence[int], n_bits: int, width: int) -> bytes:
    """Join words to the bitstream that they were cut from.

    Args:
        words: From `pack_words`.
        n_bits: Bits of the stream.
        width: Bits of a word, 1 to 1024.

    Returns:
        ``ceil(n_bits / 8)`` bytes, most significant bit first, the last one filled up with zeros.

    Raises:
        ValueError: `width` is out of range, a word does not fit it, the number of words is not
            that of `n_bits` bits, or the padding is not zero.
    """
    check_width(width)
    if len(words) != -(-n_bits // width):
        raise ValueError(f"{len(words)} words of {width} bits are not those of {n_bits} bits")
    step = -(-width // 8)
    raw = b"".join(_fitting(word, i, width).to_bytes(step, "big") for i, word in enumerate(words))
    matrix = np.frombuffer(raw, np.uint8).reshape(len(words), step)
    digits = np.unpackbits(matrix, axis=1)[:, -width % 8 :].reshape(-1)
    if digits[n_bits:].any():
        raise ValueError(f"the last word is not zero after the last of {n_bits} bits")
    return np.packbits(digits[:n_bits]).tobytes()


def write_memory(
    path: str | os.PathLike[str], words: Sequence[int], width: int, radix: Radix = "hex"
) -> None:
    """Write words, one per line, with all their digits; the file appears whole or not at all.

    Args:
        path: The file to write.
        words: Integers from 0 to ``2**width - 1``.
        width: Bits of a word, 1 to 1024.
        radix: Digits, for ``$readmemh`` or ``$readmemb``.

    Raises:
        ValueError: `width` is out of range, `radix` is unknown, or a word does not fit.
        OSError: The file cannot be written.
    """
    check_width(width)
    digits = -(-width // _bits_per_digit(radix))
    form = f"0{digits}{'x' if radix == 'hex' else 'b'}"
    lines = [format(_fitting(word, i, width), form) + "\n" for i, word in enumerate(words)]
    with atomic_writer(path) as file:
        file.write("".join(lines).encode("ascii"))


def read_memory(path: str | os.PathLike[str], width: int, radix: Radix = "hex") -> list[int]:
    """Read a memory file as ``$readmemh`` or ``$readmemb`` does.

    Words may share a line and have fewer digits than `width` asks for, and ``_`` between digits.
    ``// ...`` is a comment; ``@addr`` (hexadecimal in both radices) says where the next word goes.

    Args:
        path: The file.
        width: Bits of a word, 1 to 1024.
        radix: Digits, as for ``$readmemh`` or ``$readmemb``.

    Returns:
        The words from address 0 on.

    Raises:
        TileError: Something is neither a word of `width` bits, an address nor a comment (names the
            line); an address has two words (names the line), or one below the highest has none.
        ValueError: `width` is out of range, or `radix` is unknown.
        OSError: The file cannot be read.
    """
    check_width(width)
    _bits_per_digit(radix)
    memory: dict[int, int] = {}
    address = 0
    for number, item in _items(path):
        if item.startswith("@"):
            if not _ADDRESS.fullmatch(item):
                raise TileError(f"{path}:{number}: {item!r} is not a hexadecimal address")
            address = int(item[1:], 16)
            continue
        if address in memory:
            raise TileError(f"{path}:{number}: address {address:#x} has a word already")
        try:
            memory[address] = _parse(item, width, radix)
        except ValueError as error:
            raise TileError(f"{path}:{number}: {error}") from error
        address += 1
    missing = next((i for i in range(len(memory)) if i not in memory), None)
    if missing is not None:
        raise TileError(f"{path}: address {missing:#x} has no word, but a later one has")
    return [memory[i] for i in range(len(memory))]


def table_words(table: CodeTable, max_length: int) -> list[int]:
    """Return a code table as one entry per symbol, ``{length[3:0], codeword[max_length-1:0]}``.

    The codeword is left-aligned: its first bit is bit ``max_length - 1``. An encoder shifts it to
    its place by the fill level alone, a decoder compares it with the stream's next bits as they
    are. A symbol without codeword has entry 0.

    Args:
        table: The code.
        max_length: Bits of the codeword's field, 1 to 15.

    Returns:
        Words of ``4 + max_length`` bits, in symbol order.

    Raises:
        ValueError: `max_length` is out of range, or a codeword is longer.
    """
    check_max_length(max_length)
    longest = int(table.lengths.max(initial=0))
    if longest > max_length:
        raise ValueError(f"a codeword has {longest} bits; max_length is {max_length}")
    pairs = zip(table.codewords.tolist(), table.lengths.tolist(), strict=True)
    return [length << max_length | codeword << (max_length - length) for codeword, length in pairs]


def write_table_memory(
    path: str | os.PathLike[str], table: CodeTable, max_length: int, radix: Radix = "hex"
) -> None:
    """Write the entries of `table_words` as a memory file.

    Raises:
        ValueError: `max_length` is not 1 to 15, or a codeword is longer.
        OSError: The file cannot be written.
    """
    write_memory(path, table_words(table, max_length), LENGTH_BITS + max_length, radix)


def table_packet(table: CodeTable) -> list[int]:
    """Return the beats that load a code table into the cores, ``{last, length[3:0], symbol}``.

    They are the used symbols in canonical order: shorter codewords first, ties by symbol.

    Args:
        table: The code; its alphabet sets the width of a symbol.

    Returns:
        Words of ``1 + 4 + symbol`` bits; the last one alone has its highest bit set.
    """
    bits = symbol_bits(table)
    lengths = table.lengths.astype(np.int64)
    order = np.argsort(lengths, kind="stable")[np.count_nonzero(lengths == 0) :]
    beats: list[int] = (lengths[order] << bits | order).tolist()
    return [*beats[:-1], *(beat | 1 << (LENGTH_BITS + bits) for beat in beats[-1:])]


def symbol_bits(table: CodeTable) -> int:
    """Return the bits of a symbol of the code's alphabet, at least 1."""
    return max(1, (len(table.lengths) - 1).bit_length())


def write_table_packets(
    path: str | os.PathLike[str], tables: Sequence[CodeTable], radix: Radix = "hex"
) -> None:
    """Write the beats of `table_packet` as a memory file, one table after another.

    Raises:
        OSError: The file cannot be written.
    """
    beats = [beat for table in tables for beat in table_packet(table)]
    write_memory(path, beats, 1 + LENGTH_BITS + symbol_bits(tables[0]), radix)


def read_table_memory(
    path: str | os.PathLike[str], max_length: int, radix: Radix = "hex"
) -> CodeTable:
    """Read what `write_table_memory` wrote.

    Raises:
        TileError: The file is malformed, or its entries are not a canonical code.
        ValueError: `max_length` is not 1 to 15.
        OSError: The file cannot be read.
    """
    check_max_length(max_length)
    words = read_memory(path, LENGTH_BITS + max_length, radix)
    try:
        table = CodeTable.from_lengths(np.array([word >> max_length for word in words], np.uint8))
        expected = table_words(table, max_length)
    except (HuffqError, ValueError) as error:
        raise TileError(f"{path}: {error}") from error
    for symbol, (word, right) in enumerate(zip(words, expected, strict=True)):
        if word != right:
            raise TileError(
                f"{path}: the entry of symbol {symbol} is {word:#x}; in the canonical code of "
                f"these lengths it is {right:#x}"
            )
    return table


def check_width(width: int) -> None:
    """Raise `ValueError` unless words may have `width` bits."""
    if not 1 <= width <= MAX_WIDTH:
        raise ValueError(f"width is {width}; a word has 1 to {MAX_WIDTH} bits")


def check_max_length(max_length: int) -> None:
    """Raise `ValueError` unless the codewords of a table memory may have `max_length` bits."""
    if not 1 <= max_length < 1 << LENGTH_BITS:
        raise ValueError(f"max_length is {max_length}; it must lie between 1 and 15")


def _bits_per_digit(radix: Radix) -> int:
    if radix not in _BITS_PER_DIGIT:
        raise ValueError(f"radix is {radix!r}; it must be 'hex' or 'binary'")
    return _BITS_PER_DIGIT[radix]


def _fitting(word: int, index: int, width: int) -> int:
    if not 0 <= word < 1 << width:
        raise ValueError(f"word {index} is {word:#x}; it does not fit {width} bits")
    return word


def _items(path: str | os.PathLike[str]) -> Iterator[tuple[int, str]]:
    """Yield line number and text of everything between white space and comments."""
    try:
        text = Path(path).read_bytes().decode("ascii")
    except UnicodeDecodeError as error:
        raise TileError(f"{path}: byte {error.start} is not ASCII text") from error
    for number, line in enumerate(text.split("\n"), start=1):
        for item in _COMMENT.sub("", line).split():
            yield number, item


def _parse(item: str, width: int, radix: Radix) -> int:
    digits = item.replace("_", "")
    foreign = _FOREIGN[radix].search(digits)
    if foreign or not digits:
        kind = "hexadecimal" if radix == "hex" else "binary"
        raise ValueError(f"{(foreign.group() if foreign else item)!r} is not a {kind} digit")
    word = int(digits, 16 if radix == "hex" else 2)
    if word >> width:
        raise ValueError(f"{item} does not fit {width} bits")
    return word

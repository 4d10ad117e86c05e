"""The cores' sources and parameters."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from huffq.words import MAX_WIDTH

if TYPE_CHECKING:
    from huffq._huffq import CodeTable

_FOLDER = Path(__file__).parent


def sources(kind: Literal["cores", "bench"]) -> list[Path]:
    """Return the SystemVerilog files of the cores or of their bench, in a fixed order."""
    return sorted((_FOLDER / kind).glob("*.sv"))


@dataclass(frozen=True)
class Core:
    """Parameters of the cores; docs/hardware.md says what they mean to the hardware.

    Attributes:
        word_bits: Bits of a stream's word; at least ``lanes * max_length``.
        symbol_bits: Bit width of a symbol, 1 to 8.
        max_length: Longest codeword, 2 to 15 bits.
        lanes: Symbols per clock.
        rows: Symbols of a row, a multiple of `lanes`; at most 1024 bits.
        count_bits: Bits of a tile's symbol count, 8 to 32.
        loadable: Whether the table is loaded at run time; if not, it is built in.
    """

    word_bits: int = 32
    symbol_bits: int = 4
    max_length: int = 12
    lanes: int = 1
    rows: int = 8
    count_bits: int = 16
    loadable: bool = True

    def __post_init__(self) -> None:
        limits = {
            "symbol_bits": (1, 8),
            "max_length": (2, 15),
            "lanes": (1, 16),
            "rows": (1, 256),
            "count_bits": (8, 32),
        }
        for name, (low, high) in limits.items():
            if not low <= getattr(self, name) <= high:
                raise ValueError(
                    f"{name} is {getattr(self, name)}; it must lie between {low} and {high}"
                )
        if self.rows % self.lanes:
            raise ValueError(f"rows is {self.rows}; it must be a multiple of {self.lanes} lanes")
        if self.row_bits > MAX_WIDTH:
            raise ValueError(
                f"rows is {self.rows}; a row of {self.row_bits} bits exceeds {MAX_WIDTH}, the most"
            )
        if not self.lanes * self.max_length <= self.word_bits <= MAX_WIDTH:
            raise ValueError(
                f"word_bits is {self.word_bits}; words have to hold {self.lanes} codewords of "
                f"{self.max_length} bits, so have {self.lanes * self.max_length} to {MAX_WIDTH}"
            )

    @property
    def row_bits(self) -> int:
        """Bits of a row."""
        return self.rows * self.symbol_bits

    def require(self, table: CodeTable) -> None:
        """Raise `ValueError` unless the cores can hold `table`."""
        alphabet, longest = len(table.lengths), int(table.lengths.max(initial=0))
        if alphabet != 1 << self.symbol_bits:
            raise ValueError(
                f"the code table has {alphabet} symbols; symbol_bits {self.symbol_bits} means "
                f"{1 << self.symbol_bits}"
            )
        if longest > self.max_length:
            raise ValueError(
                f"the code table has a codeword of {longest} bits; max_length is {self.max_length}"
            )

    def parameters(self, table: CodeTable) -> dict[str, str]:
        """Return the modules' parameters as SystemVerilog expressions, by name."""
        return {
            "WORD_BITS": str(self.word_bits),
            "SYMBOL_BITS": str(self.symbol_bits),
            "MAX_LENGTH": str(self.max_length),
            "LANES": str(self.lanes),
            "ROWS": str(self.rows),
            "COUNT_BITS": str(self.count_bits),
            "LOADABLE": str(int(self.loadable)),
            "LENGTHS": lengths_literal(table),
        }


def lengths_literal(table: CodeTable) -> str:
    """Return a code as the value of the parameter ``LENGTHS``: four bits per symbol, 0 lowest."""
    lengths = table.lengths.tolist()
    digits = "".join(f"{length:x}" for length in reversed(lengths))
    return f"{4 * len(lengths)}'h{digits}"

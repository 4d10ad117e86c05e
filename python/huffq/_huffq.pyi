"""Typed interface of the compiled module."""

from collections.abc import Sequence
from os import PathLike
from typing import final

import numpy as np
import numpy.typing as npt

__all__ = [
    "CodeTable",
    "StoreReader",
    "StoreWriter",
    "__version__",
    "decode_into",
    "describe",
    "encode",
    "infer_bits",
]

__version__: str

def encode(
    codes: npt.NDArray[np.uint8],
    shape: Sequence[int],
    bits: int | None,
    signed: bool,
    level: str,
    axes: tuple[int | None, Sequence[int]] | None,
    threads: int | None,
) -> bytes: ...
def infer_bits(codes: npt.NDArray[np.uint8], signed: bool) -> int: ...
def describe(blob: npt.NDArray[np.uint8]) -> tuple[list[int], int, bool]: ...
def decode_into(
    blob: npt.NDArray[np.uint8], out: npt.NDArray[np.uint8], threads: int | None
) -> None: ...

@final
class CodeTable:
    """A canonical prefix code over symbols 0 to 255: shorter codewords first, ties by symbol.

    Make one with `from_counts` or `from_lengths`. Tables compare by their lengths, and pickle.
    """

    @staticmethod
    def from_counts(
        counts: Sequence[int] | npt.NDArray[np.integer], max_length: int = 12
    ) -> CodeTable:
        """Return the optimal code whose codewords have at most `max_length` bits (package-merge).

        Args:
            counts: Occurrences of each symbol, at most 256 of them. A symbol that does not occur
                gets no codeword; a symbol that occurs alone gets the codeword 0.
            max_length: 1 to 15, in bits.

        Raises:
            ValueError: A count is negative, or `max_length` too small for the symbols that occur.
        """

    @staticmethod
    def from_lengths(lengths: Sequence[int] | npt.NDArray[np.integer]) -> CodeTable:
        """Return the canonical code with these codeword lengths in bits, 0 for an unused symbol.

        Raises:
            ValueError: The lengths are not those of a complete code (Kraft sum 1), of one symbol,
                or of none; or one is above 15.
        """

    @property
    def lengths(self) -> npt.NDArray[np.uint8]:
        """Bits of each symbol's codeword, uint8 `[alphabet]`; 0 where the symbol is unused."""

    @property
    def codewords(self) -> npt.NDArray[np.uint16]:
        """Each symbol's codeword in the low bits, uint16 `[alphabet]`; 0 where it is unused."""

    @property
    def kraft_sum(self) -> float:
        """Sum of 2**-length over the used symbols: 1, or 0.5 for one symbol, or 0 for none."""

    def encode(self, symbols: npt.NDArray[np.integer] | Sequence[int]) -> tuple[bytes, int]:
        """Return the codewords of symbols one after another, and their number of bits.

        The first bit is the highest of the first byte; the last byte is padded with zeros.

        Raises:
            ValueError: A symbol has no codeword, or is not within 0 to 255; names it and its index.
        """

    def decode(self, bits: bytes | bytearray, n_symbols: int) -> npt.NDArray[np.uint8]:
        """Return the `n_symbols` symbols that `bits` codes, uint8 `[n_symbols]`.

        Raises:
            CorruptFileError: The bits are not codewords of this table, or go on.
            TruncatedFileError: The bits end too early.
        """

    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...
    def __reduce__(self) -> tuple[object, ...]: ...

@final
class StoreWriter:
    def __new__(
        cls, path: str | PathLike[str], schema: str, threads: int | None
    ) -> StoreWriter: ...
    def write(self, samples: int, batch: Sequence[npt.NDArray[np.uint8]]) -> None: ...
    def finish(self) -> tuple[int, int, list[tuple[npt.NDArray[np.uint64], int, float]]]: ...
    def abort(self) -> None: ...

@final
class StoreReader:
    def __new__(cls, path: str | PathLike[str]) -> StoreReader: ...
    @property
    def schema(self) -> str: ...
    @property
    def samples(self) -> int: ...
    def blocks(self, field: int) -> int: ...
    def encoded_bytes(self, field: int) -> int: ...
    def read_range(
        self,
        field: int,
        start: int,
        stop: int,
        out: npt.NDArray[np.uint8],
        threads: int | None,
    ) -> None: ...
    def read_samples(
        self,
        field: int,
        samples: npt.NDArray[np.uint64],
        out: npt.NDArray[np.uint8],
        threads: int | None,
    ) -> None: ...
    def verify(self, field: int, start: int, stop: int, threads: int | None) -> None: ...

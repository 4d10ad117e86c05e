"""Typed interface of the compiled module."""

from collections.abc import Callable, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, TypeAlias, final

import numpy as np
import numpy.typing as npt

__all__ = [
    "CodeTable",
    "Codebook",
    "StoreBatches",
    "StoreBuffer",
    "StoreReader",
    "StoreWriter",
    "__version__",
    "decode_into",
    "describe",
    "encode",
    "infer_bits",
    "next_shard",
    "recover",
    "resume_point",
    "stop_reads",
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
            ValueError: A count is negative, their sum 2^56 or more, or `max_length` too small for
                the symbols that occur.
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
class Codebook:
    @staticmethod
    def train(
        codes: npt.NDArray[np.uint8],
        sample_shape: Sequence[int],
        bits: int | None,
        signed: bool,
        level: str,
        axes: tuple[int | None, Sequence[int]] | None,
    ) -> Codebook: ...
    @staticmethod
    def from_bytes(data: npt.NDArray[np.uint8]) -> Codebook: ...
    def to_bytes(self) -> bytes: ...
    @property
    def level(self) -> str: ...
    @property
    def bits(self) -> int: ...
    @property
    def signed(self) -> bool: ...
    @property
    def sample_shape(self) -> list[int]: ...
    @property
    def axes(self) -> tuple[int | None, list[int]]: ...
    def encode(
        self, codes: npt.NDArray[np.uint8], samples: int | None, threads: int | None
    ) -> bytes: ...
    def describe(self, blob: npt.NDArray[np.uint8]) -> list[int]: ...
    def decode_into(
        self, blob: npt.NDArray[np.uint8], out: npt.NDArray[np.uint8], threads: int | None
    ) -> None: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...

_Bytes: TypeAlias = npt.NDArray[np.uint8]
_Numbers: TypeAlias = npt.NDArray[np.uint64]

_Totals: TypeAlias = tuple[int, int, _Numbers]
"""Items, bytes of the records, occurrences of each symbol."""

@final
class StoreWriter:
    def __new__(
        cls, path: str | PathLike[str], schema: str, threads: int | None, resume: bool
    ) -> StoreWriter: ...
    @property
    def schema(self) -> str: ...
    @property
    def samples(self) -> int: ...
    def write(self, samples: int, batch: Sequence[tuple[_Bytes, _Numbers | None]]) -> None: ...
    def write_borrowed(
        self, samples: int, batch: Sequence[tuple[_Bytes, _Numbers | None]]
    ) -> int: ...
    def finish(
        self,
    ) -> tuple[int, list[tuple[Path, int, int]], list[tuple[_Totals, int, float]]]: ...
    def suspend(self) -> int: ...

def resume_point(path: str | PathLike[str]) -> tuple[int, str | None]: ...
def next_shard(path: str | PathLike[str]) -> int: ...
def stop_reads() -> int: ...
def recover(
    sources: Sequence[tuple[str | PathLike[str], int | None]],
    out: str | PathLike[str],
    shard_bytes: int | None,
    threads: int | None,
    advance: Callable[[int], object],
) -> tuple[list[tuple[int, int]], int, list[tuple[int, int, int, int, str | None]]]: ...

@final
class StoreReader:
    def __new__(
        cls,
        path: str | PathLike[str],
        cache_bytes: int,
        source: tuple[int, Callable[[int, int], bytes]] | None = None,
    ) -> StoreReader: ...
    @property
    def schema(self) -> str: ...
    @property
    def size(self) -> int: ...
    @property
    def is_remote(self) -> bool: ...
    @property
    def samples(self) -> int: ...
    @property
    def groups(self) -> int: ...
    def totals(self, field: int) -> _Totals: ...
    def sample_items(self, field: int, samples: _Numbers) -> list[_Numbers]: ...
    def read_range(
        self, field: int, start: int, stop: int, out: _Bytes, threads: int | None
    ) -> None: ...
    def read_ranges(
        self, field: int, starts: _Numbers, stops: _Numbers, out: _Bytes, threads: int | None
    ) -> None: ...
    def verify_front(self) -> None: ...
    def verify_group(self, group: int, fraction: float, threads: int | None) -> None: ...
    def batches(
        self, fields: Sequence[int], start: int, stop: int, step: int, threads: int | None
    ) -> StoreBatches: ...

@final
class StoreBatches:
    def __iter__(self) -> StoreBatches: ...
    def __next__(self) -> list[tuple[StoreBuffer, _Numbers | None]]: ...

@final
class StoreBuffer:
    @property
    def __array_interface__(self) -> dict[str, Any]: ...

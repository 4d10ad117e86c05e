"""What encoding did."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class FieldReport:
    """What encoding did to one field.

    Attributes:
        name: The field's name.
        sample_shape: Shape of one sample; None for an extent that differs from sample to sample.
        bits: Bit width; of a side field, bits of an element.
        signed: Whether codes are two's complement; None for a side field.
        samples: Number of samples.
        elements: Number of symbols, or of a side field's elements.
        counts: Occurrences of each symbol, int64 `[2**bits]`; a code c counts at
            ``c & (2**bits - 1)``. Empty for a side field.
        encoded_bits: Bits of the field's records in the file, headers and checksums included.
        encoded: Symbols that this run encoded: all but those that it resumed from.
        encode_seconds: Time that it took, summed over threads.
    """

    name: str
    sample_shape: tuple[int | None, ...]
    bits: int
    signed: bool | None
    samples: int
    elements: int
    counts: npt.NDArray[np.int64]
    encoded_bits: int
    encoded: int
    encode_seconds: float

    @property
    def symbols(self) -> int:
        """Number of symbols; 0 for a side field."""
        return int(self.counts.sum())

    @property
    def raw_bits(self) -> int:
        """Bits of the symbols at the field's bit width, or of a side field's elements."""
        return self.elements * self.bits

    @property
    def ratio(self) -> float:
        """Encoded bits over raw bits, smaller is better; nan without symbols."""
        return self.encoded_bits / self.raw_bits if self.raw_bits else float("nan")

    @property
    def zeros(self) -> float:
        """Share of symbols that are 0; nan without symbols."""
        return int(self.counts[0]) / self.symbols if self.symbols else float("nan")

    @property
    def entropy(self) -> float:
        """Order-0 entropy in bits per symbol (Shannon, 1948); nan without symbols."""
        if not self.symbols:
            return float("nan")
        share = self.counts[self.counts > 0] / self.symbols
        return float(-(share * np.log2(share)).sum()) + 0.0  # + 0.0 turns -0.0 into 0.0


@dataclass(frozen=True)
class EncodeReport:
    """What `encode_dataset` or a `Writer` wrote.

    Attributes:
        samples: Number of samples.
        fields: Each field by name.
        encoded_bits: Bits of all files.
        seconds: Time that it took, the source's own included.
        paths: The files.
    """

    samples: int
    fields: dict[str, FieldReport]
    encoded_bits: int
    seconds: float
    paths: list[str]

    @property
    def symbols(self) -> int:
        """Number of symbols of all coded fields."""
        return sum(field.symbols for field in self.fields.values())

    @property
    def raw_bits(self) -> int:
        """Bits of all fields' elements at their bit widths."""
        return sum(field.raw_bits for field in self.fields.values())

    @property
    def ratio(self) -> float:
        """Encoded bits over raw bits, smaller is better; nan without symbols."""
        return self.encoded_bits / self.raw_bits if self.raw_bits else float("nan")

    @property
    def entropy(self) -> float:
        """Mean of the coded fields' order-0 entropies, weighted by symbols, in bits per symbol."""
        if not self.symbols:
            return float("nan")
        fields = [field for field in self.fields.values() if field.symbols]
        return sum(field.entropy * field.symbols for field in fields) / self.symbols

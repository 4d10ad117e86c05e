"""What the benchmarks read: real codes that lie beside the checkout, and generated ones."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
FILES = {
    "resnet20-4bit": DATA / "resnet20-4bit" / "activations-resnet20-4bit.npz",
    "transformer": DATA / "transformer" / "codes.npz",
}
SPARSITIES = (0.2, 0.5, 0.8)
REPEATED = "repeated"
"""The group of arrays that no peer is measured on."""
SAMPLE = (64, 32, 32)


class Input(NamedTuple):
    group: str
    name: str
    x: Array

    @property
    def bits(self) -> int:
        """4 where every value fits, otherwise 8."""
        top = 7 if self.x.dtype == np.int8 else 15
        return 4 if self.x.min() >= -8 and self.x.max() <= top else 8

    def describe(self) -> str:
        return (
            f"{self.name}: {self.x.dtype}{list(self.x.shape)}, {self.x.size / 1e6:.1f} M symbols "
            f"of {self.bits} bits, {(self.x == 0).mean():.1%} zeros, "
            f"entropy {entropy(symbols(self.x, self.bits)):.3f}"
        )


def symbols(x: Array, bits: int) -> Array:
    """The array flat, as unsigned symbols of `bits` bits; two's complement where it is signed."""
    flat: Array = np.ascontiguousarray(x).reshape(-1).view(np.uint8)
    return flat & 15 if bits == 4 and x.dtype == np.int8 else flat


def ranks(x: Array, bits: int) -> Array:
    """The symbols, numbered from 0 in the order of their values: for coders that look at ranges."""
    middle = 1 << bits - 1 if x.dtype == np.int8 else 0
    flat = symbols(x, bits)
    return flat ^ np.uint8(middle) if middle else flat


def orders(array: Input) -> dict[str, Array]:
    """The orders in which a coder of bytes may see the array: hidden states also by channel."""
    choices = {"": array.x}
    if array.group == "transformer":
        choices["by channel"] = np.ascontiguousarray(np.moveaxis(array.x, -1, 0))
    return choices


def nibbles(flat: Array) -> Array:
    """Two symbols a byte, the first in the low nibble: xz finds 1 to 5 % more in that order."""
    even = np.append(flat, np.uint8(0)) if flat.size % 2 else flat
    packed: Array = even[0::2] | even[1::2] << 4
    return packed


def entropy(flat: Array) -> float:
    """Bits per symbol of the best code without context."""
    share = np.bincount(flat, minlength=1) / flat.size
    share = share[share > 0]
    return float(-(share * np.log2(share)).sum())


def generated(megabytes: float, pattern: str) -> Iterator[Input]:
    """Independent 4-bit symbols: zeros, and a geometric fall-off above, as after a ReLU.

    Independent, so that nothing is to be won below the entropy, and smaller is not faster.
    """
    samples = max(1, round(megabytes * 2**20 / np.prod(SAMPLE)))
    tail = 0.35 * 0.65 ** np.arange(15)
    for zeros in SPARSITIES:
        name = f"generated {zeros:.0%} zeros"
        if not fnmatchcase(name, pattern):
            continue
        share = np.concatenate([[zeros], (1 - zeros) * tail / tail.sum()])
        ends = np.rint(share.cumsum() * 65536).astype(int)
        table = np.repeat(np.arange(16, dtype=np.uint8), np.diff(ends, prepend=0))
        rng = np.random.default_rng(0)
        x = table[rng.integers(0, 65536, (samples, *SAMPLE), np.uint16)]
        yield Input("generated", name, x)


def from_file(path: Path, group: str, pattern: str) -> Iterator[Input]:
    """The uint8 and int8 arrays of a .npz file; the others, such as scales, are not codes."""
    with np.load(path) as arrays:
        for name in (name for name in arrays.files if fnmatchcase(name, pattern)):
            x = arrays[name]
            if x.dtype in (np.uint8, np.int8) and x.size:
                yield Input(group, name, np.ascontiguousarray(x))


def repeated(megabytes: float, pattern: str) -> Iterator[Input]:
    """A real array's samples over and over, as large as the generated ones.

    Coders that look for repetitions far back would measure nothing but how often they find them.
    """
    path = FILES["resnet20-4bit"]
    if not path.is_file():
        return
    for array in from_file(path, REPEATED, "*"):
        samples = max(1, round(megabytes * 2**20 / array.x[0].size))
        if array.bits == 4 and fnmatchcase(f"repeated {array.name}", pattern):
            x = np.resize(array.x, (samples, *array.x.shape[1:]))
            yield Input(REPEATED, f"repeated {array.name}", x)
            return


def everything(megabytes: float, pattern: str) -> Iterator[Input]:
    for group, path in FILES.items():
        if path.is_file():
            yield from from_file(path, group, pattern)
    yield from generated(megabytes, pattern)
    yield from repeated(megabytes, pattern)


def absent() -> list[str]:
    return [group for group, path in FILES.items() if not path.is_file()]


def cut(array: Input, most: int) -> Input:
    """Its first samples, of no more than `most` symbols together, but one."""
    samples = max(1, most * len(array.x) // array.x.size)
    return array._replace(x=array.x[:samples])

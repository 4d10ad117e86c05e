"""Huff0, zstd's entropy coder, called in the library inside the package zstandard.

These functions are not part of zstd's public interface, so they are called only in the version of
zstd whose sources they were checked against. A call costs about a microsecond, some 2 % of a block.
"""

from __future__ import annotations

import ctypes
import importlib.util
from ctypes import c_int, c_size_t, c_uint, c_void_p
from pathlib import Path
from typing import Any

import numpy as np

from inputs import Array
from timing import Coder

VERSION = 10507
BLOCK = 128 * 1024  # Huff0's largest
BLOCK_HEADER = 3  # bytes, as zstd's: nothing in Huff0 itself says how long a block is
BMI2 = 1  # HUF_flags_bmi2
TABLE_LOG = 11
CAPACITY_LOG = 12  # of the decoder's table, as zstd sets it

SIGNATURES = {
    "HUF_compress4X_repeat": (
        *(c_void_p, c_size_t, c_void_p, c_size_t, c_uint, c_uint, c_void_p, c_size_t),
        *(c_void_p, c_void_p, c_int),
    ),
    "HUF_decompress4X_hufOnly_wksp": (
        *(c_void_p, c_void_p, c_size_t, c_void_p, c_size_t, c_void_p, c_size_t, c_int),
    ),
}


def library() -> Any:
    """The library with Huff0 in it, or None."""
    if importlib.util.find_spec("zstandard") is None:
        return None
    spec = importlib.util.find_spec("zstandard._cffi")
    if spec is None or spec.origin is None or not bmi2():
        return None
    try:
        lib = ctypes.CDLL(spec.origin)
        if lib.ZSTD_versionNumber() != VERSION:
            return None
        for name, arguments in SIGNATURES.items():
            function = getattr(lib, name)
            function.argtypes, function.restype = arguments, c_size_t
    except (OSError, AttributeError):
        return None
    return lib


def bmi2() -> bool:
    """Whether the processor has BMI2, which Huff0 must be told; only Linux says it in a file."""
    try:
        return " bmi2 " in Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return False


def make(x: Array) -> Coder:
    """A coder in blocks of 128 KiB, each with its own table, decoded by the variant Huff0 picks."""
    lib = library()
    out, coded = np.full_like(x, 0xAA), np.empty(x.size + BLOCK, np.uint8)
    table, repeat = np.zeros(258, np.uint64), np.zeros(1, np.int32)
    decoder, work = np.zeros(1 + (1 << CAPACITY_LOG), np.uint32), np.zeros(2048, np.uint64)
    compress, decompress = lib.HUF_compress4X_repeat, lib.HUF_decompress4X_hufOnly_wksp
    starts = range(0, x.size, BLOCK)
    source, target, packed = x.ctypes.data, out.ctypes.data, coded.ctypes.data
    tables, states, spare, decoders = (  # these keep their arrays alive, plain addresses do not
        array.ctypes.data_as(c_void_p) for array in (table, repeat, work, decoder)
    )

    def encode() -> list[int]:
        sizes, at = [], 0
        for start in starts:
            n = min(BLOCK, x.size - start)
            repeat[0] = 0
            size = compress(
                *(packed + at, coded.size - at, source + start, n, 255, TABLE_LOG),
                *(spare, work.nbytes, tables, states, BMI2),
            )
            if not 0 < size < n:  # it found nothing to save
                ctypes.memmove(packed + at, source + start, n)
                size = n
            sizes.append(size)
            at += size
        return sizes

    def decode(sizes: list[int]) -> Array:
        at = 0
        for start, size in zip(starts, sizes, strict=True):
            n = min(BLOCK, x.size - start)
            if size == n:
                ctypes.memmove(target + start, packed + at, n)
            elif size == 1:  # all symbols are this one
                ctypes.memset(target + start, coded[at], n)
            else:
                decoder[0] = CAPACITY_LOG * 0x01000001
                decompress(decoders, target + start, n, packed + at, size, spare, work.nbytes, BMI2)
            at += size
        return out

    return Coder(encode, decode, lambda sizes: sum(sizes) + BLOCK_HEADER * len(sizes))

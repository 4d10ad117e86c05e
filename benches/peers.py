"""Other people's codecs, each at its fastest setting for one thread.

All of them, huffq too, return a new object from encoding and, where they can, decode into a buffer
that was there before.
"""

from __future__ import annotations

import importlib.util
import lzma
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

import numpy as np

import huff0
from inputs import Array, Input, nibbles, orders, ranks, symbols
from timing import Case, Coder


def zstd(level: int) -> Callable[[Array], Coder]:
    def make(x: Array) -> Coder:
        import zstandard

        compressor, decompressor = zstandard.ZstdCompressor(level), zstandard.ZstdDecompressor()
        out = np.full_like(x, 0xAA)

        def decode(blob: bytes) -> Array:
            decompressor.stream_reader(blob).readinto(out)
            return out

        return Coder(lambda: compressor.compress(x.data), decode)

    return make


def xz(x: Array) -> Coder:
    def encode() -> bytes:
        return lzma.compress(x.data, lzma.FORMAT_XZ, lzma.CHECK_NONE, preset=6)

    return Coder(encode, lambda blob: np.frombuffer(lzma.decompress(blob), np.uint8))


def blosc(level: int) -> Callable[[Array], Coder]:
    def make(x: Array) -> Coder:
        import blosc2

        settings = blosc2.CParams(
            codec=blosc2.Codec.ZSTD,
            clevel=level,
            typesize=1,
            nthreads=1,
            filters=[blosc2.Filter.BITSHUFFLE],
            filters_meta=[0],
        )
        threads, out = blosc2.DParams(nthreads=1), np.full_like(x, 0xAA)

        def decode(blob: bytes) -> Array:
            blosc2.decompress2(blob, dst=out, dparams=threads)
            return out

        return Coder(lambda: blosc2.compress2(x, cparams=settings), decode)

    return make


def pcodec(x: Array) -> Coder:
    from pcodec import ChunkConfig, DeltaSpec, ModeSpec, standalone

    config = ChunkConfig(
        mode_spec=ModeSpec.classic(), delta_spec=DeltaSpec.no_op(), enable_8_bit=True
    )
    out = np.full_like(x, 0xAA)

    def decode(blob: bytes) -> Array:
        standalone.simple_decompress_into(blob, out)
        return out

    return Coder(lambda: standalone.simple_compress(x, config), decode)


def constriction_ans(x: Array) -> Coder:
    import constriction

    new_coder, wide = constriction.stream.stack.AnsCoder, x.astype(np.int32)

    def encode() -> tuple[Array, Any]:
        share = np.bincount(x) / x.size
        model, coder = constriction.stream.model.Categorical(share, perfect=False), new_coder()
        coder.encode_reverse(wide, model)
        return coder.get_compressed(), model

    def decode(blob: tuple[Array, Any]) -> Array:
        return new_coder(blob[0]).decode(blob[1], x.size)

    return Coder(encode, decode, lambda blob: blob[0].nbytes)


def constriction_huffman(x: Array) -> Coder:
    from constriction import symbol as coders

    counts, sequence = np.bincount(x).astype(np.float64), x.tolist()
    tree = coders.huffman.EncoderHuffmanTree(counts)
    decoder_tree = coders.huffman.DecoderHuffmanTree(counts)

    def encode() -> Array:
        encoder = coders.QueueEncoder()
        put = encoder.encode_symbol
        for symbol in sequence:
            put(symbol, tree)
        return encoder.get_compressed()[0]

    def decode(words: Array) -> list[int]:
        get = coders.QueueDecoder(words).decode_symbol
        return [get(decoder_tree) for _ in sequence]

    return Coder(encode, decode, lambda words: words.nbytes)


def bitarray_huffman(x: Array) -> Coder:
    from bitarray import bitarray, decodetree
    from bitarray.util import huffman_code

    sequence = x.tolist()
    code = huffman_code({s: int(n) for s, n in enumerate(np.bincount(x)) if n})
    tree = decodetree(code)

    def encode() -> bitarray:
        bits = bitarray()
        bits.encode(code, sequence)
        return bits

    return Coder(encode, lambda bits: list(bits.decode(tree)), lambda bits: -(-len(bits) // 8))


class Peer(NamedTuple):
    """A codec. One of bytes is given packed symbols as well, and every order that may suit it.

    Long inputs are cut to `prefix` symbols for it, if that is not 0.
    """

    name: str
    package: str
    make: Callable[[Array], Coder]
    of_bytes: bool = False
    prefix: int = 0

    def is_there(self) -> bool:
        if self.make is huff0.make:
            return huff0.library() is not None
        return importlib.util.find_spec(self.package) is not None


LONG, SHORT = 1 << 23, 1 << 18
PEERS = (
    Peer("Huff0", "zstandard with zstd 1.5.7", huff0.make),
    Peer("zstd -1", "zstandard", zstd(1), of_bytes=True),
    Peer("zstd -3", "zstandard", zstd(3), of_bytes=True),
    Peer("zstd -19", "zstandard", zstd(19), of_bytes=True, prefix=LONG),
    Peer("xz -6", "lzma", xz, of_bytes=True, prefix=LONG),
    Peer("blosc2 -1", "blosc2", blosc(1), of_bytes=True),
    Peer("blosc2 -5", "blosc2", blosc(5), of_bytes=True),
    Peer("pcodec", "pcodec", pcodec, prefix=LONG),
    Peer("constriction ANS", "constriction", constriction_ans, prefix=LONG),
    Peer("constriction Huffman", "constriction", constriction_huffman, prefix=SHORT),
    Peer("bitarray Huffman", "bitarray", bitarray_huffman, prefix=SHORT),
)


def chosen(pattern: str) -> tuple[list[Peer], list[str]]:
    """The peers to run, and those that are not installed with what they need."""
    wanted = [peer for peer in PEERS if fnmatchcase(peer.name, pattern)]
    there = [peer for peer in wanted if peer.is_there()]
    return there, [f"{peer.name} ({peer.package})" for peer in wanted if peer not in there]


def cases(peer: Peer, array: Input) -> Iterator[Case]:
    """One case for each form of the array that the peer may see."""
    if peer.of_bytes:
        flat = {order: symbols(x, array.bits) for order, x in orders(array).items()}
    else:
        flat = {"": ranks(array.x, array.bits)}
    if peer.prefix:
        flat = {order: x[: peer.prefix] for order, x in flat.items()}
    yield best(peer, "bytes", flat, flat[""].size)
    if peer.of_bytes and array.bits == 4:
        packed = {order: nibbles(x) for order, x in flat.items()}
        yield best(peer, "packed", packed, flat[""].size)


def best(peer: Peer, form: str, inputs: dict[str, Array], n: int) -> Case:
    """The case in the order in which the peer comes out smallest."""
    choices = [
        Case(peer.name, f"{form} {order}".strip(), n, x, peer.make(x))
        for order, x in inputs.items()
    ]
    if len(choices) == 1:
        return choices[0]
    return min(choices, key=lambda case: case.coder.size(case.coder.encode()))

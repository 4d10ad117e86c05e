"""Many arrays of few symbols each: bytes an array, and arrays a second, one thread.

    python benches/small.py [--quick] [--symbols 128] [--arrays 'layer*']

Every array is encoded and decoded by a call of its own. All codecs but plain huffq share what was
learnt from other arrays, whose size is not counted: huffq a codebook, bitarray and constriction a
code, zstd a dictionary. Arrays are stretches of real samples where they lie beside the checkout,
and generated ones; the even ones are learnt from, some of the odd ones measured.

Times are medians of up to 15 runs in turns, of all calls together, Python's loop included. huffq's
blobs tell damage, wrong codebooks, shape and dtype; bitarray's and constriction's tell nothing,
and their decoders are told how many symbols there are.
"""

from __future__ import annotations

import argparse
import importlib.util
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import huffq
import inputs
from inputs import Array, Input
from timing import Case, Coder, Effort, Row, measure

ARRAYS = 500


def each(
    arrays: Array, encode: Callable[[Array], Any], decode: Callable[[Any], Any], size: Any = len
) -> Coder:
    rows = list(arrays)
    return Coder(
        lambda: [encode(x) for x in rows],
        lambda blobs: np.stack([decode(blob) for blob in blobs]),
        lambda blobs: sum(map(size, blobs)),
    )


def of_codebook(level: Any) -> Callable[[Array, Array], Coder]:
    def make(learnt: Array, arrays: Array) -> Coder:
        book = huffq.Codebook.train(learnt, 4, level, neighbour_axes=(1,))
        return each(
            arrays,
            lambda x: huffq.encode(x, codebook=book),
            lambda blob: huffq.decode(blob, codebook=book),
        )

    return make


def alone(learnt: Array, arrays: Array) -> Coder:
    del learnt
    return each(arrays, lambda x: huffq.encode(x, 4), huffq.decode)


def shared_counts(learnt: Array) -> Array:
    """How often each symbol occurs, and once more, so that every symbol has a codeword."""
    return np.bincount(learnt.reshape(-1), minlength=16) + 1


def bitarray_huffman(learnt: Array, arrays: Array) -> Coder:
    from bitarray import bitarray, decodetree
    from bitarray.util import huffman_code

    code = huffman_code({s: int(n) for s, n in enumerate(shared_counts(learnt))})
    tree = decodetree(code)

    def encode(x: Array) -> bitarray:
        bits = bitarray()
        bits.encode(code, x.tolist())
        return bits

    def decode(bits: bitarray) -> Array:
        return np.fromiter(bits.decode(tree), np.uint8, arrays.shape[1])

    return each(arrays, encode, decode, lambda bits: -(-len(bits) // 8))


def constriction_ans(learnt: Array, arrays: Array) -> Coder:
    import constriction

    counts = shared_counts(learnt)
    model = constriction.stream.model.Categorical(counts / counts.sum(), perfect=False)
    new_coder = constriction.stream.stack.AnsCoder

    def encode(x: Array) -> Array:
        coder = new_coder()
        coder.encode_reverse(x.astype(np.int32), model)
        return coder.get_compressed()

    def decode(words: Array) -> Array:
        return new_coder(words).decode(model, arrays.shape[1]).astype(np.uint8)

    return each(arrays, encode, decode, lambda words: words.nbytes)


def zstd_dictionary(learnt: Array, arrays: Array) -> Coder:
    import zstandard

    def pack(x: Array) -> bytes:
        return bytes(x[0::2] | x[1::2] << 4)

    samples = [pack(x) for x in learnt[:2000]]
    dictionary = zstandard.train_dictionary(1 << 14, samples)
    parameters = zstandard.ZstdCompressionParameters.from_level(
        19, write_content_size=False, write_dict_id=False, format=zstandard.FORMAT_ZSTD1_MAGICLESS
    )
    compressor = zstandard.ZstdCompressor(dict_data=dictionary, compression_params=parameters)
    decompressor = zstandard.ZstdDecompressor(
        dict_data=dictionary, format=zstandard.FORMAT_ZSTD1_MAGICLESS
    )

    def decode(blob: bytes) -> Array:
        packed = decompressor.decompress(blob, max_output_size=arrays.shape[1])
        pairs = np.frombuffer(packed, np.uint8)
        return np.stack([pairs & 15, pairs >> 4], 1).reshape(-1)

    return each(arrays, lambda x: compressor.compress(pack(x)), decode)


CODECS: list[tuple[str, str, Callable[[Array, Array], Coder]]] = [
    ("huffq codebook dense", "huffq", of_codebook("dense")),
    ("huffq codebook max", "huffq", of_codebook("max")),
    ("huffq alone", "huffq", alone),
    ("bitarray Huffman", "bitarray", bitarray_huffman),
    ("constriction ANS", "constriction", constriction_ans),
    ("zstd -19, dictionary", "zstandard", zstd_dictionary),
]


def chosen(pattern: str) -> Iterator[Input]:
    for array in inputs.everything(1, pattern):
        if array.bits == 4 and array.x.dtype == np.uint8:
            yield array


def line(row: Row, symbols: int) -> str:
    encode, decode = (speed * 1e9 / symbols for speed in (row.encode, row.decode))
    return (
        f"{row.codec:22} {row.bits * symbols / 8:9.1f} {row.bits / 4:6.3f} "
        f"{encode / 1e3:9.1f} {decode / 1e3:9.1f} {1e6 / encode:7.2f} {1e6 / decode:7.2f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="3 runs")
    parser.add_argument("--symbols", type=int, default=128, help="of an array, even")
    parser.add_argument("--arrays", default="*", metavar="PATTERN", help="inputs of these names")
    options = parser.parse_args()
    effort = Effort(runs=3, seconds=0.1) if options.quick else Effort()
    codecs = [codec for codec in CODECS if importlib.util.find_spec(codec[1])]
    if missing := [name for name, package, _ in CODECS if not importlib.util.find_spec(package)]:
        print(f"Left out, not installed (pip install '.[bench]'): {', '.join(missing)}")
    print(
        f"{'codec':22} {'bytes':>9} {'ratio':>6} {'enc k/s':>9} {'dec k/s':>9} {'enc us':>7} "
        f"{'dec us':>7}"
    )
    n = options.symbols
    for array in chosen(options.arrays):
        flat = array.x.reshape(-1)
        rows = flat[: flat.size // n * n].reshape(-1, n)
        learnt, measured = rows[0::2], rows[1::2]
        step = max(1, len(measured) // ARRAYS)
        measured = np.ascontiguousarray(measured[::step][:ARRAYS])
        cases = [
            Case(name, "", measured.size, measured, make(learnt, measured))
            for name, _, make in codecs
        ]
        print(f"\n{array.name}, {len(measured)} arrays of {n} symbols")
        for row in measure(cases, measured, effort)[1:]:
            print(line(row, n), flush=True)


if __name__ == "__main__":
    main()

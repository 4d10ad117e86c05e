"""What `huffq_encoder` does in simulation; run by test_rtl_icarus.py, one simulation per test."""

from __future__ import annotations

import random

import cocotb
import numpy as np

from huffq import CodeTable
from huffq.words import pack_words
from rtl_streams import Bench, draw, random_lengths, table_beats

LANES = int(cocotb.plusargs["lanes"])


def symbol_beats(symbols):
    """Return the beats of a tile, the first symbol leftmost."""
    beats = []
    for at in range(0, len(symbols), LANES):
        some = symbols[at : at + LANES]
        places = [LANES - 1 - i for i in range(len(some))]
        data = sum(symbol << 4 * place for symbol, place in zip(some, places, strict=True))
        keep = sum(1 << place for place in places)
        beats.append({"tdata": data, "tkeep": keep, "tlast": int(at + LANES >= len(symbols))})
    return beats


def words_of(lengths, symbols):
    bits, n_bits = CodeTable.from_lengths(lengths).encode(symbols)
    return pack_words(bits, n_bits, 32)


async def start(dut, stall):
    bench = Bench(dut, ("table", "symbol"), {"word": ("tdata", "tuser")}, stall)
    await bench.reset()
    return bench


async def play(bench, tiles):
    """Encode pairs of lengths and symbols; return the packets of words."""
    for lengths, symbols in tiles:
        bench.control.append(("table", table_beats(lengths, 4)))
        bench.control.append(("symbol", symbol_beats(symbols)))
    work = sum(len(symbols) + 20 for _, symbols in tiles)
    return await bench.run("word", len(tiles), 100 + 3 * work)


@cocotb.test()
async def words_equal_huffqs(dut):
    tiles = []
    for _ in range(1000):
        lengths = random_lengths()
        tiles.append((lengths, draw(lengths, random.randint(1, 60))))
    packets = await play(await start(dut, 0.25), tiles)
    for (lengths, symbols), packet in zip(tiles, packets, strict=True):
        assert packet == [(word, 0) for word in words_of(lengths, symbols)]


@cocotb.test()
async def a_tile_may_end_anywhere_in_a_word(dut):
    lengths = CodeTable.from_counts(2 ** np.arange(16), max_length=15).lengths.tolist()
    order = np.argsort(lengths).tolist()
    # 1 to 15 bits after a word that is one bit from full: ends before, at and after its last bit.
    tiles = [
        (lengths, [int(order[0])] * before + [int(last)]) for before in range(34) for last in order
    ]
    packets = await play(await start(dut, 0.2), tiles)
    for (_, symbols), packet in zip(tiles, packets, strict=True):
        assert packet == [(word, 0) for word in words_of(lengths, symbols)]


@cocotb.test()
async def symbols_are_taken_every_clock(dut):
    lengths = CodeTable.from_counts(2 ** np.arange(16), max_length=15).lengths.tolist()
    symbols = draw(lengths, 500) + random.choices([s for s in range(16) if lengths[s] > 13], k=500)
    bench = await start(dut, 0)
    await play(bench, [(lengths, symbols)])
    assert bench.clocks <= len(symbols) / LANES + len(table_beats(lengths, 4)) + 8


@cocotb.test()
async def a_symbol_without_codeword_marks_its_tile(dut):
    lengths = random_lengths()
    while 0 not in lengths or sum(map(bool, lengths)) < 2:
        lengths = random_lengths()
    missing = lengths.index(0)
    good = draw(lengths, 50)
    bad = [*good[:20], missing, *good[20:]]
    packets = await play(await start(dut, 0.2), [(lengths, tile) for tile in (good, bad, good)])
    words = words_of(lengths, good)
    assert packets[0] == packets[2] == [(word, 0) for word in words]
    assert packets[1][-1] == (words[-1], 1)
    assert [word for word, _ in packets[1]] == words

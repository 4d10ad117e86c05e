"""What `huffq_decoder` does in simulation; run by test_rtl_icarus.py, one simulation per test."""

from __future__ import annotations

import itertools
import random

import cocotb
import numpy as np

from huffq import CodeTable
from huffq.words import pack_words
from rtl_streams import (
    ENDED_EARLY,
    NO_CODEWORD,
    OK,
    WORDS_LEFT,
    Bench,
    Tile,
    draw,
    random_lengths,
    table_beats,
    tree_beats,
    word_beats,
)

LANES = int(cocotb.plusargs["lanes"])
LOAD = tree_beats if cocotb.top._name == "tree_walker" else table_beats


def coded(lengths, symbols):
    """Return a tile that huffq has coded."""
    bits, n_bits = CodeTable.from_lengths(lengths).encode(symbols)
    return Tile(lengths, len(symbols), pack_words(bits, n_bits, 32))


async def start(dut, stall):
    sinks = {"symbol": ("tdata", "tkeep", "tuser")}
    bench = Bench(dut, ("table", "tile", "word"), sinks, stall)
    await bench.reset()
    return bench


async def play(bench, tiles):
    """Decode tiles one after another; a table is loaded wherever it differs from the one before."""
    previous = None
    for tile in tiles:
        if tile.lengths != previous:
            bench.control.append(("table", LOAD(tile.lengths, 4)))
        previous = tile.lengths
        bench.control.append(("tile", [{"tdata": tile.count}]))
        bench.sources["word"].beats.extend(word_beats(tile.words))
    work = sum(tile.count + 33 * len(tile.words) + 40 for tile in tiles)
    packets = await bench.run("symbol", len(tiles), 100 + 3 * work)
    for number, (tile, packet) in enumerate(zip(tiles, packets, strict=True)):
        symbols, status = unpack(packet)
        assert (symbols, status) == (tile.symbols, tile.status), (number, tile, packet)


def unpack(packet):
    """Return a tile's symbols and status; the lanes that are kept come first."""
    symbols = []
    for data, keep, _ in packet:
        kept = [keep >> (LANES - 1 - i) & 1 for i in range(LANES)]
        assert kept == sorted(kept, reverse=True)
        symbols += [data >> 4 * (LANES - 1 - i) & 15 for i in range(sum(kept))]
    assert all(keep == (1 << LANES) - 1 for _, keep, _ in packet[:-1])
    assert all(user == OK for _, _, user in packet[:-1])
    return symbols, packet[-1][2]


@cocotb.test()
async def a_thousand_random_tables(dut):
    tables = [random_lengths() for _ in range(1000)]
    assert sum(max(lengths) == 15 for lengths in tables) > 50
    assert sum(sum(map(bool, lengths)) == 1 for lengths in tables) > 20
    tiles = [coded(lengths, draw(lengths, random.randint(1, 60))) for lengths in tables]
    assert all(tile.status == OK for tile in tiles)
    await play(await start(dut, 0.25), tiles)


@cocotb.test()
async def symbols_come_every_clock(dut):
    deep = CodeTable.from_counts(2 ** np.arange(16), max_length=15).lengths.tolist()
    rare = [s for s, length in enumerate(deep) if length >= 14]
    # Codewords of 15 bits all along, where words are consumed fastest, and short tiles.
    bench = await start(dut, 0)
    for symbols in ([random.choices(rare, k=500), draw(deep, 501)], [draw(deep, 7)] * 40):
        tiles = [coded(deep, tile) for tile in symbols]
        began = bench.clocks
        await play(bench, tiles)
        promised = sum(-(-tile.count // LANES) + 1 for tile in tiles)
        overhead = len(table_beats(deep, 4)) + 6  # the table, and the pipeline once
        assert bench.clocks - began <= promised + overhead


@cocotb.test()
async def garbage_ends_in_the_status_that_a_model_gives(dut):
    tiles = []
    for _ in range(400):
        lengths = random_lengths(longest=random.randint(4, 15))
        for symbol in random.sample(range(16), random.choice([0, 0, 1, 2, 5])):
            if sum(map(bool, lengths)) > 1:
                lengths[symbol] = 0
        words = [random.getrandbits(32) for _ in range(random.randint(1, 5))]
        tiles.append(Tile(lengths, random.randint(1, 100), words))
    found = [tile.status for tile in tiles]
    assert all(found.count(status) > 20 for status in (NO_CODEWORD, ENDED_EARLY, WORDS_LEFT))
    await play(await start(dut, 0.2), tiles)


@cocotb.test()
async def a_faulty_tile_leaves_the_next_alone(dut):
    tiles = []
    for _ in range(150):
        lengths = random_lengths()
        good = coded(lengths, draw(lengths, random.randint(2, 40)))
        more = random.randint(good.count + 33, good.count + 100)
        tiles += [
            good,
            Tile(lengths, more, good.words),
            good,
            Tile(lengths, good.count, good.words + [random.getrandbits(32)] * random.randint(1, 6)),
            good,
        ]
        if len(good.words) > 1:
            tiles += [Tile(lengths, good.count, good.words[:-1]), good]
    found = [tile.status for tile in tiles]
    assert found.count(ENDED_EARLY) > 100
    assert found.count(WORDS_LEFT) == 150
    await play(await start(dut, 0.2), tiles)


@cocotb.test()
async def one_symbol_has_one_codeword(dut):
    tiles = []
    for symbol, count in itertools.product(range(16), (1, 31, 32, 33)):
        lengths = [int(s == symbol) for s in range(16)]
        good = coded(lengths, [symbol] * count)
        # 32 symbols end with the word: the word after it must not pass for padding.
        more = Tile(lengths, count, [*good.words, 0])
        tiles += [good, more, Tile(lengths, count, [1 << 30] * 2)]
    assert {tile.status for tile in tiles} == {OK, NO_CODEWORD, WORDS_LEFT}
    await play(await start(dut, 0.2), tiles)


@cocotb.test()
async def an_empty_tile_has_no_words(dut):
    lengths = random_lengths()
    tile = coded(lengths, draw(lengths, 9))
    empty = Tile(lengths, 0, [])
    await play(await start(dut, 0.2), [empty, tile, empty, empty, tile])


@cocotb.test()
async def a_table_that_is_no_code_is_an_error_until_the_next(dut):
    good = random_lengths()
    tile = coded(good, draw(good, 20))
    entry = lambda length, symbol: length << 4 | symbol  # noqa: E731
    wrong = {
        "no length": [entry(1, 0), entry(0, 1), entry(2, 2)],
        "descending": [entry(2, 0), entry(1, 1)],
        "overfull": [entry(1, 0), entry(1, 1), entry(2, 2)],
    }
    bench = await start(dut, 0.2)
    for what, entries in wrong.items():
        lasts = [0] * (len(entries) - 1) + [1]
        beats = [{"tdata": e, "tlast": last} for e, last in zip(entries, lasts, strict=True)]
        bench.control.append(("table", beats))
        # Zeros decode to the first entry, whatever came after it.
        bench.control.append(("tile", [{"tdata": 4}]))
        bench.sources["word"].beats.extend(word_beats([0]))
        (packet,) = await bench.run("symbol", 1, 500)
        assert unpack(packet) == ([0] * 4, OK), what
        assert dut.table_error.value == 1, what
        await play(bench, [tile])
        assert dut.table_error.value == 0, what

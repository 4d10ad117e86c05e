"""What `huffq_tile_decoder` does in simulation; run by test_rtl_icarus.py."""

from __future__ import annotations

import os

import cocotb
import numpy as np

from huffq import CodeTable
from huffq.words import pack_words
from rtl_streams import ENDED_EARLY, OK, Bench, table_beats, word_beats

STALL = 0.1


async def start(dut):
    sinks = {"row": ("tdata", "tkeep", "tuser")}
    bench = Bench(dut, ("table", "tile", "word"), sinks, STALL)
    await bench.reset()
    return bench


def row(symbols):
    """Return a row, channel 7 leftmost; missing channels are zero."""
    return int("".join(f"{symbol:x}" for symbol in symbols).ljust(8, "0"), 16)


@cocotb.test()
async def real_tiles_come_back(dut):
    with np.load(os.environ["TILES"]) as file:
        tiles = list(file.values())
    counts = sum(np.bincount(tile.ravel(), minlength=16) for tile in tiles)
    table = CodeTable.from_counts(counts, max_length=15)
    bench = await start(dut)
    bench.control.append(("table", table_beats(table.lengths.tolist(), 4)))
    for tile in tiles:
        bits, n_bits = table.encode(tile[:, ::-1].ravel())
        bench.sources["word"].beats.extend(word_beats(pack_words(bits, n_bits, 32)))
        bench.control.append(("tile", [{"tdata": tile.size}]))
    packets = await bench.run("row", len(tiles), 2 * sum(tile.size for tile in tiles))
    for tile, packet in zip(tiles, packets, strict=True):
        assert packet == [(row(line[::-1]), 0xFF, OK) for line in tile.tolist()]


@cocotb.test()
async def a_fault_within_a_row_ends_it(dut):
    lengths = [2, 2, 2, 2] + [0] * 12
    bench = await start(dut)
    bench.control.append(("table", table_beats(lengths, 4)))
    for whole in (0, 1, 2):
        # 16 symbols a word; the tile wants more.
        bench.control.append(("tile", [{"tdata": 24 + 16 * whole}]))
        bench.sources["word"].beats.extend(word_beats([0x1B1B1B1B] * (1 + whole)))
    packets = await bench.run("row", 3, 1000)
    for whole, packet in enumerate(packets):
        assert packet[:-1] == [(0x01230123, 0xFF, OK)] * (2 + 2 * whole)
        assert packet[-1] == (0, 0, ENDED_EARLY)
    bench.control.append(("tile", [{"tdata": 24}]))
    bench.control.append(("table", table_beats([1] + [0] * 15, 4)))
    bench.control.append(("tile", [{"tdata": 40}]))
    bench.sources["word"].beats.extend(word_beats([0x1B1B1B1B, 0x1B1B0000]))
    bench.sources["word"].beats.extend(word_beats([0x00100000, 0]))
    good, bad = await bench.run("row", 2, 1000)
    assert good == [(0x01230123, 0xFF, OK)] * 3
    assert bad == [(0, 0xFF, OK), (0, 0xE0, 1)]

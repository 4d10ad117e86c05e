"""Coded tiles in words: every tile decodes from its own words, in the order of its text file."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from huffq import CodeTable
from huffq.codes import Codes
from huffq.errors import TileError
from huffq.tiles import (
    Coding,
    Convolution,
    Span,
    Tiling,
    build_table,
    code_tiles,
    count_symbols,
    layer_figures,
    pack_stream,
    read_stream,
    tile_figures,
    tile_rows,
    tiling_counts,
    train_table,
    write_stream,
)
from huffq.words import read_table_memory, write_table_memory
from tile_sets import random_convolution

CODINGS = st.builds(
    Coding,
    table=st.sampled_from(["tile", "layer"]),
    max_length=st.integers(8, 15),
    every_symbol=st.booleans(),
    word_bits=st.integers(1, 1024),
    pitch=st.sampled_from([None, "worst"]),
)


def random_tiling(seed=0, shape=(2, 10, 5, 4), **options):
    return Tiling(random_convolution(np.random.default_rng(seed), shape, 8, **options))


@given(
    coding=CODINGS,
    bits=st.sampled_from([2, 4, 8]),
    signed=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_every_tile_decodes_from_its_own_words(coding, bits, signed, seed):
    tiling = random_tiling(seed, bits=bits, signed=signed)
    coded = code_tiles(tiling, coding)
    for image, tile in np.ndindex(2, 2):
        number, span = 2 * image + tile, coded.span(image, tile)
        symbols = coded.stream.decode(number, coded.table(image, tile))
        rows = tile_rows(symbols, bits, signed, 8)
        np.testing.assert_array_equal(rows, tiling.activation(image, tile))
        assert span.words <= coded.worst_words
        assert coded.report(image, tile).encoded_bits == span.bits
        if coding.pitch == "worst":
            assert span.first_word == number * coded.worst_words


def test_worst_case_is_reached_by_the_tile_that_a_table_fits_least():
    tiling = random_tiling(shape=(1, 8, 4, 4), kernel=(1, 1))
    codes = tiling.convolution.codes
    codes.values[...] = 15
    table = CodeTable.from_lengths([1, 3, 3, 3, 5, 5, *[7] * 7, 8, 9, 9])
    coded = code_tiles(tiling, Coding(table, word_bits=8))
    assert coded.worst_words == coded.stream.spans[0].words == 16 * 8 * 9 // 8
    values = np.arange(16 * 8, dtype=np.uint8).reshape(1, 8, 4, 4) % 16
    convolution = replace(tiling.convolution, codes=replace(codes, values=values))
    coded = code_tiles(Tiling(convolution), Coding("tile", word_bits=8))
    assert coded.worst_words == coded.stream.spans[0].words == 16 * 8 * 4 // 8


@given(words=st.integers(1, 70), radix=st.sampled_from(["hex", "binary"]))
def test_streams_round_trip_through_their_files(tmp_path_factory, words, radix):
    folder = tmp_path_factory.getbasetemp()
    stream = code_tiles(random_tiling(), Coding(word_bits=words)).stream
    write_stream(folder / "stream", folder / "index", stream, radix)
    assert read_stream(folder / "stream", folder / "index", words, radix) == stream


def test_an_entry_of_the_index_is_four_32_bit_fields(tmp_path):
    table = CodeTable.from_lengths([1, 2, 2])
    tiles = [(np.array(s, np.uint8), table) for s in ([0, 1, 2], [2] * 10)]
    stream = pack_stream(tiles, 8, pitch=4)
    assert stream.words == [0b01011000, 0, 0, 0, 0xFF, 0xFF, 0xF0, 0]
    assert stream.spans == [Span(0, 1, 5, 3), Span(4, 3, 20, 10)]
    write_stream(tmp_path / "stream", tmp_path / "index", stream)
    assert (tmp_path / "index").read_text().split() == [
        "00000000000000010000000500000003",
        "0000000400000003000000140000000a",
    ]
    with pytest.raises(TileError, match="tile 1 of the stream takes 3 words; its slot has 2"):
        pack_stream(tiles, 8, pitch=2)


def test_streams_that_are_damaged_are_named(tmp_path):
    stream = code_tiles(random_tiling()).stream
    with pytest.raises(TileError, match="tile 1 of the stream: "):
        stream.decode(1, CodeTable.from_lengths([1, 1]))
    write_stream(tmp_path / "stream", tmp_path / "index", replace(stream, words=stream.words[:-1]))
    with pytest.raises(TileError, match=r"index: tile 3 ends at word \d+; .*stream has \d+"):
        read_stream(tmp_path / "stream", tmp_path / "index", 32)


def test_a_layers_table_is_the_best_for_all_its_tiles():
    tiling = random_tiling()
    coded = code_tiles(tiling, Coding("layer"))
    assert coded.shared_table == build_table(tiling_counts(tiling))
    assert len(set(coded.tables)) == 1
    apart = code_tiles(tiling)
    assert apart.shared_table is None
    assert sum(s.bits for s in apart.stream.spans) <= sum(s.bits for s in coded.stream.spans)


def test_a_trained_table_codes_what_it_never_saw():
    seen, unseen = random_tiling(1), random_tiling(2)
    for tiling, keep in ((seen, 5), (unseen, 11)):
        np.minimum(tiling.convolution.codes.values, keep, out=tiling.convolution.codes.values)
    table = train_table([seen, seen], max_length=6)
    assert table.lengths.all()
    assert table.lengths.max() <= 6
    assert (table.lengths[6:] >= table.lengths[:6].max()).all()
    coded = code_tiles(unseen, Coding(table, max_length=6))
    assert coded.shared_table == table


def test_codewords_for_every_symbol_cost_least_where_symbols_occur():
    counts = np.array([1, 0, 1000, 1, 0, 0, 0, 10**12])
    plain, full = build_table(counts), build_table(counts, every_symbol=True)
    seen = counts > 0
    assert full.lengths.all()
    assert list(plain.lengths > 0) == list(seen)
    # One of the two rarest symbols makes room for the four that do not occur.
    assert (counts * full.lengths).sum() - (counts * plain.lengths).sum() == 1


def test_tables_that_do_not_suit_the_data_are_named():
    tiling = random_tiling()
    lacking = CodeTable.from_lengths([1, 2, 3, 3, *[0] * 12])
    with pytest.raises(TileError, match="no codeword for symbol 4 of the activation tiles"):
        code_tiles(tiling, Coding(lacking))
    with pytest.raises(TileError, match="has 2 symbols, not the 16 of the activation"):
        code_tiles(tiling, Coding(CodeTable.from_lengths([1, 1])))
    long = CodeTable.from_lengths([*range(1, 15), 15, 15])
    with pytest.raises(ValueError, match="a codeword has 15 bits; max_length is 12"):
        code_tiles(tiling, Coding(long))
    with pytest.raises(TileError, match="no tiles to train a table on"):
        train_table([])
    with pytest.raises(TileError, match="one table cannot serve codes of uint4 and int4"):
        train_table([tiling, random_tiling(signed=True)])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"word_bits": 0}, "width is 0"),
        ({"max_length": 16}, "max_length is 16"),
        ({"table": "network"}, "table is 'network'"),
        ({"pitch": 0}, "pitch is 0"),
        ({"pitch": "best"}, "pitch is 'best'"),
    ],
)
def test_impossible_codings_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Coding(**options)


@pytest.mark.parametrize("radix", ["hex", "binary"])
def test_a_thousand_real_tiles_come_back_from_their_memories(shared_data, tmp_path, radix):
    folder, layer = shared_data / "resnet20-4bit", "layer3.2.conv2"
    with np.load(folder / "golden-integers.npz") as golden:
        weights = Codes(golden[f"{layer}.w_int"].astype(np.int8), 4)
    with np.load(folder / "activations-resnet20-4bit.npz") as activations:
        codes = Codes(activations[layer][:171], 4)
    tiling = Tiling(Convolution(codes, weights, padding=(1, 1, 1, 1)))
    trained = train_table([tiling], max_length=8)
    coding = Coding(trained, max_length=8, word_bits=48, pitch="worst")
    coded = code_tiles(tiling, coding)
    write_stream(tmp_path / "stream", tmp_path / "index", coded.stream, radix)
    write_table_memory(tmp_path / "table", trained, 8, radix)

    table = read_table_memory(tmp_path / "table", 8, radix)
    stream = read_stream(tmp_path / "stream", tmp_path / "index", 48, radix)
    assert len(stream.spans) == 1026
    for number, (image, tile) in enumerate(np.ndindex(171, 6)):
        rows = tile_rows(stream.decode(number, table), 4, signed=False, channels=8)
        np.testing.assert_array_equal(rows, tiling.activation(image, tile))
    assert layer_figures(coded).ratio < 0.45


def test_figures_are_those_of_the_stream():
    tiling = random_tiling()
    coded = code_tiles(tiling, Coding("layer"))
    tiles = [tile_figures(coded, tile) for tile in range(2)]
    layer = layer_figures(coded)
    assert layer.raw_bits == sum(f.raw_bits for f in tiles) == 4 * 20 * 8 * 4
    assert layer.coded_bits == sum(f.coded_bits for f in tiles)
    assert layer.coded_bits == sum(span.bits for span in coded.stream.spans)
    assert layer.coded_words == sum(f.coded_words for f in tiles) == len(coded.stream.words)
    assert layer.raw_words == 4 * 20
    assert layer.saved_words == layer.raw_words - layer.coded_words
    assert layer.largest_words == max(f.largest_words for f in tiles)
    assert layer.ratio == layer.coded_bits / layer.raw_bits
    assert layer.lengths == tuple(coded.tables[0].lengths)
    assert layer.table_bits == 4 * 16
    assert layer_figures(code_tiles(tiling)).table_bits == 4 * 4 * 16
    assert layer_figures(code_tiles(tiling)).lengths is None


@pytest.mark.parametrize(
    ("symbols_per_clock", "word_bits", "cycles"),
    [(1, 32, 161), (2, 32, 81), (3, 32, 55), (8, 2, None)],
)
def test_a_decoder_waits_for_symbols_or_for_words(symbols_per_clock, word_bits, cycles):
    coded = code_tiles(random_tiling(shape=(1, 8, 5, 4)), Coding(word_bits=word_bits))
    expected = coded.stream.spans[0].words if cycles is None else cycles
    assert layer_figures(coded, symbols_per_clock).decode_cycles == expected
    with pytest.raises(ValueError, match="symbols_per_clock is 0"):
        layer_figures(coded, 0)


@given(symbols=st.lists(st.integers(0, 15), min_size=8, max_size=80), bits=st.integers(4, 8))
def test_counts_are_those_of_the_symbols(symbols, bits):
    rows = np.array(symbols[: len(symbols) // 8 * 8]).reshape(-1, 8)
    counts = count_symbols(rows, bits)
    assert len(counts) == 1 << bits
    assert all(counts[s] == (rows == s).sum() for s in range(16))

"""Code tables and coded tiles as text, on the real tile whose coded length the notebook prints."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from huffq import CodeTable
from huffq.errors import TileError
from huffq.testbench import TextForm, read_numbers
from huffq.tiles import (
    TileReport,
    build_table,
    count_symbols,
    read_code_table,
    read_coded_tile,
    stream_symbols,
    write_code_table,
    write_coded_tile,
)


@pytest.fixture
def real_tile(shared_data):
    path = shared_data / "tiles" / "huffman-422" / "activation_tile0.txt"
    return read_numbers(path, bits=4, signed=False)


@pytest.mark.parametrize(("every_symbol", "encoded_bits"), [(False, 421), (True, 422)])
def test_real_tile_has_the_known_length_and_comes_back(
    tmp_path, real_tile, every_symbol, encoded_bits
):
    table = build_table(count_symbols(real_tile, 4), every_symbol=every_symbol)
    assert (table.lengths > 0).sum() == (16 if every_symbol else 13)
    write_code_table(tmp_path / "ref.txt", table)
    write_coded_tile(tmp_path / "huffman.txt", real_tile, table, bits=4, signed=False)
    digits = "".join((tmp_path / "huffman.txt").read_text().split())
    assert len(digits) == encoded_bits

    table = read_code_table(tmp_path / "ref.txt")
    read = read_coded_tile(tmp_path / "huffman.txt", table, bits=4, signed=False)
    np.testing.assert_array_equal(read, real_tile)

    packed, length = table.encode(stream_symbols(real_tile, 4))
    assert length == encoded_bits
    assert packed == int(digits.ljust(-(-length // 8) * 8, "0"), 2).to_bytes(-(-length // 8), "big")


def test_report_prints_the_notebooks_lines():
    assert str(TileReport(raw_bits=1152, encoded_bits=422)).splitlines() == [
        "Activation.txt file length: 1152 bits.",
        "Activation.txt with Huffman coding file length: 422 bits.",
        "Compression ratio: 0.3663",
    ]


@given(
    data=st.data(),
    bits=st.integers(1, 8),
    signed=st.booleans(),
    every_symbol=st.booleans(),
    newline=st.sampled_from(["\n", "\r\n"]),
    final_newline=st.booleans(),
)
def test_any_tile_comes_back_from_its_files(
    tmp_path_factory, data, bits, signed, every_symbol, newline, final_newline
):
    low = -(1 << (bits - 1)) if signed else 0
    row = st.lists(st.integers(low, low + (1 << bits) - 1), min_size=3, max_size=3)
    rows = np.array(data.draw(st.lists(row, min_size=1, max_size=20)), np.int64)
    folder = tmp_path_factory.getbasetemp()
    form = TextForm(newline=newline, final_newline=final_newline)
    table = build_table(count_symbols(rows, bits), every_symbol=every_symbol)
    write_code_table(folder / "ref.txt", table, form)
    write_coded_tile(folder / "huffman.txt", rows, table, bits=bits, signed=signed, form=form)

    table = read_code_table(folder / "ref.txt")
    assert len(table.lengths) == 1 << bits
    assert table.lengths.all() or not every_symbol
    read = read_coded_tile(folder / "huffman.txt", table, bits=bits, signed=signed, channels=3)
    np.testing.assert_array_equal(read, rows)


def test_a_symbol_that_does_not_occur_has_a_dash_in_the_table(tmp_path):
    path = tmp_path / "table.txt"
    write_code_table(path, build_table(np.array([3, 0, 1, 0])))
    assert path.read_text().splitlines() == ["0", "-", "1", "-"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0\n\n1\n-\n", r"table\.txt:2: is empty; a symbol without codeword has '-'"),
        ("0\n2\n", r"table\.txt:2: '2' is not a binary digit"),
        ("1\n0\n", r"table\.txt:1: codeword 1 is 0 in the canonical code"),
        ("00\n01\n", r"table\.txt: "),
        (f"0\n{'1' * 257}\n", r"table\.txt:2: the codeword has 257 bits; 15 are the most"),
    ],
)
def test_malformed_code_tables_are_named(tmp_path, text, message):
    path = tmp_path / "table.txt"
    path.write_text(text)
    with pytest.raises(TileError, match=message):
        read_code_table(path)


@pytest.mark.parametrize("line", ["", "0", "01", "000", "1111111", "01x"])
def test_malformed_coded_lines_are_named(tmp_path, line):
    path = tmp_path / "coded.txt"
    path.write_text(f"00\n{line}\n")
    with pytest.raises(TileError, match=r"coded\.txt:2: "):
        read_coded_tile(
            path, CodeTable.from_lengths([1, 2, 2, 0]), bits=2, signed=False, channels=2
        )


def test_a_symbol_that_the_table_lacks_is_named(tmp_path):
    path = tmp_path / "coded.txt"
    for lengths, message in (
        ([1, 1, 0, 0], "has no codeword for symbol 3 of .*coded.txt"),
        ([1, 1], "has 2 symbols, not the 4 of .*coded.txt"),
    ):
        table = CodeTable.from_lengths(lengths)
        with pytest.raises(TileError, match=message):
            write_coded_tile(path, np.array([[3, 0]]), table, bits=2, signed=False)
    assert not list(tmp_path.iterdir())

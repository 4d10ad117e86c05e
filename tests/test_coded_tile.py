"""The notebook's three files, on the real tile whose coded length the notebook prints."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from huffq.coded_tile import (
    TileReport,
    export_tile,
    read_code_table,
    read_coded_tile,
    tile_code,
    write_code_table,
    write_coded_tile,
)
from huffq.errors import TileError
from huffq.testbench import TextForm, read_numbers


@pytest.fixture
def real_tile(shared_data):
    path = shared_data / "tiles" / "huffman-422" / "activation_tile0.txt"
    return read_numbers(path, bits=4, signed=False)


@pytest.mark.parametrize(("every_symbol", "encoded_bits"), [(False, 421), (True, 422)])
def test_real_tile_has_the_known_length_and_comes_back(
    shared_data, tmp_path, real_tile, every_symbol, encoded_bits
):
    report = export_tile(tmp_path, real_tile, bits=4, signed=False, every_symbol=every_symbol)
    assert report == TileReport(raw_bits=1152, encoded_bits=encoded_bits)

    plain = tmp_path / "activation_tile0.txt"
    original = shared_data / "tiles" / "huffman-422" / plain.name
    assert plain.read_bytes() == original.read_bytes()

    table = read_code_table(tmp_path / "activation_tile0_ref.txt")
    assert (table.lengths > 0).sum() == (16 if every_symbol else 13)
    coded = tmp_path / "activation_tile0_huffman.txt"
    np.testing.assert_array_equal(read_coded_tile(coded, table, bits=4, signed=False), real_tile)
    digits = "".join(coded.read_text().split())
    assert len(digits) == encoded_bits

    packed, length = table.encode(real_tile[:, ::-1].astype(np.uint8).ravel())
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
    folder = tmp_path_factory.getbasetemp() / "any_tile"
    form = TextForm(newline=newline, final_newline=final_newline)
    export_tile(folder, rows, bits=bits, signed=signed, every_symbol=every_symbol, form=form)

    table = read_code_table(folder / "activation_tile0_ref.txt")
    assert len(table.lengths) == 1 << bits
    coded = folder / "activation_tile0_huffman.txt"
    read = read_coded_tile(coded, table, bits=bits, signed=signed, channels=3)
    np.testing.assert_array_equal(read, rows)


def test_a_symbol_that_does_not_occur_has_a_dash_in_the_table(tmp_path):
    path = tmp_path / "table.txt"
    write_code_table(path, tile_code(np.array([[0, 0, 2, 0]]), bits=2))
    assert path.read_text().splitlines() == ["0", "-", "1", "-"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0\n\n1\n-\n", r"table\.txt:2: is empty; a symbol without codeword has '-'"),
        ("0\n2\n", r"table\.txt:2: '2' is not a binary digit"),
        ("1\n0\n", r"table\.txt:1: codeword 1 is 0 in the canonical code"),
        ("00\n01\n", r"table\.txt: "),
    ],
)
def test_malformed_code_tables_are_named(tmp_path, text, message):
    path = tmp_path / "table.txt"
    path.write_text(text)
    with pytest.raises(TileError, match=message):
        read_code_table(path)


@pytest.mark.parametrize("line", ["", "0", "01", "000", "1111111", "01x"])
def test_malformed_coded_lines_are_named(tmp_path, line):
    table = tile_code(np.array([[0, 0, 1, 2]]), bits=2)
    path = tmp_path / "coded.txt"
    path.write_text(f"00\n{line}\n")
    with pytest.raises(TileError, match=r"coded\.txt:2: "):
        read_coded_tile(path, table, bits=2, signed=False, channels=2)


def test_a_symbol_that_the_table_lacks_is_named(tmp_path):
    table = tile_code(np.array([[0, 1]]), bits=2)
    with pytest.raises(TileError, match="no codeword for symbol 3"):
        write_coded_tile(tmp_path / "coded.txt", np.array([[3, 0]]), table, bits=2, signed=False)
    assert not list(tmp_path.iterdir())


def test_a_tile_that_does_not_fit_makes_no_folder(tmp_path):
    folder = tmp_path / "tiles"
    with pytest.raises(TileError, match="value 16"):
        export_tile(folder, np.array([[16]]), bits=4, signed=False)
    assert not folder.exists()

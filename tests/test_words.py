"""Words and memory files: what goes in comes out, and what is malformed is named."""

from __future__ import annotations

import shutil
import subprocess

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from huffq import CodeTable
from huffq.errors import TileError
from huffq.words import (
    pack_words,
    read_memory,
    read_table_memory,
    table_packet,
    table_words,
    unpack_words,
    write_memory,
    write_table_memory,
)


def test_first_bit_is_the_highest_of_word_0_and_the_last_word_is_padded():
    assert pack_words(bytes([0b10110001, 0b01000000]), 11, 4) == [0b1011, 0b0001, 0b0100]
    assert pack_words(bytes([0b10110001, 0b01000000]), 11, 1024) == [0b10110001010 << 1013]
    assert pack_words(b"", 0, 32) == []


@given(digits=st.text("01", max_size=200), width=st.integers(1, 1024))
def test_words_are_the_digits_of_the_stream(digits, width):
    bits = np.packbits(np.array(list(digits), np.uint8)).tobytes()
    words = pack_words(bits, len(digits), width)
    text = "".join(f"{word:0{width}b}" for word in words)
    assert text == digits.ljust(-(-len(digits) // width) * width, "0")
    assert unpack_words(words, len(digits), width) == bits


def test_bits_beyond_the_stream_are_left_out():
    assert pack_words(b"\xff\xff", 9, 8) == [0xFF, 0x80]


@pytest.mark.parametrize("width", [0, 1025])
def test_impossible_widths_are_refused(width, tmp_path):
    for call in (
        lambda: pack_words(b"", 0, width),
        lambda: unpack_words([], 0, width),
        lambda: write_memory(tmp_path / "m", [], width),
        lambda: read_memory(tmp_path / "m", width),
    ):
        with pytest.raises(ValueError, match=f"width is {width}"):
            call()


def test_unknown_digits_are_refused(tmp_path):
    with pytest.raises(ValueError, match="radix is 'octal'"):
        write_memory(tmp_path / "m", [1], 4, "octal")
    with pytest.raises(ValueError, match="radix is 'octal'"):
        read_memory(tmp_path / "m", 4, "octal")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: pack_words(b"a", 9, 8), "n_bits is 9; 1 bytes hold 0 to 8"),
        (lambda: unpack_words([1], 9, 8), "1 words of 8 bits are not those of 9 bits"),
        (lambda: unpack_words([256], 8, 8), "word 0 is 0x100; it does not fit 8 bits"),
        (lambda: unpack_words([1], 7, 8), "not zero after the last of 7 bits"),
    ],
)
def test_words_that_are_no_stream_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@given(data=st.data(), width=st.integers(1, 1024), radix=st.sampled_from(["hex", "binary"]))
def test_memory_files_round_trip(tmp_path_factory, data, width, radix):
    words = data.draw(st.lists(st.integers(0, (1 << width) - 1), max_size=20))
    path = tmp_path_factory.getbasetemp() / "memory"
    write_memory(path, words, width, radix)
    assert read_memory(path, width, radix) == words


def test_all_digits_of_a_word_are_written(tmp_path):
    write_memory(tmp_path / "m.memh", [0xAB, 0x1FF], 9)
    assert (tmp_path / "m.memh").read_bytes() == b"0ab\n1ff\n"
    write_memory(tmp_path / "m.memb", [1, 4], 3, "binary")
    assert (tmp_path / "m.memb").read_bytes() == b"001\n100\n"


def test_everything_that_readmem_takes_is_read(tmp_path):
    path = tmp_path / "m.memh"
    path.write_bytes(b"// two\r\n@2 C0_de 1 // three\r\n@0\r\nA\r\n\r\n  b\r\n@4 f")
    assert read_memory(path, 16) == [0xA, 0xB, 0xC0DE, 1, 0xF]
    path.write_bytes(b"@a//c\n0")
    with pytest.raises(TileError, match=r"m\.memh: address 0x0 has no word"):
        read_memory(path, 16)
    path.write_bytes(b"// nothing\n")
    assert read_memory(path, 16) == []


@pytest.mark.parametrize(
    ("text", "radix", "message"),
    [
        (b"0\n2\n", "binary", r"m:2: '2' is not a binary digit"),
        (b"0\n\n0x1\n", "hex", r"m:3: 'x' is not a hexadecimal digit"),
        (b"0\n1_0000\n", "hex", r"m:2: 1_0000 does not fit 16 bits"),
        (b"_\n", "hex", r"m:1: '_' is not a hexadecimal digit"),
        (b"@0 1\n@\n", "hex", r"m:2: '@' is not a hexadecimal address"),
        (b"@g\n", "hex", r"m:1: '@g' is not a hexadecimal address"),
        (b"1\n@0\n2\n", "hex", r"m:3: address 0x0 has a word already"),
        (b"1 \xe9\n", "hex", r"m: byte 2 is not ASCII"),
        ("1 ٣\n".encode("utf-16"), "hex", "m: byte 0 is not ASCII"),
    ],
)
def test_malformed_memory_files_are_named_with_their_line(tmp_path, text, radix, message):
    path = tmp_path / "m"
    path.write_bytes(text)
    with pytest.raises(TileError, match=message):
        read_memory(path, 16, radix)


def test_a_word_that_does_not_fit_leaves_the_file_alone(tmp_path):
    path = tmp_path / "m"
    path.write_text("before")
    with pytest.raises(ValueError, match="word 1 is 0x10; it does not fit 4 bits"):
        write_memory(path, [15, 16], 4)
    assert path.read_text() == "before"
    assert [p.name for p in tmp_path.iterdir()] == ["m"]


def test_a_table_has_left_aligned_codewords_in_symbol_order(tmp_path):
    table = CodeTable.from_lengths([1, 3, 0, 2, 3])
    path = tmp_path / "table.memh"
    write_table_memory(path, table, 5)
    assert path.read_text().split() == ["020", "078", "000", "050", "07c"]
    assert read_table_memory(path, 5) == table


@given(
    counts=st.lists(st.integers(0, 2**40), min_size=1, max_size=256),
    spare=st.integers(0, 15),
    radix=st.sampled_from(["hex", "binary"]),
)
def test_tables_round_trip(tmp_path_factory, counts, spare, radix):
    table = CodeTable.from_counts(counts, max_length=15)
    max_length = min(15, max(1, int(table.lengths.max())) + spare)
    path = tmp_path_factory.getbasetemp() / "table"
    write_table_memory(path, table, max_length, radix)
    assert read_table_memory(path, max_length, radix) == table


def test_tables_that_are_none_are_refused(tmp_path):
    path = tmp_path / "table.memh"
    with pytest.raises(ValueError, match="a codeword has 3 bits; max_length is 2"):
        table_words(CodeTable.from_lengths([1, 3, 3, 2]), 2)
    for max_length in (0, 16):
        with pytest.raises(ValueError, match=f"max_length is {max_length}"):
            table_words(CodeTable.from_lengths([1, 1]), max_length)
        with pytest.raises(ValueError, match=f"max_length is {max_length}"):
            read_table_memory(path, max_length)
    path.write_text("20\n20\n")
    with pytest.raises(TileError, match=r"table\.memh: the entry of symbol 1 is 0x20; .* 0x30"):
        read_table_memory(path, 5)
    path.write_text("40\n40\n")
    with pytest.raises(TileError, match=r"table\.memh: "):
        read_table_memory(path, 5)


BENCH = """
module bench;
  reg [{width}-1:0] words [0:{last}];
  integer i;
  initial begin
    $readmem{letter}("{path}", words);
    for (i = 0; i <= {last}; i = i + 1) $display("%h", words[i]);
  end
endmodule
"""


@pytest.mark.skipif(shutil.which("iverilog") is None, reason="Icarus Verilog is not installed")
@pytest.mark.parametrize("radix", ["hex", "binary"])
@pytest.mark.parametrize("width", [1, 37, 1024])
def test_a_simulator_reads_the_memory_as_it_was_written(tmp_path, width, radix):
    digits = np.random.default_rng(width).integers(0, 256, 9 * width // 8 + 1, dtype=np.uint8)
    words = pack_words(digits.tobytes(), 9 * width, width)
    write_memory(tmp_path / "m", words, width, radix)
    source = tmp_path / "bench.v"
    options = {"width": width, "last": len(words) - 1, "letter": radix[0], "path": tmp_path / "m"}
    source.write_text(BENCH.format(**options))
    subprocess.run(["iverilog", "-o", tmp_path / "bench", source], check=True)
    shown = subprocess.run(
        ["vvp", "-n", tmp_path / "bench"], check=True, capture_output=True, text=True
    )
    assert "WARNING" not in shown.stdout + shown.stderr
    assert [int(line, 16) for line in shown.stdout.split()] == words


def test_a_table_is_loaded_in_canonical_order_and_its_last_beat_says_so():
    # The table of docs/hardware.md, but in an alphabet of 8 symbols: {last, length[3:0], symbol}.
    table = CodeTable.from_lengths([1, 3, 0, 2, 3, 0, 0, 0])
    beats = [(0, 1, 0), (0, 2, 3), (0, 3, 1), (1, 3, 4)]
    assert table_packet(table) == [last << 7 | length << 3 | s for last, length, s in beats]
    assert table_packet(CodeTable.from_lengths([0, 1])) == [1 << 5 | 1 << 1 | 1]
    assert table_packet(CodeTable.from_lengths([0, 0])) == []

"""The text form of tiles: real files byte for byte, every variant, and malformed lines."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from huffq.errors import TileError
from huffq.testbench import PSUM_BITS, Content, TextForm, read_numbers, write_numbers
from tile_sets import TILE_SETS

FORMS = st.builds(
    TextForm,
    header=st.booleans(),
    newline=st.sampled_from(["\n", "\r\n"]),
    final_newline=st.booleans(),
    digits=st.sampled_from(["binary", "hex"]),
)


@pytest.mark.parametrize("name", TILE_SETS)
def test_real_files_are_written_byte_for_byte(shared_data, tmp_path, name):
    paths = sorted((shared_data / "tiles" / name).iterdir())
    assert len(paths) in (11, 20)
    for path in paths:
        kind = path.name.split("_")[0].removesuffix(".txt")
        content = {"activation": Content.ACTIVATION, "weight": Content.WEIGHT}.get(
            kind, Content.PSUM
        )
        bits = PSUM_BITS if content is Content.PSUM else 4
        signed = content is not Content.ACTIVATION
        values = read_numbers(path, bits=bits, signed=signed)
        form = TextForm(header=name == "headed-8x8")
        copy = tmp_path / path.name
        write_numbers(copy, values, content, bits=bits, signed=signed, form=form)
        assert copy.read_bytes() == path.read_bytes(), path.name


def test_weight_files_of_a_real_layer_are_written_byte_for_byte(shared_data, tmp_path):
    folder = shared_data / "resnet20-4bit"
    with np.load(folder / "golden-integers.npz") as golden:
        weights = golden["layer1.0.conv2.w_int"]
    for k, (row, column) in enumerate(np.ndindex(3, 3)):
        matrix = weights[:, :, row, column]
        copy = tmp_path / f"weight_kij{k}.txt"
        write_numbers(copy, matrix, Content.WEIGHT, bits=4, signed=True, form=TextForm(header=True))
        real = folder / "layer1.0.conv2-weights" / copy.name
        assert copy.read_bytes() == real.read_bytes(), copy.name


@given(data=st.data(), form=FORMS, content=st.sampled_from(Content), signed=st.booleans())
def test_round_trip_in_every_form(tmp_path_factory, data, form, content, signed):
    bits = data.draw(st.integers(1, 63))
    channels = data.draw(st.integers(1, 17))
    low, high = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if signed else (0, (1 << bits) - 1)
    row = st.lists(st.integers(low, high), min_size=channels, max_size=channels)
    values = np.array(data.draw(st.lists(row, min_size=1, max_size=5)), np.int64)
    path = tmp_path_factory.getbasetemp() / "round_trip.txt"
    write_numbers(path, values, content, bits=bits, signed=signed, form=form)
    read = read_numbers(path, bits=bits, signed=signed, channels=channels)
    np.testing.assert_array_equal(read, values)


def test_highest_channel_stands_leftmost_in_twos_complement(tmp_path):
    path = tmp_path / "weight.txt"
    write_numbers(path, np.array([[1, -2]]), Content.WEIGHT, bits=4, signed=True)
    assert path.read_bytes() == b"11100001\n"


def test_a_hexadecimal_line_is_one_number(tmp_path):
    path = tmp_path / "psum.txt"
    form = TextForm(digits="hex")
    write_numbers(path, np.array([[1, -2, 3]]), Content.PSUM, bits=5, signed=True, form=form)
    assert path.read_bytes() == b"0fc1\n"
    path.write_bytes(b"0FC1\r\n")
    np.testing.assert_array_equal(read_numbers(path, bits=5, signed=True, channels=3), [[1, -2, 3]])
    path.write_bytes(b"0fc1\n8fc1\n")
    with pytest.raises(TileError, match=r"psum\.txt:2: does not fit 15 bits"):
        read_numbers(path, bits=5, signed=True, channels=3)


def test_form_decides_header_and_line_endings(tmp_path):
    path = tmp_path / "tile.txt"
    form = TextForm(header=True, newline="\r\n", final_newline=False)
    write_numbers(path, np.array([[3], [0]]), Content.PSUM, bits=2, signed=False, form=form)
    lines = path.read_bytes().split(b"\r\n")
    assert [line[:1] for line in lines] == [b"#", b"#", b"#", b"1", b"0"]
    assert lines[3:] == [b"11", b"00"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"0000\n00\n", r"tile\.txt:2: has 2 digits; 2 numbers of 2 bits have 4 binary or 1 hex"),
        (b"0000\n\n", r"tile\.txt:2: has 0 digits"),
        (b"#\n#\n#\n0000\n0120\n", r"tile\.txt:5: '2' is not a binary digit"),
        (b"0000\n# note\n", r"tile\.txt:2: '#' is not a binary digit"),
        (b"00 00\r\n", r"tile\.txt:1: ' ' is not a binary digit"),
        (b"f\ng\n", r"tile\.txt:2: 'g' is not a hexadecimal digit"),
        (b"f\n10\n", r"tile\.txt:2: has 2 digits"),
        (b"#\n0000\n", "has 1 header lines; it must have three or none"),
        (b"#\n#\n#\n", "holds no numbers"),
        (b"", "holds no numbers"),
        (b"0000\n\xff\n", "byte 5 is not ASCII text"),
    ],
)
def test_malformed_files_are_named_with_their_line(tmp_path, text, message):
    path = tmp_path / "tile.txt"
    path.write_bytes(text)
    with pytest.raises(TileError, match=message):
        read_numbers(path, bits=2, signed=False, channels=2)


@pytest.mark.parametrize(
    ("values", "signed", "message"),
    [
        ([[0, 16]], False, "value 16 of line 0, channel 1 does not fit 4 unsigned bits"),
        ([[0], [-1]], False, "value -1 of line 1, channel 0 .* 0 to 15"),
        ([[8]], True, "value 8 .* 4 signed bits, which hold -8 to 7"),
        ([[-9]], True, "value -9"),
        ([1, 2], False, r"shape \[2\] is not \[lines, channels\]"),
        (np.zeros((0, 8), int), False, r"shape \[0, 8\]"),
    ],
)
def test_what_does_not_fit_is_refused_and_leaves_the_file_alone(tmp_path, values, signed, message):
    path = tmp_path / "tile.txt"
    path.write_text("before")
    with pytest.raises(TileError, match=message):
        write_numbers(path, np.array(values), Content.ACTIVATION, bits=4, signed=signed)
    assert [p.name for p in tmp_path.iterdir()] == ["tile.txt"]
    assert path.read_text() == "before"


def test_floats_and_impossible_widths_are_refused(tmp_path):
    path = tmp_path / "tile.txt"
    with pytest.raises(TypeError, match="float64"):
        write_numbers(path, np.zeros((1, 1)), Content.PSUM, bits=4, signed=True)
    for bits in (0, 64):
        with pytest.raises(ValueError, match=f"bits is {bits}"):
            write_numbers(path, np.zeros((1, 1), int), Content.PSUM, bits=bits, signed=True)
        with pytest.raises(ValueError, match=f"bits is {bits}"):
            read_numbers(path, bits=bits, signed=True)


def test_a_write_that_fails_leaves_nothing_behind(tmp_path):
    target = tmp_path / "tile.txt"
    target.mkdir()
    with pytest.raises(IsADirectoryError):
        write_numbers(target, np.zeros((1, 1), int), Content.PSUM, bits=4, signed=True)
    assert [p.name for p in tmp_path.iterdir()] == ["tile.txt"]

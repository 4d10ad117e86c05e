"""Complete tile sets: the real ones rewritten from their numbers, and sets of every kind."""

from __future__ import annotations

import json

import numpy as np
import pytest

from huffq import CodeTable
from huffq.codes import Codes
from huffq.errors import TileError
from huffq.testbench import TextForm, read_numbers
from huffq.tiles import (
    Coding,
    Convolution,
    Export,
    Tiling,
    code_tiles,
    export_tiles,
    read_code_table,
    read_coded_tile,
    read_stream,
)
from huffq.words import read_memory, read_table_memory, table_packet
from tile_sets import TILE_SETS, random_convolution, real_convolution

TABLE = CodeTable.from_lengths([2, 2, 3, 3, 4, 4, 5, 5, *[7] * 8])


def export(folder, tiling, coding=None, **options):
    coded = code_tiles(tiling, coding or Coding())
    export_tiles(folder, coded, Export(**options))
    return coded


def names(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", TILE_SETS)
def test_real_sets_are_rewritten_byte_for_byte(shared_data, tmp_path, name):
    folder = shared_data / "tiles" / name
    psums, (activation, weight) = name == "headed-8x8", TILE_SETS[name]
    form = TextForm(header=name == "headed-8x8")
    export(tmp_path, Tiling(real_convolution(folder)), psums=psums, form=form)
    real = {
        "activation_tile0.txt": activation,
        "out_otile0.txt": "out.txt",
        **{f"weight_itile0_otile0_kij{k}.txt": weight.format(k) for k in range(9)},
        **{f"psum_itile0_otile0_kij{k}.txt": f"psum_kij{k}.txt" for k in range(9 * psums)},
    }
    assert set(real.values()) == {path.name for path in folder.iterdir()}
    for copy, original in real.items():
        assert (tmp_path / copy).read_bytes() == (folder / original).read_bytes(), copy
    own = {
        *("activation_tile0_ref.txt", "activation_tile0_huffman.txt", "sum_otile0.txt"),
        *("activation_tile0_table.memh", "activation_tile0_table_load.memh"),
        *("stream.memh", "stream_index.memh", "tiles.json"),
    }
    assert names(tmp_path) == set(real) | own


@pytest.mark.parametrize("digits", ["binary", "hex"])
@pytest.mark.parametrize("order", ["weight-stationary", "output-stationary"])
def test_every_file_holds_what_its_name_says(tmp_path, order, digits):
    convolution = random_convolution(
        np.random.default_rng(4), (2, 10, 6, 5), 9, signed=True, groups=1, stride=(2, 1)
    )
    tiling = Tiling(convolution, 4, 3, order)
    coded = export(
        tmp_path, tiling, psums=True, psum_bits=20, form=TextForm(digits=digits), memory="binary"
    )
    wide = {"bits": 20, "signed": True, "channels": 3}
    for i, o in np.ndindex(3, 3):
        for k, matrix in enumerate(tiling.weights(i, o)):
            path = tmp_path / f"weight_itile{i}_otile{o}_kij{k}.txt"
            read = read_numbers(path, bits=4, signed=True, channels=4)
            np.testing.assert_array_equal(read, matrix)
    for image in range(2):
        folder = tmp_path / f"image{image}"
        for i in range(3):
            rows = tiling.activation(image, i)
            kind = {"bits": 4, "signed": True, "channels": 4}
            path = folder / f"activation_tile{i}"
            np.testing.assert_array_equal(read_numbers(f"{path}.txt", **kind), rows)
            table = read_code_table(f"{path}_ref.txt")
            np.testing.assert_array_equal(
                read_coded_tile(f"{path}_huffman.txt", table, **kind), rows
            )
            assert read_table_memory(f"{path}_table.memb", 12, "binary") == table
        for o, values in enumerate(tiling.output(image)):
            read = read_numbers(folder / f"sum_otile{o}.txt", **wide)
            np.testing.assert_array_equal(read, values)
            read = read_numbers(folder / f"out_otile{o}.txt", **wide)
            np.testing.assert_array_equal(read, np.maximum(values, 0))
        for i, o in np.ndindex(3, 3):
            psums, name = tiling.psums(image, i, o), f"psum_itile{i}_otile{o}"
            if order == "output-stationary":
                read = read_numbers(folder / f"{name}.txt", **wide)
                np.testing.assert_array_equal(read, psums.reshape(-1, 3))
            for k, values in enumerate(psums if order == "weight-stationary" else ()):
                read = read_numbers(folder / f"{name}_kij{k}.txt", **wide)
                np.testing.assert_array_equal(read, values)
    stream = read_stream(tmp_path / "stream.memb", tmp_path / "stream_index.memb", 32, "binary")
    assert stream == coded.stream


def test_a_shared_table_is_written_once(tmp_path):
    tiling = Tiling(random_convolution(np.random.default_rng(5), (1, 16, 4, 4), 8))
    export(tmp_path, tiling, Coding(TABLE, max_length=9, word_bits=64, pitch="worst"))
    assert read_code_table(tmp_path / "code_table.txt") == TABLE
    assert read_table_memory(tmp_path / "code_table.memh", 9) == TABLE
    assert read_memory(tmp_path / "code_table_load.memh", 9) == table_packet(TABLE)
    assert not [name for name in names(tmp_path) if name.endswith(("_ref.txt", "0_table.memh"))]
    described = json.loads((tmp_path / "tiles.json").read_text())
    assert described["table"] == "given"
    assert described["pitch"] == described["worst_words"] == 16 * 8 * 7 // 64
    assert [tile["first_word"] for tile in described["tiles"]] == [0, described["pitch"]]
    assert described["kernel"] == [3, 3]
    assert described["output_shape"] == [8, 2, 2]


def test_an_interrupted_export_does_not_pass_for_a_whole_one(tmp_path, monkeypatch):
    tiling = Tiling(random_convolution(np.random.default_rng(5), (1, 16, 4, 4), 8))
    export(tmp_path, tiling)

    def interrupt(*_args, **_options):
        raise KeyboardInterrupt

    monkeypatch.setattr("huffq.tiles.export.write_stream", interrupt)
    with pytest.raises(KeyboardInterrupt):
        export(tmp_path, tiling, Coding(word_bits=64))
    assert not (tmp_path / "tiles.json").exists()


def test_pairs_without_a_common_group_have_no_files(tmp_path):
    convolution = random_convolution(np.random.default_rng(6), (1, 24, 3, 3), 24, groups=3)
    export(tmp_path, Tiling(convolution), psums=True)
    pairs = {(f"itile{i}", f"otile{i}") for i in range(3)}
    for kind in ("weight", "psum"):
        found = {tuple(name.split("_")[1:3]) for name in names(tmp_path) if name.startswith(kind)}
        assert found == pairs


def test_a_sum_that_does_not_fit_leaves_no_files(tmp_path):
    codes = Codes(np.full((1, 8, 1, 1), 15, np.uint8), 4)
    convolution = Convolution(codes, Codes(np.full((8, 8, 1, 1), 7, np.int8), 4))
    with pytest.raises(TileError, match="840 does not fit 10 signed bits"):
        export(tmp_path / "tiles", Tiling(convolution), psum_bits=10)
    with pytest.raises(ValueError, match="psum_bits is 64"):
        export(tmp_path / "tiles", Tiling(convolution), psum_bits=64)
    assert not list(tmp_path.iterdir())

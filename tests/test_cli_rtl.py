"""The command `rtl`: what it writes, for codes from every source, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest

import huffq
from huffq import CodeTable
from huffq.cli import main
from huffq.rtl import sources
from huffq.tiles import Coding, Tiling, code_tiles, export_tiles, write_code_table
from huffq.words import read_table_memory
from tile_sets import random_convolution

LENGTHS = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 15]


def run(*argv):
    return main([str(arg) for arg in ("rtl", *argv)])


def written(folder, max_length=12):
    return read_table_memory(folder / "code_table.memh", max_length)


def test_the_folder_holds_sources_bench_tiles_and_how_to_run_them(tmp_path, capsys):
    folder = tmp_path / "out"
    assert run("--lengths", *LENGTHS, "--max-length", 15, "--out-dir", folder) == 0
    assert str(folder) in capsys.readouterr().out
    top = {path.name for path in folder.iterdir()}
    assert top == {
        *("cores", "bench", "tiles", "README.md", "Makefile"),
        *("bench_top.sv", "cores.f", "code_table.memh", "code_table_load.memh", "synth.ys"),
    }
    for kind in ("cores", "bench"):
        names = [path.name for path in sources(kind)]
        assert sorted(path.name for path in (folder / kind).iterdir()) == names
    assert "64'hffedcba987654321" in (folder / "bench_top.sv").read_text()
    assert "$" not in (folder / "README.md").read_text()
    assert written(folder, 15).lengths.tolist() == LENGTHS


def test_a_code_comes_from_counts_of_any_file(tmp_path):
    codes = np.minimum(np.random.default_rng(0).geometric(0.4, (30, 8, 5)) - 1, 14)
    np.save(tmp_path / "codes.npy", codes)
    huffq.encode_dataset({"a": codes.astype(np.uint8)}, tmp_path / "codes.huffq", bits=4)
    expected = CodeTable.from_counts(np.bincount(codes.ravel(), minlength=16))
    for name in ("codes.npy", "codes.huffq"):
        assert run("--counts", tmp_path / name, "--out-dir", tmp_path / "out") == 0
        assert written(tmp_path / "out") == expected
    assert run("--counts", tmp_path / "codes.npy", "--every-symbol", "--out-dir", tmp_path) == 0
    assert written(tmp_path).lengths.all()


def test_negative_integers_are_twos_complement(tmp_path):
    np.save(tmp_path / "codes.npy", np.array([[-1] * 5 + [-4] * 2 + [3]]))
    argv = ("--counts", tmp_path / "codes.npy", "--bits", 3, "--out-dir", tmp_path)
    assert run(*argv) == 0
    assert written(tmp_path).lengths.tolist() == [0, 0, 0, 2, 2, 0, 0, 1]


def test_a_code_comes_from_a_table_file(tmp_path):
    table = CodeTable.from_lengths(LENGTHS)
    write_code_table(tmp_path / "table.txt", table)
    argv = ("--table", tmp_path / "table.txt", "--max-length", 15, "--fixed")
    assert run(*argv, "--out-dir", tmp_path) == 0
    assert written(tmp_path, 15) == table
    assert ".LOADABLE(0)" in (tmp_path / "bench_top.sv").read_text()


def test_exported_tiles_become_what_the_bench_runs(tmp_path):
    convolution = random_convolution(np.random.default_rng(0), (1, 8, 6, 5), 8)
    coded = code_tiles(Tiling(convolution), Coding("layer", max_length=9, word_bits=24))
    export_tiles(tmp_path / "export", coded)
    argv = ("--tiles", tmp_path / "export", "--symbols-per-clock", 2)
    assert run(*argv, "--out-dir", tmp_path) == 0
    for name in ("stream.memh", "stream_index.memh", "code_table_load.memh"):
        ours = (tmp_path / "tiles" / name).read_bytes()
        assert ours == (tmp_path / "export" / name).read_bytes()
    text = (tmp_path / "export" / "activation_tile0.txt").read_text().split()
    rows = (tmp_path / "tiles" / "rows.memh").read_text().split()
    assert [int(row, 16) for row in rows] == [int(line, 2) for line in text]


def test_a_table_left_by_an_earlier_export_is_not_taken(tmp_path):
    convolution = random_convolution(np.random.default_rng(0), (1, 16, 6, 5), 8)
    for table in ("layer", "tile"):
        coded = code_tiles(Tiling(convolution), Coding(table))
        export_tiles(tmp_path / "export", coded)
    assert (tmp_path / "export" / "code_table.memh").exists()
    assert run("--tiles", tmp_path / "export", "--out-dir", tmp_path / "out") == 0
    first = (tmp_path / "export" / "activation_tile0_table_load.memh").read_text()
    second = (tmp_path / "export" / "activation_tile1_table_load.memh").read_text()
    assert (tmp_path / "out" / "tiles" / "code_table_load.memh").read_text() == first + second


def test_a_stream_that_is_not_the_texts_is_named(tmp_path, fails):
    convolution = random_convolution(np.random.default_rng(0), (1, 16, 6, 5), 8)
    export = tmp_path / "export"
    export_tiles(export, code_tiles(Tiling(convolution), Coding("layer")))
    argv = ("rtl", "--tiles", export, "--out-dir", tmp_path / "out")
    files = {name: (export / name).read_bytes() for name in ("stream.memh", "stream_index.memh")}
    words = files["stream.memh"].splitlines(keepends=True)
    entries = files["stream_index.memh"].splitlines(keepends=True)

    (export / "stream.memh").write_bytes(b"ffffffff\n" * len(words))
    assert "stream.memh does not hold tile 0 of this table" in fails(*argv)
    (export / "stream.memh").write_bytes(files["stream.memh"])
    (export / "stream_index.memh").write_bytes(entries[0])
    assert "stream_index.memh has 1 tiles; the export has 2" in fails(*argv)
    (export / "stream_index.memh").write_bytes(b"".join(entries))
    text = export / "activation_tile1.txt"
    lines = text.read_text().splitlines(keepends=True)
    text.write_text("".join(lines[::-1]))
    assert "stream.memh: tile 1 is not the one in" in fails(*argv)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["--lengths", "1", "2"], "Kraft"),
        (["--lengths", "1", "2", "2"], "power of two"),
        (["--lengths", "1"], "1 symbols; the cores want a power of two from 2 on"),
        (["--lengths", *LENGTHS], "codeword of 15 bits; max_length is 12"),
        (["--lengths", "1", "1", "--symbols-per-clock", "3"], "multiple of 3 lanes"),
        (["--lengths", *["8"] * 256, "--rows", "256"], "rows is 256; a row of 2048 bits"),
        (["--lengths", "1", "1", "--word-bits", "8"], "12 bits, so have 12 to 1024"),
        (["--lengths", "1", "1", "--max-length", "16", "--word-bits", "64"], "max_length is 16"),
        (["--lengths", "1", "1", "--count-bits", "33"], "count_bits is 33"),
        (["--lengths", "1", "1", "--count-bits", "8"], "288 symbols; count_bits is 8"),
        (["--counts", "wide.npy"], "value 16"),
        (["--counts", "floats.npy"], "must be integers"),
        (["--counts", "two.huffq"], "3 fields"),
        (["--counts", "two.huffq", "--field", "c"], "no field 'c'"),
        (["--counts", "two.huffq", "--field", "label"], "holds int64, not codes"),
        (["--counts", "missing.npy"], "missing.npy"),
        (["--lengths", "1", "1", "--bits", "1"], "--bits belongs to --counts"),
        (["--table", "table.txt", "--every-symbol"], "--every-symbol belongs to --counts"),
        (["--tiles", ".", "--field", "a"], "--field belongs to --counts"),
        (["--tiles", "."], "tiles.json"),
        (["--tiles", ".", "--rows", "4"], "--rows is the export's"),
    ],
)
def test_what_cannot_be_is_one_sentence_and_leaves_no_folder(
    argv, said, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    np.save("wide.npy", np.full((2, 2), 16))
    np.save("floats.npy", np.zeros((2, 2)))
    field = np.zeros((3, 4), np.uint8)
    fields = {"a": field, "b": field, "label": np.arange(3)}
    huffq.encode_dataset(fields, "two.huffq", bits={"a": 4, "b": 4})
    assert run(*argv, "--out-dir", "out") == 2
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1
    assert said in captured.err
    assert not (tmp_path / "out").exists()

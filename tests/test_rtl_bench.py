"""The exported folder and its self-checking bench: Verilator, Icarus, lint and synthesis."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from pathlib import Path

import numpy as np
import pytest

from huffq import CodeTable
from huffq.rtl import (
    Core,
    code_vectors,
    export_rtl,
    read_vectors,
    sample_tiles,
    sources,
    write_vectors,
)
from huffq.tiles import Coding, Export, Tiling, code_tiles, export_tiles
from tile_sets import random_convolution


def needs(tool: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(tool) is None, reason=f"{tool} is not installed")


CORES = {
    "one a clock": Core(max_length=15),
    "two a clock": Core(max_length=15, lanes=2),
    "fixed": Core(max_length=15, lanes=2, loadable=False),
    "2 bits in 16 rows": Core(word_bits=16, symbol_bits=2, max_length=3, lanes=4, rows=16),
    "wide words and rows of 8 bits, fixed": Core(
        word_bits=136, symbol_bits=8, max_length=15, lanes=4, rows=20, loadable=False
    ),
    "odd widths": Core(word_bits=21, symbol_bits=5, max_length=7, lanes=3, rows=9),
    "words of one codeword": Core(word_bits=8, symbol_bits=3, max_length=8, rows=5),
}


def random_table(core: Core, rng: np.random.Generator, used: int | None = None) -> CodeTable:
    """Return a code of `used` symbols, or of all, with its longest codewords."""
    alphabet = 1 << core.symbol_bits
    counts = np.zeros(alphabet)
    chosen = rng.permutation(alphabet)[:used]
    counts[chosen] = np.maximum(1, 2.0 ** (30 - np.arange(len(chosen))))
    return CodeTable.from_counts(counts.astype(np.int64), max_length=core.max_length)


def make(folder, target, **variables):
    """Run a target of the folder's Makefile; return its output."""
    command = ["make", "-C", str(folder), target, *(f"{k}={v}" for k, v in variables.items())]
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stdout + process.stderr
    return process.stdout


@pytest.fixture(scope="module")
def export(tmp_path_factory):
    """Give the folder of a set of parameters, in which all tests share what they build."""

    @cache
    def export(name):
        core = CORES[name]
        table = random_table(core, np.random.default_rng(0))
        assert table.lengths.max() == core.max_length or core.symbol_bits <= 3
        folder = tmp_path_factory.mktemp("rtl")
        export_rtl(folder, table, core)
        return folder, core, table

    return export


@pytest.fixture(params=CORES)
def exported(request, export):
    """The folder of each set of parameters."""
    return export(request.param)


@needs("verilator")
def test_verilator_runs_every_set_of_parameters(exported):
    folder, core, table = exported
    assert "PASS" in make(folder, "verilator", STALL=0)
    tiles = sample_tiles(table, core.rows, tiles=200, nij=13, seed=1)
    (folder / "many").mkdir()
    write_vectors(folder / "many", code_vectors(tiles, [table], core), core)
    for stall, seed in ((100, 2), (10, 3)):
        make(folder, "verilator", DIR="many", STALL=stall, SEED=seed)
    clocks, promised = map(
        int,
        re.search(
            r"decoded in (\d+) clocks; without gaps it takes (\d+)",
            make(folder, "verilator", DIR="many", STALL=0),
        ).groups(),
    )
    assert promised == 200 * (13 * core.rows // core.lanes + 1)
    assert clocks <= promised + 4


@needs("verilator")
def test_verilator_loads_a_thousand_random_tables(exported):
    folder, core, _ = exported
    if not core.loadable:
        pytest.skip("the table is fixed")
    rng = np.random.default_rng(5)
    used = rng.integers(1, (1 << core.symbol_bits) + 1, 1000)
    tables = [random_table(core, rng, int(count)) for count in used]
    tiles = [sample_tiles(table, core.rows, tiles=1, nij=7)[0] for table in tables]
    (folder / "tables").mkdir()
    write_vectors(folder / "tables", code_vectors(tiles, tables, core), core)
    for stall in (0, 80):
        assert "PASS: 1000 tiles" in make(folder, "verilator", DIR="tables", STALL=stall)


@pytest.fixture(scope="module")
def real_table(real_tiles):
    """The best code for all real tiles together."""
    return CodeTable.from_counts(sum(np.bincount(t.ravel(), minlength=16) for t in real_tiles))


@needs("verilator")
@pytest.mark.parametrize("name", ["one a clock", "two a clock"])
def test_a_thousand_real_tiles_on_verilator(real_tiles, real_table, export, name):
    folder, core, _ = export(name)
    (folder / "real").mkdir()
    write_vectors(folder / "real", code_vectors(real_tiles, [real_table], core), core)
    # Without gaps the bench demands every clock's symbols.
    for stall in (0, 64):
        assert "PASS: 1000 tiles" in make(folder, "verilator", DIR="real", STALL=stall)


@needs("iverilog")
@pytest.mark.soak
def test_a_thousand_real_tiles_on_icarus(real_tiles, real_table, tmp_path, soak):
    # Whole tiles with random gaps, half of them at either rate; with --soak all of them at both.
    runs = []
    for lanes in (1, 2):
        core, folder = Core(lanes=lanes), tmp_path / f"lanes{lanes}"
        export_rtl(folder, real_table, core)
        make(folder, "build/bench.vvp")
        tiles = real_tiles if soak else real_tiles[lanes - 1 :: 2]
        for part in range(10):
            name = folder / f"part{part}"
            name.mkdir()
            write_vectors(name, code_vectors(tiles[part::10], [real_table], core), core)
            runs.append(["vvp", str(folder / "build" / "bench.vvp"), f"+dir={name}"])
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        logs = list(pool.map(partial(subprocess.check_output, text=True), runs))
    passed = [int(n) for log in logs for n in re.findall(r"^PASS: (\d+) tiles", log, re.M)]
    assert (len(passed), sum(passed)) == (len(runs), 2000 if soak else 1000), logs


@needs("verilator")
def test_exported_tiles_run_on_verilator(tmp_path):
    convolution = random_convolution(
        np.random.default_rng(0), (2, 12, 6, 5), 8, signed=True, padding=(1, 1, 1, 1)
    )
    for table, memory, tables in (("tile", "hex", 4), ("layer", "binary", 1)):
        coded = code_tiles(Tiling(convolution), Coding(table, pitch="worst"))
        export_tiles(tmp_path / table, coded, Export(memory=memory))
        vectors, core = read_vectors(tmp_path / table)
        assert (core.rows, len(vectors.tables)) == (8, tables)
        if table == "tile":
            export_rtl(tmp_path, vectors.tables[0], core, vectors)
        else:
            write_vectors(tmp_path / "tiles", vectors, core)
        assert "PASS: 4 tiles" in make(tmp_path, "verilator")
        rows = (tmp_path / "tiles" / "rows.memh").read_text().split()
        for number, image in enumerate(("image0", "image1")):
            lines = (tmp_path / table / image / "activation_tile0.txt").read_text().split()
            expected = [f"{int(line, 2):08x}" for line in lines]
            assert rows[2 * number * len(lines) : (2 * number + 1) * len(lines)] == expected


@needs("iverilog")
def test_icarus_runs_every_set_of_parameters(exported):
    folder, *_ = exported
    assert "PASS" in make(folder, "icarus", STALL=100)


@needs("verilator")
def test_the_bench_finds_a_wrong_row_and_a_wrong_word(exported):
    folder, *_ = exported
    for name in ("rows.memh", "stream.memh"):
        broken = folder / f"wrong_{name}"
        shutil.copytree(folder / "tiles", broken)
        lines = (broken / name).read_text().splitlines()
        digits = len(lines[9])
        lines[9] = f"{int(lines[9], 16) ^ 4:0{digits}x}"
        (broken / name).write_text("\n".join(lines) + "\n")
        command = ["make", "-C", str(folder), "verilator", f"DIR={broken}"]
        process = subprocess.run(command, capture_output=True, text=True, check=False)
        assert process.returncode != 0
        assert "FAIL" in process.stdout


@needs("verilator")
def test_lint_is_clean_for_every_set_of_parameters(exported):
    folder, core, table = exported
    make(folder, "lint")
    for top in ("huffq_tile_decoder", "huffq_encoder"):
        skipped = () if top == "huffq_tile_decoder" else ("ROWS", "COUNT_BITS")
        parameters = core.parameters(table).items()
        given = [f"-G{name}={value}" for name, value in parameters if name not in skipped]
        command = ["verilator", "--lint-only", "-Wall", "--top-module", top, *given]
        process = subprocess.run(
            [*command, *map(str, sources("cores"))], capture_output=True, text=True, check=False
        )
        assert (process.returncode, process.stderr) == (0, "")


@needs("iverilog")
@pytest.mark.parametrize(("lanes", "fits"), [(2, True), (4, False)])
def test_a_symbol_count_too_narrow_for_the_lanes_stops_elaboration(tmp_path, lanes, fits):
    top = "huffq_decoder"
    given = {"WORD_BITS": 64, "COUNT_BITS": 2, "LANES": lanes}
    command = ["iverilog", "-g2012", "-s", top, "-o", str(tmp_path / "decoder.vvp")]
    command += [f"-P{top}.{name}={value}" for name, value in given.items()]
    process = subprocess.run(
        [*command, *map(str, sources("cores"))], capture_output=True, text=True, check=False
    )
    assert (process.returncode == 0) == fits
    assert ("huffq_parameters_out_of_range" in process.stderr) != fits


@pytest.mark.parametrize(
    "tool", [pytest.param(t, marks=needs(t)) for t in ("iverilog", "verilator", "yosys")]
)
@pytest.mark.parametrize("top", ["huffq_decoder", "huffq_encoder"])
@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"LENGTHS": "64'h1f"}, "huffq_lengths_are_no_code"),  # longer than MAX_LENGTH
        ({"LENGTHS": "64'h2211"}, "huffq_lengths_are_no_code"),  # too many
        ({"LENGTHS": "64'h0"}, "huffq_lengths_are_no_code"),  # none
        ({"LENGTHS": "64'h3321"}, ""),
        ({"LENGTHS": "64'h1"}, ""),
        ({"LENGTHS": "64'h3321", "LANES": 3}, "huffq_word_bits_below_lanes_times_max_length"),
        ({"LENGTHS": "64'h3321", "MAX_LENGTH": 16}, "huffq_parameters_out_of_range"),
    ],
)
def test_parameters_that_cannot_be_stop_elaboration(tmp_path, tool, top, given, said):
    given = {"LOADABLE": 0, **given}
    cores = list(map(str, sources("cores")))
    icarus = ["-g2012", "-s", top, "-o", str(tmp_path / "core.vvp")]
    lint = ["--lint-only", "-Wall", "--top-module", top]
    chparam = " ".join(f"-set {name} {value}" for name, value in given.items())
    script = f"read_verilog -sv {' '.join(cores)}; chparam {chparam} {top}; hierarchy -check"
    options = {
        "iverilog": [*icarus, *(f"-P{top}.{name}={value}" for name, value in given.items())],
        "verilator": [*lint, *(f"-G{name}={value}" for name, value in given.items())],
        "yosys": ["-q", "-p", f"{script} -top {top}"],
    }
    command = [tool, *options[tool], *(cores if tool != "yosys" else ())]
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (process.returncode != 0) == bool(said), process.stderr
    assert said in process.stderr


@needs("yosys")
@pytest.mark.parametrize("name", ["one a clock", "fixed", "odd widths"])
def test_yosys_synthesises_without_latches(tmp_path, name):
    core = CORES[name]
    export_rtl(tmp_path, random_table(core, np.random.default_rng(0)), core)
    make(tmp_path, "synth")
    log = (tmp_path / "build" / "synth.log").read_text()
    assert "Longest topological path" in log
    assert "latch" not in log.lower().split("printing statistics")[-1]
    assert "Warning" not in log


@needs("yosys")
@pytest.mark.soak
def test_the_area_benchmark_prints_every_core(soak):
    script = Path(__file__).parents[1] / "benches" / "rtl.py"
    command = [sys.executable, str(script), "--symbol-bits", "2", "--max-length", "3"]
    command += [] if soak else ["--quick"]
    process = subprocess.run(command, capture_output=True, text=True, check=True)
    for kind in ("loadable", "fixed"):
        row = rf"^(.*), {kind} +[\d.]+ +(\d+) +\d+ +(\d+) +\d+$"
        rows = re.findall(row, process.stdout, re.M)
        assert [name for name, *_ in rows] == [
            "tree walker, one bit a clock",
            *["huffq_decoder"] * 2,
            *["huffq_encoder"] * 2,
        ]
        assert all(int(cells) < int(area) for _, cells, area in rows)
    if soak:
        names = re.findall(r"^\d+ bits: (.*?)  ", process.stdout, re.M)
        assert names[:2] * 3 == [n for n in names if not n.startswith("table")]

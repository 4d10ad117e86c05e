"""The cores in Icarus Verilog, driven by cocotb: tables, faults, throughput, real tiles."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from huffq.rtl import sources

pytest.importorskip("cocotb", reason="cocotb is not installed (pip install '.[dev]')")
pytestmark = pytest.mark.skipif(
    shutil.which("iverilog") is None, reason="Icarus Verilog (iverilog) is not installed"
)

WALKER = Path(__file__).parents[1] / "benches" / "rtl" / "tree_walker.sv"
WIDTHS = {"WORD_BITS": 32, "SYMBOL_BITS": 4, "MAX_LENGTH": 15, "LOADABLE": 1}


@pytest.fixture(scope="module")
def simulate(tmp_path_factory):
    """Compile a core once per set of parameters; run one cocotb test on it."""
    from cocotb_tools.runner import get_results, get_runner

    built = {}

    def run(top, module, test, lanes, **environment):
        if (top, lanes) not in built:
            built[top, lanes] = get_runner("icarus"), tmp_path_factory.mktemp(f"{top}{lanes}")
            runner, folder = built[top, lanes]
            runner.build(
                sources=[WALKER] if top == "tree_walker" else sources("cores"),
                hdl_toplevel=top,
                parameters=WIDTHS if top == "tree_walker" else {**WIDTHS, "LANES": lanes},
                build_args=["-g2012"],
                build_dir=folder,
                timescale=("1ns", "1ns"),
            )
        runner, folder = built[top, lanes]
        results = runner.test(
            hdl_toplevel=top,
            test_module=module,
            testcase=test,
            plusargs=[f"+lanes={lanes}"],
            extra_env={"COCOTB_RANDOM_SEED": "1", **environment},
            build_dir=folder,
            test_dir=Path(__file__).parent,
            results_xml=str(folder / f"{test}.xml"),
        )
        assert get_results(results) == (1, 0)

    return run


@pytest.mark.parametrize("lanes", [1, 2])
@pytest.mark.parametrize(
    "test",
    [
        "a_thousand_random_tables",
        "symbols_come_every_clock",
        "garbage_ends_in_the_status_that_a_model_gives",
        "a_faulty_tile_leaves_the_next_alone",
        "one_symbol_has_one_codeword",
        "an_empty_tile_has_no_words",
        "a_table_that_is_no_code_is_an_error_until_the_next",
    ],
)
def test_decoder(simulate, test, lanes):
    simulate("huffq_decoder", "cocotb_decoder", test, lanes)


@pytest.mark.parametrize("lanes", [1, 2])
@pytest.mark.parametrize(
    "test",
    [
        "words_equal_huffqs",
        "a_tile_may_end_anywhere_in_a_word",
        "symbols_are_taken_every_clock",
        "a_symbol_without_codeword_marks_its_tile",
    ],
)
def test_encoder(simulate, test, lanes):
    simulate("huffq_encoder", "cocotb_encoder", test, lanes)


@pytest.mark.soak
@pytest.mark.parametrize(
    "test", ["a_thousand_random_tables", "a_faulty_tile_leaves_the_next_alone"]
)
def test_the_decoder_that_the_benchmark_compares_with(simulate, soak, test):
    if not soak and test == "a_thousand_random_tables":
        pytest.skip("runs with --soak")
    simulate("tree_walker", "cocotb_decoder", test, 1)


@pytest.mark.parametrize("lanes", [1, 2])
def test_a_fault_within_a_row_ends_it(simulate, lanes):
    simulate("huffq_tile_decoder", "cocotb_tile_decoder", "a_fault_within_a_row_ends_it", lanes)


@pytest.mark.soak
@pytest.mark.parametrize("lanes", [1, 2])
def test_real_tiles(simulate, real_tiles, tmp_path, soak, lanes):
    # A few of each layer; test_rtl_bench.py takes all of them.
    tiles = real_tiles if soak else real_tiles[::100]
    path = tmp_path / "tiles.npz"
    np.savez(path, *tiles)
    module = "cocotb_tile_decoder"
    simulate("huffq_tile_decoder", module, "real_tiles_come_back", lanes, TILES=str(path))

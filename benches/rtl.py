"""Area and logic depth of the cores, mapped by Yosys to simple gates.

    python benches/rtl.py [--symbol-bits 4] [--max-length 12] [--quick]

Gate equivalents are areas in units of a two-input NAND, with the ratios of a common 45 nm library.
Depth is the number of gates on the longest path between registers or ports. The fixed table is the
best code for counts that fall by a quarter from symbol to symbol.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from huffq import CodeTable
from huffq.rtl import lengths_literal, sources

FOLDER = Path(__file__).parent / "rtl"

GATE_EQUIVALENTS = {
    "NOT": 0.67,
    "NAND": 1.0,
    "NOR": 1.0,
    "AND": 1.33,
    "OR": 1.33,
    "AOI3": 1.33,
    "OAI3": 1.33,
    "AOI4": 1.67,
    "OAI4": 1.67,
    "XOR": 2.0,
    "XNOR": 2.0,
    "MUX": 2.33,
    "DFF_P": 5.67,
    "DFFE_PP": 8.0,
}


@dataclass(frozen=True)
class Area:
    """What a core takes."""

    cells: int
    flip_flops: int
    gate_equivalents: float
    depth: int


def synthesise(top: str, parameters: dict[str, str]) -> Area:
    """Map a core to the gates above."""
    files = " ".join(map(str, [*sources("cores"), *sorted(FOLDER.glob("*.sv"))]))
    chparam = " ".join(f"-set {name} {value}" for name, value in parameters.items())
    gates = ",".join(name for name in GATE_EQUIVALENTS if not name.startswith(("DFF", "NOT")))
    script = (
        f"read_verilog -sv {files}\n"
        f"chparam {chparam} {top}\n"
        f"synth -flatten -top {top}\n"
        "dfflegalize -cell $_DFF_P_ x -cell $_DFFE_PP_ x\n"
        f"abc -g {gates}\n"
        "opt_clean\n"
        "ltp -noff\n"
        "stat\n"
    )
    with tempfile.NamedTemporaryFile("w", suffix=".ys") as file:
        file.write(script)
        file.flush()
        log = subprocess.run(
            ["yosys", "-Q", "-T", file.name], capture_output=True, text=True, check=True
        ).stdout
    cells = {
        name: int(count)
        for name, count in re.findall(r"^ +\$_(\w+)_ +(\d+)$", log[log.rindex("=== ") :], re.M)
    }
    return Area(
        cells=sum(cells.values()),
        flip_flops=sum(n for name, n in cells.items() if name.startswith("DFF")),
        gate_equivalents=sum(GATE_EQUIVALENTS[name] * n for name, n in cells.items()),
        depth=int(re.findall(r"Longest topological path .*\(length=(\d+)\)", log)[-1]),
    )


def print_row(name: str, clock: str, area: Area) -> None:
    print(
        f"{name:44} {clock:>14} {area.cells:6} {area.flip_flops:6} "
        f"{area.gate_equivalents:8.0f} {area.depth:6}"
    )


def print_cores(symbol_bits: int, max_length: int) -> None:
    """Print decoders and encoders, loadable and fixed, beside the tree walker."""
    counts = (1e9 * 0.75 ** np.arange(1 << symbol_bits)).astype(np.int64) + 1
    table = CodeTable.from_counts(counts, max_length=max_length)
    mean = float((counts * table.lengths).sum() / counts.sum())
    common = {"SYMBOL_BITS": str(symbol_bits)}
    tables = {
        "loadable": {"LOADABLE": "1", "MAX_LENGTH": str(max_length)},
        "fixed": {
            "LOADABLE": "0",
            "MAX_LENGTH": str(table.lengths.max()),
            "LENGTHS": lengths_literal(table),
        },
    }
    print(f"{1 << symbol_bits} symbols, codewords up to {max_length} bits, {mean:.2f} on average\n")
    print(f"{'':44} {'symbols/clock':>14} {'cells':>6} {'FFs':>6} {'GE':>8} {'depth':>6}")
    for kind, parameters in tables.items():
        parameters = {**common, **parameters}
        name = f"tree walker, one bit a clock, {kind}"
        print_row(name, f"{1 / mean:.2f}", synthesise("tree_walker", parameters))
        for top, lanes in (("decoder", 1), ("decoder", 2), ("encoder", 1), ("encoder", 2)):
            area = synthesise(f"huffq_{top}", {**parameters, "LANES": str(lanes)})
            print_row(f"huffq_{top}, {kind}", f"{lanes:.2f}", area)
    rows = {**common, "ROWS": "8"}
    print_row("huffq_rows, 8 rows", "1.00", synthesise("huffq_rows", rows))


def print_lookups(symbol_bits: int) -> None:
    """Print how the look-up grows with the longest codeword, beside the alternatives."""
    print("\nThe look-up alone, loadable\n")
    print(f"{'':44} {'memory bits':>14} {'cells':>6} {'FFs':>6} {'GE':>8} {'depth':>6}")
    for longest in (8, 12, 15):
        parameters = {"SYMBOL_BITS": str(symbol_bits), "MAX_LENGTH": str(longest)}
        for top, what in (("limits", "limits by length (huffq)"), ("match", "entry per symbol")):
            print_row(f"{longest} bits: {what}", "", synthesise(top, parameters))
        memory = (4 + symbol_bits) << longest
        print(f"{f'{longest} bits: table of 2**{longest} entries':44} {memory:14}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--symbol-bits", type=int, default=4)
    parser.add_argument("--max-length", type=int, default=12)
    parser.add_argument("--quick", action="store_true", help="leave the look-up alone out")
    args = parser.parse_args()
    if shutil.which("yosys") is None:
        sys.exit("yosys is not installed (apt-get install yosys)")
    print_cores(args.symbol_bits, args.max_length)
    if not args.quick:
        print_lookups(args.symbol_bits)


if __name__ == "__main__":
    main()

"""Size and speed of huffq beside other codecs, one thread, in one table.

    python benches/throughput.py [--quick] [--arrays 'layer*'] [--peers 'zstd*'] [FILE.npz ...]

Without FILE.npz it reads the real arrays that lie beside the checkout, where they do, generates
three, and repeats a real one to their size, without peers, which would find the repetition; from a
FILE.npz it takes the uint8 and int8 arrays, of 4-bit codes unless they need more.

- Speeds count one byte per symbol, whatever the form, in 10^9 bytes a second. They are medians of
  up to 15 runs; huffq and `np.copyto` of the whole array take turns, then the peers do. What takes
  longer than a second runs once. Encoding includes training and returns new bytes; decoding fills
  a buffer that was there before, for all codecs that can.
- `packed` is two 4-bit symbols a byte, low nibble first; packing and unpacking is not included in
  a time. General codecs see hidden states in the better of two orders, each sample after the other
  or each channel; their row says which.
- Slow peers code a prefix, of as many symbols as the row says.
- `bits` counts per symbol all that decoding needs, but for the models and code tables of
  constriction and bitarray; `ratio` is against 4 bits a symbol, or 8 where they need more.
- `/zstd` and `/xz` are sizes relative to zstd -19 and xz -6, packed where the symbols have 4 bits.
- What was decoded is compared with what was encoded, for every row.
- A backend of huffq other than the fastest runs in a process of its own, beside its own copy.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

import inputs
import ours
import peers
from inputs import Input
from timing import Effort, Row, measure

QUICK = Effort(runs=3, seconds=0.1)
HEAD = (
    f"{'codec':22} {'input':18} {'M symbols':>9} {'bits':>7} {'ratio':>6} {'/zstd':>6} {'/xz':>6} "
    f"{'enc GB/s':>8} {'dec GB/s':>8} {'/copy':>6}"
)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE.npz")
    parser.add_argument("--quick", action="store_true", help="1 Mi symbols an array, 3 runs")
    parser.add_argument("--arrays", default="*", metavar="PATTERN", help="arrays of these names")
    parser.add_argument("--peers", default="*", metavar="PATTERN", help="peers; '' for none")
    parser.add_argument(
        "--generated-mb", type=float, default=None, metavar="MB", help="64, quick 1"
    )
    parser.add_argument("--worker", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def chosen_arrays(options: argparse.Namespace) -> Iterator[Input]:
    megabytes = options.generated_mb or (1 if options.quick else 64)
    everything = (
        (a for file in options.files for a in inputs.from_file(file, file.stem, options.arrays))
        if options.files
        else inputs.everything(megabytes, options.arrays)
    )
    return (inputs.cut(array, 1 << 20) if options.quick else array for array in everything)


def other_backends(array: Input, quick: bool) -> list[Row]:
    """huffq's rows for one array at every backend but this process's, which it agrees with."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "array.npy"
        np.save(file, array.x)
        command = [sys.executable, __file__, "--worker", str(file), *(["--quick"] * quick)]
        for backend in ours.backends()[:-1]:
            environment = os.environ | {ours.VARIABLE: backend}
            process = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE)
            rows += [Row(*row) for row in json.loads(process.stdout)]
    return rows


def worker(file: Path, effort: Effort) -> None:
    array = Input("", "", np.load(file))
    print(json.dumps(measure(list(ours.cases(array)), array.x, effort)[1:]))


def line(row: Row, width: int, references: dict[str, float]) -> str:
    def relative(peer: str) -> str:
        return f"{row.bits / references[peer]:6.3f}" if peer in references else f"{'-':>6}"

    start = f"{row.codec:22} {row.form:18} {row.symbols / 1e6:9.2f}"
    if row.codec == "copy":
        return f"{start} {'':28} {'':8} {row.decode:8.3f}"
    return (
        f"{start} {row.bits:7.3f} {row.bits / width:6.3f} {relative('zstd -19')} "
        f"{relative('xz -6')} {row.encode:8.3f} {row.decode:8.3f} {row.decode / row.copy:6.2f}"
    )


def references(rows: Sequence[Row], width: int) -> dict[str, float]:
    """Bits per symbol of the peers that sizes are set against, in the form that suits the width."""
    form = "packed" if width == 4 else "bytes"
    return {row.codec: row.bits for row in rows if row.form.startswith(form)}


def rows_of(array: Input, running: list[peers.Peer], effort: Effort, quick: bool) -> list[Row]:
    rows = measure(list(ours.cases(array)), array.x, effort) + other_backends(array, quick)
    for codec in {row.codec for row in rows}:
        blobs = {row.checksum for row in rows if row.codec == codec}
        assert len(blobs) == 1, f"{codec}: the backends write different bytes"
    fair = running if array.group != inputs.REPEATED else []
    cases = [case for peer in fair for case in peers.cases(peer, array)]
    return rows + measure(cases, array.x, effort)[1:]


def mean(tables: Sequence[list[Row]]) -> list[Row]:
    """Geometric means over arrays, of the rows that all of them have; orders count as one."""
    by_key = [{(row.codec, row.form.split(" by ")[0]): row for row in table} for table in tables]
    means = []
    for codec, form in by_key[0]:
        rows = [table[codec, form] for table in by_key if (codec, form) in table]
        if len(rows) == len(tables):
            symbols = sum(row.symbols for row in rows)
            means.append(Row(codec, form, symbols, *np.exp(np.log([r[3:7] for r in rows]).mean(0))))
    return means


def print_table(title: str, rows: Sequence[Row], width: int) -> None:
    known = references(rows, width)
    print(f"\n{title}", *(line(row, width, known) for row in rows), sep="\n", flush=True)


def main() -> None:
    options = arguments()
    effort = QUICK if options.quick else Effort()
    if options.worker:
        worker(options.worker, effort)
        return
    running, missing = peers.chosen(options.peers)
    if missing:
        print(f"Left out, not installed (pip install '.[bench]'): {', '.join(missing)}")
    if inputs.absent() and not options.files:
        print(f"Left out, no data beside the checkout: {', '.join(inputs.absent())}")
    print(HEAD)
    groups: dict[tuple[str, int], list[list[Row]]] = {}
    for array in chosen_arrays(options):
        rows = rows_of(array, running, effort, options.quick)
        print_table(array.describe(), rows, array.bits)
        groups.setdefault((array.group, array.bits), []).append(rows)
    for (group, width), tables in groups.items():
        if len(tables) > 1:
            title = f"geometric mean of the {len(tables)} arrays of {group} with {width} bits"
            print_table(title, mean(tables), width)


if __name__ == "__main__":
    main()

"""The command ``rtl``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from huffq._chunks import chunks
from huffq.cli.files import load_arrays
from huffq.cli.options import DEFAULT, Commands, add_command, whole_number
from huffq.errors import DataError

if TYPE_CHECKING:
    import argparse

    import numpy.typing as npt

    from huffq import CodeTable, Field
    from huffq.rtl import Core, Vectors


def add_commands(commands: Commands) -> None:
    """Add the command of this module."""
    parser = add_command(
        commands,
        rtl,
        "Write a Huffman decoder and encoder in SystemVerilog, with a bench that runs them",
        "  huffq rtl --tiles tiles --out-dir rtl && make -C rtl verilator\n"
        "  huffq rtl --counts activations.npy --every-symbol --symbols-per-clock 2\n"
        "  huffq rtl --counts activations.huffq --field features.27 --max-length 8 --fixed\n"
        "  huffq rtl --table code_table.txt --word-bits 64\n"
        "  huffq rtl --lengths 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 15 --max-length 15",
    )
    _add_code_options(parser)
    group = parser.add_argument_group("cores")
    group.add_argument("--out-dir", default="rtl", help=f"folder of all files {DEFAULT}")
    group.add_argument(
        "--fixed", action="store_true", help="build the table in (default: loaded at run time)"
    )
    group.add_argument(
        "--symbols-per-clock", type=whole_number(1), default=1, metavar="N", help=DEFAULT
    )
    group.add_argument(
        "--count-bits",
        type=whole_number(1),
        default=16,
        metavar="N",
        help=f"width of a tile's symbol count {DEFAULT}",
    )
    group.add_argument(
        "--max-length",
        type=whole_number(1),
        metavar="N",
        help="longest codeword (default: the export's, or 12)",
    )
    group.add_argument(
        "--word-bits",
        type=whole_number(1),
        metavar="N",
        help="bits of a stream's word (default: the export's, or 32)",
    )
    group.add_argument(
        "--rows",
        type=whole_number(1),
        metavar="N",
        help="symbols of a row (default: the export's, or 8)",
    )


def _add_code_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("code", "where it comes from: exactly one of")
    source = group.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "--tiles", metavar="FOLDER", help="what 'huffq tiles' wrote, which the bench then runs"
    )
    source.add_argument("--table", metavar="FILE", help="a code table's text file")
    source.add_argument(
        "--counts", metavar="FILE", help=".npy or .huffq: the best code for its integers"
    )
    source.add_argument(
        "--lengths", type=whole_number(0), nargs="+", metavar="N", help="codeword length by symbol"
    )
    group.add_argument("--field", metavar="NAME", help="of the .huffq file, if it has several")
    group.add_argument(
        "--bits",
        type=whole_number(1),
        metavar="N",
        help="width of the .npy file's integers (default: 4)",
    )
    group.add_argument(
        "--every-symbol",
        action="store_true",
        help="give symbols that do not occur in the counts a codeword too",
    )


def rtl(args: argparse.Namespace) -> None:
    """Write the folder and say what it holds."""
    from huffq.rtl import export_rtl

    _require_counts(args)
    table, core, vectors = _from_export(args) if args.tiles else _from_table(args)
    export_rtl(args.out_dir, table, core, vectors)
    kind = "loaded at run time" if core.loadable else "built in"
    print(
        f"{args.out_dir}: {core.symbol_bits}-bit symbols, {core.lanes} a clock; "
        f"{core.word_bits}-bit words; codewords up to {core.max_length} bits; table {kind}"
    )
    print(f"Run it: make -C {args.out_dir} icarus, or make -C {args.out_dir} verilator")


def _require_counts(args: argparse.Namespace) -> None:
    """Refuse options that only `--counts` takes with any other source of the code."""
    for name in () if args.counts else ("field", "bits", "every_symbol"):
        if getattr(args, name):
            raise ValueError(f"--{name.replace('_', '-')} belongs to --counts; leave it out")


def _from_export(args: argparse.Namespace) -> tuple[CodeTable, Core, Vectors]:
    from huffq.rtl import read_vectors

    for name in ("max_length", "word_bits", "rows"):
        if getattr(args, name) is not None:
            raise ValueError(f"--{name.replace('_', '-')} is the export's; leave it out")
    vectors, core = read_vectors(args.tiles)
    core = replace(
        core,
        lanes=args.symbols_per_clock,
        count_bits=args.count_bits,
        loadable=not args.fixed,
    )
    return vectors.tables[0], core, vectors


def _from_table(args: argparse.Namespace) -> tuple[CodeTable, Core, None]:
    from huffq.rtl import Core

    table = _table(args, args.max_length or 12)
    alphabet = len(table.lengths)
    if alphabet < 2 or alphabet & (alphabet - 1):
        raise ValueError(
            f"the code has {alphabet} symbols; the cores want a power of two from 2 on"
        )
    core = Core(
        word_bits=args.word_bits or 32,
        symbol_bits=alphabet.bit_length() - 1,
        max_length=args.max_length or 12,
        lanes=args.symbols_per_clock,
        rows=args.rows or 8,
        count_bits=args.count_bits,
        loadable=not args.fixed,
    )
    return table, core, None


def _table(args: argparse.Namespace, max_length: int) -> CodeTable:
    from huffq import CodeTable
    from huffq.testbench import check_fits
    from huffq.tiles import build_table, count_symbols, read_code_table

    if args.table:
        return read_code_table(args.table)
    if args.lengths:
        return CodeTable.from_lengths(args.lengths)
    array, bits = _field(args) if Path(args.counts).suffix == ".huffq" else _array(args)
    counts = np.zeros(1 << bits, np.int64)
    for piece in chunks(array.shape):
        values = array[piece].reshape(piece.stop - piece.start, -1)
        check_fits(values, bits, bool((values < 0).any()), args.counts)
        counts += count_symbols(values, bits)
    return build_table(counts, max_length=max_length, every_symbol=args.every_symbol)


def _field(args: argparse.Namespace) -> tuple[Field, int]:
    """Open a field of a .huffq file; return it and its bit width."""
    import huffq

    if args.bits is not None:
        raise ValueError(f"--bits is for .npy files; {args.counts} knows its own")
    dataset = huffq.open(args.counts)
    names = list(dataset.fields)
    if args.field is None and len(names) != 1:
        raise ValueError(f"{args.counts} has {len(names)} fields; choose one with --field")
    name = args.field or names[0]
    if name not in dataset:
        raise DataError(f"{args.counts} has no field {name!r}; it has {', '.join(names)}")
    field = dataset[name]
    if field.bits is None:
        raise DataError(f"field {name!r} of {args.counts} holds {field.dtype}, not codes")
    if field.ragged:
        raise DataError(f"field {name!r} of {args.counts} has samples of differing length")
    return field, field.bits


def _array(args: argparse.Namespace) -> tuple[npt.NDArray[Any], int]:
    """Map the array of an .npy file; return it and the bit width that is asked for."""
    array = load_arrays(Path(args.counts), None if args.field is None else [args.field])
    if isinstance(array, dict):
        raise DataError(f"{args.counts} is an .npz file; give an .npy or .huffq file")
    if array.ndim == 0:
        raise DataError(f"{args.counts} holds a single number")
    bits = args.bits or 4
    if bits > 8:
        raise ValueError(f"--bits is {bits}; a symbol has 1 to 8 bits")
    return array, bits

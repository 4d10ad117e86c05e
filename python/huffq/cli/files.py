"""Commands that need numpy alone: ``encode``, ``decode``, ``info``, ``verify``, ``recover``."""

from __future__ import annotations

import json
import zipfile
import zlib
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, get_args

import numpy as np

import huffq
from huffq._atomic import atomic_writer
from huffq._chunks import chunks
from huffq._progress import progress_bar
from huffq.cli.options import Commands, add_command, add_threads_option, whole_number
from huffq.codec import Level
from huffq.errors import DataError
from huffq.report import encode_table, format_bytes, info_table

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    import numpy.typing as npt


def add_commands(commands: Commands) -> None:
    """Add the commands of this module."""
    _add_encode(commands)
    _add_decode(commands)
    _add_info(commands)
    _add_verify(commands)
    _add_recover(commands)


def _add_encode(commands: Commands) -> None:
    parser = add_command(
        commands,
        encode,
        "Encode uint8 or int8 arrays into a .huffq file",
        "  huffq encode activations.npy activations.huffq\n"
        "  huffq encode codes.npz codes.huffq --fields resid_4b mlp_4b --bits 4",
    )
    parser.add_argument("input", help=".npy (any size, read in pieces) or .npz")
    parser.add_argument("output", help=".huffq file; first axis of every array = samples")
    parser.add_argument("--fields", nargs="+", metavar="NAME", help="arrays of the .npz to encode")
    parser.add_argument(
        "--bits", type=whole_number(1), help="bit width (default: the narrowest that fits)"
    )
    parser.add_argument("--level", choices=get_args(Level), default="dense")
    parser.add_argument(
        "--resume", action="store_true", help="go on with what an interrupted run left"
    )
    add_threads_option(parser)


def encode(args: argparse.Namespace) -> None:
    """Encode a file of arrays and print what it gave."""
    _require_suffix(args.output, ".huffq")
    if not args.input:
        raise ValueError("the input is empty; give an .npy or .npz file")
    source = load_arrays(Path(args.input), args.fields)
    report = huffq.encode_dataset(
        source,
        args.output,
        bits=args.bits,
        level=args.level,
        threads=args.threads,
        resume=args.resume,
    )
    print(encode_table(report))


def load_arrays(
    path: Path, names: list[str] | None
) -> npt.NDArray[Any] | dict[str, npt.NDArray[Any]]:
    """Map the array of an ``.npy`` file into memory, or read the named arrays of an ``.npz``."""
    if path.is_dir():
        raise DataError(f"{path} is a folder; give an .npy or .npz file")
    try:
        if zipfile.is_zipfile(path):
            with np.load(path, allow_pickle=False) as file:
                return {name: file[name] for name in _chosen(path, file.files, names)}
        array = np.lib.format.open_memmap(path, mode="r")
    except DataError:
        raise
    except (ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(f"{path} is not a whole .npy or .npz file of numbers") from error
    if names is not None:
        raise DataError(f"{path} holds one array without a name; leave --fields out")
    return array


def _add_decode(commands: Commands) -> None:
    parser = add_command(
        commands,
        decode,
        "Decode a .huffq file into numpy's formats",
        "  huffq decode activations.huffq activations.npz\n"
        "  huffq decode activations.huffq layer.npy --fields features.27",
    )
    parser.add_argument("input", help=".huffq file")
    parser.add_argument("output", help=".npz, or .npy for a single field")
    parser.add_argument("--fields", nargs="+", metavar="NAME", help="default: all")
    add_threads_option(parser)


def decode(args: argparse.Namespace) -> None:
    """Decode fields piece by piece into an array file."""
    suffix = _require_suffix(args.output, ".npz", ".npy")
    dataset = huffq.open(args.input, threads=args.threads)
    names = _chosen(args.input, list(dataset.fields), args.fields)
    ragged = [name for name in names if dataset[name].ragged]
    if ragged:
        raise ValueError(
            f"{args.input}: the samples of {ragged[0]!r} differ in length, which numpy's files do "
            "not hold; choose other fields with --fields, or read it with huffq.open"
        )
    if suffix == ".npy" and len(names) > 1:
        raise ValueError(
            f"{args.output}: an .npy file holds one field, not {len(names)}; "
            "choose one with --fields, or write .npz"
        )
    total = len(names) * len(dataset)
    with (
        atomic_writer(args.output) as file,
        progress_bar("decode", total=total, unit="sample", enabled=True) as advance,
    ):
        if suffix == ".npy":
            _write_array(file, dataset[names[0]], advance)
        else:
            with zipfile.ZipFile(file, "w") as archive:
                for name in names:
                    with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                        _write_array(member, dataset[name], advance)
    print(f"{args.output}: {len(names)} fields of {len(dataset)} samples")


def _write_array(file: IO[bytes], field: huffq.Field, advance: Callable[[int], object]) -> None:
    """Write a field in numpy's ``.npy`` format, and report samples to `advance`."""
    descr = np.lib.format.dtype_to_descr(field.dtype)
    header = {"descr": descr, "fortran_order": False, "shape": field.shape}
    np.lib.format.write_array_header_1_0(file, header)
    for piece in chunks(field.shape):
        file.write(field[piece].tobytes())
        advance(piece.stop - piece.start)


def _add_info(commands: Commands) -> None:
    parser = add_command(
        commands,
        info,
        "Show what a .huffq file holds",
        "  huffq info activations.huffq\n  huffq info activations.huffq --json",
    )
    parser.add_argument("input", help=".huffq file")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")


def info(args: argparse.Namespace) -> None:
    """Print the fields of a file, their sizes and its metadata."""
    dataset = huffq.open(args.input)
    if args.json:
        print(json.dumps(dataset.info, indent=2))
        return
    size = format_bytes(dataset.info["bytes"])
    print(f"{args.input}: {len(dataset)} samples, {len(dataset.fields)} fields, {size}")
    print(info_table(dataset))
    for key, value in dataset.metadata.items():
        print(f"{key}: {value}")


def _add_verify(commands: Commands) -> None:
    parser = add_command(
        commands,
        verify,
        "Check and decode every block of a .huffq file",
        "  huffq verify activations.huffq",
    )
    parser.add_argument("input", help=".huffq file")
    add_threads_option(parser)


def verify(args: argparse.Namespace) -> None:
    """Decode a whole file and say that it is sound."""
    dataset = huffq.open(args.input, threads=args.threads)
    dataset.verify(progress=True)
    print(f"{args.input}: {len(dataset.fields)} fields of {len(dataset)} samples are sound")


def _add_recover(commands: Commands) -> None:
    parser = add_command(
        commands,
        recover,
        "Salvage the whole samples of a damaged or unfinished .huffq file, or a folder of them",
        "  huffq recover damaged.huffq whole.huffq\n"
        "  huffq recover killed.huffq.part whole.huffq\n"
        "  huffq recover damaged-folder whole-folder",
    )
    parser.add_argument(
        "input", help="damaged file, the .part of a writer that was killed, or a folder of files"
    )
    parser.add_argument("output", help="new .huffq file; of a folder, a new folder")
    add_threads_option(parser)


def recover(args: argparse.Namespace) -> None:
    """Write what is whole to a new file or folder, and say what was lost."""
    folder = Path(args.input).is_dir()
    if not folder:
        _require_suffix(args.output, ".huffq")
    report = huffq.recover(args.input, args.output, threads=args.threads, progress=True)
    print(f"{args.output}: {report.samples} of {report.total} samples")
    for file in report.files if folder else ():
        kept = "whole" if file.whole else f"{file.samples} of {file.total} samples"
        print(f"{file.path}: {kept}{f' ({file.lost})' if file.lost else ''}")
    for start, stop in report.lost:
        print(f"lost: samples {start} to {stop - 1}")
    print(f"damaged or missing: {report.lost_blocks} blocks, {format_bytes(report.lost_bytes)}")


def _chosen(path: str | Path, known: list[str], names: list[str] | None) -> list[str]:
    """Return `names`, or all known ones, after a look that each exists."""
    for name in names or ():
        if name not in known:
            raise DataError(f"{path} has no field {name!r}; it has {', '.join(known)}")
    return known if names is None else names


def _require_suffix(path: str, *suffixes: str) -> str:
    suffix = Path(path).suffix
    if suffix not in suffixes:
        named = f"{path}: the output" if path else "the output is empty; it"
        raise ValueError(f"{named} must end in {' or '.join(suffixes)}")
    return suffix

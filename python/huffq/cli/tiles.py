"""The command ``tiles``."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from huffq.cli.options import (
    DEFAULT,
    Commands,
    add_command,
    add_data_options,
    add_model_options,
    load_data,
    load_model,
    test_images,
    whole_number,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from huffq import CodeTable, Dataset, Field
    from huffq.tiles import CodedTiles, Convolution, Export, Tiling


def add_commands(commands: Commands) -> None:
    """Add the command of this module."""
    parser = add_command(
        commands,
        tiles,
        "Write convolutions as the text files and memories of an RTL test bench, or report on them",
        "  huffq tiles result/model_best.pth.tar --layers features.27\n"
        "  huffq tiles model.pth --model resnet20 --layers layer1.0.conv2 --header --psums\n"
        "  huffq tiles model.pth --layers all --table layer --word-bits 64 --report\n"
        "  huffq tiles model.pth --table activations.huffq --max-length 8 --slots worst",
    )
    parser.add_argument("checkpoint")
    parser.add_argument(
        "--layers",
        nargs="+",
        default=["features.27"],
        metavar="NAME",
        help="quantised convolutions, or 'all' (default: features.27)",
    )
    parser.add_argument(
        "--image", type=whole_number(0), default=0, help=f"number of the test image {DEFAULT}"
    )
    parser.add_argument(
        "--images", type=whole_number(1), default=1, help=f"test images from that one on {DEFAULT}"
    )
    parser.add_argument(
        "--out-dir",
        default="tiles",
        help=f"folder of the files; several layers get one each in it {DEFAULT}",
    )
    parser.add_argument(
        "--report",
        action="store_true",
        help="write no files; print what coding saves and costs per layer and tile",
    )
    _add_array_options(parser)
    _add_text_options(parser)
    _add_coding_options(parser)
    add_model_options(parser)
    add_data_options(parser)


def _add_array_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("array")
    group.add_argument(
        "--array-size",
        type=_array_size,
        default=(8, 8),
        metavar="ROWS[xCOLUMNS]",
        help="input and output channels of a tile (default: 8x8)",
    )
    group.add_argument(
        "--activation-bits",
        type=whole_number(1),
        metavar="BITS",
        help="width of an activation (default: the layer's, or what negative codes need)",
    )
    group.add_argument(
        "--order",
        choices=("weight-stationary", "output-stationary"),
        default="weight-stationary",
        help=f"lines of an activation tile: positions, or kij per output position {DEFAULT}",
    )
    group.add_argument("--psums", action="store_true", help="write partial sums too")
    group.add_argument(
        "--psum-bits", type=whole_number(1), default=16, help=f"width of sums {DEFAULT}"
    )


def _add_text_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("text files")
    group.add_argument("--header", action="store_true", help="write three # lines on top")
    group.add_argument("--crlf", action="store_true", help="end lines with CR LF")
    group.add_argument("--digits", choices=("binary", "hex"), default="binary", help=DEFAULT)


def _add_coding_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("code and stream")
    group.add_argument(
        "--table",
        default="tile",
        metavar="{tile,layer,FILE}",
        help="the best code for each tile, or for each layer; a code table's text file; or a "
        f".huffq file of the layers' activations, to train one fixed table over {DEFAULT}",
    )
    group.add_argument(
        "--max-length", type=whole_number(1), default=12, help=f"longest codeword {DEFAULT}"
    )
    group.add_argument(
        "--every-symbol",
        action="store_true",
        help="give symbols that do not occur a codeword too (a trained table always does)",
    )
    group.add_argument(
        "--word-bits", type=whole_number(1), default=32, help=f"bits of a memory word {DEFAULT}"
    )
    group.add_argument(
        "--slots",
        type=_slot,
        metavar="{worst,WORDS}",
        help="give every tile a slot of as many words as its worst case takes, or of WORDS",
    )
    group.add_argument(
        "--memory-digits",
        choices=("hex", "binary"),
        default="hex",
        help=f"write memories for $readmemh or $readmemb {DEFAULT}",
    )
    group.add_argument(
        "--symbols-per-clock",
        type=whole_number(1),
        help="what the decoder gives, for the report (default: 1)",
    )


def _slot(text: str) -> int | str:
    return text if text == "worst" else whole_number(1)(text)


def _array_size(text: str) -> tuple[int, int]:
    read = whole_number(1)
    rows, cross, columns = text.partition("x")
    return read(rows), read(columns if cross else rows)


def tiles(args: argparse.Namespace) -> None:
    """Write tile files and print the length of every activation tile, or print the report."""
    from huffq.tiles import export_tiles

    if args.symbols_per_clock and not args.report:
        raise ValueError("--symbols-per-clock belongs to --report; leave it out")
    coded = _code(args)
    if args.report:
        _print_report(coded, args.symbols_per_clock or 1)
        return
    folders = _folders(Path(args.out_dir), coded)
    for name, layer in coded.items():
        if len(coded) > 1:
            print(f"Layer {name}")
        export_tiles(folders[name], layer, _export(args))
        _print_lengths(layer)


def _code(args: argparse.Namespace) -> dict[str, CodedTiles]:
    """Run the images through the network and code the tiles of its layers."""
    from huffq.layer_tiles import layer_convolutions
    from huffq.tiles import Coding, code_tiles, read_code_table

    data = load_data(args)
    model = load_model(args, data.num_classes)
    images = test_images(data, args.image, args.images)
    names = None if args.layers == ["all"] else args.layers
    convolutions = layer_convolutions(model, images, names)
    if args.activation_bits is not None:
        convolutions = {
            name: c.with_activations(args.activation_bits, c.codes.signed)
            for name, c in convolutions.items()
        }
    if Path(args.table).suffix == ".huffq":
        convolutions, table = _train(args, convolutions)
    else:
        table = args.table if args.table in ("tile", "layer") else read_code_table(args.table)
    coding = Coding(table, args.max_length, args.every_symbol, args.word_bits, args.slots)
    return {name: code_tiles(_tiling(args, c), coding) for name, c in convolutions.items()}


def _tiling(args: argparse.Namespace, convolution: Convolution) -> Tiling:
    from huffq.tiles import Tiling

    rows, columns = args.array_size
    return Tiling(convolution, rows, columns, args.order)


def _train(
    args: argparse.Namespace, convolutions: Mapping[str, Convolution]
) -> tuple[dict[str, Convolution], CodeTable]:
    """Train one table over the layers' fields in a .huffq file.

    Returns:
        The convolutions with activations of the fields' width and signedness, and the table.
    """
    import huffq
    from huffq.errors import DataError
    from huffq.tiles import train_table

    dataset = huffq.open(args.table)
    for name in convolutions:
        if name not in dataset:
            raise DataError(
                f"{args.table} has no field {name!r}; it has {', '.join(dataset.fields)}"
            )
    table = train_table(_dataset_tilings(args, dataset, convolutions), max_length=args.max_length)
    known = {}
    for name, convolution in convolutions.items():
        field = dataset[name]
        known[name] = convolution.with_activations(_bits(field), field.dtype == np.int8)
    return known, table


def _dataset_tilings(
    args: argparse.Namespace, dataset: Dataset, convolutions: Mapping[str, Convolution]
) -> Iterator[Tiling]:
    """Yield the tilings of all samples of a file, layer by layer, some at a time."""
    from huffq._chunks import chunks
    from huffq._progress import progress_bar
    from huffq.codes import Codes

    total = len(dataset) * len(convolutions)
    with progress_bar("train table", total=total, unit="sample", enabled=True) as advance:
        for name, convolution in convolutions.items():
            field = dataset[name]
            for piece in chunks(field.shape):
                codes = Codes(field[piece], _bits(field))
                yield _tiling(args, replace(convolution, codes=codes))
                advance(piece.stop - piece.start)


def _bits(field: Field) -> int:
    from huffq.errors import DataError

    if field.bits is None:
        raise DataError(f"field {field.name!r} holds no codes; name a layer")
    return field.bits


def _export(args: argparse.Namespace) -> Export:
    from huffq.testbench import TextForm
    from huffq.tiles import Export

    form = TextForm(header=args.header, newline="\r\n" if args.crlf else "\n", digits=args.digits)
    return Export(args.psums, args.psum_bits, form, args.memory_digits)


def _folders(out_dir: Path, layers: Mapping[str, CodedTiles]) -> dict[str, Path]:
    return {name: out_dir / name if len(layers) > 1 else out_dir for name in layers}


def _print_lengths(coded: CodedTiles) -> None:
    images, tiles = coded.tiling.convolution.images, coded.tiling.input_tiles
    for image in range(images):
        for tile in range(tiles):
            if images > 1:
                print(f"Image {image}, tile {tile}")
            elif tiles > 1:
                print(f"Tile {tile}")
            print(coded.report(image, tile))


def _print_report(layers: Mapping[str, CodedTiles], symbols_per_clock: int) -> None:
    from huffq.report import figures_table
    from huffq.tiles import layer_figures, tile_figures

    for name, coded in layers.items():
        tiling = coded.tiling
        print(
            f"{name}: {tiling.input_tiles} input and {tiling.output_tiles} output tiles of a "
            f"{tiling.rows}x{tiling.columns} array, {len(tiling.pairs)} pairs; {tiling.lines} "
            f"lines a tile, {tiling.convolution.images} images; words of {coded.stream.width} bits"
        )
        figures = {
            f"tile {tile}": tile_figures(coded, tile, symbols_per_clock)
            for tile in range(coded.tiling.input_tiles)
        }
        figures["all"] = layer_figures(coded, symbols_per_clock)
        print(figures_table("tile", figures), end="\n\n")
    if len(layers) > 1:
        totals = {name: layer_figures(c, symbols_per_clock) for name, c in layers.items()}
        print(figures_table("layer", totals))

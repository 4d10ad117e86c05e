"""Tiles for an accelerator: cut, coded and written in the forms that hardware reads."""

from huffq.tiles.coded import (
    read_code_table,
    read_coded_tile,
    write_code_table,
    write_coded_tile,
)
from huffq.tiles.coding import CodedTiles, Coding, TileReport, code_tiles
from huffq.tiles.convolution import Convolution
from huffq.tiles.export import Export, export_tiles
from huffq.tiles.figures import TileFigures, layer_figures, tile_figures
from huffq.tiles.stream import Span, TileStream, pack_stream, read_stream, write_stream
from huffq.tiles.tables import (
    build_table,
    count_symbols,
    stream_symbols,
    tile_rows,
    tiling_counts,
    train_table,
)
from huffq.tiles.tiling import Order, Tiling

__all__ = [
    "CodedTiles",
    "Coding",
    "Convolution",
    "Export",
    "Order",
    "Span",
    "TileFigures",
    "TileReport",
    "TileStream",
    "Tiling",
    "build_table",
    "code_tiles",
    "count_symbols",
    "export_tiles",
    "layer_figures",
    "pack_stream",
    "read_code_table",
    "read_coded_tile",
    "read_stream",
    "stream_symbols",
    "tile_figures",
    "tile_rows",
    "tiling_counts",
    "train_table",
    "write_code_table",
    "write_coded_tile",
    "write_stream",
]

"""A coded tiling as the complete set of an RTL test bench's files."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from huffq._atomic import atomic_writer
from huffq._progress import progress_bar
from huffq.testbench import PLAIN, PSUM_BITS, Content, TextForm, write_numbers
from huffq.tiles.stream import write_stream
from huffq.tiles.text import write_code_table, write_coded_tile
from huffq.words import Radix, write_table_memory, write_table_packets

if TYPE_CHECKING:
    import os

    from huffq._huffq import CodeTable
    from huffq.testbench import Integers
    from huffq.tiles.coding import CodedTiles
    from huffq.tiles.tiling import Tiling


@dataclass(frozen=True)
class Export:
    """What is written, and in which form.

    Attributes:
        psums: Write partial sums too.
        psum_bits: Width of partial sums and outputs, two's complement, 1 to 63 bits.
        form: Header, digits and line endings of the text files.
        memory: Digits of the memory files, for ``$readmemh`` or ``$readmemb``.
    """

    psums: bool = False
    psum_bits: int = PSUM_BITS
    form: TextForm = PLAIN
    memory: Radix = "hex"


_DESCRIPTION = "tiles.json"

DEFAULT = Export()
"""No partial sums, 16-bit outputs, text without headers in binary digits, hexadecimal memories."""


def export_tiles(
    folder: str | os.PathLike[str], coded: CodedTiles, export: Export = DEFAULT
) -> None:
    """Write everything that goes into the array and comes out of it.

    For input tile i, output tile o and kernel position k, `folder` gets

    - ``activation_tile<i>.txt``, its coded form ``…_huffman.txt``, and its code table as text
      ``…_ref.txt``, as memory ``…_table.memh`` and as it is loaded ``…_table_load.memh``; a table
      that all tiles share is written once, as ``code_table.txt``, ``code_table.memh`` and
      ``code_table_load.memh``;
    - ``weight_itile<i>_otile<o>_kij<k>.txt``;
    - ``psum_itile<i>_otile<o>_kij<k>.txt`` if asked for, of output-stationary tilings
      ``psum_itile<i>_otile<o>.txt`` with a line per line of the activation tile;
    - ``sum_otile<o>.txt``, the output before ReLU, and ``out_otile<o>.txt``, after it;
    - ``stream.memh`` and ``stream_index.memh``, all coded tiles as words;
    - ``tiles.json``, every parameter by name.

    What belongs to an image lies in ``image<n>/`` if there are several. Every file appears whole or
    not at all, ``tiles.json`` as the last: a folder that has it is complete. Nothing is written
    before all sums are known to fit. Other files in the folder stay.

    Args:
        folder: Where the files go; made if it does not exist.
        coded: From `huffq.tiles.code_tiles`.
        export: What is written, and in which form.

    Raises:
        TileError: A sum does not fit `psum_bits`.
        OSError: A file cannot be written.
    """
    folder, tiling = Path(folder), coded.tiling
    tiling.check_sums(export.psum_bits)
    images = tiling.convolution.images
    folders = [folder / f"image{n}" for n in range(images)] if images > 1 else [folder]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / _DESCRIPTION).unlink(missing_ok=True)
    steps = len(tiling.pairs) + images * (1 + len(tiling.pairs) * export.psums)
    with progress_bar("tiles", total=steps, unit="step", enabled=True) as advance:
        for i, o in tiling.pairs:
            _write_weights(folder, tiling, (i, o), export.form)
            advance(1)
        for image, image_folder in enumerate(folders):
            image_folder.mkdir(exist_ok=True)
            _write_activations(image_folder, coded, image, export)
            _write_outputs(image_folder, tiling, image, export)
            advance(1)
            for i, o in tiling.pairs if export.psums else ():
                _write_psums(image_folder, tiling, (image, i, o), export)
                advance(1)
    _write_memories(folder, coded, export)


def _write_weights(folder: Path, tiling: Tiling, pair: tuple[int, int], form: TextForm) -> None:
    bits = tiling.convolution.weights.bits
    for k, matrix in enumerate(tiling.weights(*pair)):
        path = folder / f"weight_itile{pair[0]}_otile{pair[1]}_kij{k}.txt"
        write_numbers(path, matrix, Content.WEIGHT, bits=bits, signed=True, form=form)


def _write_activations(folder: Path, coded: CodedTiles, image: int, export: Export) -> None:
    codes, form = coded.tiling.convolution.codes, export.form
    for i in range(coded.tiling.input_tiles):
        rows, table = coded.tiling.activation(image, i), coded.table(image, i)
        name, bits, signed = f"activation_tile{i}", codes.bits, codes.signed
        write_numbers(
            folder / f"{name}.txt", rows, Content.ACTIVATION, bits=bits, signed=signed, form=form
        )
        write_coded_tile(
            folder / f"{name}_huffman.txt", rows, table, bits=bits, signed=signed, form=form
        )
        if coded.shared_table is None:
            write_code_table(folder / f"{name}_ref.txt", table, form)
            _write_table(folder / f"{name}_table", table, coded, export)


def _write_psums(folder: Path, tiling: Tiling, place: tuple[int, int, int], export: Export) -> None:
    psums, name = tiling.psums(*place), "psum_itile{1}_otile{2}".format(*place)
    if tiling.order == "output-stationary":
        _write_sums(folder / f"{name}.txt", psums.reshape(-1, tiling.columns), export)
        return
    for k, values in enumerate(psums):
        _write_sums(folder / f"{name}_kij{k}.txt", values, export)


def _write_outputs(folder: Path, tiling: Tiling, image: int, export: Export) -> None:
    for o, values in enumerate(tiling.output(image)):
        _write_sums(folder / f"sum_otile{o}.txt", values, export)
        _write_sums(folder / f"out_otile{o}.txt", np.maximum(values, 0), export)


def _write_sums(path: Path, values: Integers, export: Export) -> None:
    bits, form = export.psum_bits, export.form
    write_numbers(path, values, Content.PSUM, bits=bits, signed=True, form=form)


def _write_memories(folder: Path, coded: CodedTiles, export: Export) -> None:
    suffix = _suffix(export)
    if coded.shared_table is not None:
        write_code_table(folder / "code_table.txt", coded.shared_table, export.form)
        _write_table(folder / "code_table", coded.shared_table, coded, export)
    index = folder / f"stream_index{suffix}"
    write_stream(folder / f"stream{suffix}", index, coded.stream, export.memory)
    lines = [f"  {json.dumps(k)}: {json.dumps(v)}" for k, v in describe(coded, export).items()]
    with atomic_writer(folder / _DESCRIPTION) as file:
        file.write(("{\n" + ",\n".join(lines) + "\n}\n").encode())


def _write_table(path: Path, table: CodeTable, coded: CodedTiles, export: Export) -> None:
    memory, packet = (path.with_name(f"{path.name}{end}{_suffix(export)}") for end in ("", "_load"))
    write_table_memory(memory, table, coded.coding.max_length, export.memory)
    write_table_packets(packet, [table], export.memory)


def _suffix(export: Export) -> str:
    return ".memh" if export.memory == "hex" else ".memb"


def describe(coded: CodedTiles, export: Export) -> dict[str, Any]:
    """Return what ``tiles.json`` holds: every parameter of a tile set by name."""
    tiling, coding = coded.tiling, coded.coding
    return {
        **tiling.convolution.describe(),
        "rows": tiling.rows,
        "columns": tiling.columns,
        "order": tiling.order,
        "input_tiles": tiling.input_tiles,
        "output_tiles": tiling.output_tiles,
        "pairs": tiling.pairs,
        "lines": tiling.lines,
        "psum_bits": export.psum_bits,
        "text": {"header": export.form.header, "digits": export.form.digits},
        "memory_digits": export.memory,
        "table": coding.table if isinstance(coding.table, str) else "given",
        "max_length": coding.max_length,
        "word_bits": coding.word_bits,
        "pitch": coded.worst_words if coding.pitch == "worst" else coding.pitch,
        "worst_words": coded.worst_words,
        "tiles": [asdict(span) for span in coded.stream.spans],
    }

"""A folder with the cores for one code: sources, bench, sample tiles, and how to run them."""

from __future__ import annotations

from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

from huffq._atomic import atomic_writer
from huffq.rtl.core import sources
from huffq.rtl.vectors import code_vectors, sample_tiles, write_vectors
from huffq.words import write_table_memory, write_table_packets

if TYPE_CHECKING:
    import os

    from huffq._huffq import CodeTable
    from huffq.rtl.core import Core
    from huffq.rtl.vectors import Vectors

_TEMPLATES = Path(__file__).parent / "templates"


def export_rtl(
    folder: str | os.PathLike[str],
    table: CodeTable,
    core: Core,
    vectors: Vectors | None = None,
) -> None:
    """Write the cores for a code, with a bench that runs on Icarus Verilog and on Verilator.

    The folder holds ``cores`` and ``bench`` (SystemVerilog), ``tiles`` (what the bench reads),
    ``code_table.memh`` and ``code_table_load.memh`` (see docs/hardware.md), ``bench_top.sv`` (the
    bench with these parameters), ``cores.f`` (a file list), ``synth.ys`` (for Yosys), a
    ``Makefile`` and a ``README.md``.

    Args:
        folder: Where all goes; made if it does not exist.
        table: The code: built in if the cores are not loadable.
        core: The parameters.
        vectors: What the bench decodes and encodes; None draws some tiles.

    Raises:
        ValueError: The table or the vectors do not fit the parameters.
        OSError: A file cannot be written.
    """
    core.require(table)
    folder = Path(folder)
    if vectors is None:
        vectors = code_vectors(sample_tiles(table, core.rows), [table], core)
    vectors.require_fit(core)
    (folder / "tiles").mkdir(parents=True, exist_ok=True)
    write_vectors(folder / "tiles", vectors, core)
    write_table_memory(folder / "code_table.memh", table, core.max_length)
    write_table_packets(folder / "code_table_load.memh", [table])
    for kind in ("cores", "bench"):
        (folder / kind).mkdir(exist_ok=True)
        for source in sources(kind):
            _write(folder / kind / source.name, source.read_text("utf-8"))
    _write(folder / "cores.f", "".join(f"cores/{source.name}\n" for source in sources("cores")))
    parameters = core.parameters(table)
    assignments = [f".{name}({value})" for name, value in parameters.items()]
    fields = parameters | {
        "ASSIGNMENTS": ",\n      ".join(assignments),
        "CHPARAM": " ".join(f"-set {name} {value}" for name, value in parameters.items()),
    }
    for template in sorted(_TEMPLATES.iterdir()):
        text = Template(template.read_text("utf-8"))
        _write(folder / template.name, text.substitute(fields))


def _write(path: Path, text: str) -> None:
    with atomic_writer(path) as file:
        file.write(text.encode())

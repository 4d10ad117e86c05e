"""Synthesizable SystemVerilog that decodes and encodes tiles, and the bench that proves it.

The sources lie beside this module: ``cores`` is what goes on a chip, ``bench`` simulates it.
docs/hardware.md describes ports, parameters, timing and errors.
"""

from huffq.rtl.core import Core, lengths_literal, sources
from huffq.rtl.export import export_rtl
from huffq.rtl.vectors import Vectors, code_vectors, read_vectors, sample_tiles, write_vectors

__all__ = [
    "Core",
    "Vectors",
    "code_vectors",
    "export_rtl",
    "lengths_literal",
    "read_vectors",
    "sample_tiles",
    "sources",
    "write_vectors",
]

"""Synthesizable SystemVerilog that decodes and encodes tiles, and the bench that proves it.

The sources lie beside this module: ``cores`` is what goes on a chip, ``bench`` simulates it.
docs/hardware.md describes ports, parameters, timing and errors.
"""

from huffq.rtl.core import Core, lengths_literal, sources
from huffq.rtl.export import export_rtl
from huffq.rtl.vectors import sample_tiles, write_vectors

__all__ = [
    "Core",
    "export_rtl",
    "lengths_literal",
    "sample_tiles",
    "sources",
    "write_vectors",
]

"""Huffman-coded storage for the integers of low-bit quantised neural networks.

The codec and the store need numpy alone. The modules `quant`, `models`, `data`, `train`,
`checkpoint`, `capture` and `check` need torch (``pip install 'huffq[train]'``) and are imported
when they are first used.
"""

import importlib
from types import ModuleType

from huffq._huffq import CodeTable, __version__
from huffq.codebook import Codebook
from huffq.codec import decode, encode
from huffq.codes import Codes
from huffq.columns import Ragged
from huffq.encode_report import EncodeReport, FieldReport
from huffq.encoding import encode_dataset
from huffq.errors import (
    CheckpointError,
    CodebookError,
    CorruptFileError,
    DataError,
    ExtractionError,
    HuffqError,
    LayerError,
    TileError,
    TrainingError,
    TruncatedFileError,
    UnsupportedVersionError,
)
from huffq.field import Field
from huffq.manifest import write_manifest
from huffq.recovery import RecoveredFile, RecoveryReport, original_indices, recover
from huffq.store import Dataset, open  # noqa: A004
from huffq.writer import Writer, resume_point

__all__ = [
    "CheckpointError",
    "CodeTable",
    "Codebook",
    "CodebookError",
    "Codes",
    "CorruptFileError",
    "DataError",
    "Dataset",
    "EncodeReport",
    "ExtractionError",
    "Field",
    "FieldReport",
    "HuffqError",
    "LayerError",
    "Ragged",
    "RecoveredFile",
    "RecoveryReport",
    "TileError",
    "TrainingError",
    "TruncatedFileError",
    "UnsupportedVersionError",
    "Writer",
    "__version__",
    "decode",
    "encode",
    "encode_dataset",
    "open",
    "original_indices",
    "recover",
    "resume_point",
    "write_manifest",
]

_LAZY = {
    "capture",
    "check",
    "checkpoint",
    "data",
    "layer_tiles",
    "models",
    "quant",
    "rtl",
    "testbench",
    "tiles",
    "torch",
    "train",
    "words",
    "zarr",
}


def __getattr__(name: str) -> ModuleType:
    if name in _LAZY:
        return importlib.import_module(f"huffq.{name}")
    raise AttributeError(f"module 'huffq' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(set(globals()) | _LAZY)

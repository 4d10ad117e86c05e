"""The golden files of the format's version: what they hold, and how they are made.

``python tests/golden_files.py`` writes those of the version that huffq writes, and refuses to touch
what is there; they change only if the format does.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

import huffq
from huffq import _huffq

GOLDEN = Path(__file__).parent / "golden"
VERSION = 1
LEVELS = get_args(huffq.codec.Level)
CODEBOOK_LEVELS = get_args(huffq.codebook.CodebookLevel)


def waves(shape: tuple[int, ...], size: int) -> np.ndarray[Any, Any]:
    """Numbers below `size` that resemble their neighbours, by integer arithmetic alone."""
    x = np.zeros(shape, np.int64)
    for axis, length in enumerate(shape):
        steps = (np.arange(length) * (7 + 4 * axis)) ** 2 // 13 % (5 + axis)
        x += steps.reshape(-1, *[1] * (len(shape) - axis - 1))
    noise = np.arange(x.size).reshape(shape) * 2654435761 % 2**32 >> 29
    return (x + noise) // 2 % size


def contents() -> dict[str, Any]:
    """The fields of every golden file, by name."""
    lengths = [0, 7, 1, 300, 40, 0]
    ends = np.cumsum(lengths)[:-1]
    tokens = waves((sum(lengths), 24), 32) - 16
    scales = (waves((sum(lengths), 3), 7) + 1) / 8
    wide = waves((6, 2, 20, 1700), 4).astype(np.uint8)
    wide[1:] //= 3
    wide[2:, :, 5:] = 0
    return {
        "images": waves((6, 3, 40, 36), 16).astype(np.uint8),
        "wide": wide,
        "tokens": np.split(tokens.astype(np.int8), ends),
        "ids": np.split(np.arange(sum(lengths)) ** 2, ends),
        "token_scale": np.split(scales.astype(np.float16), ends),
        "zero": np.arange(6, dtype=np.int16) * 50 - 100,
        "label": np.arange(6, dtype=np.int32) % 3,
        "name": np.array(["a", "bc", "größe", "", "x", "y"], "<U5"),
    }


def source() -> dict[str, Any]:
    """The same with what codes stand for: scales of channels, groups, tokens, and more."""
    x = contents()
    lengths = np.array([len(sample) for sample in x["tokens"]])
    channels = np.array([0.5, 0.125, 0.1], np.float32).reshape(3, 1, 1)
    groups = np.arange(1, 11).reshape(2, 5, 1) / 16
    metadata = {"layer": "größe"}
    images = huffq.Codes(x["images"], 4, channels, "zero", "bfloat16", metadata)
    wide = huffq.Codes(x["wide"], 2, groups, np.array(0.5, np.float16), "float32")
    tokens = huffq.Codes(np.concatenate(x["tokens"]), 5, "token_scale")
    return x | {"images": images, "wide": wide, "tokens": huffq.Ragged(tokens, lengths)}


def write_file(path: Path, level: str) -> None:
    """Write the golden file of a level: groups of four samples, small blocks."""
    columns = huffq.source.as_columns(source(), {}, infer=False)
    fields = [column.description(name) for name, column in columns.items()]
    fields[0]["block_items"] = 2
    fields[2]["block_items"] = 100
    schema = {"level": level, "fields": fields, "group_samples": 4, "metadata": {"golden": VERSION}}
    writer = _huffq.StoreWriter(path, json.dumps(schema), None, False)
    writer.write(6, [column.buffers() for column in columns.values()])
    writer.finish()


def arrays() -> dict[str, np.ndarray[Any, Any]]:
    """The arrays that are golden as encoded arrays."""
    x = contents()
    large = x["wide"].reshape(2, 3, 68_000)
    return {"images": x["images"], "large": large, "scalar": x["images"][0, 0, 0, 0]}


def shared_arrays() -> dict[str, np.ndarray[Any, Any]]:
    """The arrays that are golden under a codebook: small, one sample, and of many blocks."""
    patches = contents()["images"].reshape(-1, 6, 6)
    return {"few": patches[:3], "one": patches[7], "many": np.tile(patches, (4, 1, 1))}


def make_shared(folder: Path, level: Literal["dense", "max"]) -> None:
    """Write a codebook, and arrays under it."""
    arrays = shared_arrays()
    book = huffq.Codebook.train(arrays["many"][:720], level=level)
    (folder / f"{level}.hqc").write_bytes(book.to_bytes())
    for name, x in arrays.items():
        (folder / f"{level}-{name}.hqs").write_bytes(huffq.encode(x, codebook=book))


def make(folder: Path) -> None:
    """Write all golden files into a folder."""
    for level in LEVELS:
        write_file(folder / f"{level}.huffq", level)
        for name, x in arrays().items():
            (folder / f"{level}-{name}.hqa").write_bytes(huffq.encode(x, level=level))
    for level in CODEBOOK_LEVELS:
        make_shared(folder, level)


if __name__ == "__main__":
    target = GOLDEN / f"v{VERSION}"
    target.mkdir(parents=True)
    make(target)

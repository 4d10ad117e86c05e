"""The manifest of a folder: what it says wrongly is an error, and never other samples."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import huffq

SAMPLES = (40, 25, 60)
X = np.arange(125 * 6).reshape(125, 6).astype(np.uint8) % 16
TOKENS = [np.arange(n % 4, dtype=np.int32) + n for n in range(125)]
STARTS = np.cumsum([0, *SAMPLES])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "set"
    for first, last in pairwise(STARTS):
        part = {"x": X[first:last], "tokens": TOKENS[first:last]}
        huffq.encode_dataset(part, folder, bits={"x": 4}, append=True)
    return folder


def rewrite(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change the manifest as somebody would who is no friend of checksums."""
    manifest = json.loads((folder / "manifest.json").read_text())
    del manifest["crc"]
    change(manifest)
    (folder / "manifest.json").write_text(json.dumps(manifest))


TOUCHES: dict[str, Callable[[huffq.Dataset, int], Any]] = {
    "one sample": lambda store, at: store["x"][at],
    "the sample from the end": lambda store, at: store["x"][at - len(store)],
    "a slice": lambda store, at: store["x"][at : at + 1],
    "a slice with steps": lambda store, at: store["x"][at : at + 2 : 2],
    "a list": lambda store, at: store["x"][[0, at]],
    "all": lambda store, _: store["x"][:],
    "every third": lambda store, _: store["x"][::3],
    "real values": lambda store, at: store["x"].dequantize(at),
    "ragged": lambda store, at: store["tokens"][at],
    "lengths": lambda store, at: store["tokens"].lengths([at]),
    "all lengths": lambda store, _: store["tokens"].lengths(),
    "tokens": lambda store, _: store["tokens"].flat[:],
    "batches": lambda store, at: next(store.iter_batches(1, start=at)),
    "info": lambda store, _: store.info,
    "verify": lambda store, _: store.verify(),
}


@pytest.mark.parametrize("touch", TOUCHES.values(), ids=TOUCHES)
@pytest.mark.parametrize("shard", range(3))
@pytest.mark.parametrize("off", [-1, 1, 1 << 40, None])
def test_a_wrong_count_is_an_error_where_its_file_is_touched(
    folder: Path, shard: int, off: int | None, touch: Callable[[huffq.Dataset, int], Any]
) -> None:
    wrong = 0 if off is None else SAMPLES[shard] + off
    rewrite(folder, lambda manifest: manifest["shards"][shard].update(samples=wrong))
    message = rf"shard-0000{shard}\.huffq has {SAMPLES[shard]} samples; the manifest says {wrong}"
    with pytest.raises(huffq.CorruptFileError, match=message):  # noqa: PT012 (either may notice)
        store = huffq.open(folder)
        touch(store, int(STARTS[shard]))


def test_counts_that_make_up_for_each_other_are_errors(folder: Path) -> None:
    def swap(manifest: dict[str, Any]) -> None:
        manifest["shards"][1]["samples"], manifest["shards"][2]["samples"] = 60, 25

    rewrite(folder, swap)
    store = huffq.open(folder)
    np.testing.assert_array_equal(store["x"][:40], X[:40])
    for sample in (40, 65, 99, 100, 124):
        with pytest.raises(huffq.CorruptFileError, match="samples; the manifest says"):
            store["x"][sample]
    with pytest.raises(huffq.CorruptFileError, match="samples; the manifest says"):
        list(store.iter_batches(10))


def test_a_wrong_length_is_an_error(folder: Path) -> None:
    def lengthen(manifest: dict[str, Any]) -> None:
        manifest["shards"][1]["bytes"] += 1

    rewrite(folder, lengthen)
    store = huffq.open(folder)
    np.testing.assert_array_equal(store["x"][:40], X[:40])
    with pytest.raises(huffq.CorruptFileError, match=r"bytes; the manifest says \d+: rebuild it"):
        store["x"][40]
    for wrong in (-1, 0.5, "9", [], 1 << 64):
        rewrite_bytes(folder, wrong)
        with pytest.raises(huffq.CorruptFileError, match="no list of shards"):
            huffq.open(folder)


def rewrite_bytes(folder: Path, length: Any) -> None:
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["shards"][1]["bytes"] = length
    path.write_text(json.dumps(manifest))


def test_lengths_may_be_absent(folder: Path) -> None:
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    del manifest["crc"]
    for shard in manifest["shards"]:
        del shard["bytes"]
    path.write_text(json.dumps(manifest))
    np.testing.assert_array_equal(huffq.open(folder)["x"][:], X)


def test_the_checksum_is_that_of_the_lines(folder: Path) -> None:
    """As docs/format.md has it."""
    manifest = json.loads((folder / "manifest.json").read_text())
    sizes = [(folder / f"shard-0000{n}.huffq").stat().st_size for n in range(3)]
    lines = [f"{SAMPLES[n]} {sizes[n]} shard-0000{n}.huffq\n" for n in range(3)]
    assert manifest["crc"] == zlib.crc32("".join(lines).encode())


def test_a_manifest_without_a_checksum_is_read(folder: Path) -> None:
    rewrite(folder, lambda _: None)
    np.testing.assert_array_equal(huffq.open(folder)["x"][:], X)


def test_every_flipped_bit_of_a_manifest_is_an_error_or_harmless(folder: Path) -> None:
    path = folder / "manifest.json"
    whole = path.read_bytes()
    for place in range(len(whole)):
        for bit in range(8):
            damaged = bytearray(whole)
            damaged[place] ^= 1 << bit
            path.write_bytes(damaged)
            try:
                found = huffq.open(folder)["x"][:]
            except (huffq.HuffqError, FileNotFoundError):
                continue
            np.testing.assert_array_equal(found, X)


def test_what_cannot_be_listed_leaves_no_folder(tmp_path: Path) -> None:
    new = tmp_path / "new"
    with pytest.raises(FileNotFoundError, match="nosuch"):
        huffq.write_manifest(new, [tmp_path / "nosuch"])
    with pytest.raises(FileNotFoundError):
        huffq.write_manifest(new)
    (tmp_path / "empty").mkdir()
    with pytest.raises(huffq.DataError, match=r"no \.huffq files"):
        huffq.write_manifest(new, [tmp_path / "empty"])
    assert not new.exists()

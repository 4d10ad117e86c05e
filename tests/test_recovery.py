"""Damage: what is wrong is an error, what is whole comes back, what is hostile is refused."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import shutil
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import huffq
import reference_store
from huffq import _huffq
from huffq.cli import main
from reference_decoder import crc32c

RNG = np.random.default_rng(9)
SAMPLES = 3000
ACTS = np.repeat(RNG.geometric(0.5, (SAMPLES, 3, 8, 4)).clip(1, 16) - 1, 2, 3).astype(np.uint8)
LABELS = np.arange(SAMPLES, dtype=np.int32)
LENGTHS = RNG.integers(0, 5, SAMPLES)
TOKENS = [RNG.integers(0, 9, (n, 6)).astype(np.uint8) for n in LENGTHS]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "acts.huffq"


def write(path: Path, samples: int = SAMPLES, group_samples: int = 256, **more: Any) -> bytes:
    """A file of many small groups, with fields of every kind; small blocks."""
    fields: list[dict[str, Any]] = [
        {"name": "acts", "bits": 4, "sample_shape": [3, 8, 8], "block_items": 32},
        {"name": "label", "item_bytes": 4, "dtype": "<i4", "sample_shape": [], "block_items": 64},
        {"name": "tokens", "bits": 4, "sample_shape": [None, 6], "block_items": 50},
    ]
    schema = {"fields": fields, "group_samples": group_samples, "metadata": {"a": 1}} | more
    writer = _huffq.StoreWriter(path, json.dumps(schema), None, False)
    tokens = np.concatenate(TOKENS[:samples])
    writer.write(
        samples,
        [
            (ACTS[:samples].reshape(-1), None),
            (LABELS[:samples].view(np.uint8), None),
            (tokens.reshape(-1), LENGTHS[:samples].astype(np.uint64)),
        ],
    )
    writer.finish()
    return path.read_bytes() if path.is_file() else b""


def records(data: bytes, kind: int) -> list[reference_store.Record]:
    return [record for record in reference_store.records(data) if record.kind == kind]


def assert_recovers(path: Path, damaged: bytes, lost: list[int]) -> huffq.RecoveryReport:
    """All samples but the `lost` ones come back, at their places."""
    path.write_bytes(damaged)
    report = huffq.recover(path, path.with_name("new.huffq"))
    dataset = huffq.open(path.with_name("new.huffq"))
    dataset.verify()
    expected = np.setdiff1d(np.arange(SAMPLES), lost)
    np.testing.assert_array_equal(report.indices, expected)
    np.testing.assert_array_equal(huffq.original_indices(dataset), expected)
    np.testing.assert_array_equal(dataset["acts"][:], ACTS[expected])
    np.testing.assert_array_equal(dataset["label"][:], LABELS[expected])
    for one, index in zip(dataset["tokens"][:], expected, strict=True):
        np.testing.assert_array_equal(one, TOKENS[index])
    assert dataset.metadata["a"] == 1
    return report


def test_a_whole_file_is_recovered_whole(path: Path) -> None:
    report = assert_recovers(path, write(path), [])
    assert (report.total, report.lost, report.lost_blocks) == (SAMPLES, [], 0)


def test_a_damaged_block_costs_its_samples_only(path: Path) -> None:
    data = bytearray(write(path))
    block = next(r for r in records(data, reference_store.BLOCK) if (r.field, r.group) == (0, 3))
    data[block.offset + 40] ^= 8
    report = assert_recovers(path, bytes(data), list(range(768, 800)))
    assert report.lost == [(768, 800)]
    assert report.lost_blocks == 1
    assert report.lost_bytes == block.length
    with pytest.raises(huffq.CorruptFileError, match='block 0 of field "acts" in group 3 is corr'):
        huffq.open(path).verify()
    np.testing.assert_array_equal(huffq.open(path)["acts"][800:], ACTS[800:])


def test_a_cut_off_footer_costs_nothing(path: Path) -> None:
    data = write(path)
    (root,) = records(data, reference_store.ROOT)
    for end in (len(data) - 1, len(data) - 36, root.offset + 5, root.offset):
        path.write_bytes(data[:end])
        with pytest.raises(huffq.TruncatedFileError):
            huffq.open(path)
        assert_recovers(path, data[:end], [])


def test_the_next_copy_of_a_codebook_serves(path: Path) -> None:
    """With the footer cut off too."""
    data = bytearray(write(path))
    (root,) = records(data, reference_store.ROOT)
    segments = records(data, reference_store.SEGMENT)
    assert any(len(segment.payload) > 50 for segment in segments if segment.field == 0)
    for segment in segments:
        middle = segment.offset + 24 + len(segment.payload) // 2
        data[middle : middle + 2] = bytes(byte ^ 255 for byte in data[middle : middle + 2])
    assert_recovers(path, bytes(data[: root.offset]), [])
    data = bytearray(write(path))
    for page in records(data, reference_store.PAGE):
        data[page.offset + 60 : page.offset + 70] = bytes(10)
    assert_recovers(path, bytes(data[: root.offset]), [])


def test_a_damaged_schema_has_a_copy(path: Path) -> None:
    data = bytearray(write(path))
    data[60] ^= 1
    assert_recovers(path, bytes(data), [])
    (root,) = records(write(path), reference_store.ROOT)
    data[root.offset + 50] ^= 1
    path.write_bytes(data)
    path.with_name("new.huffq").unlink()
    with pytest.raises(huffq.CorruptFileError, match="neither copy of its schema"):
        huffq.recover(path, path.with_name("new.huffq"))
    assert not path.with_name("new.huffq").exists()


def test_bytes_that_were_cut_out_or_put_in_shift_nothing(path: Path) -> None:
    data = write(path)
    page = records(data, reference_store.PAGE)[4]
    at = page.offset
    assert_recovers(path, data[:at] + b"garbage \xf7HQR" + bytes(30) + data[at:], [])
    block = next(r for r in records(data, reference_store.BLOCK) if (r.field, r.group) == (1, 5))
    start, end = block.offset + 10, block.offset + 20
    assert_recovers(path, data[:start] + data[end:], list(range(5 * 256, 5 * 256 + 64)))


def test_recovery_from_the_command_line(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = bytearray(write(path))
    block = next(r for r in records(data, reference_store.BLOCK) if (r.field, r.group) == (0, 0))
    data[block.offset + 30] ^= 1
    path.write_bytes(data)
    assert main(["recover", str(path), str(path.with_name("new.huffq"))]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{path.with_name('new.huffq')}: 2968 of 3000 samples",
        "lost: samples 0 to 31",
        f"damaged or missing: 1 blocks, {block.length} B",
    ]


def test_the_damaged_file_is_not_written_over(path: Path) -> None:
    """Nor does the new file grow in its place."""
    whole = write(path)
    part = path.rename(f"{path}.part")
    link = path.with_name("link.huffq")
    link.symlink_to(part)
    for out, message in ((part, "the damaged file itself"), (link, "the damaged file itself"),
                         (path, r"grow as .*\.part, which is the damaged file")):  # fmt: skip
        with pytest.raises(ValueError, match=message):
            huffq.recover(part, out)
    assert part.read_bytes() == whole
    assert {p.name for p in path.parent.iterdir()} == {part.name, link.name}


INTERRUPTED = """
import signal, sys, threading
import huffq
threading.Timer(float(sys.argv[3]), signal.raise_signal, [signal.SIGINT]).start()
huffq.recover(sys.argv[1], sys.argv[2], threads=1)
"""


@pytest.mark.parametrize("folder", [False, True])
def test_an_interrupted_recovery_leaves_nothing(tmp_path: Path, *, folder: bool) -> None:
    codes = np.random.default_rng(0).integers(0, 16, (1000, 1 << 17), np.uint8)
    source, target = tmp_path / "a.huffq", tmp_path / "b.huffq"
    shard_bytes = 1 << 24 if folder else None
    huffq.encode_dataset(codes, source, bits=4, level="max", shard_bytes=shard_bytes)
    before = sorted(tmp_path.rglob("*"))
    for delay in (0.2, 0.5):
        command = [sys.executable, "-c", INTERRUPTED, str(source), str(target), str(delay)]
        begin = time.perf_counter()
        run = subprocess.run(command, capture_output=True, text=True, check=False)
        # Interpreter and imports take some of it.
        assert time.perf_counter() - begin < 10
        assert "KeyboardInterrupt" in run.stderr
        assert run.returncode != 0
        assert sorted(tmp_path.rglob("*")) == before
    huffq.open(source).verify()


FULL = """
import resource, signal, sys
import huffq
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), resource.RLIM_INFINITY))
huffq.recover(sys.argv[1], sys.argv[2])
"""


@pytest.mark.parametrize("folder", [False, True])
def test_a_recovery_that_the_disk_fails_leaves_nothing(tmp_path: Path, *, folder: bool) -> None:
    source, target = tmp_path / "a.huffq", tmp_path / "b.huffq"
    source.mkdir() if folder else None
    write(source, **({"shards": {"bytes": 20_000, "first": 0}} if folder else {}))
    huffq.recover(source, target)
    size = max(file.stat().st_size for file in [*target.glob("*.huffq"), target] if file.is_file())
    shutil.rmtree(target) if folder else target.unlink()
    before = sorted(tmp_path.rglob("*"))
    # In the middle, and when all but the trailer is written.
    for limit in (size // 2, size - 10):
        command = [sys.executable, "-c", FULL, str(source), str(target), str(limit)]
        run = subprocess.run(command, capture_output=True, text=True, check=False)
        assert "File too large" in run.stderr
        assert str(target) in run.stderr.splitlines()[-1]
        assert sorted(tmp_path.rglob("*")) == before


def with_attributes(first: int, last: int) -> dict[str, Any]:
    """Samples of a field of which everything is said that can be."""
    nested: Any = 0.1 + 0.2
    for _ in range(200):
        nested = [nested]
    metadata = {"clip": 10**30, "deep": nested, "z": 1e-310}
    scale = np.array([[[0.1]], [[0.3]], [[1e-7]]], np.float16)
    codes = huffq.Codes(
        ACTS[first:last], 4, scale, "zero", real_dtype="bfloat16", metadata=metadata
    )
    return {"acts": codes, "zero": LABELS[first:last]}


def assert_same_attributes(path: Path, metadata: dict[str, Any]) -> None:
    dataset, given = huffq.open(path), with_attributes(0, 1)["acts"]
    assert {k: v for k, v in dataset.metadata.items() if k != "huffq.recovered"} == metadata
    field = dataset["acts"]
    np.testing.assert_array_equal(field.scale, given.scale, strict=True)
    assert (field.zero_point.name, field.real_dtype) == ("zero", "bfloat16")
    assert field.metadata == given.metadata
    expected = given.scale.astype(np.float32) * (ACTS[7] - np.float32(LABELS[7]))
    np.testing.assert_array_equal(field.dequantize(7), expected, strict=True)


def test_what_codes_stand_for_is_kept(tmp_path: Path) -> None:
    """By recovery of files and folders, appending and resuming."""
    metadata = {"first": {"b": 1, "a": [10**30, 0.1]}, "é": 1e-310}
    path, folder = tmp_path / "a.huffq", tmp_path / "set"
    huffq.encode_dataset(with_attributes(0, 50), path, metadata=metadata)
    huffq.recover(path, tmp_path / "new.huffq")
    assert_same_attributes(tmp_path / "new.huffq", metadata)
    for first in (0, 50):
        part = with_attributes(first, first + 50)
        huffq.encode_dataset(part, folder, metadata=metadata, append=True)
    assert_same_attributes(folder, metadata)
    huffq.recover(folder, tmp_path / "new")
    assert_same_attributes(tmp_path / "new", metadata)
    again = tmp_path / "again.huffq"
    data = path.read_bytes()
    (root,) = records(data, reference_store.ROOT)
    Path(f"{again}.part").write_bytes(data[: root.offset])
    huffq.encode_dataset(with_attributes(0, 60), again, metadata=metadata, resume=True)
    assert_same_attributes(again, metadata)
    assert len(huffq.open(again)) == 60


@pytest.mark.parametrize(
    "recovered", [3, {}, {"ranges": 3}, {"ranges": [3]}, {"ranges": [["a", "b"]]},
                  {"ranges": [[0, 10**18]]}, {"ranges": [[2, 1], [0, 10]]}, {"ranges": [[0, 8]]}],
    ids=str,
)  # fmt: skip
def test_places_that_do_not_fit_the_samples_are_errors(path: Path, recovered: Any) -> None:
    huffq.encode_dataset(LABELS[:9].astype(np.uint8), path, metadata={"huffq.recovered": recovered})
    with pytest.raises(huffq.CorruptFileError, match=r"does not say where 9 samples stood"):
        huffq.original_indices(huffq.open(path))


def test_recovery_tells_how_far_it_is(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    huffq.encode_dataset(np.tile(ACTS, (200, 1, 1, 1)), path, bits=4, level="max")
    steps: list[int] = []

    @contextlib.contextmanager
    def bar(_: str, *, total: int, unit: str, enabled: bool) -> Iterator[Any]:
        assert (total, unit, enabled) == (3 * path.stat().st_size, "B", True)
        yield steps.append

    monkeypatch.setattr(huffq.recovery, "progress_bar", bar)
    huffq.recover(path, path.with_name("new.huffq"), threads=1, progress=True)
    assert len(steps) > 1
    assert 0 < sum(steps) <= 3 * path.stat().st_size


@pytest.fixture
def shards(tmp_path: Path) -> Path:
    """Five shards of two groups and less."""
    folder = tmp_path / "set"
    folder.mkdir()
    write(folder, shards={"bytes": 20_000, "first": 0})
    assert len(huffq.write_manifest(folder)) >= 4
    return folder


def starts(folder: Path) -> list[int]:
    return [0, *np.cumsum([len(huffq.open(file)) for file in sorted(folder.glob("*.huffq"))])]


def assert_recovers_folder(folder: Path, lost: Any) -> huffq.RecoveryReport:
    new = folder.with_name("new")
    report = huffq.recover(folder, new)
    dataset = huffq.open(new)
    dataset.verify()
    expected = np.setdiff1d(np.arange(SAMPLES), lost)
    np.testing.assert_array_equal(report.indices, expected)
    np.testing.assert_array_equal(huffq.original_indices(dataset), expected)
    np.testing.assert_array_equal(dataset["acts"][:], ACTS[expected])
    for one, index in zip(dataset["tokens"][:], expected, strict=True):
        np.testing.assert_array_equal(one, TOKENS[index])
    shutil.rmtree(new)
    return report


def test_a_folder_is_recovered_into_a_new_one(shards: Path) -> None:
    begin = starts(shards)
    report = assert_recovers_folder(shards, [])
    assert all(file.whole for file in report.files)
    files = sorted(shards.glob("*.huffq"))
    data = bytearray(files[1].read_bytes())
    block = next(r for r in records(bytes(data), reference_store.BLOCK) if r.field == 0)
    data[block.offset + 40] ^= 8
    files[1].write_bytes(data)
    lost = np.arange(begin[1], begin[1] + 32)
    report = assert_recovers_folder(shards, lost)
    assert [file.whole for file in report.files] == [True, False, *[True] * (len(files) - 2)]
    assert [file.samples for file in report.files][1] == begin[2] - begin[1] - 32
    assert (report.lost_blocks, report.lost_bytes) == (1, block.length)
    files[2].write_bytes(b"nothing of huffq's" * 100)
    files[3].unlink()
    report = assert_recovers_folder(shards, [*lost, *range(begin[2], begin[4])])
    assert report.total == SAMPLES
    assert "schema" in str(report.files[2].lost)
    assert report.files[3].lost == "it is missing"


def test_a_folder_without_its_manifest_is_recovered(shards: Path) -> None:
    """An unfinished shard too."""
    (shards / "manifest.json").write_text("{")
    last = sorted(shards.glob("*.huffq"))[-1]
    data = last.read_bytes()
    (root,) = records(data, reference_store.ROOT)
    Path(f"{last}.part").write_bytes(data[: root.offset])
    assert_recovers_folder(shards, [])
    last.unlink()
    assert_recovers_folder(shards, [])


def test_folders_that_cannot_be_recovered_say_why(shards: Path, tmp_path: Path) -> None:
    before = {file: file.read_bytes() for file in shards.iterdir()}
    with pytest.raises(FileExistsError, match="has shards already"):
        huffq.recover(shards, shards)
    (tmp_path / "empty").mkdir()
    with pytest.raises(huffq.DataError, match=r"no \.huffq files"):
        huffq.recover(tmp_path / "empty", tmp_path / "new")
    (tmp_path / "other").mkdir()
    shutil.copy(next(shards.glob("*.huffq")), tmp_path / "other" / "a.huffq")
    with pytest.raises(FileExistsError, match="has shards already"):
        huffq.recover(tmp_path / "other", tmp_path / "other")
    huffq.encode_dataset(LABELS.astype(np.uint8), shards / "foreign.huffq")
    with pytest.raises(huffq.CorruptFileError, match=r"foreign\.huffq.* other fields"):
        huffq.recover(shards, tmp_path / "new")
    assert not (tmp_path / "new").exists()
    (shards / "foreign.huffq").unlink()
    assert {file: file.read_bytes() for file in shards.iterdir()} == before


def test_a_folder_is_recovered_from_the_command_line(
    shards: Path, capsys: pytest.CaptureFixture[str], fails: Any
) -> None:
    begin = starts(shards)
    first, second, *others = map(str, sorted(shards.glob("*.huffq")))
    Path(second).unlink()
    new = shards.with_name("new")
    assert main(["recover", str(shards), str(new)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{new}: {SAMPLES - begin[2] + begin[1]} of {SAMPLES} samples",
        f"{first}: whole",
        f"{second}: 0 of {begin[2] - begin[1]} samples (it is missing)",
        *(f"{file}: whole" for file in others),
        f"lost: samples {begin[1]} to {begin[2] - 1}",
        "damaged or missing: 0 blocks, 0 B",
    ]
    assert "has shards already" in fails("recover", shards, new)


def read_all(path: Path) -> None:
    """Read everything: it is right, or a typed error."""
    dataset = huffq.open(path, threads=1)
    n = len(dataset)
    np.testing.assert_array_equal(dataset["acts"][:], ACTS[:n])
    np.testing.assert_array_equal(dataset["label"][:], LABELS[:n])
    for one, other in zip(dataset["tokens"][:], TOKENS[:n], strict=True):
        np.testing.assert_array_equal(one, other)
    assert dataset.metadata == {"a": 1}


def test_every_bit_flip_of_a_small_file_is_an_error_or_harmless(path: Path) -> None:
    whole = write(path, 6, group_samples=4)
    read_all(path)
    quiet = 0
    with path.open("r+b", buffering=0) as file:
        for bit in range(8 * len(whole)):
            os.pwrite(file.fileno(), bytes([whole[bit // 8] ^ 1 << bit % 8]), bit // 8)
            with pytest.raises(huffq.HuffqError):
                huffq.open(path, threads=1).verify()
            with contextlib.suppress(huffq.HuffqError):
                read_all(path)
                quiet += 1
            os.pwrite(file.fileno(), whole[bit // 8 : bit // 8 + 1], bit // 8)
    # Copies that reading has no need of.
    assert 0 < quiet < 4 * len(whole)


def test_every_truncation_is_an_error(path: Path) -> None:
    whole = write(path, 6, group_samples=4)
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(huffq.TruncatedFileError):
            huffq.open(path)


LARGE = 30_000
"""Samples of the large file."""

LARGE_GROUP = 4096


@pytest.fixture(scope="module")
def large() -> dict[str, npt.NDArray[Any]]:
    """Fields of a large file; `tokens` are ragged samples laid end to end."""
    rng = np.random.default_rng(2)
    lengths = rng.integers(0, 13, LARGE).astype(np.uint64)
    acts = np.repeat(rng.geometric(0.4, (LARGE, 8, 16, 8)).clip(1, 16) - 1, 2, 3).astype(np.uint8)
    tokens = (rng.geometric(0.3, (int(lengths.sum()), 64)).clip(1, 16) - 9).astype(np.int8)
    label = rng.integers(0, 1000, LARGE, np.int32)
    return {"acts": acts, "tokens": tokens, "embedding": rng.random((LARGE, 40)), "label": label,
            "lengths": lengths}  # fmt: skip


def write_large(path: Path, level: str, source: dict[str, npt.NDArray[Any]]) -> None:
    """A file of tens of megabytes: eight groups, `tokens` in several segments each."""
    fields: list[dict[str, Any]] = [
        {"name": "acts", "bits": 4, "sample_shape": [8, 16, 16]},
        {"name": "tokens", "bits": 4, "signed": True, "sample_shape": [None, 64],
         "block_items": 16},
        {"name": "embedding", "item_bytes": 8, "dtype": "<f8", "sample_shape": [40]},
        {"name": "label", "item_bytes": 4, "dtype": "<i4", "sample_shape": []},
    ]  # fmt: skip
    schema = {"fields": fields, "level": level, "group_samples": LARGE_GROUP, "metadata": {"a": 1}}
    writer = _huffq.StoreWriter(path, json.dumps(schema), None, False)
    parts = [(source[f["name"]].reshape(-1).view(np.uint8), None) for f in fields]
    writer.write(LARGE, [parts[0], (parts[1][0], source["lengths"]), *parts[2:]])
    writer.finish()


def read_large(path: Path, source: dict[str, npt.NDArray[Any]]) -> None:
    """Read everything, group by group: it is right, or a typed error."""
    dataset = huffq.open(path, cache_bytes=0)
    assert dataset.metadata == {"a": 1}
    assert len(dataset) == LARGE
    ends = np.concatenate(([0], np.cumsum(source["lengths"]))).astype(int)
    for start in range(0, LARGE, LARGE_GROUP):
        group = slice(start, start + LARGE_GROUP)
        items = slice(int(ends[start]), int(ends[min(start + LARGE_GROUP, LARGE)]))
        for name in dataset.fields:
            with contextlib.suppress(huffq.HuffqError):
                if name == "tokens":
                    assert np.array_equal(dataset[name].flat[items], source[name][items])
                    assert np.array_equal(dataset[name].lengths(group), source["lengths"][group])
                else:
                    assert np.array_equal(dataset[name][group], source[name][group])


@pytest.mark.soak
@pytest.mark.parametrize(("level", "flips"), [("fast", 2000), ("dense", 4000), ("max", 4000)])
def test_random_bit_flips_of_a_large_file(
    path: Path, large: dict[str, npt.NDArray[Any]], level: str, flips: int, *, soak: bool
) -> None:
    write_large(path, level, large)
    whole = path.read_bytes()
    assert len(whole) > 20_000_000
    read_large(path, large)
    rng = np.random.default_rng(1)
    with path.open("r+b", buffering=0) as file:
        for _ in range(flips if soak else 10):
            place, bit = int(rng.integers(len(whole))), int(rng.integers(8))
            os.pwrite(file.fileno(), bytes([whole[place] ^ 1 << bit]), place)
            with pytest.raises(huffq.HuffqError):
                huffq.open(path).verify()
            with contextlib.suppress(huffq.HuffqError):
                read_large(path, large)
            os.pwrite(file.fileno(), whole[place : place + 1], place)


def test_a_file_cut_while_it_is_read_is_an_error(path: Path) -> None:
    data = write(path)
    dataset = huffq.open(path, cache_bytes=0)
    with path.open("r+b") as file:
        file.truncate(len(data) // 3)
    np.testing.assert_array_equal(dataset["acts"][0], ACTS[0])
    with pytest.raises(huffq.TruncatedFileError):
        dataset["acts"][-1]


def record(kind: int, payload: bytes, field: int = 0, group: int = 0, place: int = 0) -> bytes:
    rest = struct.pack("<BBHIII", kind, 1, field, group, place, len(payload)) + payload
    return b"\xf7HQR" + struct.pack("<I", crc32c(rest)) + rest


def file_of(schema: bytes, body: bytes, entries: list[tuple[int, ...]], totals: bytes) -> bytes:
    """A file whose root has these entries."""
    header = b"\x89HUFFQ\r\n" + struct.pack("<HHII", reference_store.VERSION, 0, 0, 0)
    front = header + struct.pack("<I", crc32c(header)) + record(1, schema) + body
    listed = b"".join(struct.pack("<QIQ", *entry) for entry in entries)
    root = record(5, struct.pack("<I", len(schema)) + schema + totals + listed)
    trailer = struct.pack("<QIHHII", len(front), len(root), reference_store.VERSION, 0, 0, 0)
    return front + root + trailer + struct.pack("<I", crc32c(trailer)) + b"HUFFQEND"


def varints(*numbers: int) -> bytes:
    out = bytearray()
    for number in numbers:
        while number > 127:
            out.append(number & 127 | 128)
            number >>= 7
        out.append(number)
    return bytes(out)


FIELD = {"name": "f", "bits": 4, "signed": False, "sample_shape": [2]}
TOTALS = bytes(16 + 8 * 16)


def schema_of(**changes: Any) -> bytes:
    return json.dumps({"fields": [FIELD | changes]}).encode()


def page_file(page: bytes, samples: int, **changes: Any) -> bytes:
    """A file of one group whose page is made up."""
    schema = schema_of(**changes)
    start = 24 + 24 + len(schema)
    page = record(4, struct.pack("<Q", start) + page)
    return file_of(schema, page, [(start, len(page), samples)], TOTALS)


def hostile() -> Iterator[tuple[str, bytes]]:
    head = varints(0, 1 << 19)
    yield "samples without blocks", page_file(varints(1, len(head)) + head, 1 << 19)
    yield "more samples than a group has", page_file(b"", 1 << 40)
    for samples in (1 << 62, (1 << 64) - 1):
        yield "samples beyond memory", page_file(b"", samples)
    one = varints(0, 1)
    yield "a terabyte of a sample", page_file(varints(1, len(one)) + one, 1, sample_shape=[1 << 40])
    yield "a shape that overflows", page_file(b"", 1, sample_shape=[1 << 33, 1 << 33])
    yield "endless segments", page_file(varints((1 << 63) - 1), 1)
    yield "an endless segment", page_file(varints(1, (1 << 63) - 1), 1)
    yield "an endless block", page_file(varints(1, len(one)) + one + varints(1 << 62), 1)
    schema = schema_of()
    start = 24 + 24 + len(schema)
    page = record(4, struct.pack("<Q", start) + varints(1, len(one)) + one)
    entry = (start, len(page), 1)
    yield "a page twice", file_of(schema, page, [entry, (*entry[:2], 2)], TOTALS)
    yield "pages within each other", file_of(schema, page, [entry, (start + 1, 10, 2)], TOTALS)
    yield "a page in the root", file_of(schema, page, [(start + 40, 1 << 30, 1)], TOTALS)
    yield "a page at the end of numbers", file_of(schema, page, [(2**64 - 9, 99, 1)], TOTALS)
    yield (
        "fewer samples than before",
        file_of(schema, page, [(start, 40, 5), (start + 40, 9, 4)], TOTALS),
    )
    yield "a root that is too short", file_of(schema, page, [], TOTALS[:-1])
    yield "an element of terabytes", file_of(
        json.dumps({"fields": [{"name": "f", "item_bytes": 1 << 40, "dtype": "<i4",
                                "sample_shape": []}]}).encode(), b"", [], bytes(16),
    )  # fmt: skip
    yield "nested JSON", file_of(b"[" * 50_000, b"", [], b"")
    yield "no fields", file_of(b'{"fields": []}', b"", [], b"")


@pytest.mark.parametrize("data", [pytest.param(data, id=what) for what, data in hostile()])
def test_hostile_files_are_refused_at_once(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begin = time.perf_counter()
    with pytest.raises(huffq.CorruptFileError):  # noqa: PT012 (either may notice)
        dataset = huffq.open(path)
        dataset.verify()
    with pytest.raises(huffq.CorruptFileError):
        huffq.recover(path, path.with_name("new.huffq"))
    assert time.perf_counter() - begin < 0.2
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 8192


def test_names_of_a_megabyte_are_read(path: Path) -> None:
    name = "n" * (1 << 20)
    huffq.encode_dataset({name: LABELS.astype(np.uint8)}, path)
    np.testing.assert_array_equal(huffq.open(path)[name][:5], LABELS[:5])


def with_form(data: bytearray, form: int, start: int, offset: int, value: int) -> bytearray:
    """A file whose version or features, 12 bytes at `form`, have another `value` at an offset.

    Their checksum follows them, and is that of the bytes from `start` on.
    """
    data = data.copy()
    data[form + offset] = value
    data[form + 12 : form + 16] = struct.pack("<I", crc32c(data[start : form + 12]))
    return data


def test_newer_files_are_named(path: Path) -> None:
    data = bytearray(write(path))
    # The trailer alone is looked at by who opens a file, the header by who finds no trailer.
    cut = data[:-36]
    trailer, header = (len(data) - 24, len(data) - 36), (8, 0)
    for whole, (form, start) in ((data, trailer), (cut, header)):
        for offset, value, message in (
            (0, 7, rf"version 7 .* reads version {reference_store.VERSION}"),
            (4, 4, "requires features 0x00000004"),
        ):
            newer = with_form(whole, form, start, offset, value)
            path.write_bytes(newer)
            with pytest.raises(huffq.UnsupportedVersionError, match=message):
                huffq.open(path)
    optional = 8
    path.write_bytes(with_form(with_form(data, *trailer, optional, 1), *header, optional, 1))
    read_all(path)


def test_a_root_that_counts_more_ragged_samples_than_its_page_is_refused(path: Path) -> None:
    samples = [np.zeros((n, 3), np.uint8) for n in (2, 0, 3)]
    huffq.encode_dataset({"tokens": samples}, path, bits={"tokens": 2})
    data = path.read_bytes()
    (root,) = records(data, reference_store.ROOT)
    # The last entry ends with the number of samples so far, and that of the field's items.
    assert root.payload[-16:] == struct.pack("<QQ", 3, 5)
    forged = record(reference_store.ROOT, root.payload[:-16] + struct.pack("<QQ", 4, 5))
    path.write_bytes(data[: root.offset] + forged + data[-36:])
    with pytest.raises(huffq.CorruptFileError, match="the root counts other samples"):
        huffq.open(path)["tokens"][3]

"""Salvage: what is whole of damaged files and folders comes back, at its place."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import huffq
import reference_store
from huffq.cli import main
from store_files import ACTS, LABELS, SAMPLES, TOKENS, records, write


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "acts.huffq"


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
    # At the start, in the middle, and when all but the trailer is written.
    for limit in (10, size // 2, size - 10):
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

"""Writing datasets: pushed batches, ragged and side fields, shards, interruptions, resuming."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import huffq

RNG = np.random.default_rng(5)
SAMPLES = 5000
CODES = (RNG.geometric(0.4, (SAMPLES, 4, 32, 32)).clip(1, 16) - 1).astype(np.uint8)
LABELS = np.arange(SAMPLES) % 10
SOURCE = {"conv": CODES, "label": LABELS}
BITS = {"conv": 4}
GROUP = 2048
"""Samples of `SOURCE` in a group: 8 Mi symbols of its larger field."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "acts.huffq"


def stream(start: int = 0, batch: int = 300, stop: int = SAMPLES) -> Iterator[dict[str, Any]]:
    for first in range(start, stop, batch):
        yield {name: x[first : min(first + batch, stop)] for name, x in SOURCE.items()}


def assert_same(path: Path, source: dict[str, Any]) -> None:
    dataset = huffq.open(path)
    dataset.verify()
    for name, x in source.items():
        np.testing.assert_array_equal(dataset[name][:], x, strict=True)


def interrupted(path: Path, after: int, **options: Any) -> int:
    def source() -> Iterator[Any]:
        yield from stream(stop=after)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        huffq.encode_dataset(source(), path, bits=BITS, **options)
    return huffq.resume_point(path)


def test_a_writer_takes_batches_and_reports(path: Path) -> None:
    with huffq.Writer(path, bits=BITS, metadata={"model": "x"}) as writer:
        for batch in stream():
            assert writer.write(batch) == len(batch["label"])
    assert writer.report.samples == SAMPLES
    assert writer.report.fields["label"].raw_bits == 64 * SAMPLES
    assert writer.report.fields["conv"].symbols == CODES.size
    assert writer.report.encoded_bits == 8 * path.stat().st_size
    assert_same(path, SOURCE)
    assert huffq.open(path).metadata == {"model": "x"}


def test_a_writer_without_samples_says_so(path: Path) -> None:
    with pytest.raises(huffq.DataError, match="no samples"), huffq.Writer(path):
        pass
    assert list(path.parent.iterdir()) == []


def test_a_batch_with_a_wrong_value_is_not_taken(path: Path) -> None:
    wrong = {"conv": CODES[:2] | 16, "label": LABELS[:2]}
    with huffq.Writer(path, bits=BITS) as writer:
        writer.write({"conv": CODES[:3], "label": LABELS[:3]})
        with pytest.raises(ValueError, match=r'field "conv", sample 3: value \d+ at index 0'):
            writer.write(wrong)
        writer.write({"conv": CODES[3:5], "label": LABELS[3:5]})
    assert_same(path, {name: x[:5] for name, x in SOURCE.items()})


FULL_DISK = """
import resource, sys
import numpy as np
import huffq
limit = resource.getrlimit(resource.RLIMIT_FSIZE)
codes = np.random.default_rng(0).integers(0, 256, (48, 1 << 20), np.uint8)
writer = huffq.Writer(sys.argv[1], bits=8, threads=1)
resource.setrlimit(resource.RLIMIT_FSIZE, (20 << 20, limit[1]))
failed = 0
for first in range(0, 48, 16):
    try:
        writer.write(codes[first:first + 16])
    except OSError:
        failed += 1
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    except ValueError as error:
        failed += "given up" in str(error)
try:
    writer.close()
except ValueError as error:
    failed += "given up" in str(error)
print(failed)
"""


def test_a_writer_whose_write_failed_is_given_up(path: Path) -> None:
    huffq.encode_dataset(SOURCE["label"].astype(np.uint8), path)
    before = path.read_bytes()
    command = [sys.executable, "-c", FULL_DISK, str(path)]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert int(run.stdout) >= 2
    assert path.read_bytes() == before
    assert huffq.resume_point(path) > 0


def test_a_writer_can_be_closed_before_its_block_ends(path: Path) -> None:
    with huffq.Writer(path, bits=BITS) as writer:
        writer.write({"conv": CODES[:3], "label": LABELS[:3]})
        report = writer.close()
        with pytest.raises(ValueError, match="is finished"):
            writer.write({"conv": CODES[:3], "label": LABELS[:3]})
    assert writer.close() is report
    assert writer.samples == 3


def test_an_exception_leaves_whole_groups_only(path: Path) -> None:
    def source() -> Iterator[Any]:
        yield from stream(stop=100)
        raise RuntimeError("boom")

    with pytest.raises(RuntimeError, match="boom"):
        huffq.encode_dataset(source(), path, bits=BITS)
    assert list(path.parent.iterdir()) == []
    assert interrupted(path, 4900) == 2 * GROUP
    assert [p.name for p in path.parent.iterdir()] == ["acts.huffq.part"]


def test_an_interrupt_says_how_to_go_on(path: Path) -> None:
    def source() -> Iterator[Any]:
        yield from stream(stop=3000)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt, match=r"acts\.huffq has 2048 samples.*resume=True"):
        huffq.encode_dataset(source(), path, bits=BITS)


@pytest.mark.parametrize("after", [0, 10, 2047, 2048, 2500, 4096, 4999])
def test_resuming_ends_with_the_bytes_of_an_undisturbed_run(path: Path, after: int) -> None:
    huffq.encode_dataset(SOURCE, path, bits=BITS, threads=2)
    whole = path.read_bytes()
    path.unlink()
    begin = interrupted(path, after)
    assert begin == after // GROUP * GROUP
    starts = []

    def source(start: int) -> Iterator[Any]:
        starts.append(start)
        return stream(start, batch=77)

    report = huffq.encode_dataset(source, path, bits=BITS, threads=1, resume=True)
    assert starts == [begin]
    assert report.samples == SAMPLES
    assert report.fields["conv"].symbols == CODES.size
    assert report.fields["conv"].encoded == CODES[begin:].size
    assert report.encoded_bits == 8 * len(whole)
    assert path.read_bytes() == whole


def test_resuming_passes_over_what_a_plain_source_has_given(path: Path) -> None:
    huffq.encode_dataset(SOURCE, path, bits=BITS)
    whole = path.read_bytes()
    for source in (SOURCE, stream(batch=999)):
        interrupted(path, 4500)
        huffq.encode_dataset(source, path, bits=BITS, resume=True)
        assert path.read_bytes() == whole


def test_resuming_what_was_all_written(path: Path) -> None:
    assert interrupted(path, 2 * GROUP) == 2 * GROUP
    report = huffq.encode_dataset(lambda _: iter(()), path, bits=BITS, resume=True)
    assert report.samples == 2 * GROUP
    assert_same(path, {name: x[: 2 * GROUP] for name, x in SOURCE.items()})


@pytest.mark.parametrize("options", [{"level": "fast"}, {"metadata": {"a": 1}}, {"bits": 5}])
def test_resuming_refuses_other_options(path: Path, options: dict[str, Any]) -> None:
    interrupted(path, 3000)
    changed = {"bits": {"conv": 4}} | options
    if changed["bits"] == 5:
        changed["bits"] = {"conv": 5}
    with pytest.raises(ValueError, match=r"acts\.huffq.*is to be resumed has"):
        huffq.encode_dataset(SOURCE, path, resume=True, **changed)
    assert huffq.resume_point(path) == GROUP


def test_what_differs_is_quoted_however_long_the_rest_is(path: Path) -> None:
    def run(note: str) -> None:
        metadata = {"text": "x" * 100_000, "note": note, "more": "y" * 100_000}
        with huffq.Writer(path, bits=BITS, metadata=metadata, resume=True) as writer:
            for batch in stream(writer.samples):
                writer.write(batch)
                if note == "old" and huffq.resume_point(path):
                    raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run("old")
    with pytest.raises(ValueError, match=r'"old".*this run has.*"new"') as refused:
        run("new")
    assert len(str(refused.value)) < 500


def test_resuming_without_a_part_begins_anew(path: Path) -> None:
    assert huffq.resume_point(path) == 0
    huffq.encode_dataset(SOURCE, path, bits=BITS, resume=True)
    assert_same(path, SOURCE)


def test_resuming_what_is_no_file_of_huffqs_is_refused(path: Path) -> None:
    Path(f"{path}.part").write_bytes(b"a" * 1000)
    with pytest.raises(huffq.CorruptFileError, match=r"not a \.huffq file"):
        huffq.resume_point(path)


def ragged(samples: int) -> dict[str, list[Any]]:
    rng = np.random.default_rng(samples)
    lengths = rng.integers(0, 200, samples)
    return {
        "resid": [rng.integers(-8, 8, (n, 96)).astype(np.int8) for n in lengths],
        "ids": [rng.integers(0, 50_000, n) for n in lengths],
    }


def test_ragged_samples_come_back(path: Path) -> None:
    source = ragged(700)
    with huffq.Writer(path, bits={"resid": 4}) as writer:
        for first in range(0, 700, 64):
            batch: dict[str, Any] = {n: x[first : first + 64] for n, x in source.items()}
            batch["mask"] = np.ones(len(batch["ids"]), bool)
            writer.write(batch)
    dataset = huffq.open(path)
    dataset.verify()
    for name, samples in source.items():
        field = dataset[name]
        assert field.ragged
        assert field.shape == (700, None, *samples[0].shape[1:])
        np.testing.assert_array_equal(field.lengths(), list(map(len, samples)))
        np.testing.assert_array_equal(field.lengths([3, 1]), [len(samples[3]), len(samples[1])])
        for index in (0, -1, np.int64(5)):
            np.testing.assert_array_equal(field[index], samples[index], strict=True)
        for index in (slice(5, 90), slice(None, None, -50), [4, 4, 2], np.arange(700) % 9 == 0, []):
            expected = (
                [samples[i] for i in np.arange(700)[index]] if len(np.arange(700)[index]) else []
            )
            found = field[index]
            assert len(found) == len(expected)
            for one, other in zip(found, expected, strict=True):
                np.testing.assert_array_equal(one, other, strict=True)
        joined = np.concatenate(samples)
        flat = field.flat
        assert flat.shape == joined.shape
        for index in (0, -1, slice(100, 2000), slice(None, None, 777), [9, 3, 30_000], []):
            expected = joined[np.array(index, int)] if isinstance(index, list) else joined[index]
            np.testing.assert_array_equal(flat[index], expected, strict=True)
    batches = list(dataset.iter_batches(100))
    assert [len(batch["ids"]) for batch in batches] == [100] * 7
    for one, other in zip(
        itertools.chain(*(b["resid"] for b in batches)), source["resid"], strict=True
    ):
        np.testing.assert_array_equal(one, other, strict=True)


def test_ragged_files_do_not_depend_on_batches_and_resume(path: Path) -> None:
    source = ragged(3000)
    bits = {"resid": 4}

    def batches(start: int, batch: int = 100, stop: int = 3000) -> Iterator[Any]:
        for first in range(start, stop, batch):
            yield {n: x[first : min(stop, first + batch)] for n, x in source.items()}

    huffq.encode_dataset(batches(0), path, bits=bits)
    whole = path.read_bytes()
    huffq.encode_dataset(batches(0, 7), path, bits=bits, threads=1)
    assert path.read_bytes() == whole
    path.unlink()

    def failing() -> Iterator[Any]:
        yield from batches(0, stop=2500)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        huffq.encode_dataset(failing(), path, bits=bits)
    assert 0 < huffq.resume_point(path) < 2500
    huffq.encode_dataset(lambda start: batches(start, 31), path, bits=bits, resume=True)
    assert path.read_bytes() == whole


def test_ragged_arguments_are_checked(path: Path) -> None:
    with pytest.raises(ValueError, match="add up to 3; there are 4"):
        huffq.Ragged(np.zeros((4, 2), np.uint8), np.array([1, 2]))
    with pytest.raises(ValueError, match="field 'x': ragged samples must be arrays that differ"):
        huffq.encode_dataset({"x": [np.zeros((2, 3), np.uint8), np.zeros((2, 4), np.uint8)]}, path)
    codes = huffq.Codes(np.arange(12, dtype=np.uint8).reshape(4, 3), 4, np.full(3, 0.5))
    huffq.encode_dataset({"x": huffq.Ragged(codes, np.array([1, 3]))}, path)
    real = huffq.open(path)["x"].dequantize([1])
    np.testing.assert_array_equal(real[0], codes.values[1:] * 0.5)


def test_side_fields_keep_any_dtype(path: Path) -> None:
    source = {
        "f": RNG.random((50, 3)).astype(np.float16),
        "big": RNG.random((50, 3)).astype(">f8"),
        "t": np.arange(50).astype("datetime64[s]"),
        "s": np.array([f"größe {i}" for i in range(50)]),
        "r": np.zeros(50, [("a", "<i4"), ("b", "u1", (2, 3))]),
        "z": np.zeros((50, 0), np.int32),
    }
    huffq.encode_dataset(source, path)
    assert_same(path, source)
    with pytest.raises(TypeError, match="'o' has dtype object"):
        huffq.encode_dataset({"o": np.array([None, 1])}, path)


def test_shards_are_one_dataset(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    size = 4_000_000
    report = huffq.encode_dataset(stream(), folder, bits=BITS, shard_bytes=size)
    assert len(report.paths) == 2
    assert_same(folder, SOURCE)
    dataset = huffq.open(folder)
    assert dataset.info["files"] == 2
    picks = RNG.integers(0, SAMPLES, 200)
    np.testing.assert_array_equal(dataset["conv"][picks], CODES[picks])
    np.testing.assert_array_equal(dataset["conv"][4000:4200], CODES[4000:4200])
    batches = [batch["label"] for batch in dataset.iter_batches(700)]
    assert list(map(len, batches)) == [700] * 7 + [100]
    np.testing.assert_array_equal(np.concatenate(batches), LABELS)
    for file in report.paths:
        huffq.open(file).verify()
    files = {Path(p).name: Path(p).read_bytes() for p in report.paths}
    again = tmp_path / "again"
    huffq.encode_dataset(stream(batch=50), again, bits=BITS, shard_bytes=size, threads=1)
    assert {name: (again / name).read_bytes() for name in files} == files
    for after in (2000, 3000, 4900):
        shutil.rmtree(again)
        interrupted(again, after, shard_bytes=size)
        huffq.encode_dataset(
            lambda start: stream(start), again, bits=BITS, shard_bytes=size, resume=True
        )
        assert {name: (again / name).read_bytes() for name in files} == files
        assert_same(again, SOURCE)


def test_shards_are_appended_merged_and_listed_anew(tmp_path: Path) -> None:
    folder, other, merged = tmp_path / "set", tmp_path / "other", tmp_path / "merged"
    first = {name: x[:100] for name, x in SOURCE.items()}
    huffq.encode_dataset(first, folder, bits=BITS, shard_bytes=1 << 30)
    with pytest.raises(FileExistsError, match="append=True"):
        huffq.encode_dataset(first, folder, bits=BITS, shard_bytes=1 << 30)
    huffq.encode_dataset(first, folder, bits=BITS, append=True)
    assert len(huffq.open(folder)) == 200
    huffq.encode_dataset(first, other, bits=BITS, shard_bytes=1 << 30)
    huffq.write_manifest(merged, [folder, other])
    assert len(huffq.open(merged)) == 300
    np.testing.assert_array_equal(huffq.open(merged)["label"][:], np.tile(LABELS[:100], 3))
    (folder / "manifest.json").unlink()
    with pytest.raises(huffq.DataError, match=r"manifest\.json; huffq\.write_manifest makes one"):
        huffq.open(folder)
    huffq.write_manifest(folder)
    assert len(huffq.open(folder)) == 200
    for text in (
        "{",
        "[]",
        '{"version": 1, "shards": []}',
        '{"version": 1, "shards": [{"file": 3}]}',
    ):
        (folder / "manifest.json").write_text(text)
        with pytest.raises(huffq.CorruptFileError, match="no list of shards"):
            huffq.open(folder)
    huffq.encode_dataset(first["label"].astype(np.uint8), tmp_path / "foreign.huffq")
    with pytest.raises(huffq.CorruptFileError, match="other fields"):
        huffq.write_manifest(merged, [other, tmp_path / "foreign.huffq"])


def test_folders_that_hold_other_files_of_huffq_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    huffq.encode_dataset({"y": CODES[:9]}, folder / "other.huffq", bits=4)
    with pytest.raises(FileExistsError, match="has shards already"):
        huffq.Writer(folder, shard_bytes=1 << 30)
    assert [p.name for p in folder.iterdir()] == ["other.huffq"]


def test_shards_with_other_fields_are_not_appended(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    huffq.encode_dataset({"x": CODES[:9]}, folder, bits=4, shard_bytes=1 << 30)
    for source, bits in (({"y": CODES[:9]}, 4), ({"x": CODES[:9]}, 5), ({"x": CODES[:9, 0]}, 4)):
        with pytest.raises(ValueError, match="has shards with other fields"):
            huffq.encode_dataset(source, folder, bits=bits, append=True)
    assert {p.name for p in folder.iterdir()} == {"manifest.json", "shard-00000.huffq"}
    huffq.encode_dataset({"x": CODES[:9]}, folder, bits=4, append=True)
    assert len(huffq.open(folder)) == 18
    with pytest.raises(ValueError, match="shard_bytes is 0"):
        huffq.Writer(tmp_path / "none", shard_bytes=0)


def test_appending_to_merged_shards_keeps_them(tmp_path: Path) -> None:
    merged = tmp_path / "merged"
    for number in range(2):
        huffq.encode_dataset(
            {"x": CODES[number : number + 1]}, tmp_path / f"{number}.huffq", bits=4
        )
    huffq.write_manifest(merged, [tmp_path / "1.huffq", tmp_path / "0.huffq"])
    with pytest.raises(FileExistsError, match="append=True"):
        huffq.Writer(merged, shard_bytes=1 << 30)
    for number in (2, 3):
        huffq.encode_dataset({"x": CODES[number : number + 1]}, merged, bits=4, append=True)
    np.testing.assert_array_equal(huffq.open(merged)["x"][:], CODES[[1, 0, 2, 3]])


@pytest.mark.parametrize("samples", ["-1", "1e999", "2.5", "true", str(1 << 63), "[" * 100_000])
def test_manifests_whose_counts_cannot_be_are_refused(tmp_path: Path, samples: str) -> None:
    text = f'{{"version": 1, "shards": [{{"file": "a", "samples": {samples}}}]}}'
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(huffq.CorruptFileError, match="no list of shards"):
        huffq.open(tmp_path)


def test_newer_manifests_are_named(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text('{"version": 2, "shards": []}')
    with pytest.raises(huffq.UnsupportedVersionError, match=r"version 2; .* version 1"):
        huffq.open(tmp_path)


def test_long_scales_that_differ_are_told_in_brief(path: Path) -> None:
    batches = (huffq.Codes(CODES[:9], 4, scale=np.full((4, 32, 32), s, np.float32)) for s in (1, 2))
    with pytest.raises(ValueError, match=r"has scale .* of shape \(4, 32, 32\)") as raised:
        huffq.encode_dataset(batches, path)
    assert len(str(raised.value)) < 300


CHILD = """
import sys, time
import numpy as np
import huffq
codes = np.load(sys.argv[2], mmap_mode="r")
batch, threads = map(int, sys.argv[3:])
def source(start):
    for first in range(start, len(codes), batch):
        part = codes[first:first + batch]
        yield {"conv": part, "label": np.arange(first, first + len(part))}
huffq.encode_dataset(source, sys.argv[1], bits={"conv": 4}, threads=threads, resume=True)
"""


@pytest.mark.soak
def test_a_killed_writer_loses_no_finished_block_and_resumes(tmp_path: Path, soak: bool) -> None:
    codes = np.concatenate([CODES, CODES[::-1]])
    np.save(tmp_path / "codes.npy", codes)
    path, reference = tmp_path / "a.huffq", tmp_path / "whole.huffq"

    rng = np.random.default_rng(0)

    def run(target: Path) -> subprocess.Popen[bytes]:
        """Write in batches of any size, on any number of threads."""
        options = map(str, (rng.integers(1, 700), rng.integers(1, 5)))
        command = [sys.executable, "-c", CHILD, str(target), str(tmp_path / "codes.npy")]
        return subprocess.Popen([*command, *options])

    assert run(reference).wait() == 0
    whole = reference.read_bytes()
    begin = time.perf_counter()
    run(tmp_path / "timed.huffq").wait()
    seconds = time.perf_counter() - begin
    part = Path(f"{path}.part")
    killed = 0
    for _ in range(50 if soak else 3):
        path.unlink(missing_ok=True)
        part.unlink(missing_ok=True)
        child = run(path)
        time.sleep(rng.uniform(0.2, 1) * seconds)
        child.send_signal(signal.SIGKILL)
        child.wait()
        if path.exists():
            assert path.read_bytes() == whole
            continue
        killed += 1
        written = part.read_bytes() if part.exists() else b""
        assert whole.startswith(written), "all that is on disk is right"
        if kept := huffq.resume_point(path):
            report = huffq.recover(part, tmp_path / "salvaged.huffq")
            assert report.ranges[0][0] == 0
            assert report.samples >= kept
            salvaged = huffq.open(tmp_path / "salvaged.huffq")
            np.testing.assert_array_equal(salvaged["conv"][:], codes[report.indices])
        assert run(path).wait() == 0
        assert path.read_bytes() == whole
    assert killed > 0


def test_a_full_disk_loses_no_finished_block(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=5m", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small disk is not permitted")
    try:
        path = disk / "a.huffq"
        with pytest.raises(OSError, match="No space left") as raised:
            huffq.encode_dataset(stream(), path, bits=BITS)
        assert raised.value.filename == str(path)
        assert huffq.resume_point(path) == GROUP
        report = huffq.recover(f"{path}.part", tmp_path / "salvaged.huffq")
        assert report.samples >= GROUP
        np.testing.assert_array_equal(
            huffq.open(tmp_path / "salvaged.huffq")["conv"][:], CODES[report.indices]
        )
        subprocess.run(["mount", "-o", "remount,size=50m", str(disk)], check=True)
        huffq.encode_dataset(lambda start: stream(start), path, bits=BITS, resume=True)
        huffq.encode_dataset(SOURCE, tmp_path / "whole.huffq", bits=BITS)
        assert path.read_bytes() == (tmp_path / "whole.huffq").read_bytes()
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_coding_goes_on_while_the_source_computes(path: Path) -> None:
    """The writer's threads work although the caller never does."""

    def coding_seconds() -> float:
        return time.process_time() - time.thread_time()

    with huffq.Writer(path, bits=BITS, level="max", threads=1) as writer:
        begin, deadline = coding_seconds(), time.monotonic() + 60
        writer.write({name: x[:GROUP] for name, x in SOURCE.items()})
        threads = threading.active_count()
        while coding_seconds() - begin < 0.002 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert coding_seconds() - begin >= 0.002
        assert threading.active_count() == threads
        writer.write({name: x[GROUP:3000] for name, x in SOURCE.items()})


def test_arrays_in_memory_are_the_same_file_as_their_batches(tmp_path: Path) -> None:
    whole, pushed = tmp_path / "whole.huffq", tmp_path / "pushed.huffq"
    source = {"conv": CODES.astype(np.int8) - 8, "label": LABELS}
    for level in ("fast", "dense"):
        huffq.encode_dataset(source, whole, bits=BITS, level=level, threads=2)
        with huffq.Writer(pushed, bits=BITS, level=level) as writer:
            for first in range(0, SAMPLES, 777):
                writer.write({name: x[first : first + 777] for name, x in source.items()})
        assert whole.read_bytes() == pushed.read_bytes()


def test_a_code_that_does_not_fit_leaves_the_groups_before(path: Path) -> None:
    codes = CODES.copy()
    codes[GROUP + 10, 1, 2, 3] = 77
    what = rf'field "conv", sample {GROUP + 10}: value 77 at index {1024 + 2 * 32 + 3}'
    with pytest.raises(ValueError, match=what):
        huffq.encode_dataset({"conv": codes, "label": LABELS}, path, bits=BITS)
    assert not path.exists()
    assert huffq.resume_point(path) == GROUP
    huffq.encode_dataset(SOURCE, path, bits=BITS, resume=True)
    assert_same(path, SOURCE)


def test_a_fork_does_not_touch_its_parents_writer(path: Path) -> None:
    writer = huffq.Writer(path, bits=BITS)
    writer.write({name: x[:10] for name, x in SOURCE.items()})
    child = os.fork()
    if child == 0:
        status = 1
        try:
            for work in (lambda: writer.write(SOURCE), writer.close):
                with pytest.raises(ValueError, match="from before a fork"):
                    work()
            writer.suspend()
            del writer
            status = 0
        finally:
            # Whatever failed, the child must not go on with the tests.
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
    writer.close()
    assert_same(path, {name: x[:10] for name, x in SOURCE.items()})


def test_a_stream_that_changes_halfway_is_as_small_as_two_files(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    a = (rng.geometric(0.6, (3000, 4, 32, 32)).clip(1, 16) - 1).astype(np.uint8)
    b = rng.integers(0, 16, (3000, 4, 32, 32)).astype(np.uint8) // 3
    for level in ("fast", "dense"):
        sizes = [
            huffq.encode_dataset(x, tmp_path / "x.huffq", bits=4, level=level).encoded_bits
            for x in (a, b, np.concatenate([a, b]))
        ]
        assert sizes[2] <= 1.02 * (sizes[0] + sizes[1])

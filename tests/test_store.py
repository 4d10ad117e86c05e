"""huffq.encode_dataset and huffq.open."""

from __future__ import annotations

import gc
import multiprocessing
import os
import pickle
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import huffq
from huffq.batches import Ahead

RNG = np.random.default_rng(7)
ACTS = RNG.geometric(0.5, (700, 3, 5, 7)).clip(1, 16).astype(np.uint8) - 1
SIGNED = RNG.integers(-30, 31, (700, 20)).astype(np.int8)


def codes() -> dict[str, huffq.Codes]:
    return {
        "features.27": huffq.Codes(ACTS, 4, np.float32(0.1) * np.ones((), np.float32)),
        "input": huffq.Codes(SIGNED, 6, np.linspace(0.5, 1, 20), zero_point=3),
    }


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "acts.huffq"


@pytest.fixture
def dataset(path: Path) -> huffq.Dataset:
    huffq.encode_dataset(codes(), path, metadata={"model": "vgg16", "epoch": 3})
    return huffq.open(path)


def test_fields_know_what_they_hold(dataset: huffq.Dataset) -> None:
    assert len(dataset) == 700
    assert list(dataset.fields) == ["features.27", "input"]
    assert dataset.metadata == {"model": "vgg16", "epoch": 3}
    field = dataset["input"]
    assert (field.shape, field.dtype, field.bits, field.signed) == ((700, 20), np.int8, 6, True)
    np.testing.assert_array_equal(field.scale, np.linspace(0.5, 1, 20), strict=True)
    assert dataset["features.27"].scale.dtype == np.float32
    assert dataset.info["fields"]["features.27"]["shape"] == [700, 3, 5, 7]
    with pytest.raises(KeyError, match=r"no field 'x'; it has 'features.27', 'input'"):
        dataset["x"]
    assert "input" in dataset
    assert "x" not in dataset
    with pytest.raises(TypeError, match=r"loop over its \.fields or \.iter_batches"):
        iter(dataset)


INDICES = [
    0, -1, np.int64(17), np.array(5), slice(None), slice(100, 200), slice(-5, None),
    slice(200, 100), slice(None, None, -7), slice(5, 600, 250), [3, 1, 2, 3], [-1, 0],
    [], np.array([699, 0]), np.arange(700) % 3 == 0,
]  # fmt: skip


@pytest.mark.parametrize("index", INDICES, ids=str)
def test_indexing_is_numpys(dataset: huffq.Dataset, index: Any) -> None:
    expected = ACTS[np.array(index, int)] if isinstance(index, list) else ACTS[index]
    np.testing.assert_array_equal(dataset["features.27"][index], expected, strict=True)


@pytest.mark.parametrize(
    ("index", "error"),
    [(700, IndexError), (-701, IndexError), ([0, 700], IndexError), ([True, False], IndexError),
     (1.0, TypeError), ((1, 2), TypeError), ([[1]], TypeError), ("a", TypeError),
     (True, TypeError), (np.True_, TypeError)],
)  # fmt: skip
def test_wrong_indices_are_refused(dataset: huffq.Dataset, index: Any, error: type) -> None:
    with pytest.raises(error):
        dataset["input"][index]


def test_dequantize_applies_scale_and_zero_point(dataset: huffq.Dataset) -> None:
    real = dataset["input"].dequantize([5, 6])
    np.testing.assert_allclose(real, (SIGNED[5:7] - 3.0) * np.linspace(0.5, 1, 20))
    assert dataset["features.27"].dequantize().dtype == np.float32
    assert dataset["input"].dequantize(3, dtype=np.float16).dtype == np.float16
    with pytest.raises(TypeError, match="dtype is int32; real values need a floating-point one"):
        dataset["input"].dequantize(3, dtype=np.int32)


def test_batches_come_in_order(dataset: huffq.Dataset) -> None:
    batches = list(dataset.iter_batches(256))
    assert [len(b["input"]) for b in batches] == [256, 256, 188]
    np.testing.assert_array_equal(np.concatenate([b["features.27"] for b in batches]), ACTS)
    with pytest.raises(ValueError, match="batch_size"):
        next(dataset.iter_batches(0))


@pytest.mark.parametrize("threads", [1, 3, None])
def test_batches_that_are_kept_stay_as_they_were(
    path: Path, monkeypatch: pytest.MonkeyPatch, threads: int | None
) -> None:
    """Memory is used again when the last array in it is gone, and no sooner."""
    for name in ("_CHUNK_BYTES", "_TORN_CHUNK_BYTES"):
        monkeypatch.setattr(f"huffq.batches.{name}", 4096)
    huffq.encode_dataset(codes(), path)
    batches = huffq.open(path, threads=threads).iter_batches(16)
    kept = {n: batch["features.27"][3:, 1] for n, batch in enumerate(batches) if n % 3 == 0}
    assert len(kept) == 15
    for number, part in kept.items():
        np.testing.assert_array_equal(part, ACTS[16 * number :][3:16, 1])


def test_chunks_hold_whole_blocks_or_are_long(path: Path) -> None:
    """Blocks across the borders of chunks are decoded twice, so that these must be few."""
    conv = np.resize(ACTS, (3000, 16, 32, 32))
    codes = {"whole": conv, "torn": np.resize(ACTS, (3000, 784))}
    huffq.encode_dataset(codes, path, bits=4)
    dataset = huffq.open(path)
    for name, least in (("whole", 1 << 19), ("torn", 1 << 21)):
        field = dataset[name]
        ahead = Ahead(dataset._shards, [field], frozenset(), None, None)
        samples = ahead._chunk_samples(16 if name == "whole" else 256)
        assert (samples % field.block_items == 0) == (name == "whole")
        assert 0.8 * least <= samples * field.item_bytes <= least


def test_the_report_counts(path: Path) -> None:
    report = huffq.encode_dataset(codes(), path)
    field = report.fields["features.27"]
    np.testing.assert_array_equal(field.counts, np.bincount(ACTS.ravel(), minlength=16))
    share = field.counts[field.counts > 0] / ACTS.size
    assert field.entropy == pytest.approx(-(share * np.log2(share)).sum())
    assert field.zeros == (ACTS == 0).mean()
    assert report.fields["input"].counts[(-30) & 63] == (SIGNED == -30).sum()
    assert report.samples == 700
    assert report.symbols == ACTS.size + SIGNED.size
    assert report.raw_bits == 4 * ACTS.size + 6 * SIGNED.size
    assert report.encoded_bits == 8 * path.stat().st_size
    assert report.ratio == report.encoded_bits / report.raw_bits
    assert field.ratio < 0.6


def test_files_do_not_depend_on_batches_or_threads(path: Path) -> None:
    huffq.encode_dataset(codes(), path, threads=1)
    whole = path.read_bytes()
    for batch, threads in ((1, 2), (37, 1), (699, None)):
        stream = (
            {name: c[i : i + batch] for name, c in codes().items()} for i in range(0, 700, batch)
        )
        huffq.encode_dataset(stream, path, threads=threads)
        assert path.read_bytes() == whole


def test_sources_of_every_form(path: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", ACTS)
    memory_map = np.load(tmp_path / "a.npy", mmap_mode="r")
    named = {"data": ACTS}
    stream = (ACTS[i : i + 100] for i in range(0, 700, 100))
    for source, bits in ((ACTS, None), (memory_map, None), (named, None), (stream, 4),
                         ([named, named], {"data": 4})):  # fmt: skip
        report = huffq.encode_dataset(source, path, bits=bits)
        np.testing.assert_array_equal(huffq.open(path)["data"][:700], ACTS)
        assert report.fields["data"].bits == 4


def test_empty_batches_are_passed_over(path: Path) -> None:
    report = huffq.encode_dataset([ACTS[:0], ACTS[:5], ACTS[:0], ACTS[5:9]], path, bits=4)
    assert report.samples == 9
    np.testing.assert_array_equal(huffq.open(path)["data"][:], ACTS[:9])


def test_bits_that_codes_have_may_be_repeated(path: Path) -> None:
    source = {"a": huffq.Codes(ACTS, 4), "b": ACTS}
    report = huffq.encode_dataset(source, path, bits={"a": np.int64(4), "b": np.int64(5)})
    assert [field.bits for field in report.fields.values()] == [4, 5]


def test_scales_of_every_form(path: Path) -> None:
    source = {
        "a": huffq.Codes(SIGNED, 6, 0.25, zero_point=np.int64(2)),
        "b": huffq.Codes(SIGNED, 6, [0.25]),
        "c": huffq.Codes(SIGNED, 6, np.full(20, 0.25, np.float16)),
    }
    huffq.encode_dataset(source, path)
    dataset = huffq.open(path)
    for name, codes in source.items():
        assert dataset[name].scale.shape == codes.scale.shape
        np.testing.assert_array_equal(
            dataset[name].dequantize(3), 0.25 * (SIGNED[3] - codes.zero_point)
        )


def test_scalar_and_empty_samples(path: Path) -> None:
    labels, void = np.arange(100, dtype=np.uint8), np.zeros((100, 0, 3), np.uint8)
    huffq.encode_dataset({"labels": labels, "void": void}, path)
    dataset = huffq.open(path)
    np.testing.assert_array_equal(dataset["labels"][:], labels)
    assert dataset["labels"][3] == 3
    assert dataset["void"][[1, 2]].shape == (2, 0, 3)


@pytest.mark.parametrize(
    ("source", "bits", "error", "message"),
    [
        ([], None, huffq.DataError, "no samples"),
        (ACTS[:0], None, huffq.DataError, "no samples"),
        ([ACTS[:0], ACTS[:0]], 4, huffq.DataError, "no samples"),
        ({3: ACTS}, None, TypeError, "the field name 3 is no string"),
        (ACTS, {"y": 4}, ValueError, "bits names the field 'y'; the source has 'data'"),
        ([{"x": ACTS}], {"x": 4, "y": 4}, ValueError, "bits names the field 'y'; .* has 'x'"),
        (huffq.Codes(ACTS, 4), 8, ValueError, "'data' holds Codes of 4 bits, .* asks for 8"),
        ([{}], None, huffq.DataError, "no fields"),
        ([ACTS], None, ValueError, "field 'data' is a stream of plain arrays; give its bits"),
        ([ACTS.astype(float)], 4, TypeError, "field 'data': the array is float64"),
        ([ACTS, ACTS[:, :2]], 4, ValueError, "sample shape"),
        ([{"a": ACTS}, {"b": ACTS}], 4, ValueError, "fields"),
        ([np.uint8(3)], 4, ValueError, "scalar"),
        ({"a": ACTS, "b": ACTS[1:]}, None, ValueError, "differ in their number of samples"),
        (17, None, TypeError, "int"),
        (ACTS, 3, ValueError, r"field \"data\", sample \d+: value \d+ at index \d+ does"),
    ],
)  # fmt: skip
def test_wrong_sources_leave_nothing(
    path: Path, source: Any, bits: Any, error: type, message: str
) -> None:
    path.write_text("an older file")
    with pytest.raises(error, match=message):
        huffq.encode_dataset(source, path, bits=bits)
    assert path.read_text() == "an older file"
    assert list(path.parent.iterdir()) == [path]


def test_an_interrupted_source_leaves_nothing(path: Path) -> None:
    def source() -> Any:
        yield ACTS
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        huffq.encode_dataset(source(), path, bits=4)
    assert list(path.parent.iterdir()) == []


def test_unserialisable_metadata_is_refused(path: Path) -> None:
    with pytest.raises(TypeError, match="metadata"):
        huffq.encode_dataset(ACTS, path, metadata={"x": object()})
    with pytest.raises(ValueError, match="metadata"):
        huffq.encode_dataset(ACTS, path, metadata={"x": float("nan")})


def test_paths_that_cannot_be(tmp_path: Path) -> None:
    def source() -> Any:
        pytest.fail("the path is looked at before the source")
        yield

    with pytest.raises(FileNotFoundError, match=r"folder does not exist.*nowhere/a\.huffq"):
        huffq.encode_dataset(source(), tmp_path / "nowhere" / "a.huffq")
    with pytest.raises(IsADirectoryError, match="is a folder"):
        huffq.encode_dataset(source(), tmp_path)
    with pytest.raises(FileNotFoundError, match=r"missing\.huffq"):
        huffq.open(tmp_path / "missing.huffq")
    with pytest.raises(huffq.DataError, match=r"a folder without manifest\.json"):
        huffq.open(tmp_path)


def test_two_writers_do_not_meet(path: Path) -> None:
    def source() -> Any:
        yield ACTS
        with pytest.raises(BlockingIOError, match="being written by someone else"):
            huffq.encode_dataset(ACTS, path)
        yield ACTS

    huffq.encode_dataset(source(), path, bits=4)
    assert len(huffq.open(path)) == 1400
    huffq.open(path).verify()


def test_foreign_and_damaged_files(path: Path) -> None:
    huffq.encode_dataset(codes(), path)
    whole = path.read_bytes()
    path.write_bytes(b"PK\x03\x04" + bytes(1000))
    with pytest.raises(huffq.CorruptFileError, match=r"acts\.huffq: .* not a \.huffq file"):
        huffq.open(path)
    for n in (0, 10, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:n])
        with pytest.raises(huffq.TruncatedFileError):
            huffq.open(path)
    damaged = bytearray(whole)
    damaged[len(whole) // 2] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(huffq.CorruptFileError, match=r"block \d+ of field"):
        huffq.open(path).verify()


@pytest.mark.soak
def test_random_damage_is_an_error_or_harmless(path: Path, soak: bool) -> None:
    huffq.encode_dataset(codes(), path)
    whole = path.read_bytes()
    rng = np.random.default_rng(1)
    for _ in range(10_000 if soak else 100):
        damaged = bytearray(whole)
        damaged[rng.integers(len(whole))] ^= 1 << rng.integers(8)
        path.write_bytes(damaged)
        with pytest.raises(huffq.HuffqError):
            huffq.open(path).verify()


def test_verify_passes_on_a_whole_file(dataset: huffq.Dataset) -> None:
    dataset.verify(progress=True)


def test_many_threads_read_one_dataset(dataset: huffq.Dataset) -> None:
    def read(seed: int) -> None:
        picks = np.random.default_rng(seed).integers(0, 700, 64)
        np.testing.assert_array_equal(dataset["features.27"][picks], ACTS[picks])

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(read, range(64)))


def _read_in_child(dataset: huffq.Dataset, picks: Any) -> Any:
    return dataset["features.27"][picks]


@pytest.mark.parametrize("method", ["fork", "spawn"])
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_other_processes_read_the_dataset(dataset: huffq.Dataset, method: str) -> None:
    dataset["features.27"][:]  # a parent that has used its threads
    picks = np.arange(0, 700, 3)
    with multiprocessing.get_context(method).Pool(2) as pool:
        for result in pool.starmap(_read_in_child, [(dataset, picks)] * 4):
            np.testing.assert_array_equal(result, ACTS[picks])


def test_datasets_pickle_as_their_path(dataset: huffq.Dataset) -> None:
    again = pickle.loads(pickle.dumps(dataset))
    np.testing.assert_array_equal(again["input"][5], SIGNED[5])


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda x, _: huffq.encode(x, bits=4.0), TypeError, "bits is 4.0; give a whole number"),
        (lambda x, _: huffq.encode(x, bits="4"), TypeError, "bits is '4'; give a whole number"),
        (lambda x, p: huffq.encode_dataset(x, p, bits=4.0), TypeError, "bits is 4.0; give a whole"),
        (lambda x, p: huffq.encode_dataset({"a": x}, p, bits={"a": "4"}), TypeError,
         r"bits\['a'\] is '4'; give a whole number from 1 to 8"),
        (lambda _, p: huffq.Writer(p, bits=9), ValueError, "bits is 9; it must lie between 1 and"),
        (lambda x, _: huffq.Codes(x, 4.0), TypeError, "bits is 4.0; give a whole number"),
        (lambda x, _: huffq.Codebook.train(x, bits=True), TypeError, "bits is True; give a whole"),
        (lambda x, p: huffq.encode_dataset(x, p, metadata="abc"), TypeError,
         "metadata is a str; give a dict"),
        (lambda _, p: huffq.open(p, cache_bytes=-1), ValueError, "cache_bytes is -1; it must"),
        (lambda _, p: huffq.open(p, cache_bytes="5"), TypeError, "cache_bytes is '5'; give"),
        (lambda _, p: huffq.open(p, threads=1.5), TypeError, "threads is 1.5; give a whole number"),
        (lambda x, p: huffq.encode_dataset(x, p, threads=0), ValueError, "threads is 0; it"),
        (lambda x, p: huffq.encode_dataset(x, p, shard_bytes=1e9), TypeError, "shard_bytes is 10"),
        (lambda x, p: huffq.encode_dataset(x, p, level=None), ValueError,
         "level is None; it must be one of fast, dense, max"),
        (lambda _, p: huffq.encode_dataset("x.npy", p), TypeError, "the source is a str; give arr"),
        (lambda _, p: huffq.write_manifest(p, "set"), TypeError, "parts is the string 'set'; give"),
        (lambda *_: huffq.open(""), ValueError, "the path is empty"),
        (lambda _, p: huffq.recover("", p), ValueError, "the path is empty"),
        (lambda _, p: huffq.recover(p, ""), ValueError, "the path is empty"),
        (lambda x, _: huffq.encode_dataset(x, ""), ValueError, "the path is empty"),
        (lambda *_: huffq.Writer("", shard_bytes=1 << 30), ValueError, "the path is empty"),
        (lambda *_: huffq.resume_point(""), ValueError, "the path is empty"),
        (lambda *_: huffq.write_manifest(""), ValueError, "the path is empty"),
        (lambda *_: huffq.open(3), TypeError, "PathLike"),
        (lambda x, _: huffq.Codes(x, 4, metadata=3), TypeError, "metadata is a int; give a dict"),
    ],
)  # fmt: skip
def test_wrong_options_are_named(path: Path, call: Any, error: type, message: str) -> None:
    x = np.zeros((9, 128), np.uint8)
    with pytest.raises(error, match=message):
        call(x, path)
    assert list(path.parent.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"fields": "input"}, TypeError, r"fields is the string 'input'; give a list, \['input'\]"),
        ({"fields": 3}, TypeError, "fields is 3; give a list"),
        ({"batch_size": 2.5}, TypeError, "batch_size is 2.5; give a whole number"),
        ({"batch_size": 0}, ValueError, "batch_size is 0; it must be at least 1"),
        ({"start": 1.5}, TypeError, "start is 1.5; give a whole number"),
    ],
)
def test_wrong_options_of_batches_are_named(
    dataset: huffq.Dataset, options: Any, error: type, message: str
) -> None:
    with pytest.raises(error, match=message):
        dataset.iter_batches(**{"batch_size": 9} | options)


def test_errors_of_the_system_show_paths_as_text(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as raised:
        huffq.open(tmp_path / "none.huffq")
    assert str(raised.value) == f"[Errno 2] No such file or directory: '{tmp_path}/none.huffq'"


def open_files(path: Path) -> int:
    links = Path("/proc/self/fd").iterdir()
    found = [link.readlink() for link in links if link.is_symlink()]
    return sum(str(name).startswith(str(path)) for name in found)


@pytest.fixture(params=[None, 1 << 10])
def stored(path: Path, request: pytest.FixtureRequest) -> Path:
    """A file, or a folder of several."""
    x = np.random.default_rng(0).integers(0, 16, (200_000, 128), np.uint8)
    huffq.encode_dataset(x, path, bits=4, shard_bytes=request.param)
    return path


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="wants /proc")
def test_closing_lets_files_go(stored: Path) -> None:
    with huffq.open(stored) as dataset:
        first = dataset["data"][:5]
        whole = dataset["data"]
        assert dataset["data"][-1].shape == (128,)
        batches = dataset.iter_batches(100)
        next(batches)
        assert open_files(stored) >= 1
    uses = [
        lambda: dataset["data"][0],
        lambda: whole[3:9],
        lambda: whole[[3, 9]],
        lambda: next(dataset.iter_batches(10)),
        partial(list, batches),
        lambda: dataset.info,
        dataset.verify,
        dataset.__enter__,
    ]
    for use in uses:
        with pytest.raises(ValueError, match=f"{stored} is closed; open it again with huffq.open"):
            use()
    dataset.close()
    del batches, uses, use
    gc.collect()
    # Threads that decoded ahead end by themselves.
    deadline = time.monotonic() + 10
    while open_files(stored) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert open_files(stored) == 0
    assert (len(dataset), len(whole)) == (200_000, 200_000)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(dataset))["data"][:5], first)


def test_closing_disturbs_no_reader(stored: Path) -> None:
    """Threads that read on get right samples, and then the error."""
    expected = huffq.open(stored)["data"][:]
    dataset = huffq.open(stored, cache_bytes=0)

    def read(seed: int) -> int:
        rng, turns = np.random.default_rng(seed), 0

        def turn() -> None:
            numbers = rng.integers(0, len(expected), 20)
            np.testing.assert_array_equal(dataset["data"][numbers], expected[numbers])

        with pytest.raises(ValueError, match="is closed"):  # noqa: PT012 (any turn)
            while True:
                turn()
                turns += 1
        return turns

    with ThreadPoolExecutor(4) as pool:
        turns = [pool.submit(read, seed) for seed in range(4)]
        time.sleep(0.3)
        dataset.close()
        assert all(turn.result() > 0 for turn in turns)


def test_a_fork_of_a_closed_dataset_and_of_an_open_one(stored: Path) -> None:
    dataset = huffq.open(stored)
    first = dataset["data"][:5]
    child = os.fork()
    if child == 0:
        dataset.close()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    np.testing.assert_array_equal(dataset["data"][:5], first)

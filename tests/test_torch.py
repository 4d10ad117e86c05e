"""huffq.torch.ActivationDataset under torch's own loaders."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, default_collate

import huffq
from huffq.torch import ActivationDataset, BlockSampler

RNG = np.random.default_rng(3)
N = 700
CONV = RNG.geometric(0.5, (N, 3, 5, 7)).clip(1, 16).astype(np.uint8) - 1
MLP = RNG.integers(-30, 31, (N, 20)).astype(np.int8)
LABELS = np.arange(N) * 3 - 1
SCALE = np.linspace(0.5, 1, 20)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("torch") / "acts.huffq"
    fields = {
        "conv": huffq.Codes(CONV, 4, np.float32(0.1) * np.ones((), np.float32)),
        "mlp": huffq.Codes(MLP, 6, SCALE, zero_point=3),
        "label": LABELS,
    }
    huffq.encode_dataset(fields, path)
    return path


LENGTHS = np.arange(60) * 7 % 5
RAGGED = huffq.Ragged(
    huffq.Codes(RNG.integers(0, 16, (LENGTHS.sum(), 6)).astype(np.uint8), 4), LENGTHS
)
IDS = huffq.Ragged(RNG.integers(0, 999, LENGTHS.sum()), LENGTHS)


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("torch") / "tokens.huffq"
    names = np.array([f"text {n}" for n in range(60)])
    huffq.encode_dataset(
        {"resid": RAGGED, "ids": IDS, "number": np.arange(60), "name": names}, path
    )
    return path


@pytest.mark.parametrize("index", [0, 17, -1, np.int64(5), torch.tensor(3)], ids=str)
def test_a_sample_is_a_dict_of_tensors(path: Path, index: Any) -> None:
    sample = ActivationDataset(path)[index]
    assert list(sample) == ["conv", "mlp", "label"]
    np.testing.assert_array_equal(sample["conv"].numpy(), CONV[index], strict=True)
    np.testing.assert_array_equal(sample["mlp"].numpy(), MLP[index], strict=True)
    assert sample["label"].shape == ()


def test_the_samples_of_a_dataset_end(path: Path) -> None:
    dataset = ActivationDataset(path, ["label"])
    assert len(dataset) == N
    assert [int(sample["label"]) for sample in dataset] == LABELS.tolist()
    with pytest.raises(IndexError, match="sample 700 is outside"):
        dataset[N]
    with pytest.raises(TypeError):
        dataset[1.5]


def test_a_batch_costs_one_read_per_field(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reads = []
    take = huffq.Field.take

    def counting(self: huffq.Field, samples: Any, out: Any = None) -> Any:
        reads.append((self.name, len(samples)))
        return take(self, samples, out)

    monkeypatch.setattr(huffq.Field, "take", counting)
    samples = ActivationDataset(path, ["mlp", "conv"]).__getitems__([3, 1, 3])
    assert reads == [("mlp", 3), ("conv", 3)]
    np.testing.assert_array_equal([s["mlp"].numpy() for s in samples], MLP[[3, 1, 3]])


def test_collation_gives_what_it_gives_for_single_samples(path: Path) -> None:
    dataset = ActivationDataset(path)
    batch = dataset.__getitems__([5, 699, 5])
    expected = default_collate([dict(dataset[i]) for i in (5, 699, 5)])
    for collated in (default_collate(batch), default_collate(list(batch))):
        assert type(collated) is dict
        assert list(collated) == ["conv", "mlp", "label"]
        assert all(torch.equal(collated[name], expected[name]) for name in expected)
    assert [int(row["label"]) for row in batch] == LABELS[[5, 699, 5]].tolist()


def test_real_values_are_those_of_the_store(path: Path) -> None:
    store = huffq.open(path)
    sample = ActivationDataset(path, dequantize=True)[9]
    for name in ("conv", "mlp"):
        np.testing.assert_array_equal(sample[name], store[name].dequantize(9), strict=True)
    dataset = ActivationDataset(path, dequantize=["mlp"], dtype=torch.float32)
    expected = store["mlp"].dequantize(9, np.float32)
    np.testing.assert_array_equal(dataset[9]["mlp"], expected, strict=True)
    assert [dataset[9][name].dtype for name in ("conv", "label")] == [torch.uint8, torch.int64]


def test_dtypes_are_by_field_too(path: Path) -> None:
    dtypes = {"mlp": torch.bfloat16, "label": torch.float16}
    sample = ActivationDataset(path, dequantize=["mlp"], dtype=dtypes)[40]
    assert {name: x.dtype for name, x in sample.items()} == {"conv": torch.uint8, **dtypes}
    # Computed in float32, and rounded once.
    expected = torch.from_numpy(MLP[40]).float().sub(3).mul(torch.from_numpy(SCALE).float())
    assert torch.equal(sample["mlp"], expected.bfloat16())
    assert sample["label"] == LABELS[40]


@pytest.mark.parametrize(
    "options",
    [{"fields": ["x"]}, {"dequantize": ["x"]}, {"dtype": {"x": torch.int64}},
     {"fields": ["conv"], "dequantize": ["mlp"]}],
)  # fmt: skip
def test_unknown_fields_are_refused(path: Path, options: dict[str, Any]) -> None:
    with pytest.raises(KeyError, match=r"'(x|mlp)'.* (has 'conv', 'mlp', 'label'|have 'conv')"):
        ActivationDataset(path, **options)


def test_side_fields_have_no_real_values(path: Path) -> None:
    with pytest.raises(ValueError, match="'label' is a side field; it holds no codes"):
        ActivationDataset(path, dequantize=["label"], dtype=torch.float32)
    with pytest.raises(ValueError, match="fields is empty"):
        ActivationDataset(path, [])


def test_real_values_are_floating(path: Path) -> None:
    with pytest.raises(TypeError, match=r"'mlp' is to be torch\.int64; .* floating dtype"):
        ActivationDataset(path, dequantize=["mlp"], dtype=torch.int64)


def test_side_fields_that_torch_does_not_know_are_named(tokens: Path) -> None:
    with pytest.raises(TypeError, match="field 'name' is <U7, which torch has no tensors of"):
        ActivationDataset(tokens)


@pytest.mark.parametrize("workers", [0, 1])
def test_ragged_samples_come_as_lists(tokens: Path, workers: int) -> None:
    dataset = ActivationDataset(
        tokens, ["resid", "ids", "number"], dequantize=["resid"], dtype={"ids": torch.int32}
    )
    ends = np.cumsum(LENGTHS)
    for batch in DataLoader(dataset, 7, num_workers=workers):
        assert len(batch["resid"]) == len(batch["ids"]) == len(batch["number"])
        for number, resid, ids in zip(*map(batch.get, ("number", "resid", "ids")), strict=True):
            span = slice(ends[number] - LENGTHS[number], ends[number])
            np.testing.assert_array_equal(resid, RAGGED.values.dequantize()[span], strict=True)
            np.testing.assert_array_equal(ids, IDS.values[span].astype(np.int32), strict=True)
    assert dataset[4]["ids"].shape == (LENGTHS[4],)
    (empty,) = DataLoader(
        dataset, batch_sampler=[np.flatnonzero(LENGTHS == 0)[:2]], num_workers=workers
    )
    assert [ids.shape for ids in empty["ids"]] == [(0,), (0,)]
    assert all(len(batch) <= 7 for batch in BlockSampler(dataset, 7))


def test_samples_are_taken_into_arrays_of_their_form_only(path: Path, tokens: Path) -> None:
    field = huffq.open(path)["mlp"]
    out = np.empty((3, 20), np.int8)
    assert field.take([5, -1, 5], out) is out
    np.testing.assert_array_equal(out, MLP[[5, -1, 5]])
    for wrong in (out[:2], out.astype(np.uint8), np.asfortranarray(out)):
        with pytest.raises(ValueError, match=r"out must be int8\[3, 20\] in C order"):
            field.take([5, -1, 5], wrong)
    with pytest.raises(ValueError, match="not ragged"):
        huffq.open(tokens)["resid"].take([1], np.empty((1, 6), np.uint8))


def test_a_transform_takes_each_sample(path: Path) -> None:
    dataset = ActivationDataset(path, transform=lambda s: (s["conv"].sum(), int(s["label"])))
    assert dataset[8] == (CONV[8].sum(), LABELS[8])
    sums, labels = next(iter(DataLoader(dataset, 4)))
    assert sums.tolist() == CONV[:4].sum(axis=(1, 2, 3)).tolist()
    assert labels.tolist() == LABELS[:4].tolist()


def test_pickles_are_small_and_whole(path: Path) -> None:
    dataset = ActivationDataset(path, ["mlp"], dequantize=True)
    expected = dataset[7]["mlp"]
    pickled = pickle.dumps(dataset)
    assert len(pickled) < 1000
    assert torch.equal(pickle.loads(pickled)[7]["mlp"], expected)


@pytest.mark.parametrize("context", ["fork", "spawn"])
def test_workers_read_what_the_main_process_reads(path: Path, context: str) -> None:
    dataset = ActivationDataset(path)
    dataset[0]
    sampler = BlockSampler(dataset, 64, window=128, lanes=2)
    loader = DataLoader(
        dataset, batch_sampler=sampler, num_workers=2, multiprocessing_context=context
    )
    found = list(loader)
    sampler.set_epoch(0)
    for batch, numbers in zip(found, sampler, strict=True):
        np.testing.assert_array_equal(batch["conv"].numpy(), CONV[numbers])
        np.testing.assert_array_equal(batch["mlp"].numpy(), MLP[numbers])
        np.testing.assert_array_equal(batch["label"].numpy(), LABELS[numbers])


def test_workers_put_batches_into_shared_memory_at_once(path: Path) -> None:
    dataset = ActivationDataset(path, dequantize=["mlp"])
    assert _shared(dataset.__getitems__([0])) == [False, False, False]
    loader = DataLoader(dataset, 8, num_workers=1, collate_fn=_shared)
    assert next(iter(loader)) == [True, True, True]


def _shared(batch: Any) -> list[bool]:
    return [column.is_shared() for column in default_collate(batch).values()]


def test_workers_decode_on_one_thread_unless_told_otherwise(path: Path) -> None:
    def threads(**options: Any) -> Any:
        dataset = ActivationDataset(path, **options)
        return next(iter(DataLoader(dataset, 1, num_workers=1, collate_fn=_Threads(dataset))))

    assert threads() == 1
    assert threads(threads=3) == 3
    assert ActivationDataset(path).store._threads is None


class _Threads:
    def __init__(self, dataset: ActivationDataset) -> None:
        self.dataset = dataset

    def __call__(self, _: Any) -> int | None:
        return self.dataset.store._threads


def test_the_real_torch_is_not_shadowed() -> None:
    code = "import huffq; print('torch' in vars(huffq), huffq.torch.dataset.torch.__name__)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "False torch\n"


def test_no_samples_are_an_empty_batch(path: Path, tokens: Path) -> None:
    assert len(ActivationDataset(path).__getitems__([])) == 0
    assert len(ActivationDataset(tokens, ["resid", "ids"]).__getitems__([])) == 0


def test_a_string_is_no_list_of_fields(path: Path) -> None:
    with pytest.raises(TypeError, match="fields is the string 'label'; give a list"):
        ActivationDataset(path, "label")  # type: ignore[arg-type]  # what is tested

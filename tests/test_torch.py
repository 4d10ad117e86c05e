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
LABELS = (np.arange(N) % 251).astype(np.uint8)
SCALE = np.linspace(0.5, 1, 20)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("torch") / "acts.huffq"
    fields = {
        "conv": huffq.Codes(CONV, 4, np.float32(0.1) * np.ones((), np.float32)),
        "mlp": huffq.Codes(MLP, 6, SCALE, zero_point=3),
        "label": huffq.Codes(LABELS, 8),
    }
    huffq.encode_dataset(fields, path)
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
    assert [dataset[9][name].dtype for name in ("conv", "label")] == [torch.uint8, torch.uint8]


def test_dtypes_are_by_field_too(path: Path) -> None:
    dtypes = {"mlp": torch.bfloat16, "label": torch.int64}
    sample = ActivationDataset(path, dequantize=["mlp"], dtype=dtypes)[40]
    assert {name: x.dtype for name, x in sample.items()} == {"conv": torch.uint8, **dtypes}
    expected = torch.from_numpy(MLP[40]).bfloat16().sub(3).mul(torch.from_numpy(SCALE).bfloat16())
    assert torch.equal(sample["mlp"], expected)
    assert sample["label"] == 40


@pytest.mark.parametrize(
    "options",
    [{"fields": ["x"]}, {"dequantize": ["x"]}, {"dtype": {"x": torch.int64}},
     {"fields": ["conv"], "dequantize": ["mlp"]}],
)  # fmt: skip
def test_unknown_fields_are_refused(path: Path, options: dict[str, Any]) -> None:
    with pytest.raises(KeyError, match=r"'(x|mlp)'.* has 'conv', 'mlp', 'label'"):
        ActivationDataset(path, **options)


def test_a_transform_takes_each_sample(path: Path) -> None:
    dataset = ActivationDataset(path, transform=lambda s: (s["conv"].sum(), int(s["label"])))
    assert dataset[8] == (CONV[8].sum(), 8)
    sums, labels = next(iter(DataLoader(dataset, 4)))
    assert sums.tolist() == CONV[:4].sum(axis=(1, 2, 3)).tolist()
    assert labels.tolist() == [0, 1, 2, 3]


def test_pickles_are_small_and_whole(path: Path) -> None:
    dataset = ActivationDataset(path, ["label"], dequantize=True)
    dataset[0]
    pickled = pickle.dumps(dataset)
    assert len(pickled) < 1000
    assert pickle.loads(pickled)[7]["label"] == 7.0


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
    code = "import huffq; print('torch' in vars(huffq), huffq.torch.torch.__name__)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "False torch\n"

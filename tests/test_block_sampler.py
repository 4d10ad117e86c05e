"""huffq.torch.BlockSampler: epochs, ranks, and going on in mid-epoch."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torch.utils.data import DataLoader

import huffq
from huffq.torch import ActivationDataset, BlockSampler

N = 1000
CODES = np.arange(N * 2048).reshape(N, 2048).astype(np.uint8) % 13


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> ActivationDataset:
    path = tmp_path_factory.mktemp("sampler") / "acts.huffq"
    huffq.encode_dataset({"codes": CODES, "number": np.arange(N)}, path)
    return ActivationDataset(path)


def numbers(batch: dict[str, Any]) -> list[int]:
    """Which samples a batch holds, by their labels; the codes must be theirs."""
    found = batch["number"].numpy()
    np.testing.assert_array_equal(batch["codes"].numpy(), CODES[found])
    return found.tolist()


def test_blocks_set_the_runs(dataset: ActivationDataset) -> None:
    assert dataset.store["codes"].block_items == 32
    assert BlockSampler(dataset, 10).state_dict()["order"]["run"] % 32 == 0


def test_windows_are_what_the_cache_holds_unless_given(dataset: ActivationDataset) -> None:
    def window(batch_size: int, cache_bytes: int) -> int:
        cached = ActivationDataset(dataset.store.path, ["codes"], cache_bytes=cache_bytes)
        return BlockSampler(cached, batch_size).state_dict()["order"]["window"]

    assert [window(10, 100 * 2048), window(10, 0), window(7, 1 << 20)] == [90, 10, 511]


def test_every_sample_comes_once_in_whole_batches(dataset: ActivationDataset) -> None:
    sampler = BlockSampler(dataset, 48, window=100, lanes=2)
    batches = list(sampler)
    assert [len(batch) for batch in batches] == [48] * 20 + [40]
    assert len(sampler) == 21
    assert sorted(itertools.chain(*batches)) == list(range(N))
    assert sampler.state_dict()["order"]["window"] == 144
    dropping = BlockSampler(dataset, 48, window=100, lanes=2, drop_last=True)
    assert list(dropping) == batches[:20]
    assert len(dropping) == 20


def test_epochs_differ_and_can_be_chosen(dataset: ActivationDataset) -> None:
    sampler = BlockSampler(dataset, 100)
    epochs = [list(sampler) for _ in range(3)]
    assert epochs[0] != epochs[1] != epochs[2]
    sampler.set_epoch(1)
    assert list(sampler) == epochs[1]
    assert list(sampler) == epochs[2]
    assert list(BlockSampler(dataset, 100, seed=1)) != epochs[0]


def test_an_epoch_that_is_left_early_is_over(dataset: ActivationDataset) -> None:
    sampler = BlockSampler(dataset, 100)
    expected = list(sampler), list(sampler)
    sampler.set_epoch(0)
    assert next(iter(sampler)) == expected[0][0]
    assert next(iter(sampler)) == expected[1][0]


@pytest.mark.filterwarnings("ignore:This DataLoader will create:UserWarning")  # on few cores
@pytest.mark.parametrize("workers", [0, 1, 2, 3])
def test_the_order_does_not_depend_on_workers(dataset: ActivationDataset, workers: int) -> None:
    sampler = BlockSampler(dataset, 64, window=128, lanes=2)
    loader = DataLoader(dataset, batch_sampler=sampler, num_workers=workers)
    found = [numbers(batch) for batch in loader]
    assert found == list(BlockSampler(dataset, 64, window=128, lanes=2))


@pytest.mark.parametrize("ranks", [1, 2, 3, 7])
def test_ranks_share_an_epoch_equally(dataset: ActivationDataset, ranks: int) -> None:
    options: dict[str, Any] = {"window": 100, "seed": 4, "ranks": ranks}
    shares = [list(BlockSampler(dataset, 30, rank=rank, **options)) for rank in range(ranks)]
    lengths = [[len(batch) for batch in share] for share in shares]
    assert all(length == lengths[0] for length in lengths)
    assert len(lengths[0]) == len(BlockSampler(dataset, 30, **options))
    taken = list(itertools.chain(*itertools.chain(*shares)))
    assert set(taken) == set(range(N))
    assert len(taken) == -(-N // ranks) * ranks
    together = itertools.chain(*itertools.chain(*zip(*shares, strict=True)))
    alone = itertools.chain(*BlockSampler(dataset, 30, window=100, seed=4))
    whole = N - N % (30 * ranks)
    assert list(itertools.islice(together, whole)) == list(itertools.islice(alone, whole))


@pytest.mark.parametrize("ranks", [2, 3, 7])
def test_ranks_that_drop_the_last_have_whole_batches(
    dataset: ActivationDataset, ranks: int
) -> None:
    options: dict[str, Any] = {"window": 100, "ranks": ranks, "drop_last": True}
    shares = [list(BlockSampler(dataset, 30, rank=rank, **options)) for rank in range(ranks)]
    assert {len(batch) for share in shares for batch in share} == {30}
    assert {len(share) for share in shares} == {N // (30 * ranks)}
    taken = list(itertools.chain(*itertools.chain(*shares)))
    assert len(set(taken)) == len(taken)


def test_more_ranks_than_samples_all_get_one(tmp_path: Path) -> None:
    huffq.encode_dataset({"codes": CODES[:3]}, tmp_path / "few.huffq")
    few = ActivationDataset(tmp_path / "few.huffq")
    shares = [list(BlockSampler(few, 30, rank=rank, ranks=8)) for rank in range(8)]
    assert [len(share[0]) for share in shares] == [1] * 8
    assert {share[0][0] for share in shares} == {0, 1, 2}


@pytest.mark.parametrize(("then", "now"), [(1, 1), (2, 2), (2, 1), (1, 3)])
def test_an_epoch_goes_on_with_as_many_ranks_or_others(
    dataset: ActivationDataset, then: int, now: int
) -> None:
    options: dict[str, Any] = {"window": 100, "seed": 9}
    first = [BlockSampler(dataset, 30, rank=r, ranks=then, **options) for r in range(then)]
    for sampler in first:
        sampler.set_epoch(5)
    begun = [list(itertools.islice(sampler, 4)) for sampler in first]
    second = [BlockSampler(dataset, 30, rank=r, ranks=now, **options) for r in range(now)]
    for sampler in second:
        sampler.load_state_dict(first[0].state_dict())
        sampler.set_epoch(5)
    rest = [list(sampler) for sampler in second]
    taken = list(itertools.chain(*itertools.chain(*begun, *rest)))
    assert set(taken) == set(range(N))
    assert len(taken) <= N + now
    assert second[0].state_dict()["epoch"] == 6


def test_states_of_other_orders_are_refused(dataset: ActivationDataset) -> None:
    state = BlockSampler(dataset, 30).state_dict()
    for options, name in [
        ({"seed": 1}, "seed"),
        ({"lanes": 2}, "lanes"),
        ({"window": 9}, "window"),
    ]:
        with pytest.raises(ValueError, match=f"another order: its {name} is "):
            BlockSampler(dataset, 30, **options).load_state_dict(state)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"batch_size": 0}, "batch_size is 0"), ({"window": 0}, "window is 0"),
     ({"lanes": 0}, "lanes is 0"), ({"seed": -1}, "seed is -1"), ({"ranks": 0}, "ranks is 0"),
     ({"rank": 2, "ranks": 2}, "rank is 2; it must be below 2")],
)  # fmt: skip
def test_numbers_out_of_range_are_refused(
    dataset: ActivationDataset, options: dict[str, int], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        BlockSampler(dataset, **{"batch_size": 10, **options})


@pytest.mark.filterwarnings("ignore:'set_vital' is deprecated:UserWarning")  # torchdata calls it
@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("batches", [0, 1, 5, 9, 11, 15, 16, 17])
def test_a_stateful_loader_goes_on_where_it_was(
    dataset: ActivationDataset, workers: int, batches: int
) -> None:
    torchdata = pytest.importorskip("torchdata.stateful_dataloader")

    def loader() -> Any:
        sampler = BlockSampler(dataset, 64, window=128, lanes=2, seed=1)
        return torchdata.StatefulDataLoader(dataset, batch_sampler=sampler, num_workers=workers)

    def taken(loader: Any, batches: int) -> list[list[int]]:
        """Take batches over several epochs, as a training loop does."""
        found: list[list[int]] = []
        while len(found) < batches:
            left = batches - len(found)
            found += [numbers(batch) for batch in itertools.islice(loader, left)]
        return found

    sampler = BlockSampler(dataset, 64, window=128, lanes=2, seed=1)
    expected = [*sampler, *sampler, *sampler]
    interrupted = loader()
    assert taken(interrupted, batches) == expected[:batches]
    state = interrupted.state_dict()
    going_on = loader()
    going_on.load_state_dict(state)
    assert taken(going_on, 20) == expected[batches : batches + 20]


@pytest.mark.parametrize("size", [2.5, "4"])
def test_batch_sizes_that_are_no_numbers_are_refused(dataset: ActivationDataset, size: Any) -> None:
    with pytest.raises(TypeError, match=r"batch_size is .*; give a whole number"):
        BlockSampler(dataset, size)

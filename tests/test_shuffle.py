"""The shuffled order: every sample once, random where it says so, the same for ever."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from huffq._shuffle import BlockShuffle, run_length

PINNED = [2, 1, 0, 3, 6, 4, 10, 9, 11, 19, 18, 5, 13, 8, 12, 15, 16, 17, 7, 14]


def order(shuffle: BlockShuffle, epoch: int = 0, start: int = 0, size: int = 7) -> np.ndarray:
    return np.concatenate([*shuffle.pieces(epoch, start, size), np.empty(0, np.int64)])


@given(
    samples=st.integers(0, 300), run=st.integers(1, 40), turns=st.integers(1, 6),
    lanes=st.integers(1, 5), batch=st.integers(1, 30), start=st.integers(0, 300),
    size=st.integers(1, 50),
)  # fmt: skip
def test_every_sample_comes_once_from_any_place_on(
    samples: int, run: int, turns: int, lanes: int, batch: int, start: int, size: int
) -> None:
    shuffle = BlockShuffle(samples, run, turns * batch, lanes, batch, seed=1)
    whole = order(shuffle, 3)
    assert sorted(whole) == list(range(samples))
    pieces = list(shuffle.pieces(3, min(start, samples), size))
    assert all(len(piece) == size for piece in pieces[:-1])
    np.testing.assert_array_equal(order(shuffle, 3, min(start, samples), size), whole[start:])


def test_the_order_is_the_same_for_ever() -> None:
    shuffle = BlockShuffle(samples=20, run=3, window=6, lanes=2, batch_size=3, seed=5)
    assert order(shuffle).tolist() == PINNED
    assert order(BlockShuffle(20, 3, 6, 2, 3, seed=6)).tolist() != PINNED
    assert order(shuffle, epoch=1).tolist() != PINNED


def test_one_window_is_a_uniform_permutation() -> None:
    shuffle = BlockShuffle(samples=4, run=2, window=4, lanes=1, batch_size=4, seed=0)
    found, counts = np.unique([order(shuffle, e) for e in range(4800)], axis=0, return_counts=True)
    assert len(found) == 24
    # 200 of each expected: chi-squared with 23 degrees of freedom is below 50 in 99.9 %.
    assert ((counts - 200.0) ** 2 / 200).sum() < 50


@pytest.mark.parametrize("lanes", [1, 3])
def test_every_sample_is_equally_likely_to_come_at_any_time(lanes: int) -> None:
    shuffle = BlockShuffle(samples=360, run=8, window=40, lanes=lanes, batch_size=10, seed=0)
    place = np.argsort([order(shuffle, epoch) for epoch in range(2000)], axis=1)
    # The mean place of a sample over the epochs: uniform places deviate by 360 / sqrt(12 * 2000).
    deviation = (place.mean(axis=0) - 179.5) / (360 / np.sqrt(12 * 2000))
    assert np.abs(deviation).max() < 4.5
    assert 0.7 < deviation.std() < 1.3
    thirds = np.stack([(place * 3 // 360 == third).mean(axis=0) for third in range(3)])
    assert np.abs(thirds - 1 / 3).max() < 4.5 * np.sqrt(2 / 9 / 2000)


def test_samples_of_different_blocks_are_independent_and_those_of_one_stay_near() -> None:
    shuffle = BlockShuffle(samples=3200, run=8, window=320, lanes=1, batch_size=32, seed=0)
    place = np.argsort([order(shuffle, epoch) for epoch in range(300)], axis=1)
    near = np.abs(place[:, 0:3200:8] - place[:, 7:3200:8])
    assert near.max() < 2 * 320
    assert near.mean() == pytest.approx(320 / 3, rel=0.1)
    apart = np.abs(place[:, 0:3192:8] - place[:, 8:3200:8])
    assert apart.mean() == pytest.approx(3200 / 3, rel=0.02)


def test_a_batch_mixes_all_blocks_of_its_window() -> None:
    shuffle = BlockShuffle(samples=3200, run=8, window=320, lanes=2, batch_size=32, seed=0)
    batches = list(islice(shuffle.pieces(0, 0, 32), 90))
    blocks = np.mean([len(set(batch // 8)) for batch in batches])
    # Of 40 blocks, each is missed by a batch that takes a tenth of the window with chance 0.9 ** 8.
    assert blocks == pytest.approx(40 * (1 - 0.9**8), rel=0.05)


def test_lanes_keep_to_windows_of_their_own() -> None:
    shuffle = BlockShuffle(samples=4800, run=8, window=400, lanes=3, batch_size=25, seed=0)
    blocks = [set(batch // 8) for batch in shuffle.pieces(0, 0, 25)]
    for group in range(0, 192, 48):
        lanes = [set.union(*blocks[group + lane : group + 48 : 3]) for lane in range(3)]
        assert [len(lane) for lane in lanes] == [50, 50, 50]
        assert len(set.union(*lanes)) == 150


def test_runs_are_one_block_where_blocks_agree() -> None:
    assert run_length([(8, 8192)]) == 8
    assert run_length([(8, 8192), (16, 4096)]) == 16
    assert run_length([(16, 4096), (8, 8192)]) == 16


def test_runs_are_longer_where_blocks_disagree_and_little_is_decoded_in_vain() -> None:
    assert run_length([(8, 8192), (21, 3072)]) == 24
    assert run_length([(8, 8192), (8192, 8)]) == 32


def test_a_window_may_be_larger_than_any_dataset() -> None:
    orders = [
        np.concatenate(list(BlockShuffle(700, 7, window, 2, 10, 0).pieces(0, 0, 10)))
        for window in (700, 10**12)
    ]
    np.testing.assert_array_equal(*orders)

"""The order in which a store's samples are read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import distributed
from torch.utils.data import Sampler

from huffq._arguments import check_whole
from huffq._shuffle import BlockShuffle, decoded_bytes, run_length

if TYPE_CHECKING:
    from huffq.field import Field
    from huffq.torch.dataset import ActivationDataset


class BlockSampler(Sampler[list[int]]):
    """Shuffled batches of a dataset that need each block of its store once, or a few times.

    A ``batch_sampler`` for DataLoader. How random it is: runs of neighbouring samples, of a block
    or a few, come in any order over the whole epoch, and samples in any order within windows of
    `window` samples; both uniformly. So a sample may come at any time, samples of different blocks
    are as good as independent, and those of one block come near each other. The order depends on
    the store's blocks, `seed`, epoch, `batch_size`, `window` and `lanes`; not on workers or ranks.

    Each iteration is an epoch and has an order of its own; `set_epoch` chooses it. `state_dict` and
    `load_state_dict` resume in mid-epoch, also with another number of ranks. Workers fetch ahead of
    the training loop, so save the state of torchdata's `StatefulDataLoader`, which allows for that,
    rather than the sampler's.

    Args:
        dataset: What the batches are of.
        batch_size: Samples of a batch.
        window: Samples that are shuffled among each other, rounded up to whole batches: more are
            more random, and take more memory. None takes as many as the store's block cache holds.
        lanes: Windows that batches come from in turn. With as many as there are workers on all
            ranks together, no two workers decode the same blocks.
        seed: Start of the random numbers, at least 0; the same on all ranks.
        rank: This process among those that share the samples. None asks torch.distributed.
        ranks: How many there are.
        drop_last: Leave out the last samples, fewer than `batch_size` for each rank, instead of
            sharing them equally; where they do not divide, some of them come twice then.

    Raises:
        TypeError: A number is no integer.
        ValueError: A number is out of range.
    """

    def __init__(
        self,
        dataset: ActivationDataset,
        batch_size: int,
        *,
        window: int | None = None,
        lanes: int = 1,
        seed: int = 0,
        rank: int | None = None,
        ranks: int | None = None,
        drop_last: bool = False,
    ) -> None:
        check_whole(1, batch_size=batch_size, window=window, lanes=lanes, ranks=ranks)
        check_whole(0, seed=seed, rank=rank)
        forms = [_form(dataset.store[name]) for name in dataset.fields]
        run = run_length(forms)
        if window is None:
            runs = dataset.cache_bytes // max(1, decoded_bytes(forms, run))
            window = max(1, int(runs) * run // batch_size) * batch_size
        in_group = distributed.is_available() and distributed.is_initialized()
        self._rank = rank if rank is not None else distributed.get_rank() if in_group else 0
        self._ranks = ranks or (distributed.get_world_size() if in_group else 1)
        if self._rank >= self._ranks:
            raise ValueError(f"rank is {self._rank}; it must be below {self._ranks}")
        self._drop_last = drop_last
        self._shuffle = BlockShuffle(
            samples=len(dataset),
            run=run,
            window=-(-window // batch_size) * batch_size,
            lanes=lanes,
            batch_size=batch_size,
            seed=seed,
        )
        self._epoch = 0
        # Samples of the epoch that all ranks together have been handed.
        self._done = 0
        self._resuming = False

    def __len__(self) -> int:
        """Batches of a whole epoch."""
        whole, rest = divmod(self._shuffle.samples, self._shuffle.batch_size * self._ranks)
        return whole + (rest > 0 and not self._drop_last)

    def __iter__(self) -> Iterator[list[int]]:
        if self._resuming:
            self._resuming = False
        elif self._done:
            self.set_epoch(self._epoch + 1)
        size = self._shuffle.batch_size
        for samples in self._shuffle.pieces(self._epoch, self._done, size * self._ranks):
            if len(samples) == size * self._ranks:
                share = samples[self._rank * size :][:size]
            elif self._drop_last:
                break
            else:
                share = np.resize(samples, -(-len(samples) // self._ranks) * self._ranks)
                share = share[self._rank :: self._ranks]
            self._done += len(samples)
            yield share.tolist()
        self.set_epoch(self._epoch + 1)

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch of the next iteration; an epoch that is being resumed goes on."""
        if not (self._resuming and epoch == self._epoch):
            self._epoch, self._done, self._resuming = epoch, 0, False

    def state_dict(self) -> dict[str, Any]:
        """Return where the sampler is, and the order that this is a place in."""
        return {"epoch": self._epoch, "samples": self._done, "order": asdict(self._shuffle)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from where a sampler of the same order was.

        Raises:
            ValueError: That sampler had another order.
        """
        for name, value in asdict(self._shuffle).items():
            if (theirs := state["order"].get(name)) != value:
                raise ValueError(
                    f"the state is a place in another order: its {name} is {theirs}, not {value}"
                )
        self._epoch, self._done, self._resuming = state["epoch"], state["samples"], True


def _form(field: Field) -> tuple[float, float]:
    """Return how many samples of a field a block holds, and the bytes of one, both on average."""
    items = len(field.flat) / max(1, len(field)) if field.ragged else 1.0
    return max(1.0, field.block_items / max(1.0, items)), field.item_bytes * items

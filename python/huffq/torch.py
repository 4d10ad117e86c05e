"""Datasets and samplers for torch's DataLoader (``pip install 'huffq[torch]'``)."""

from __future__ import annotations

import operator
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import torch
from torch import Tensor, distributed
from torch.utils.data import Dataset, Sampler, default_collate, get_worker_info
from torch.utils.data._utils.collate import default_collate_fn_map

import huffq.store
from huffq._arguments import check_list, check_whole
from huffq._shuffle import BlockShuffle, decoded_bytes, run_length

if TYPE_CHECKING:
    import numpy.typing as npt

    from huffq.field import Field

Sample: TypeAlias = dict[str, Tensor]

Column: TypeAlias = "Tensor | list[Tensor]"
"""Several samples of a field: ``[n, *sample_shape]``, or ``[length, ...]`` each."""


class ActivationDataset(Dataset[Any]):
    """The samples of a store, each a dict of tensors by field.

    A map-style dataset. A batch costs one read per field, and where there is no `transform`,
    torch's own collation takes it as it was read: one tensor per field, or a list of tensors where
    samples are ragged. The dataset pickles as the store's path, and every process that it comes to,
    forked or spawned, opens the store anew. `BlockSampler` shuffles it.

    Args:
        path: What `huffq.open` takes.
        fields: Fields that a sample holds; None is all.
        dequantize: Whether to give real values in place of codes, or the fields where to.
        dtype: Floating dtype of real values, by default that of their scale; or dtypes by field,
            of codes and side fields too.
        transform: Called with each sample; what it returns takes the sample's place. Spawned
            workers need one that pickles.
        threads: Upper bound on threads for each read. None is one in a worker of a DataLoader, and
            elsewhere every core that the process may use.
        cache_bytes: Bytes of decoded blocks that each process keeps.

    Attributes:
        fields: Names of the fields that a sample holds.
        cache_bytes: As given.

    Raises:
        KeyError: There is no field of that name.
        TypeError: A side field has a dtype that torch does not know; or that of real values is no
            floating one; or `fields` is one string.
        ValueError: A side field is to be dequantised, or there are no fields.
        HuffqError, OSError: As for `huffq.open`.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        fields: Sequence[str] | None = None,
        *,
        dequantize: bool | Sequence[str] = False,
        dtype: torch.dtype | Mapping[str, torch.dtype] | None = None,
        transform: Callable[[Sample], Any] | None = None,
        threads: int | None = None,
        cache_bytes: int = huffq.store.CACHE_BYTES,
    ) -> None:
        self._path = os.fspath(path)
        self._threads = threads
        self._transform = transform
        self._opened: tuple[int, huffq.store.Dataset] | None = None
        self.cache_bytes = cache_bytes
        store = self.store
        if fields is not None:
            check_list("fields", fields)
        self.fields = tuple(store.fields if fields is None else fields)
        everywhere = [name for name in self.fields if name in store and store[name].bits]
        real = (everywhere if dequantize else ()) if isinstance(dequantize, bool) else dequantize
        self._real = frozenset(real)
        given = dict(dtype) if isinstance(dtype, Mapping) else dict.fromkeys(self._real, dtype)
        for name in (*self.fields, *self._real, *given):
            if name not in self.fields or name not in store:
                known = ", ".join(map(repr, store.fields))
                raise KeyError(f"{name!r} is no field of the samples; the store has {known}")
        if not self.fields:
            raise ValueError("fields is empty; name at least one")
        self._stored = {name: _tensor_dtype(store[name], real=False) for name in self.fields}
        natural = {name: _tensor_dtype(store[name], real=True) for name in self._real}
        for name in self._real:
            if (asked := given.get(name)) and not asked.is_floating_point:
                raise TypeError(f"{name!r} is to be {asked}; real values need a floating dtype")
        self._dtypes = self._stored | natural | {n: dtype for n, dtype in given.items() if dtype}

    @property
    def store(self) -> huffq.store.Dataset:
        """The store, as this process has opened it."""
        if self._opened is None or self._opened[0] != os.getpid():
            in_worker = get_worker_info() is not None
            threads = 1 if in_worker and self._threads is None else self._threads
            self._opened = os.getpid(), huffq.store.open(self._path, threads, self.cache_bytes)
        return self._opened[1]

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_opened": None}

    def __len__(self) -> int:
        return len(self.store)

    def __getitem__(self, index: int) -> Any:
        """Return one sample."""
        return self.__getitems__([operator.index(index)])[0]

    def __getitems__(self, indices: Sequence[int]) -> Sequence[Any]:
        """Return several samples, in the order of `indices`."""
        share = self._transform is None and get_worker_info() is not None
        numbers = np.asarray(indices, np.int64)
        batch = _Batch({name: self._read(name, numbers, share) for name in self.fields})
        return batch if self._transform is None else [self._transform(dict(row)) for row in batch]

    def _read(self, name: str, numbers: npt.NDArray[np.int64], share: bool) -> Column:
        """Return the samples of a field; where they are to `share`, in shared memory at once."""

        def empty(length: int) -> Tensor:
            tensor = torch.empty((length, *field.item_shape), dtype=self._dtypes[name])
            if share:
                tensor.share_memory_()  # type: ignore[no-untyped-call]
            return tensor

        field = self.store[name]
        if field.ragged:
            samples = field[numbers]
            lengths = [len(sample) for sample in samples]
            if not samples:
                return []
            values = empty(sum(lengths))
            return list(torch.split(self._fill(values, field, np.concatenate(samples)), lengths))
        values = empty(len(numbers))
        if name not in self._real and values.dtype == self._stored[name]:
            field.take(numbers, out=values.numpy())
            return values
        return self._fill(values, field, field.take(numbers))

    def _fill(self, values: Tensor, field: Field, stored: npt.NDArray[Any]) -> Tensor:
        values.copy_(torch.from_numpy(stored))
        if field.name in self._real:
            scale = torch.from_numpy(field.scale).to(values.dtype)
            values.sub_(field.zero_point).mul_(scale)
        return values


def _tensor_dtype(field: Field, *, real: bool) -> torch.dtype:
    """Return the dtype of a tensor of what the store holds of a field, or of its real values."""
    if real and field.bits is None:
        raise ValueError(f"{field.name!r} is a side field; it holds no codes to dequantise")
    dtype = field.scale.dtype if real else field.dtype
    try:
        return torch.from_numpy(np.empty(0, dtype)).dtype
    except (TypeError, ValueError):
        raise TypeError(
            f"field {field.name!r} is {dtype}, which torch has no tensors of; choose fields"
        ) from None


class _Row(dict[str, Tensor]):
    """A sample of a `_Batch`."""


class _Batch(Sequence[_Row]):
    """Samples that lie together, which collation therefore need not gather."""

    def __init__(self, columns: dict[str, Column]) -> None:
        self.columns = columns

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def __getitem__(self, index: Any) -> Any:
        return _Row({name: column[index] for name, column in self.columns.items()})


def _collate(batch: Sequence[_Row], *, collate_fn_map: object = None) -> Any:  # noqa: ARG001
    if isinstance(batch, _Batch):
        return batch.columns
    return default_collate([dict(row) for row in batch])


default_collate_fn_map[_Row] = _collate


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

"""The samples of a store as tensors."""

from __future__ import annotations

import operator
import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, default_collate, get_worker_info
from torch.utils.data._utils.collate import default_collate_fn_map

import huffq.store
from huffq._arguments import check_list
from huffq.quantisation import by_item, fields_to_dequantize
from huffq.scales import grouped

if TYPE_CHECKING:
    import numpy.typing as npt

    from huffq.field import Field

Sample: TypeAlias = dict[str, Tensor]

Array: TypeAlias = "npt.NDArray[Any]"

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
        dtype: Floating dtype of real values, by default the one that the codes were quantised from;
            or dtypes by field, of codes and side fields too.
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
        chosen = {name: store[name] for name in (store.fields if fields is None else fields)}
        if not chosen:
            raise ValueError("fields is empty; name at least one")
        self.fields = tuple(chosen)
        self._real = fields_to_dequantize(dequantize, chosen)
        given = dict(dtype) if isinstance(dtype, Mapping) else dict.fromkeys(self._real, dtype)
        for name, asked in given.items():
            if name not in chosen:
                known = ", ".join(map(repr, chosen))
                raise KeyError(f"dtype has {name!r}, no field of the samples; they have {known}")
            if asked and name in self._real and not asked.is_floating_point:
                raise TypeError(f"{name!r} is to be {asked}; real values need a floating dtype")
        self._stored = {name: _stored_dtype(field) for name, field in chosen.items()}
        natural = {name: getattr(torch, chosen[name].real_dtype) for name in self._real}
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
                tensor.share_memory_()  # type: ignore[no-untyped-call]  # torch says no types
            return tensor

        field = self.store[name]
        if field.ragged:
            samples = field[numbers]
            if not samples:
                return []
            lengths = np.array([len(sample) for sample in samples])
            values, stored = empty(lengths.sum()), np.concatenate(samples)
            self._fill(values, field, stored, lambda side: by_item(side[numbers], lengths))
            return list(torch.split(values, lengths.tolist()))
        values = empty(len(numbers))
        if name not in self._real and values.dtype == self._stored[name]:
            field.take(numbers, out=values.numpy())
        else:
            self._fill(values, field, field.take(numbers), lambda side: side.take(numbers))
        return values

    def _fill(
        self, values: Tensor, field: Field, stored: Array, of_side: Callable[[Field], Array]
    ) -> None:
        if field.name not in self._real:
            values.copy_(torch.from_numpy(stored))
            return
        _dequantize(stored, *field.quantisation.numbers(stored.shape[:1], of_side), values)


def _dequantize(codes: Array, scale: Array, zero_point: Array, out: Tensor) -> None:
    """Fill `out` as `huffq.scales.dequantize` does."""
    wide = torch.promote_types(out.dtype, torch.float32)
    real = out if out.dtype == wide else torch.empty_like(out, dtype=wide)
    real.copy_(torch.from_numpy(codes))
    for apply, numbers in ((Tensor.sub_, zero_point), (Tensor.mul_, scale)):
        shape, own = grouped(tuple(real.shape), numbers.shape)
        own_numbers = torch.from_numpy(numbers.astype(str(wide).removeprefix("torch.")))
        apply(real.view(shape), own_numbers.view(own))
    if real is not out:
        out.copy_(real)


def _stored_dtype(field: Field) -> torch.dtype:
    """Return the dtype of a tensor of what the store holds of a field."""
    try:
        return torch.from_numpy(np.empty(0, field.dtype)).dtype
    except (TypeError, ValueError):
        raise TypeError(
            f"field {field.name!r} is {field.dtype}, which torch has no tensors of; choose fields"
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


def _collate(batch: Sequence[_Row], *, collate_fn_map: object = None) -> Any:  # noqa: ARG001  (torch gives it)
    if isinstance(batch, _Batch):
        return batch.columns
    return default_collate([dict(row) for row in batch])


default_collate_fn_map[_Row] = _collate

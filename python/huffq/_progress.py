"""Progress bars on a terminal, none elsewhere."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

T = TypeVar("T")


@contextlib.contextmanager
def progress_bar(
    description: str, *, total: int | None, unit: str, enabled: bool
) -> Iterator[Callable[[int], object]]:
    """Yield a function that moves a bar forward; it does nothing where no bar is shown.

    A bar is shown if `enabled`, standard error is a terminal and tqdm is installed. Bytes, the unit
    ``"B"``, are counted in kilobytes and larger ones.
    """
    if enabled:
        try:
            from tqdm import tqdm
        except ModuleNotFoundError:
            enabled = False
    if not enabled:
        yield lambda _: None
        return
    scale = unit == "B"
    with tqdm(
        desc=description, total=total, unit=unit, unit_scale=scale, disable=None, leave=False
    ) as bar:
        yield bar.update


def track(batches: Iterable[T], description: str, *, total: int) -> Iterator[T]:
    """Yield `batches`, `total` of them, and move a bar forward with each that has been used."""
    with progress_bar(description, total=total, unit="batch", enabled=True) as advance:
        for batch in batches:
            yield batch
            advance(1)

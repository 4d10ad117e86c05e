"""Files that appear under their name whole, or not at all."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator


@contextmanager
def atomic_writer(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Open ``<path>.part`` for writing and rename it to `path` once the block has succeeded.

    Args:
        path: The file to write; an existing one is replaced.

    Yields:
        The open binary file. If the block raises, it is removed and `path` stays as it was.

    Raises:
        OSError: The folder does not exist or cannot be written.
    """
    final = Path(path)
    part = final.with_name(final.name + ".part")
    try:
        with part.open("wb") as file:
            yield file
        part.replace(final)
    except BaseException:
        part.unlink(missing_ok=True)
        raise

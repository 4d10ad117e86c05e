"""Files that appear under their name whole, or not at all."""

from __future__ import annotations

import errno
import secrets
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator


def check_output(path: str | os.PathLike[str]) -> None:
    """Find out before a long computation whether its result has a place.

    Raises:
        FileNotFoundError: The folder of `path` does not exist.
        IsADirectoryError: `path` is a folder itself.
    """
    final = Path(path)
    if final.is_dir():
        raise IsADirectoryError(errno.EISDIR, "is a folder; give the name of a file", str(path))
    if not final.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, "its folder does not exist; make it", str(path))


@contextmanager
def atomic_writer(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Open a new file beside `path`, and rename it to `path` once the block has succeeded.

    Writers at the same time do not disturb each other: the last one to finish gives the file.

    Args:
        path: The file to write; an existing one is replaced.

    Yields:
        The open binary file. If the block raises, it is removed and `path` stays as it was.

    Raises:
        OSError: The folder does not exist or cannot be written, or the disk is full; names `path`.
    """
    check_output(path)
    final = Path(path)
    # Exclusive creation rather than tempfile: the file gets the permissions that the umask leaves.
    part = final.with_name(f"{final.name}.{secrets.token_hex(8)}.part")
    try:
        file = part.open("xb")
        try:
            with file:
                yield file
            part.replace(final)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
    except OSError as error:
        if error.errno and error.filename in (None, str(part)):
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise

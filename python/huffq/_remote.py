"""Files behind fsspec's URLs, read by range (``pip install 'huffq[remote]'``)."""

from __future__ import annotations

import os
from typing import Any


def is_url(path: str) -> bool:
    """Return whether a path is a URL, of whatever protocol."""
    return "://" in path


class RemoteFile:
    """A file whose bytes are fetched by range; every range is one request.

    Filesystems of fsspec do not survive a fork, so a forked process makes its own.

    Attributes:
        size: Number of bytes.

    Raises:
        ModuleNotFoundError: fsspec is missing, or what it needs for this protocol.
        OSError: There is no such file, or it cannot be reached.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._process = 0
        size = self._filesystem().size(self._path)
        if size is None:
            raise OSError(f"{url}: the server does not say how long it is")
        self.size = int(size)

    def read(self, offset: int, length: int) -> bytes:
        """Return `length` bytes from `offset` on, fewer where the file ends."""
        found: bytes = self._filesystem().cat_file(self._path, start=offset, end=offset + length)
        if len(found) > length:
            raise OSError(f"{self._url}: the server sends whole files only, not ranges of them")
        return found

    def _filesystem(self) -> Any:
        if self._process != os.getpid():
            try:
                import fsspec
            except ModuleNotFoundError as error:
                raise ModuleNotFoundError(
                    f"{self._url}: reading URLs needs fsspec; pip install 'huffq[remote]'"
                ) from error
            self._opened, self._path = fsspec.url_to_fs(self._url)
            self._process = os.getpid()
        return self._opened

"""Files behind fsspec's URLs, read by range (``pip install 'huffq[remote]'``)."""

from __future__ import annotations

import atexit
import contextlib
import errno
import os
import time
from typing import TYPE_CHECKING, Any

from huffq import _huffq

if TYPE_CHECKING:
    from collections.abc import Iterator


@atexit.register
def _finish_reads() -> None:
    """Wait for reads that other threads have begun: they must not outlive the interpreter.

    Handlers that run later can read URLs on their own thread only, and not by `iter_batches`.
    """
    while _huffq.stop_reads():
        time.sleep(1e-3)


def is_url(path: str) -> bool:
    """Return whether a path is a URL, of whatever protocol."""
    return "://" in path


def open_reader(path: str, cache_bytes: int, size: int | None = None) -> _huffq.StoreReader:
    """Open a `.huffq` file by its path or URL; a `size` that is known saves a request.

    Raises:
        ModuleNotFoundError: A URL needs fsspec, or what that needs for the protocol.
        HuffqError, OSError: As for `huffq.open`.
    """
    if not is_url(path):
        return _huffq.StoreReader(path, cache_bytes)
    file = RemoteFile(path, size)
    return _huffq.StoreReader(path, cache_bytes, (file.size, file.read))


def read_url(url: str) -> bytes:
    """Return all bytes of a file behind a URL, in one request.

    Raises:
        ModuleNotFoundError, OSError: As for `open_reader`.
    """
    filesystem, path = _connect(url)
    with _named(url):
        found: bytes = filesystem.cat_file(path)
    return found


class RemoteFile:
    """A file whose bytes are fetched by range; every range is one request.

    Filesystems of fsspec do not survive a fork, so a forked process makes its own.

    Attributes:
        size: Number of bytes.
    """

    def __init__(self, url: str, size: int | None = None) -> None:
        self._url = url
        self._connect()
        if size is None:
            with _named(url):
                size = self._filesystem.size(self._path)
        if size is None:
            raise OSError(f"{url}: the server does not say how long it is")
        self.size = int(size)

    def read(self, offset: int, length: int) -> bytes:
        """Return `length` bytes from `offset` on, fewer where the file ends."""
        if self._process != os.getpid():
            self._connect()
        with _named(self._url):
            found: bytes = self._filesystem.cat_file(self._path, start=offset, end=offset + length)
        if len(found) > length:
            raise OSError(f"{self._url}: the server sends whole files only, not ranges of them")
        return found

    def _connect(self) -> None:
        self._filesystem, self._path = _connect(self._url)
        self._process = os.getpid()


def _connect(url: str) -> tuple[Any, str]:
    try:
        import fsspec
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"{url}: reading URLs needs fsspec; pip install 'huffq[remote]'"
        ) from error
    try:
        filesystem, path = fsspec.url_to_fs(url)
    except ImportError as error:
        raise ModuleNotFoundError(f"{url}: its protocol needs another package: {error}") from error
    return filesystem, path


@contextlib.contextmanager
def _named(url: str) -> Iterator[None]:
    """Raise what a filesystem raises as an OSError that names the URL."""
    try:
        yield
    except FileNotFoundError as error:
        reason = "not found, or its server did not give it"
        raise FileNotFoundError(errno.ENOENT, reason, url) from error
    except OSError:
        raise
    except Exception as error:
        # Each protocol has exceptions of its own.
        raise OSError(f"{url}: {error or type(error).__name__}") from error

"""Files that appear whole or not at all."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from huffq._atomic import atomic_writer


def write(path: Path, content: bytes, error: BaseException | None = None) -> None:
    with atomic_writer(path) as file:
        file.write(content)
        if error is not None:
            raise error


def test_a_file_replaces_the_older_one_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text("old")
    with atomic_writer(path) as file:
        file.write(b"new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_failed_block_leaves_the_older_file(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt):
        write(path, b"new", KeyboardInterrupt())
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_writers_of_one_path_do_not_disturb_each_other(tmp_path: Path) -> None:
    path = tmp_path / "x"
    with atomic_writer(path) as first:
        first.write(b"first")
        write(path, b"second")
        assert path.read_bytes() == b"second"
        with pytest.raises(RuntimeError):
            write(path, b"third", RuntimeError())
    assert path.read_bytes() == b"first"
    assert list(tmp_path.iterdir()) == [path]


def test_permissions_are_those_of_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "usual").touch()
    write(tmp_path / "x", b"")
    assert (tmp_path / "x").stat().st_mode == (tmp_path / "usual").stat().st_mode


def test_errors_name_the_final_path(tmp_path: Path) -> None:
    path = tmp_path / "x"
    with pytest.raises(OSError, match="left on device") as full:
        write(path, b"", OSError(errno.ENOSPC, "No space left on device"))
    assert full.value.filename == str(path)
    absent = tmp_path / "absent" / "x"
    with pytest.raises(FileNotFoundError, match="its folder does not exist") as missing:
        write(absent, b"")
    assert missing.value.filename == str(absent)
    with pytest.raises(IsADirectoryError, match="is a folder"):
        write(tmp_path, b"")
    too_long = tmp_path / ("x" * 255)
    with pytest.raises(OSError, match=os.strerror(errno.ENAMETOOLONG)) as long:
        write(too_long, b"")
    assert long.value.filename == str(too_long)


def test_errors_of_other_files_keep_their_names(tmp_path: Path) -> None:
    error = FileNotFoundError(errno.ENOENT, "No such file", "other")
    with pytest.raises(FileNotFoundError) as raised:
        write(tmp_path / "x", b"", error)
    assert raised.value is error

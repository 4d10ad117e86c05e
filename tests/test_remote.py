"""Stores behind URLs: the same data, few requests, typed errors."""

from __future__ import annotations

import json
import multiprocessing
import pickle
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

import huffq
from huffq.cli import main

fsspec = pytest.importorskip("fsspec", exc_type=ImportError)

RNG = np.random.default_rng(5)
CODES = RNG.geometric(0.5, (3000, 8, 16, 16)).clip(1, 16).astype(np.uint8) - 1
LABELS = np.arange(3000)
TOKENS = huffq.Ragged(RNG.integers(0, 200, 4 * 3000).astype(np.int32), np.full(3000, 4))


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("remote") / "acts.huffq"
    huffq.encode_dataset(
        {"codes": CODES, "label": LABELS, "tokens": TOKENS}, path, bits={"codes": 4}
    )
    return path


class Requests(list[str]):
    """What a server was asked for."""

    def taken(self) -> int:
        """Return how many there were since the last time."""
        count = len(self)
        self.clear()
        return count


def counting(files: dict[str, bytes], requests: Requests) -> type:
    """A filesystem over `files` that notes every request."""

    class Counting(fsspec.AbstractFileSystem):
        cachable = False
        protocol = "counting"

        def info(self, path: str, **_: Any) -> dict[str, Any]:
            requests.append(f"info {path}")
            path = self._strip_protocol(path)
            if path not in files:
                raise FileNotFoundError(path)
            return {"name": path, "size": len(files[path]), "type": "file"}

        def cat_file(
            self, path: str, start: int | None = None, end: int | None = None, **_: Any
        ) -> bytes:
            requests.append(f"{path} {start} {end}")
            return files[self._strip_protocol(path)][start:end]

    return Counting


@pytest.fixture
def files(path: Path) -> dict[str, bytes]:
    return {"acts.huffq": path.read_bytes()}


@pytest.fixture
def requests(files: dict[str, bytes]) -> Requests:
    requests = Requests()
    fsspec.register_implementation("counting", counting(files, requests), clobber=True)
    return requests


class Handler(BaseHTTPRequestHandler):
    """Serves one file by range."""

    content: ClassVar[bytes] = b""
    requests: ClassVar[Requests] = Requests()
    ranges = True

    def do_HEAD(self) -> None:
        self.requests.append("HEAD")
        self.send_response(200)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(len(self.content)))
        self.end_headers()

    def do_GET(self) -> None:
        self.requests.append(f"GET {self.headers['Range']}")
        first, last = map(int, re.findall(r"\d+", self.headers["Range"]))
        body = self.content[first : last + 1] if self.ranges else self.content
        self.send_response(206 if self.ranges else 200)
        self.send_header("Content-Range", f"bytes {first}-{last}/{len(self.content)}")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def server(path: Path) -> Iterator[tuple[str, type[Handler]]]:
    pytest.importorskip("aiohttp")

    class Here(Handler):
        content = path.read_bytes()
        requests = Requests()

    with ThreadingHTTPServer(("127.0.0.1", 0), Here) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/acts.huffq", Here
        server.shutdown()


def check(url: str, requests: Requests) -> None:
    """Read at random over `url`, and count."""
    store = huffq.open(url)
    assert 0 < requests.taken() <= 2
    np.testing.assert_array_equal(store["codes"][1500], CODES[1500], strict=True)
    assert requests.taken() <= 2
    for sample in (7, 2999):
        np.testing.assert_array_equal(store["codes"][sample], CODES[sample])
        assert requests.taken() == 1
    assert store["label"][9] == 9
    np.testing.assert_array_equal(store["tokens"][11], TOKENS.values[44:48])
    assert requests.taken() == 2
    found = np.concatenate([batch["codes"] for batch in store.iter_batches(256)])
    np.testing.assert_array_equal(found, CODES)
    store.verify()


def test_few_requests_open_a_store_and_read_a_sample(requests: Requests) -> None:
    check("counting://acts.huffq", requests)


def test_http_servers_are_asked_as_little(server: tuple[str, type[Handler]]) -> None:
    url, handler = server
    check(url, handler.requests)


def test_groups_and_metadata_take_no_more_requests(
    tmp_path: Path, requests: Requests, files: dict[str, bytes]
) -> None:
    digits = np.arange(5 << 20) % 7
    metadata = {"text": "x" * 2_000_000}
    path = tmp_path / "many.huffq"
    huffq.encode_dataset(digits.astype(np.uint8), path, metadata=metadata, level="fast")
    files["many.huffq"] = path.read_bytes()
    store = huffq.open("counting://many.huffq")
    assert requests.taken() <= 3
    for sample in (9, 2 << 20, (4 << 20) + 3):
        assert store["data"][sample] == sample % 7
        assert requests.taken() == 2


def test_neighbouring_blocks_come_in_one_request(requests: Requests) -> None:
    store = huffq.open("counting://acts.huffq")
    assert len(CODES) > 50 * store["codes"].block_items
    requests.taken()
    np.testing.assert_array_equal(store["codes"][:], CODES)
    assert requests.taken() == 2


def test_batches_take_few_requests_which_the_taker_leaves_to_others(
    tmp_path: Path,
    requests: Requests,
    files: dict[str, bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A Ctrl-C during a request of the taker's for a later chunk would be lost."""
    asking = set()
    filesystem = fsspec.filesystem("counting")
    read = type(filesystem).cat_file

    def cat_file(self: Any, path: str, **span: Any) -> bytes:
        asking.add(threading.current_thread())
        found: bytes = read(self, path, **span)
        return found

    monkeypatch.setattr(type(filesystem), "cat_file", cat_file)
    codes = np.concatenate([CODES] * 8)
    huffq.encode_dataset(codes, tmp_path / "many.huffq", bits=4)
    files["many.huffq"] = (tmp_path / "many.huffq").read_bytes()
    store = huffq.open("counting://many.huffq", threads=4)
    requests.taken()
    asking.clear()
    found = np.concatenate([batch["data"] for batch in store.iter_batches(256)])
    np.testing.assert_array_equal(found, codes)
    # Chunks of 8 MiB and pages, of which threads may read one more than once.
    assert 6 <= requests.taken() <= 18
    assert threading.current_thread() not in asking


SLOW = """
import atexit, sys, time
import fsspec

class Slow(fsspec.AbstractFileSystem):
    protocol = "slow"
    def info(self, path, **_):
        return {"name": path, "size": len(DATA), "type": "file"}
    def cat_file(self, path, start=None, end=None, **_):
        time.sleep(0.02)
        return DATA[start:end]

DATA = open(sys.argv[1], "rb").read()
fsspec.register_implementation("slow", Slow)
"""

LEAVING = """
import huffq
batches = huffq.open("slow://acts.huffq", threads=4).iter_batches(1)
next(batches)
"""

LATE = """
@atexit.register
def read_late():
    assert store["codes"][3].sum() == CODES_SUM
    try:
        next(store.iter_batches(1))
    except OSError as error:
        print(error)

import huffq
store = huffq.open("slow://acts.huffq")
"""


def run_slowly(code: str, path: Path) -> subprocess.CompletedProcess[str]:
    """Run code that reads the file `path` as slow://acts.huffq."""
    command = [sys.executable, "-c", SLOW + code, str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_the_interpreter_waits_for_requests_at_its_exit(tmp_path: Path) -> None:
    """A request that came back too late ended the process by SIGABRT."""
    codes = RNG.integers(0, 16, (2500, 128, 128), np.uint8)
    huffq.encode_dataset(codes, tmp_path / "a.huffq", bits=4, level="fast")
    for _ in range(5):
        run = run_slowly(LEAVING, tmp_path / "a.huffq")
        assert (run.returncode, run.stderr) == (0, "")


def test_threads_do_not_read_when_the_interpreter_exits(path: Path) -> None:
    run = run_slowly(LATE.replace("CODES_SUM", str(CODES[3].sum())), path)
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout == "slow://acts.huffq: the interpreter is exiting\n"


def test_folders_end_with_a_slash(path: Path, requests: Requests, files: dict[str, bytes]) -> None:
    shards = [{"file": "a.huffq", "samples": 3000}, {"file": "b.huffq", "samples": 3000}]
    files["set/manifest.json"] = json.dumps({"version": 1, "shards": shards}).encode()
    files["set/a.huffq"] = files["set/b.huffq"] = path.read_bytes()
    store = huffq.open("counting://set/")
    assert len(store) == 6000
    assert requests.taken() == 3
    np.testing.assert_array_equal(store["codes"][[1, 3001]], CODES[[1, 1]])


def test_folders_take_no_more_requests_than_files(
    tmp_path: Path, requests: Requests, files: dict[str, bytes]
) -> None:
    codes = {"codes": CODES[:300]}
    for name, metadata, most in (("short", None, 2), ("long", {"text": "x" * 2_000_000}, 3)):
        for _ in range(2):
            huffq.encode_dataset(codes, tmp_path / name, bits=4, metadata=metadata, append=True)
        files |= {f"{name}/{file.name}": file.read_bytes() for file in (tmp_path / name).iterdir()}
        requests.clear()
        store = huffq.open(f"counting://{name}/")
        assert 0 < len(requests) <= most
        np.testing.assert_array_equal(store["codes"][450], CODES[150])


@pytest.mark.parametrize("length", [0, 100, 1 << 20, 1 << 40, 1 << 62])
def test_a_wrong_length_in_a_manifest_is_a_damaged_file(
    path: Path, requests: Requests, files: dict[str, bytes], length: int
) -> None:
    shards = [{"file": "a.huffq", "samples": 3000, "bytes": length}]
    files["set/manifest.json"] = json.dumps({"version": 1, "shards": shards}).encode()
    files["set/a.huffq"] = path.read_bytes()
    with pytest.raises(huffq.CorruptFileError, match=r"counting://set/a\.huffq"):
        huffq.open("counting://set/")
    assert requests.taken() <= 3


def test_stores_behind_urls_pickle_and_fork(server: tuple[str, type[Handler]]) -> None:
    url, _ = server
    store = huffq.open(url)
    assert pickle.loads(pickle.dumps(store))["label"][5] == 5
    with multiprocessing.get_context("fork").Pool(2) as pool:
        found = pool.map(_Read(store), [3, 2000])
    np.testing.assert_array_equal(found, CODES[[3, 2000]])


class _Read:
    def __init__(self, store: huffq.Dataset) -> None:
        self.store = store

    def __call__(self, sample: int) -> Any:
        return self.store["codes"][sample]


def test_missing_files_and_servers_are_os_errors(server: tuple[str, type[Handler]]) -> None:
    with pytest.raises(FileNotFoundError):
        huffq.open("memory://nothing.huffq")
    with pytest.raises(huffq.DataError, match="is a folder without"):
        huffq.open("memory://nothing/")
    url, handler = server
    handler.ranges = False
    with pytest.raises(OSError, match="whole files only"):
        huffq.open(url)


@pytest.mark.usefixtures("requests")
def test_urls_that_cannot_be_read_are_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(owner: Any, name: str, error: Exception) -> None:
        def raises(*_: Any, **__: Any) -> None:
            raise error

        monkeypatch.setattr(owner, name, raises)

    def sentence() -> str:
        assert main(["info", "counting://acts.huffq"]) == 2
        text = capsys.readouterr().err
        assert text.count("\n") == 1
        return text

    counted = fsspec.get_filesystem_class("counting")
    fail(counted, "cat_file", RuntimeError("the server hung up"))
    assert "counting://acts.huffq: the server hung up" in sentence()
    fail(counted, "info", FileNotFoundError("acts.huffq"))
    assert "counting://acts.huffq: not found" in sentence()
    # As fsspec says it where the package of a protocol is not installed.
    fail(fsspec, "url_to_fs", ImportError("Install s3fs"))
    assert "needs another package: Install s3fs" in sentence()


def test_merged_folders_are_read_by_url(path: Path) -> None:
    listed = {"file": "../parts/a.huffq", "samples": 3000}
    memory = fsspec.filesystem("memory")
    memory.pipe(
        "/sets/merged/manifest.json", json.dumps({"version": 1, "shards": [listed]}).encode()
    )
    memory.put(str(path), "/sets/parts/a.huffq")
    store = huffq.open("memory://sets/merged/")
    np.testing.assert_array_equal(store["codes"][7], CODES[7])


def test_damage_far_away_is_told_from_data(requests: Requests, files: dict[str, bytes]) -> None:
    store = huffq.open("counting://acts.huffq")
    requests.taken()
    whole = files["acts.huffq"]
    files["acts.huffq"] = whole[: len(whole) // 2]
    with pytest.raises(huffq.TruncatedFileError, match=r"counting://acts\.huffq"):
        store["codes"][2999]
    files["acts.huffq"] = bytes(len(whole))
    with pytest.raises(huffq.CorruptFileError, match=r"counting://acts\.huffq"):
        store["codes"][1]


def test_urls_without_fsspec_say_what_to_install() -> None:
    code = (
        "import sys; sys.modules['fsspec'] = None; import huffq\n"
        "try: huffq.open('http://127.0.0.1/x.huffq')\n"
        "except ModuleNotFoundError as error: print(error)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install 'huffq[remote]'" in run.stdout

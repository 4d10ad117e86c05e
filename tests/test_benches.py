"""The benchmark script runs, with whatever peers are installed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[1] / "benches" / "throughput.py"
STORE = SCRIPT.with_name("store.py")


def test_throughput_prints_a_row_for_every_backend() -> None:
    command = [sys.executable, str(SCRIPT), "--quick", "--generated-mb", "0.1"]
    process = subprocess.run(
        [*command, "--arrays", "generated*"], capture_output=True, text=True, check=True
    )
    tables = process.stdout.split("generated ")[1:4]
    assert [table.split()[0] for table in tables] == ["20%", "50%", "80%"]
    for table in tables:
        assert {"copy", "huffq", "xz"} <= {line.split()[0] for line in table.splitlines() if line}
        assert " portable " in table


def test_small_prints_a_row_for_every_input() -> None:
    command = [sys.executable, str(SCRIPT.with_name("small.py")), "--quick", "--arrays"]
    process = subprocess.run([*command, "generated*"], capture_output=True, text=True, check=True)
    tables = process.stdout.split("generated ")[1:]
    assert [table.split()[0] for table in tables] == ["20%", "50%", "80%"]
    assert all("huffq codebook dense" in table for table in tables)


def test_throughput_names_the_peers_that_are_missing() -> None:
    code = (
        "import importlib.util, json, sys; importlib.util.find_spec = lambda name: None; "
        "sys.path.insert(0, sys.argv[1]); import peers; print(json.dumps(peers.chosen('zstd*')))"
    )
    command = [sys.executable, "-c", code, str(SCRIPT.parent)]
    process = subprocess.run(command, capture_output=True, text=True, check=True)
    there, missing = json.loads(process.stdout)
    assert there == []
    assert missing == ["zstd -1 (zstandard)", "zstd -3 (zstandard)", "zstd -19 (zstandard)"]


def test_store_prints_every_bar_and_format_or_that_it_is_missing() -> None:
    options = ["--quick", "--mb", "0.2", "--cache-mb", "0.05", "--epochs", "1"]
    command = [sys.executable, str(STORE), *options]
    process = subprocess.run(command, capture_output=True, text=True, check=True)
    lines = process.stdout.splitlines()
    absent = next((line for line in lines if line.startswith("not installed: ")), "")
    rows = {line[:22].strip() for line in lines}
    for name in ("zarr v3", "h5py gzip", "h5py blosc", "np.memmap", "np.savez_compressed"):
        assert (name in rows) != (name in absent)
    bars = [line for line in lines if ">=" in line or "<=" in line]
    for bar in (
        "encode_dataset",
        "iter_batches",
        "microseconds",
        "seconds over those of np.memmap",
    ):
        assert any(line.startswith(bar) for line in bars)

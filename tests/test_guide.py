"""What the guide says about stores, tiles and small arrays runs as it stands there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

import huffq
from huffq.cli import main

GUIDE = Path(__file__).parents[1] / "docs" / "guide.md"


def blocks(language, heading="Tiles for an accelerator"):
    section = GUIDE.read_text(encoding="utf-8").split(f"## {heading}\n")[1]
    return re.findall(rf"```{language}\n(.*?)```", section.split("\n## ")[0], flags=re.DOTALL)


@pytest.mark.filterwarnings("ignore:'set_vital' is deprecated:UserWarning")  # torchdata calls it
def test_training_from_a_store_runs(tmp_path, monkeypatch):
    for package in ("torch", "torchdata", "fsspec"):
        pytest.importorskip(package)
    monkeypatch.chdir(tmp_path)
    names = {}
    for code in blocks("python", "Train from a store"):
        exec(compile(code, str(GUIDE), "exec"), names)
    assert (names["with_url"].path, len(names["with_url"])) == ("memory://train.huffq", 2000)


def test_zarr_runs(tmp_path, monkeypatch):
    pytest.importorskip("zarr", minversion="3")
    monkeypatch.chdir(tmp_path)
    (code,) = blocks("python", "Inside zarr")
    exec(compile(code, str(GUIDE), "exec"), {})
    assert (tmp_path / "acts.zarr" / "c").is_dir()


def test_the_python_of_tiles_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (code,) = blocks("python")
    exec(compile(code, str(GUIDE), "exec"), {})
    assert len(list((tmp_path / "tiles48").glob("weight_*.txt"))) == 6 * 6 * 9


def test_the_python_of_small_arrays_runs():
    (code,) = blocks("python", "Many small arrays")
    names = {}
    exec(compile(code, str(GUIDE), "exec"), names)
    sizes = [len(blob) for blob in names["blobs"]]
    assert sum(sizes) / len(sizes) < 0.85 * 64  # of 64 bytes bit-packed


def test_the_commands_of_tiles_run(tmp_path, monkeypatch, capsys):
    torch = pytest.importorskip("torch")
    pytest.importorskip("sklearn")
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    model = huffq.models.vgg16(width=0.25, bottleneck=True)
    (tmp_path / "result").mkdir()
    huffq.checkpoint.save("result", model, epoch=0, best_prec=0.0, optimizer={}, is_best=True)
    (commands,) = blocks("sh")
    for line in commands.splitlines():
        program, *arguments = shlex.split(line)
        assert program == "huffq"
        assert main(arguments) == 0, line
    assert "decode clocks" in capsys.readouterr().out
    assert (tmp_path / "tiles" / "activation_tile0.txt").exists()
    assert (tmp_path / "chip" / "code_table.memh").exists()


def test_links_of_the_documents_lead_somewhere():
    for path in GUIDE.parent.glob("*.md"):
        links = re.findall(r"\]\(([^)#]+)[^)]*\)", path.read_text(encoding="utf-8"))
        assert [link for link in links if not (path.parent / link).exists()] == [], path.name

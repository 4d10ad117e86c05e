"""What the guide shows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

GUIDE = (Path(__file__).parents[1] / "docs" / "guide.md").read_text(encoding="utf-8")


@pytest.mark.filterwarnings("ignore:'set_vital' is deprecated:UserWarning")  # torchdata calls it
def test_training_from_a_store_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for package in ("torch", "torchdata", "fsspec"):
        pytest.importorskip(package)
    monkeypatch.chdir(tmp_path)
    (section,) = re.findall(r"^## Train from a store$(.*?)^## ", GUIDE, re.DOTALL | re.MULTILINE)
    blocks = re.findall(r"```python\n(.*?)```", section, flags=re.DOTALL)
    assert len(blocks) == 4
    names: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, "guide.md", "exec"), names)
    assert (tmp_path / "train.huffq").is_file()

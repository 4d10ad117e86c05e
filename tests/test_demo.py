"""The demonstration at its smallest size, and its comparison of file and network."""

from __future__ import annotations

import numpy as np
import pytest

import huffq
from huffq.codes import Codes
from huffq.errors import CorruptFileError, ExtractionError

torch = pytest.importorskip("torch")

from huffq import check, demo, models  # noqa: E402
from huffq.cli import main  # noqa: E402


def test_a_minimal_run_shows_every_step(tmp_path, capsys):
    small = ["--epochs", "1", "--width", "0.03125", "--batch-size", "128", "--device", "cpu"]
    assert main(["demo", "--out", str(tmp_path), *small]) == 0
    text = capsys.readouterr().out
    assert [line[:2] for line in text.splitlines() if line[:1].isdigit()] == [
        f"{step}." for step in range(1, 7)
    ]
    assert "Activation.txt file length: 1152 bits." in text
    assert "Compression ratio: " in text

    dataset = huffq.open(tmp_path / "activations.huffq")
    assert len(dataset) == 360
    assert len(dataset.fields) == 13
    assert all(f"\n{name} " in text for name in dataset.fields)
    symbols = sum(np.prod(field.shape) for field in dataset.fields.values())
    assert f"all {symbols:,} symbols agree" in text
    assert len(list((tmp_path / "tiles").iterdir())) == 3 + 9 + 2 + 5


def test_integers_that_miss_the_output_are_refused(monkeypatch):
    model = models.vgg16(width=0.03125, bottleneck=True)
    images = torch.randn(2, 3, 32, 32)
    assert demo.prove(model, images).ok
    monkeypatch.setattr(check, "TOLERANCE", -1.0)
    with pytest.raises(ExtractionError, match=r"misses the input of features\.29 by"):
        demo.prove(model, images)


@pytest.fixture
def dataset(tmp_path):
    codes = np.arange(40, dtype=np.uint8).reshape(10, 4) % 16
    huffq.encode_dataset({"a": codes, "b": codes}, tmp_path / "x.huffq", bits=4, progress=False)
    return huffq.open(tmp_path / "x.huffq"), codes


def batches(codes, size):
    for start in range(0, len(codes), size):
        part = codes[start : start + size]
        yield {"a": Codes(part, 4), "b": Codes(part, 4)}


def test_compare_counts_all_symbols(dataset):
    opened, codes = dataset
    assert demo.compare(opened, batches(codes, 3)) == 80


def test_compare_names_field_and_samples(dataset):
    opened, codes = dataset
    changed = codes.copy()
    changed[7, 1] ^= 1
    with pytest.raises(CorruptFileError, match="'a' differs from the network in samples 6 to 8"):
        demo.compare(opened, batches(changed, 3))


@pytest.mark.parametrize("kept", [6, 12])
def test_compare_sees_missing_and_extra_samples(dataset, kept):
    opened, codes = dataset
    with pytest.raises(CorruptFileError):
        demo.compare(opened, batches(np.tile(codes, (2, 1))[:kept], 2))


def test_time_decoding_covers_every_field(dataset, monkeypatch):
    opened, _ = dataset
    monkeypatch.setattr("huffq._chunks.CHUNK_BYTES", 8)
    seconds = demo.time_decoding(opened)
    assert list(seconds) == ["a", "b"]
    assert all(value > 0 for value in seconds.values())

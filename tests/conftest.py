"""Fixtures shared by all tests."""

from __future__ import annotations

import signal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

import huffq
from huffq.cli import main

# Wall time says nothing on a machine that others use, too.
settings.register_profile("huffq", deadline=None)
settings.load_profile("huffq")


def pytest_configure() -> None:
    # A shell's background job ignores interrupts, and so would all that the tests start in one.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--soak", action="store_true", help="run the soak tests in full")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real data beside the checkout; tests that need it skip where it is absent."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"real data is not present at {folder}")
    return folder


@pytest.fixture
def soak(request: pytest.FixtureRequest) -> bool:
    """Whether a soak test runs in full, or a sample of it."""
    full: bool = request.config.getoption("--soak")
    return full


@pytest.fixture(scope="session")
def real_tiles(shared_data):
    """A thousand tiles ``[nij, 8]`` from six layers of a real network, padded by 1."""
    found = []
    with np.load(shared_data / "resnet20-4bit" / "activations-resnet20-4bit.npz") as layers:
        for name in layers.files:
            groups = layers[name].shape[1] // 8
            images = np.pad(layers[name][: -(-168 // groups)], ((0, 0), (0, 0), (1, 1), (1, 1)))
            found += list(images.reshape(len(images) * groups, 8, -1).transpose(0, 2, 1))
    return found[:1000]


@pytest.fixture(scope="session")
def images(tmp_path_factory):
    """Options of a dataset of twelve training and ten test images in three classes."""
    path = tmp_path_factory.mktemp("images") / "images.npz"
    rng = np.random.default_rng(0)
    arrays = {}
    for part, count in (("train", 12), ("test", 10)):
        arrays[f"x_{part}"] = rng.integers(0, 256, (count, 3, 32, 32), dtype=np.uint8)
        arrays[f"y_{part}"] = np.arange(count) % 3
    np.savez(path, **arrays)
    return ["--data", "npz", "--root", str(path), "--batch-size", "4", "--workers", "0"]


@pytest.fixture
def network():
    """A tiny VGG16 with the bottleneck; commands build it with ``--width 0.03125``."""
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    return huffq.models.vgg16(num_classes=3, width=0.03125, bottleneck=True).eval()


@pytest.fixture
def save(tmp_path):
    """Write a network's checkpoint; give its path."""

    def write(model):
        checkpoint = huffq.checkpoint
        folder = tmp_path / "checkpoints"
        folder.mkdir(exist_ok=True)
        checkpoint.save(folder, model, epoch=0, best_prec=0.0, optimizer={}, is_best=False)
        return str(folder / checkpoint.LAST)

    return write


@pytest.fixture
def fails(capsys):
    """Run a command that must fail; give its one sentence."""

    def run(*argv):
        assert main([str(arg) for arg in argv]) == 2
        captured = capsys.readouterr()
        assert captured.err.startswith("huffq: error: ")
        assert captured.err.count("\n") == 1
        return captured.err

    return run

"""Fixtures shared by all tests."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from huffq import tiles


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
def real_tiles(shared_data: Path) -> list[npt.NDArray[np.uint8]]:
    """A thousand padded tiles ``[nij, 8]`` of six layers of a real network."""
    path = shared_data / "resnet20-4bit" / "activations-resnet20-4bit.npz"
    found = []
    with np.load(path) as layers:
        for name in layers.files:
            # 160 to 168 a layer: the images at its beginning, all input tiles of each.
            images = layers[name][: -(-168 // (layers[name].shape[1] // 8))]
            for image in images:
                found += list(tiles.activation_tiles(tiles.pad_plane(image, 1)).transpose(0, 2, 1))
    return found[:1000]

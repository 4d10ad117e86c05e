"""Fixtures shared by all tests."""

from __future__ import annotations

from pathlib import Path

import pytest


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

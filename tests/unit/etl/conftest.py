"""Small trees and event streams for the ETL's tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from chiops.etl.datasets.food11_synthetic import Food11Synthetic
from tests.unit.etl.events import Heard


@pytest.fixture
def heard() -> Heard:
    """A stream of events that is kept."""
    return Heard()


@pytest.fixture(scope="session")
def small_tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """66 synthetic images; tests only read it."""
    folder = tmp_path_factory.mktemp("small")
    Food11Synthetic(images=66, seed=3, workers=1).transform(folder, folder / "Food-11", Heard())
    return folder / "Food-11"

"""A local site of a test's own, in its own folders; nothing runs there."""

from __future__ import annotations

from pathlib import Path

import pytest

from chiops.cloud.base import Mark
from chiops.cloud.local.site import LocalSite


@pytest.fixture
def site(tmp_path: Path) -> LocalSite:
    return LocalSite(tmp_path / "state", tmp_path / "cache")


@pytest.fixture
def mark() -> Mark:
    return Mark("lab", "1000")

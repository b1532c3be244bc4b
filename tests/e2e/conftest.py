"""A machine of its own for each module: its own state folder, and nothing left behind."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import why_no_nodes
from tests.support.cli import Chiops
from tests.support.leftovers import interfaces, leftovers


@pytest.fixture(scope="module")
def chiops(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chiops]:
    """The command line with a state folder of this module's own; afterwards nothing of it may be left on the machine."""
    if why := why_no_nodes():
        pytest.skip(why)
    home, before = Path(tempfile.mkdtemp(prefix="che-", dir="/tmp")), interfaces()
    yield Chiops(home, tmp_path_factory.mktemp("work"))
    left = leftovers(home, before)
    shutil.rmtree(home, ignore_errors=True)
    assert not left, "left on this machine:\n  " + "\n  ".join(left)

"""A machine of its own for each module: its own state folder, and nothing left behind."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import why_no_nodes
from tests.support.cli import Chiops
from tests.support.leftovers import assert_clean
from tests.support.openstack import command_line


@pytest.fixture(scope="module")
def chiops(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chiops]:
    """The command line with a state folder of this module's own; afterwards nothing of it may be left on the machine."""
    if why := why_no_nodes():
        pytest.skip(why)
    home = Path(tempfile.mkdtemp(prefix="che-", dir="/tmp"))
    yield Chiops(home, tmp_path_factory.mktemp("work"))
    assert_clean(home)
    shutil.rmtree(home)


@pytest.fixture(scope="module")
def openstack(tmp_path_factory: pytest.TempPathFactory) -> Chiops:
    """The command line with the OpenStack under test as a site."""
    return command_line(tmp_path_factory.mktemp("openstack"))

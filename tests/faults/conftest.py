"""What the tests of faults share: runs at the fast cloud, and figures that are always printed."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.support.runs import Runs, started
from tests.support.side_by_side import TOLD


@pytest.fixture(scope="module")
def runs() -> Iterator[Runs]:
    """Runs of the command line at the fast cloud."""
    with started() as found:
        yield found


@pytest.fixture
def told(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Has a figure printed at the end of the run."""
    return lambda text: record_property(TOLD, text)

"""What the tests of faults share: runs at the fast cloud, and figures that are always printed."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.support.runs import Runs, started


@pytest.fixture(scope="module")
def runs() -> Iterator[Runs]:
    """Runs of the command line at the fast cloud."""
    with started() as found:
        yield found


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Prints a figure, whatever pytest captures."""

    def tell(text: str) -> None:
        with capsys.disabled():
            print(f"\n{text}")  # noqa: T201 - figures are for people

    return tell

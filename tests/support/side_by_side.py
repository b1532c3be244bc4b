"""How tests are shared out among the processes of pytest-xdist, and what they tell the one that prints."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from xdist.scheduler import LoadScopeScheduling

if TYPE_CHECKING:
    import pytest
    from xdist.remote import Producer

TOLD = "told"
"""The property of a test in which its figures travel."""
_CLOUD = re.compile(r"[\[-](fast|local|openstack)[\]-]")


class ByFileAndCloud(LoadScopeScheduling):
    """A file's tests share what they set up, so they stay together; so do the contract's at one cloud, of all files.

    They begin in the order of collection, unit tests last: those are short and fill what is left at the end.
    """

    def __init__(self, config: pytest.Config, log: Producer | None) -> None:
        super().__init__(config, log)
        config.option.loadscopereorder = False

    def _split_scope(self, nodeid: str) -> str:
        file, _, test = nodeid.partition("::")
        found = _CLOUD.search(test) if file.startswith("tests/contract/") else None
        return f"tests/contract at {found[1]}" if found else file


def figures(reports: list[pytest.TestReport]) -> list[str]:
    """What tests have told, in the order of their ends."""
    return [str(text) for report in reports for name, text in report.user_properties if name == TOLD]

"""What may be installed, and what is said when it may not."""

from __future__ import annotations

import pytest

from chiops.cloud.local import packages
from chiops.errors import PrerequisiteMissing


def test_what_is_there_needs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "may_install", lambda: pytest.fail("nothing is to be installed"))
    packages.require({"sh": "dash"}, purpose="A test")


def test_one_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "may_install", lambda: False)
    with pytest.raises(PrerequisiteMissing) as caught:
        packages.require({"no-such-program": "its-package"}, purpose="A test")
    assert "no-such-program" in caught.value.what
    assert "its-package" in caught.value.todo


@pytest.mark.parametrize(
    ("output", "why"),
    [
        ("Reading...\nE: Unable to locate package a\nE: another\n", "Unable to locate package a"),
        ("dpkg: writing: No space left on device\nE: Sub-process failed\n", "no space left on the disk"),
        ("something\nlast line\n", "last line"),
        ("", ""),
    ],
)
def test_the_reason_is_the_line_that_names_the_cause(output: str, why: str) -> None:
    assert packages.reason(output) == why

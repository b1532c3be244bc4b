"""Public keys."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chiops.cloud.base import Mark
from chiops.cloud.local.keypairs import Keypairs, fingerprint
from chiops.cloud.local.store import Store
from chiops.errors import Conflict, InvalidRequest, NotFound


@pytest.fixture(params=["ed25519", "rsa", "ecdsa"])
def public_key(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    file = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", request.param, "-N", "", "-f", file], check=True)
    return file.with_suffix(".pub")


def test_the_fingerprint_is_openssh_s(public_key: Path) -> None:
    said = subprocess.run(
        ["ssh-keygen", "-l", "-E", "md5", "-f", public_key], check=True, capture_output=True, text=True
    )
    assert f"MD5:{fingerprint(public_key.read_text())}" == said.stdout.split()[1]


def test_a_truncated_key_is_refused(public_key: Path) -> None:
    kind, blob, *_ = public_key.read_text().split()
    with pytest.raises(InvalidRequest):
        fingerprint(f"{kind} {blob[: len(blob) // 8 * 4]}")


@given(st.text())
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest):
        fingerprint(text)


def test_names_are_unique(tmp_path: Path) -> None:
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGkuEkrCDyQLD4oyfRk1rRw4CVJ3yfRGLcEhyFBAlvHW me"
    keypairs, mark = Keypairs(Store(tmp_path / "site.db")), Mark("lab", "me")
    made = keypairs.create("a", key, mark)
    assert (made.mark, made.public_key) == (mark, key)
    with pytest.raises(Conflict):
        keypairs.create("a", key, mark)
    keypairs.delete("a")
    with pytest.raises(NotFound):
        keypairs.delete("a")

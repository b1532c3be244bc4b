"""rclone.conf and the mount's unit, as rclone and systemd will read them."""

from __future__ import annotations

import configparser
import shlex
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from chiops import assets
from chiops.remote.fuse import BACKENDS


def render(name: str, **variables: Any) -> str:
    # As Ansible renders: blocks leave no empty lines, and an undefined name is a mistake.
    loader = FileSystemLoader(assets.templates())
    jinja = Environment(loader=loader, undefined=StrictUndefined, trim_blocks=True, autoescape=False)  # noqa: S701
    return jinja.get_template(name).render(**variables)


def parsed(text: str) -> configparser.RawConfigParser:
    parser = configparser.RawConfigParser(strict=False, delimiters=("=",))
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read_string(text)
    return parser


WORD = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1)


@given(secret=WORD)
def test_remotes_have_what_they_were_given(secret: str) -> None:
    s3 = {
        "type": "s3",
        "secret_access_key": secret,
        "region": "",
        "endpoint": "http://192.0.2.1:9000",
        "env_auth": None,
    }
    text = render("rclone.conf.j2", rclone_remotes={"rclone_s3": s3, "swift": {"type": "swift", "user": "u"}})
    parser = parsed(text)
    assert parser.sections() == ["rclone_s3", "swift"]
    assert dict(parser["rclone_s3"]) == {"type": "s3", "secret_access_key": secret, "endpoint": s3["endpoint"]}
    assert dict(parser["swift"]) == {"type": "swift", "user": "u"}


def unit(backend: str = "rclone", **mount: Any) -> configparser.SectionProxy:
    text = render(
        f"systemd/{backend}-mount.service.j2",
        mount_bucket={"bucket": "lab", "path": "/mnt/object", **mount},
        mount_bucket_user="cc",
        mount_bucket_remote="rclone_s3",
        mount_bucket_options=["--vfs-cache-mode=off"],
        mount_bucket_rclone_config="",
        mount_bucket_keys="/home/cc/.config/chiops",
        mount_bucket_access={"url": "http://s3:9000", "region": "us-east-1", "access": "AKIA", "secret": "hush"},
    )
    assert "hush" not in text
    assert "AKIA" not in text
    return parsed(text)["Service"]


def test_the_mount_is_read_only_unless_asked_otherwise() -> None:
    words = shlex.split(unit()["ExecStart"])
    assert words[:5] == ["/usr/bin/env", "rclone", "mount", "rclone_s3:lab", "/mnt/object"]
    assert {"--read-only", "--allow-other", "--vfs-cache-mode=off"} <= set(words)
    assert "--read-only" not in shlex.split(unit(read_only=False)["ExecStart"])


def test_a_mounts_own_options_come_last_and_win() -> None:
    assert shlex.split(unit(options=["--vfs-cache-mode=full"])["ExecStart"])[-1] == "--vfs-cache-mode=full"


def test_the_unit_runs_as_the_user_and_comes_back() -> None:
    service = unit()
    assert service["User"] == "cc"
    assert service["Type"] == "notify"
    assert service["Restart"] == "on-failure"


@pytest.mark.parametrize("backend", sorted(BACKENDS))
def test_every_backend_has_a_unit_and_a_task_file(backend: str) -> None:
    tasks = assets.playbooks() / "roles" / "mount_bucket" / "tasks" / "backends" / f"{backend}.yml"
    assert tasks.is_file()
    service = unit(backend, options=["--mine=1"])
    words = shlex.split(service["ExecStart"])
    assert words[1] == BACKENDS[backend].program
    assert "/mnt/object" in words
    assert words[-1] == "--mine=1"
    assert service["User"] == "cc"


@pytest.mark.parametrize(("backend", "flag"), [("s3fs", "-oro"), ("mountpoint-s3", "--read-only")])
def test_other_backends_are_read_only_too_unless_asked_otherwise(backend: str, flag: str) -> None:
    assert flag in shlex.split(unit(backend)["ExecStart"])
    assert flag not in shlex.split(unit(backend, read_only=False)["ExecStart"])

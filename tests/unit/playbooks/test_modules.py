"""Our own Ansible modules, where they decide something."""

from __future__ import annotations

import errno
import importlib.util
import json
import os
import pwd
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from chiops import assets
from tests.support.hanging import ENDLESS, write_program


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, assets.playbooks() / "library" / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def call(name: str, *, check: bool = False, **arguments: Any) -> dict[str, Any]:
    """Run a module as Ansible does: arguments as JSON on stdin, the answer on stdout."""
    given = json.dumps({"ANSIBLE_MODULE_ARGS": {**arguments, "_ansible_check_mode": check}})
    file = assets.playbooks() / "library" / f"{name}.py"
    done = subprocess.run([sys.executable, file], input=given, capture_output=True, text=True, check=False)
    return dict(json.loads(done.stdout))


def test_pip_sources_are_the_local_ones_and_whole(tmp_path: Path) -> None:
    for folder in ("index/simple", "more index/simple", "wheels", "other"):
        (tmp_path / folder).mkdir(parents=True)
    for file in ("pip.conf", "ca.pem"):
        (tmp_path / file).touch()
    (tmp_path / "pip.conf").write_text(
        f"[global]\ncert = {tmp_path}/ca.pem\nindex-url = https://example.org/simple\n"
        f"extra-index-url = file://{tmp_path}/index/simple/\n    file://{tmp_path}/more%20index/simple\n"
        f"find-links = {tmp_path}/wheels https://example.org/links {tmp_path}/missing\ncache-dir = {tmp_path}/other\n"
    )
    got = call("pip_sources", config=str(tmp_path / "pip.conf"), certificates=str(tmp_path / "none"))
    expected = [tmp_path / name for name in ("ca.pem", "index", "more index", "pip.conf", "wheels")]
    assert got["volumes"] == [f"{path}:{path}:ro" for path in expected]
    assert got["changed"] is False


def test_a_node_without_pip_settings_has_its_certificates(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").touch()
    got = call("pip_sources", config=str(tmp_path / "none"), certificates=str(tmp_path / "ca.pem"))
    assert got["volumes"] == [f"{tmp_path}/ca.pem:{tmp_path}/ca.pem:ro"]


def test_package_settings_are_written_once_and_passwords_are_roots_alone(tmp_path: Path) -> None:
    (tmp_path / "etc/apt/sources.list.d").mkdir(parents=True)
    (tmp_path / "etc/os-release").write_text('ID=debian\nVERSION_CODENAME="bookworm"\n')
    (tmp_path / "etc/apt/sources.list.d/debian.sources").write_text("Types: deb\n")
    settings: dict[str, Any] = {
        "suite": "bookworm",
        "sources": ["deb http://mirror.example/debian bookworm main"],
        "apt_options": ['Acquire::http::Proxy "http://proxy.example:3128";'],
        "pip_conf": "[global]\nindex-url = https://me:word@pip.example/simple\n",
        "certificates": {"/usr/local/share/ca-certificates/site.crt": "-----BEGIN CERTIFICATE-----\n"},
        "root": str(tmp_path),
    }
    assert call("package_settings", check=True, **settings)["changed"]
    assert not (tmp_path / "etc/pip.conf").exists()
    got = call("package_settings", **settings)
    assert got["changed"]
    assert "word" not in json.dumps(got)
    assert (tmp_path / "etc/apt/sources.list").read_text() == settings["sources"][0] + "\n"
    assert not (tmp_path / "etc/apt/sources.list.d/debian.sources").exists()
    assert (tmp_path / "etc/pip.conf").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "usr/local/share/ca-certificates/site.crt").stat().st_mode & 0o777 == 0o644
    assert not call("package_settings", **settings)["changed"]


def test_another_release_keeps_its_sources(tmp_path: Path) -> None:
    (tmp_path / "etc/apt").mkdir(parents=True)
    (tmp_path / "etc/os-release").write_text("ID=ubuntu\nVERSION_CODENAME=noble\n")
    (tmp_path / "etc/apt/sources.list").write_text("deb http://ubuntu.example noble main\n")
    nothing: dict[str, Any] = {"apt_options": [], "pip_conf": "", "certificates": {}, "root": str(tmp_path)}
    call("package_settings", suite="bookworm", sources=["deb http://mirror.example bookworm main"], **nothing)
    assert (tmp_path / "etc/apt/sources.list").read_text() == "deb http://ubuntu.example noble main\n"


def test_a_mount_point_is_made_once(tmp_path: Path) -> None:
    me = pwd.getpwuid(os.getuid()).pw_name
    path = tmp_path / "a" / "b"
    assert call("fuse_mountpoint", path=str(path), owner=me, check=True)["changed"] is True
    assert not path.exists()
    assert call("fuse_mountpoint", path=str(path), owner=me)["changed"] is True
    assert path.is_dir()
    again = call("fuse_mountpoint", path=str(path), owner=me)
    assert (again["changed"], again["mounted"], again["detached"]) == (False, False, False)


def test_what_is_mounted_is_left_alone() -> None:
    got = call("fuse_mountpoint", path="/proc", owner=pwd.getpwuid(os.getuid()).pw_name)
    assert (got["changed"], got["mounted"]) == (False, True)


def test_a_file_in_the_way_and_an_unknown_user_are_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    me = pwd.getpwuid(os.getuid()).pw_name
    assert "cannot be made" in call("fuse_mountpoint", path=str(tmp_path / "file" / "x"), owner=me)["msg"]
    assert "holds files" in call("fuse_mountpoint", path=str(tmp_path), owner=me)["msg"]
    assert "no user nobody-at-all" in call("fuse_mountpoint", path=str(tmp_path / "x"), owner="nobody-at-all")["msg"]


def test_a_mount_that_does_not_answer_is_not_waited_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    module = load("fuse_mountpoint")
    assert not module.hangs(str(tmp_path))
    assert not module.hangs(str(tmp_path / "missing"))
    write_program(tmp_path / "stat", ENDLESS)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr(module, "ANSWER_S", 0.2)
    assert module.hangs("/mnt/object")


@pytest.mark.parametrize(("code", "dead"), [(errno.ENOTCONN, True), (errno.ECONNABORTED, True), (errno.ENOENT, False)])
def test_only_a_mount_without_a_process_is_dead(monkeypatch: pytest.MonkeyPatch, code: int, dead: bool) -> None:
    module = load("fuse_mountpoint")

    def stat(_path: Path) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(Path, "stat", stat)
    assert module.is_dead("/mnt/object") is dead

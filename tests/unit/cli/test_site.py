"""Sites as they are listed and shown, also those that nobody can sign in to."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from chiops.cli import common
from chiops.cli.main import app
from chiops.cloud import sites
from chiops.errors import Auth
from tests.support.memory import Memory

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run ``chiops site`` in folders of the test's own, with one foreign entry in clouds.yaml and no sign-in anywhere."""

    def connect(name: str) -> Memory:
        raise Auth(f"there are no credentials for {name}")

    monkeypatch.setattr(sites, "connect", connect)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(tmp_path / "clouds.yaml"))
    monkeypatch.delenv(sites.VARIABLE, raising=False)
    monkeypatch.setattr(common.options, "site", None)
    monkeypatch.setattr(common.options, "output", common.Format.TABLE)
    tacc = "{auth: {auth_url: 'https://kvm.tacc.chameleoncloud.org:5000/v3'}, region_name: KVM@TACC}"
    other = "{auth: {auth_url: 'http://x:5000/v3'}, region_name: RegionOne}"
    (tmp_path / "clouds.yaml").write_text(f"clouds: {{other: {other}, mine: {tacc}, CHI@UC: {other}}}")
    return lambda *words: CliRunner().invoke(app, ["site", *words])


def rows(done: Result) -> dict[str, Any]:
    return {one["name"]: one for one in json.loads(done.stdout)}


def test_entries_of_clouds_yaml_are_listed_once_and_the_default_is_marked(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = rows(run("list", "-o", "json"))
    assert list(found) == ["local", "KVM@TACC", "CHI@TACC", "CHI@UC", "other", "mine"]
    assert found["mine"]["description"] == "KVM@TACC, by the entry mine of clouds.yaml"
    assert [name for name, one in found.items() if one["default"]] == ["local"]
    monkeypatch.setenv(sites.VARIABLE, "other")
    assert rows(run("list", "-o", "json"))["other"]["default"]


@pytest.mark.parametrize("text", ["- a", "clouds: 5", "clouds: {a: 5}"])
def test_a_damaged_clouds_yaml_hides_no_other_site(run: Run, tmp_path: Path, text: str) -> None:
    (tmp_path / "clouds.yaml").write_text(text)
    done = run("list", "-o", "json")
    assert "KVM@TACC" in rows(done)
    assert "clouds.yaml can't be read" in done.stderr


@pytest.mark.parametrize("words", [("show", "--site", "KVM@TACC"), ("show", "KVM@TACC", "--site", "local")])
def test_facts_are_shown_without_a_sign_in(run: Run, words: tuple[str, ...]) -> None:
    done = run(*words)
    assert done.exit_code == 1
    for fact in ("KVM@TACC", "CHI@TACC", "sharednet1", "public", "CC-Ubuntu24.04", "180 days; g1.* 7 days"):
        assert fact in done.stdout
    assert "there are no credentials for KVM@TACC" in done.stderr
    shown = json.loads(run(*words, "-o", "json").stdout)
    assert (shown["site"]["name"], shown["flavors"], shown["problem"][:8]) == ("KVM@TACC", None, "there ar")


def test_what_a_site_offers_is_shown_behind_its_facts(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sites, "connect", lambda _: Memory())
    done = run("show")
    assert done.exit_code == 0
    assert "m1.tiny" in done.stdout
    assert done.stdout.index("needs a lease") < done.stdout.index("m1.tiny")
    assert done.stderr == ""


def test_a_site_that_is_only_chosen_is_told_on_stderr(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(sites.VARIABLE, "KVM@TACC")
    done = run("show", "-o", "json")
    assert json.loads(done.stdout)["site"]["name"] == "KVM@TACC"
    assert done.stderr.splitlines()[0] == "at KVM@TACC, as CHIOPS_SITE says"
    monkeypatch.setenv(sites.VARIABLE, "KVM@TAC")
    done = run("check")
    assert done.exit_code == 2
    assert "there is no site 'KVM@TAC'. Did you mean 'KVM@TACC'?" in done.stderr

"""The sites: what ships is right, what a person adds is checked, what is unknown is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from chiops.cloud import sites
from chiops.cloud.openstack.entries import whereabouts
from chiops.errors import UsageError


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The person's own sites.yaml, which is not there yet."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(tmp_path / "clouds.yaml"))
    (tmp_path / "chiops").mkdir()
    return tmp_path / "chiops" / "sites.yaml"


def test_every_site_that_ships_is_right(mine: Path) -> None:
    known = sites.sites()
    assert known[sites.DEFAULT_SITE].cloud == "local"
    for facts in known.values():
        assert facts.description
        assert not facts.object_site or facts.object_site in known
    assert known["KVM@TACC"].object_site == "CHI@TACC"
    assert known["CHI@TACC"].s3


def test_a_persons_facts_override_key_by_key(mine: Path) -> None:
    mine.write_text("KVM@TACC: {network: mynet}\nlab-cloud: {auth_url: 'http://x:5000/v3', description: ours}\n")
    known = sites.sites()
    assert (known["KVM@TACC"].network, known["KVM@TACC"].region) == ("mynet", "KVM@TACC")
    assert known["lab-cloud"].cloud == "openstack"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("KVM@TACC: {netwrk: x}", "unknown key 'netwrk'. Did you mean 'network'?"),
        ("KVM@TACC: {max_lease_days: long}", "max_lease_days"),
        ("- a", "must map each site's name"),
        ("a: b: c", "can't be read"),
        ("mine: {cloud: aws}", "cloud"),
        ("default: [local]", "default must be the name of a site"),
        ("default: {network: x}", "default must be the name of a site"),
    ],
)
def test_a_mistake_is_told(mine: Path, text: str, told: str) -> None:
    mine.write_text(text)
    with pytest.raises(UsageError) as caught:
        sites.sites()
    assert told in caught.value.sentence()


def test_an_unknown_site_is_told_with_the_nearest(mine: Path) -> None:
    with pytest.raises(UsageError) as caught:
        sites.site("KVM@TAC")
    assert "Did you mean 'KVM@TACC'?" in caught.value.sentence()


def test_an_entry_of_clouds_yaml_is_a_site(mine: Path, tmp_path: Path) -> None:
    (tmp_path / "clouds.yaml").write_text(
        "clouds: {other: {auth: {auth_url: 'http://x:5000/v3'}, region_name: RegionOne}}"
    )
    assert sites.site("other").region == "RegionOne"


def test_a_persons_choice_is_no_site(mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(sites.VARIABLE, raising=False)
    assert sites.chosen() is None
    mine.write_text("default: KVM@TACC\nlocal: {ssh_user: me}\n")
    assert sites.chosen() == sites.Meant("KVM@TACC", f"as {mine} says")
    assert "default" not in sites.sites()
    assert sites.site("local").ssh_user == "me"


def test_one_place_is_known_under_each_of_its_names(mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OS_CLOUD", raising=False)
    mine.write_text("mine: {os_cloud: kvm}")
    (mine.parent.parent / "clouds.yaml").write_text(
        "clouds: {kvm: {auth: {auth_url: 'https://kvm.tacc.chameleoncloud.org:5000'}, region_name: KVM@TACC},"
        " bare: {auth: {auth_url: 'http://x:5000/v3'}}}"
    )
    for name in ("kvm", "KVM@TACC", "mine"):
        assert whereabouts(sites.site(name)) == ("kvm.tacc.chameleoncloud.org", "KVM@TACC"), name
    assert whereabouts(sites.site("bare")) == ("x", "")

"""Which credentials sign in at which site."""

from __future__ import annotations

import json
import re
import sys
import traceback
import types
from pathlib import Path
from typing import Any

import pytest

from chiops.cloud.base import SiteFacts
from chiops.cloud.openstack.cloud import OpenStackCloud, connect
from chiops.cloud.openstack.entries import entry_for, facts_of, whereabouts
from chiops.errors import Ambiguous, Auth, UsageError
from tests.unit.cloud.openstack.conftest import write_clouds
from tests.unit.cloud.openstack.stub import PATHS, USER, Answer, Stub

KVM = SiteFacts(name="KVM@TACC", cloud="openstack", auth_url="https://kvm.example:5000/v3", network="sharednet1")
CHI = SiteFacts(name="CHI@TACC", cloud="openstack", auth_url="https://chi.example:5000/v3")


def entry(url: str, region: str = "") -> dict[str, object]:
    auth = {
        "auth_url": url,
        "username": "tester",
        "password": "p",
        "project_name": "lab",
        "user_domain_name": "D",
        "project_domain_name": "D",
    }
    return {"auth": auth} | ({"region_name": region} if region else {})


def chosen(facts: SiteFacts) -> str:
    found = entry_for(facts)
    return found.name if found else ""


def test_by_name_then_region(tmp_path: Path) -> None:
    write_clouds(tmp_path, work=entry(KVM.auth_url, "KVM@TACC"), **{"chi@tacc": entry(CHI.auth_url)})
    assert chosen(KVM) == "work"
    assert chosen(CHI) == "chi@tacc"


def test_a_region_of_the_same_name_elsewhere_is_not_the_site(tmp_path: Path) -> None:
    write_clouds(tmp_path, other=entry("https://elsewhere.example:5000/v3", "KVM@TACC"))
    assert chosen(KVM) == ""


def test_os_cloud_decides_between_several(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_clouds(tmp_path, one=entry(KVM.auth_url, "KVM@TACC"), two=entry(KVM.auth_url, "KVM@TACC"))
    with pytest.raises(Ambiguous, match="one, two"):
        entry_for(KVM)
    monkeypatch.setenv("OS_CLOUD", "two")
    assert chosen(KVM) == "two"


def test_os_cloud_of_one_site_leaves_the_other_to_its_own_entry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_clouds(tmp_path, kvm=entry(KVM.auth_url, "KVM@TACC"), chi=entry(CHI.auth_url, "CHI@TACC"))
    monkeypatch.setenv("OS_CLOUD", "kvm")
    assert (chosen(KVM), chosen(CHI)) == ("kvm", "chi")


def test_os_cloud_must_be_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_clouds(tmp_path, kvm=entry(KVM.auth_url))
    monkeypatch.setenv("OS_CLOUD", "kmv")
    with pytest.raises(UsageError, match="Did you mean 'kvm'"):
        entry_for(KVM)


def test_one_keystone_serves_two_regions(stub: Stub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_clouds(tmp_path, mine=entry(f"{stub.url}/v3", "KVM@TACC"))
    monkeypatch.setenv("OS_CLOUD", "mine")
    facts = SiteFacts(name="R", cloud="openstack", auth_url=f"{stub.url}/v3")
    with connect(facts) as cloud:
        assert cloud.identity.whoami().user_name == "tester"
        assert cloud.objects.endpoint().url == stub.url, "in the site's region, not in the entry's"


def test_an_entry_without_a_region_leaves_it_to_the_catalogue(stub: Stub, tmp_path: Path) -> None:
    write_clouds(tmp_path, mine=entry(f"{stub.url}/v3"))
    stub.on("GET", f"{PATHS['compute']}/servers/detail", Answer(200, {"servers": []}))
    stub.on("GET", "/network/v2.0/floatingips", Answer(200, {"floatingips": []}))
    facts = facts_of("mine", {})
    assert facts
    with connect(facts) as cloud:
        assert cloud._site.region == ""
        assert list(cloud.compute.list()) == []


def test_an_entry_is_a_site(tmp_path: Path) -> None:
    write_clouds(tmp_path, mine=entry(KVM.auth_url, "KVM@TACC"), other=entry("https://o.example/v3", "KVM@TACC"))
    mine, other = facts_of("mine", {KVM.name: KVM}), facts_of("other", {KVM.name: KVM})
    assert mine
    assert other
    assert (mine.name, mine.network, mine.os_cloud) == ("mine", "sharednet1", "mine")
    assert (other.network, other.region) == ("", "KVM@TACC"), "another cloud's facts are its own"
    assert facts_of("none", {}) is None


def test_openrc_variables(stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"AUTH_URL": f"{stub.url}/v3", "USERNAME": "u", "PASSWORD": "p", "PROJECT_NAME": "lab",
                        "USER_DOMAIN_NAME": "D", "PROJECT_DOMAIN_NAME": "D"}.items():  # fmt: skip
        monkeypatch.setenv(f"OS_{name}", value)
    with connect(SiteFacts(name="R", cloud="openstack", auth_url=f"{stub.url}/v3")) as cloud:
        assert cloud.identity.whoami().project_name == "lab"
    with pytest.raises(Auth, match="each site has its own credentials"):
        connect(CHI)


@pytest.mark.parametrize("kind", ["password", "v3password", ""])
def test_what_the_dashboard_offers_lacks_a_password_and_is_told_so(tmp_path: Path, kind: str) -> None:
    """Horizon's clouds.yaml names the user alone; without a look here, keystoneauth asks Keystone and raises a bare Exception."""
    whole = entry("http://127.0.0.1:9/v3")
    whole["auth"].pop("password")  # type: ignore[attr-defined]
    write_clouds(tmp_path, mine=whole | ({"auth_type": kind} if kind else {}))
    facts = facts_of("mine", {})
    assert facts
    with pytest.raises(Auth, match=r"the entry mine of clouds\.yaml has no password"):
        connect(facts)


@pytest.mark.parametrize("text", ["clouds: [1", "clouds:\n\tmine: {}"])
def test_a_clouds_yaml_that_is_no_yaml_is_told_with_its_line(tmp_path: Path, text: str) -> None:
    """openstacksdk goes on without it."""
    (tmp_path / "clouds.yaml").write_text(text)
    with pytest.raises(UsageError, match=r"clouds\.yaml can't be read.*line [12]"):
        entry_for(KVM)


def test_a_clouds_yaml_that_is_not_utf_8_is_told_and_in_the_way_of_no_other_site(tmp_path: Path) -> None:
    (tmp_path / "clouds.yaml").write_bytes("clouds: {}\n# à Jürgen\n".encode("latin-1"))
    with pytest.raises(
        UsageError, match=r"clouds\.yaml can't be read: .*/clouds\.yaml is not UTF-8 at line 2, column 3\.$"
    ):
        entry_for(KVM)
    assert whereabouts(KVM) == ("kvm.example", "KVM@TACC")


def test_json_is_read_as_json(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As openstacksdk does: YAML takes no tabs."""
    path = tmp_path / "clouds.json"
    path.write_text(json.dumps({"clouds": {"mine": entry(KVM.auth_url, "KVM@TACC")}}, indent="\t"))
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(path))
    assert chosen(KVM) == "mine"
    path.write_text('{"clouds": {\n"S3cret}}')
    with pytest.raises(UsageError, match=r"clouds\.json is no JSON at line 2, column 1\.$"):
        entry_for(KVM)


@pytest.mark.parametrize("file", ["clouds.yaml", "secure.yaml"])
@pytest.mark.parametrize(
    "word", ["*S3cret", "!S3cret x", "&x *S3cret", "'S3cret", "S3cret: x", "!!int S3cret", "S3cret\a"]
)
def test_a_password_that_is_no_yaml_is_neither_told_nor_logged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str, word: str
) -> None:
    """The parser's own words hold it."""
    write_clouds(tmp_path, mine=entry(KVM.auth_url))
    monkeypatch.setenv("OS_CLIENT_SECURE_FILE", str(tmp_path / "secure.yaml"))
    path = tmp_path / file
    path.write_text(f"clouds:\n  mine:\n    auth:\n      password: {word}\n")
    with pytest.raises(UsageError) as told:
        entry_for(KVM)
    fault = r" can't be parsed\.$" if "!!int" in word else r" is no YAML at line [45], column \d+\.$"
    assert re.search(re.escape(str(path)) + fault, told.value.sentence())
    assert "S3cret" not in "".join(traceback.format_exception(told.value))


def test_without_credentials_the_way_to_some_is_said() -> None:
    with pytest.raises(Auth, match="Make an application credential"):
        connect(CHI)


def test_in_jupyter_python_chi_signs_in(stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    from keystoneauth1.adapter import Adapter
    from keystoneauth1.identity.v3 import Password
    from keystoneauth1.session import Session

    told: dict[str, str] = {}
    auth = Password(
        f"{stub.url}/v3", username="u", password="p", user_domain_id="d", project_name="lab", project_domain_id="d"
    )
    context: Any = types.ModuleType("chi.context")
    context.DEFAULT_PROJECT_DOMAIN_NAME = "chameleon"
    context.set = told.__setitem__
    context.session = lambda: Adapter(Session(auth=auth), region_name=told["region_name"])
    chi: Any = types.ModuleType("chi")
    chi.context = context
    monkeypatch.setitem(sys.modules, "chi", chi)
    monkeypatch.setitem(sys.modules, "chi.context", context)
    monkeypatch.setenv("JUPYTERHUB_API_URL", "http://hub")
    monkeypatch.setenv("OS_AUTH_TYPE", "v3oidcaccesstoken")
    with connect(SiteFacts(name="R", cloud="openstack", auth_url=f"{stub.url}/v3")) as cloud:
        assert cloud.identity.whoami().user_name == "tester"
    assert told == {"auth_url": f"{stub.url}/v3", "region_name": "R", "project_domain_name": "chameleon"}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("answers", [[401], [401] * 20])
def test_a_keystone_that_hides_its_versions_is_signed_in_at(
    stub: Stub, cloud: OpenStackCloud, answers: list[int]
) -> None:
    """keystoneauth waited for its own lock after a 401, without end."""
    versions = stub.handlers["GET", "/v3"]
    stub.on("GET", "/v3", lambda asked: Answer(answers.pop()) if answers else versions(asked))
    assert cloud.identity.whoami().user_id == USER

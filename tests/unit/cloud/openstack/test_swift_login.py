"""How nodes sign in over Swift: with an application credential, and with nothing else of the person's."""

from __future__ import annotations

from pathlib import Path

import pytest

from chiops.cloud.base import SiteFacts, SwiftAccess
from chiops.cloud.openstack.cloud import OpenStackCloud, connect
from chiops.cloud.openstack.swift_login import versioned
from tests.unit.cloud.openstack.conftest import write_clouds
from tests.unit.cloud.openstack.stub import USER, Stub

HUSH = "hush-hush"


def signed_in(stub: Stub, folder: Path, **auth: str) -> SwiftAccess | None:
    entry = {"auth_type": "v3applicationcredential", "auth": {"auth_url": stub.url, **auth}, "region_name": "R"}
    write_clouds(folder, stub=entry)
    with connect(SiteFacts(name="stub", cloud="openstack", os_cloud="stub", region="R")) as cloud:
        return cloud.objects.swift()


def test_an_application_credential_is_handed_on(stub: Stub, tmp_path: Path) -> None:
    found = signed_in(stub, tmp_path, application_credential_id="an-id", application_credential_secret=HUSH)
    assert found == SwiftAccess(
        auth_url=f"{stub.url}/v3", region="R", user_id=USER, credential_id="an-id", credential_secret=HUSH
    )
    assert HUSH not in repr(found)


def test_a_password_never_is(cloud: OpenStackCloud) -> None:
    assert cloud.objects.swift() is None


def test_one_that_is_known_by_name_only_is_not(stub: Stub, tmp_path: Path) -> None:
    by_name = {"application_credential_name": "mine", "username": "tester", "user_domain_name": "Default"}
    assert signed_in(stub, tmp_path, application_credential_secret=HUSH, **by_name) is None


@pytest.mark.parametrize("url", ["https://c:5000", "https://c:5000/", "https://c:5000/v3", "https://c:5000/v3/"])
def test_rclone_is_told_the_version(url: str) -> None:
    assert versioned(url) == "https://c:5000/v3"

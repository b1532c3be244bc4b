"""Who we are, what there is to choose from, and how a connection behaves."""

from __future__ import annotations

from ipaddress import ip_network
from urllib.parse import urlsplit

from chiops.cloud.base import Cloud, Image
from tests.support.target import FLAVOR, Target


def test_identity_is_complete_and_stable(cloud: Cloud) -> None:
    me = cloud.identity.whoami()
    assert all((me.user_id, me.user_name, me.project_id, me.project_name))
    assert cloud.identity.whoami() == me


def test_site_has_a_name(cloud: Cloud) -> None:
    assert cloud.site


def test_flavors_have_sizes_and_their_own_ids_and_names(cloud: Cloud) -> None:
    flavors = cloud.compute.flavors()
    assert FLAVOR in {flavor.name for flavor in flavors}
    assert len({flavor.id for flavor in flavors}) == len({flavor.name for flavor in flavors}) == len(flavors)
    assert all(flavor.vcpus >= 1 and flavor.ram_mib >= 64 and flavor.disk_gib >= 0 for flavor in flavors)


def test_image_is_there_by_its_chameleon_name(image: Image, target: Target) -> None:
    assert image.id
    assert image.status == "active"
    if target.shares_kernel:
        assert image.note, "a site that substitutes an image says so"


def test_check_finds_a_prepared_site_in_order(cloud: Cloud) -> None:
    findings = cloud.check()
    assert findings
    assert [finding for finding in findings if finding.verdict == "failed"] == []
    assert all(finding.todo for finding in findings if finding.verdict == "warning"), "a warning says what mends it"


def test_preparing_twice_changes_nothing(cloud: Cloud) -> None:
    before = [group.id for group in cloud.network.security_groups()], cloud.objects.endpoint()
    cloud.prepare()
    assert ([group.id for group in cloud.network.security_groups()], cloud.objects.endpoint()) == before


def test_endpoint_is_one_that_s3_clients_take(cloud: Cloud) -> None:
    endpoint = cloud.objects.endpoint()
    parts = urlsplit(endpoint.url)
    assert parts.scheme in {"http", "https"}
    assert parts.hostname
    assert endpoint.region
    assert endpoint.provider


def test_endpoint_is_no_loopback_address(cloud: Cloud) -> None:
    host = urlsplit(cloud.objects.endpoint().url).hostname or ""
    if host.replace(".", "").isdigit():
        assert not ip_network(host).is_loopback, "nodes reach the endpoint by the same address as we do"

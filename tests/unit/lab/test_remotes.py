"""The remotes that a lab's nodes get, as rclone will read them."""

from __future__ import annotations

import json
from dataclasses import replace

from chiops.cloud.base import S3Access, S3Endpoint, SwiftAccess
from chiops.lab.configure import fingerprint
from chiops.lab.remotes import remotes, told
from tests.unit.playbooks.test_templates import parsed, render

KEY = S3Access(bucket="b", endpoint=S3Endpoint("https://s3.invalid"), access="AKIA", secret="s3-hush")
SWIFT = SwiftAccess(
    auth_url="https://c.invalid:5000/v3",
    region="CHI@TACC",
    user_id="u",
    credential_id="an-id",
    credential_secret="swift-hush",
)


def test_both_remotes_stand_in_the_file() -> None:
    parser = parsed(render("rclone.conf.j2", rclone_remotes=remotes({"b": KEY}, SWIFT)))
    assert parser.sections() == ["rclone_s3", "rclone_swift"]
    assert (parser["rclone_s3"]["type"], parser["rclone_s3"]["secret_access_key"]) == ("s3", "s3-hush")
    assert dict(parser["rclone_swift"]) == {
        "type": "swift",
        "user_id": "u",
        "application_credential_id": "an-id",
        "application_credential_secret": "swift-hush",
        "auth": "https://c.invalid:5000/v3",
        "auth_version": "3",
        "region": "CHI@TACC",
    }


def test_without_a_credential_or_a_bucket_there_is_none() -> None:
    assert list(remotes({"b": KEY}, None)) == ["rclone_s3"]
    assert remotes({}, SWIFT) == {}


def test_a_new_credential_configures_the_nodes_anew_and_no_secret_is_told() -> None:
    anew = replace(SWIFT, credential_id="another")
    assert len({fingerprint({}, {"b": KEY}, {}, one) for one in (None, SWIFT, anew)}) == 3
    assert "hush" not in json.dumps(told({"b": KEY}, SWIFT)) + repr(SWIFT) + repr(KEY)

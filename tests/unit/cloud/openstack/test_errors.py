"""The services' own words, as collected from them, and what they mean."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chiops.cloud.openstack.errors import classify
from chiops.errors import (
    Ambiguous,
    Auth,
    Capacity,
    CloudError,
    Conflict,
    InvalidRequest,
    NotFound,
    Policy,
    Quota,
    Stuck,
    Transient,
)

SAID = [
    (500, "Not enough hosts available", Capacity),
    (409, "No more IP addresses available on network 4d2f.", Capacity),
    (500, "No valid host was found. There are not enough hosts available.", Capacity),
    (403, "Quota exceeded for instances: Requested 1, but already used 10 of 10 instances", Quota),
    (409, "Quota exceeded for resources: ['floatingip'].", Quota),
    (413, "VolumeSizeExceedsAvailableQuota: Requested volume exceeds allowed gigabytes quota.", Quota),
    (403, "Delegated tokens cannot access credentials directly.", Auth),
    (403, "You are not authorized to perform the requested action: identity:create_trust.", Auth),
    (403, "Using method 'application_credential' is not allowed for managing trusts.", Auth),
    (403, "Policy doesn't allow os_compute_api:servers:create to be performed.", Auth),
    (403, "You are not authorized to perform the requested action: Delegated tokens cannot manage trusts.", Auth),
    (
        400,
        "Lease duration of 864000 seconds must be less than or equal to the maximum lease duration of 604800 seconds.",
        Policy,
    ),
    (401, "The request you have made requires authentication.", Auth),
    (400, "Lease duration exceeds maximum allowed", Policy),
    (403, "Leases may only be extended in the last 48 hours", Policy),
    (400, "Invalid volume: volume '1' status must be 'available'. Currently in 'reserved' status.", Stuck),
    (400, "Invalid volume: Volume status must be available or error, but current status is: reserved.", Stuck),
    (400, "Invalid volume: volume 1 is already attached to instance 2", Conflict),
    (
        400,
        "Invalid volume: Volume status must be available or error or error_restoring, but current status is: in-use.",
        Conflict,
    ),
    (409, "Security Group 1 in use.", Conflict),
    (409, "Multiple security_group matches found for name 'x', use an ID to be more specific.", Ambiguous),
    (400, "Can not find requested image", NotFound),
    (404, "Could not find Application Credential: 4d2f.", Auth),
    (404, "Instance 1 could not be found.", NotFound),
    (400, "Invalid key_name provided.", InvalidRequest),
    (429, "Too many requests", Transient),
    (500, "The server has either erred or is incapable of performing the requested operation.", Transient),
    (503, "", Transient),
]


@pytest.mark.parametrize(("status", "said", "kind"), SAID, ids=[f"{status}-{said[:30]}" for status, said, _ in SAID])
def test_words_have_their_class(status: int, said: str, kind: type[CloudError]) -> None:
    error = classify("doing it", status, said)
    assert type(error) is kind
    assert error.what.startswith("doing it")
    if kind not in (Conflict, NotFound, InvalidRequest):
        assert error.todo, "it says what to do next"


def test_what_is_missing_is_named() -> None:
    assert classify("reading it", 404, "whatever", thing="volume v").what == "there is no volume v"


def test_a_deleted_application_credential_is_no_missing_thing() -> None:
    error = classify("reading the server s", 404, "Could not find Application Credential: 4d2f.", thing="server s")
    assert isinstance(error, Auth)
    assert "Make a new one in the dashboard" in error.sentence()


@given(st.integers(400, 599), st.text(max_size=200))
def test_every_refusal_is_an_error_of_ours(status: int, said: str) -> None:
    assert isinstance(classify("doing it", status, said), CloudError)

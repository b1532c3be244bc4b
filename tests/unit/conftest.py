"""A real S3 server for the unit tests that talk to one, started when the first of them runs."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import pytest

from tests.support.weed import S3Server, serve


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """SeaweedFS on loopback."""
    with serve(tmp_path_factory.mktemp("weed")) as server:
        yield server


@pytest.fixture
def bucket(s3_server: S3Server) -> str:
    """A new, empty bucket of the server."""
    name = f"test-{secrets.token_hex(6)}"
    s3_server.client().create_bucket(Bucket=name)
    return name

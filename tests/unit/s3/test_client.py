"""The S3 client's settings, and what its errors mean."""

from __future__ import annotations

from pathlib import Path

import pytest

from chiops.cloud.base import S3Access, S3Endpoint
from chiops.errors import Auth, Capacity, CloudError, Conflict, InvalidRequest, NotFound, Quota, Timeout, Transient
from chiops.s3 import client as s3
from tests.unit.s3.s3_server import Bucket, serving


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        ("InvalidAccessKeyId", 403, Auth),
        ("SignatureDoesNotMatch", 403, Auth),
        ("AccessDenied", 403, Auth),
        ("403", 0, Auth),
        ("404", 0, NotFound),
        ("NoSuchBucket", 404, NotFound),
        ("BucketNotEmpty", 409, Conflict),
        ("SomethingNew", 409, Conflict),
        ("QuotaExceeded", 403, Quota),
        ("", 507, Capacity),
        ("SlowDown", 503, Transient),
        ("SlowDown", 200, Transient),
        ("", 502, Transient),
        ("InternalError", 500, Transient),
        ("NotImplemented", 501, InvalidRequest),
        ("KeyTooLongError", 400, InvalidRequest),
        ("", 0, CloudError),
    ],
)
def test_codes_have_their_class(code: str, status: int, kind: type[CloudError]) -> None:
    error = s3.from_code("Reading", code, "the server's words", status=status)
    assert type(error) is kind
    assert error.why


def test_the_servers_own_words_are_kept_where_we_know_none_better() -> None:
    assert "the tea is cold (Teapot)" in s3.from_code("Reading", "Teapot", "the tea is cold", status=418).sentence()


def test_refusals_are_translated() -> None:
    bucket = Bucket(["a"])
    bucket.stuck = {"a": "AccessDenied"}
    refused = pytest.raises(Auth, match="Deleting failed: the S3 key is not allowed")
    with serving(bucket) as access, refused, s3.translated("Deleting"):
        s3.client(access).delete_object(Bucket="b", Key="a")


def test_a_silent_server_is_a_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    monkeypatch.setattr(s3, "READ_TIMEOUT_S", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        access = S3Access(
            bucket="b", endpoint=S3Endpoint(f"http://127.0.0.1:{listener.getsockname()[1]}"), access="a", secret="s"
        )
        with pytest.raises(Timeout, match="did not answer"), s3.translated("Reading"):
            s3.client(access, attempts=1).get_object(Bucket="b", Key="a")


def test_the_persons_own_settings_do_not_interfere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    broken = tmp_path / "config"
    broken.write_text("[profile x]\nregion = nowhere\ns3 =\n  addressing_style = virtual\n")
    settings = {
        "AWS_CONFIG_FILE": str(broken),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none"),
        "AWS_PROFILE": "no-such-profile",
        "AWS_ACCESS_KEY_ID": "theirs",
        "AWS_SECRET_ACCESS_KEY": "theirs",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
        "HTTP_PROXY": "http://127.0.0.1:1",
        "http_proxy": "http://127.0.0.1:1",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    with serving(Bucket(["a", "b"])) as access:
        client = s3.client(access)
        assert [item["Key"] for item in client.list_objects_v2(Bucket="b")["Contents"]] == ["a", "b"]
        signed = client.generate_presigned_url("get_object", Params={"Bucket": "b", "Key": "a"})
    assert signed.startswith(f"{access.endpoint.url}/b/a?")
    assert "theirs" not in signed


def test_the_secret_is_not_in_the_clients_errors() -> None:
    access = S3Access(bucket="b", endpoint=S3Endpoint("http://127.0.0.1:1"), access="a", secret="very-secret")
    with pytest.raises(Transient) as caught, s3.translated("Reading"):
        s3.client(access, attempts=1).list_buckets()
    assert "very-secret" not in f"{caught.value!r} {caught.value.__cause__!r} {access!r}"

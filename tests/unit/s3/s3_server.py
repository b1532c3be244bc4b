"""A small S3 server over HTTP, for what a real one does only on bad days: it can be overloaded, picky, stubborn and versioned."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit
from xml.etree import ElementTree as ET

from chiops.cloud.base import S3Access, S3Endpoint

PAGE = 3
WRITTEN = "2026-11-20T12:00:00.000Z"


class Bucket:
    """What is in the bucket, and how the server misbehaves."""

    def __init__(self, keys: list[str], *, versioned: bool = False) -> None:
        self.entries = [(key, f"v{index}") for index, key in enumerate(keys)]
        self.versioned = versioned
        self.uploads: list[str] = []
        self.stuck: dict[str, str] = {}
        """Key → error code with which its deletion is refused."""
        self.overloads = 0
        """How many deletion requests are still answered with SlowDown."""
        self.refuses_batches = False
        self.knows_versioning = True
        self.refills = False
        self.refused: set[str] = set()
        """Access keys that the server does not know (any more)."""
        self.offered = True
        """Whether this speaks S3 at all."""
        self.most_at_once = 0
        self.batches = 0
        self.lock = threading.Lock()

    @property
    def keys(self) -> list[str]:
        """The keys of all entries, in order of listing."""
        return sorted({key for key, _ in self.entries})


@contextmanager
def serving(bucket: Bucket) -> Iterator[S3Access]:
    """The bucket at an endpoint on loopback."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"bucket": bucket, "inside": [0]}))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield S3Access(
            bucket="b", endpoint=S3Endpoint(f"http://127.0.0.1:{server.server_port}"), access="a", secret="s"
        )
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    bucket: Bucket
    inside: list[int]

    def parse_request(self) -> bool:
        """Also whether the key may come in at all."""
        if not super().parse_request():
            return False
        key = re.search(r"Credential=([^/]+)/", self.headers.get("Authorization", ""))
        if self.bucket.offered and not (key and key[1] in self.bucket.refused):
            return True
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.bucket.offered:
            self._error(403, "InvalidAccessKeyId")
        else:
            self._answer(412)
        return False

    def do_GET(self) -> None:
        query = parse_qs(urlsplit(self.path).query, keep_blank_values=True)
        if "versioning" in query:
            self._versioning()
        elif "uploads" in query:
            uploads = "".join(f"<Upload><Key>{key}</Key><UploadId>u</UploadId></Upload>" for key in self.bucket.uploads)
            self._answer(200, f"<ListMultipartUploadsResult>{uploads}</ListMultipartUploadsResult>")
        elif "versions" in query:
            self._versions(query)
        else:
            self._objects(query)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with self.bucket.lock:
            self.inside[0] += 1
            self.bucket.batches += 1
            self.bucket.most_at_once = max(self.bucket.most_at_once, self.inside[0])
            overloaded = self.bucket.overloads > 0
            self.bucket.overloads -= overloaded
        try:
            if overloaded:
                self._error(503, "SlowDown")
            elif self.bucket.refuses_batches:
                self._error(501, "NotImplemented")
            else:
                self._delete_batch(body)
        finally:
            with self.bucket.lock:
                self.inside[0] -= 1

    def do_DELETE(self) -> None:
        url = urlsplit(self.path)
        query = parse_qs(url.query)
        key = unquote(url.path.removeprefix("/b/"))
        if "uploadId" in query:
            self.bucket.uploads.remove(key)
            self._answer(204)
        elif code := self._remove(key, query.get("versionId", [""])[0]):
            self._error(403, code)
        else:
            self._answer(204)

    def log_message(self, *args: Any) -> None:
        """Nothing: tests are quiet."""

    def _versioning(self) -> None:
        if not self.bucket.knows_versioning:
            self._error(501, "NotImplemented")
            return
        status = "<Status>Enabled</Status>" if self.bucket.versioned else ""
        self._answer(200, f"<VersioningConfiguration>{status}</VersioningConfiguration>")

    def _objects(self, query: dict[str, list[str]]) -> None:
        after = bytes.fromhex(query.get("continuation-token", [""])[0]).decode()
        keys = [key for key in self.bucket.keys if key > after]
        contents = "".join(
            f"<Contents><Key>{quote(key)}</Key><Size>10</Size><LastModified>{WRITTEN}</LastModified></Contents>"
            for key in keys[:PAGE]
        )
        more = len(keys) > PAGE
        token = f"<NextContinuationToken>{keys[PAGE - 1].encode().hex()}</NextContinuationToken>" if more else ""
        self._answer(
            200,
            f"<ListBucketResult><IsTruncated>{str(more).lower()}</IsTruncated>{token}"
            f"<EncodingType>url</EncodingType>{contents}</ListBucketResult>",
        )

    def _versions(self, query: dict[str, list[str]]) -> None:
        after = (unquote(query.get("key-marker", [""])[0]), query.get("version-id-marker", [""])[0])
        entries = sorted(entry for entry in self.bucket.entries if entry > after)
        text = ""
        for key, version in entries[:PAGE]:
            kind = "DeleteMarker" if key.endswith("(gone)") else "Version"
            latest = str((key, version) == max(entry for entry in self.bucket.entries if entry[0] == key)).lower()
            size = "<Size>10</Size>" if kind == "Version" else ""
            text += f"<{kind}><Key>{quote(key)}</Key><VersionId>{version}</VersionId><IsLatest>{latest}</IsLatest>{size}</{kind}>"
        more = len(entries) > PAGE
        if more:
            key, version = entries[PAGE - 1]
            text += f"<NextKeyMarker>{quote(key)}</NextKeyMarker><NextVersionIdMarker>{version}</NextVersionIdMarker>"
        self._answer(
            200,
            f"<ListVersionsResult><IsTruncated>{str(more).lower()}</IsTruncated>"
            f"<EncodingType>url</EncodingType>{text}</ListVersionsResult>",
        )

    def _delete_batch(self, body: bytes) -> None:
        try:
            root = ET.fromstring(body)  # noqa: S314 - the test's own request
        except ET.ParseError:
            self._error(400, "MalformedXML")
            return
        errors = ""
        for item in root.findall("{*}Object"):
            key, version = item.findtext("{*}Key") or "", item.findtext("{*}VersionId") or ""
            if code := self._remove(key, version):
                what = f"<Key>{_escaped(key)}</Key><VersionId>{version}</VersionId>"
                errors += f"<Error>{what}<Code>{code}</Code><Message>no</Message></Error>"
        self._answer(200, f"<DeleteResult>{errors}</DeleteResult>")

    def _remove(self, key: str, version: str) -> str:
        with self.bucket.lock:
            if code := self.bucket.stuck.get(key, ""):
                return code
            if version:
                self.bucket.entries = [entry for entry in self.bucket.entries if entry != (key, version)]
            else:
                self.bucket.entries = [entry for entry in self.bucket.entries if entry[0] != key]
            if self.bucket.refills:
                self.bucket.entries.append((f"{key}x", "v"))
        return ""

    def _error(self, status: int, code: str) -> None:
        self._answer(status, f"<Error><Code>{code}</Code><Message>said so</Message></Error>")

    def _answer(self, status: int, xml: str = "") -> None:
        body = f'<?xml version="1.0"?>{xml}'.encode() if xml else b""
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _escaped(text: str) -> str:
    return re.sub(r"[&<>\r\n\t]", lambda found: f"&#{ord(found[0])};", text)

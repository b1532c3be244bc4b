"""The fast cloud's S3 server: a thread of the process that asks for it, over objects that outlive the process."""

from __future__ import annotations

import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

from tests.support.fast_cloud.s3_objects import Objects
from tests.support.fast_cloud.s3_signature import refusal
from tests.support.fast_cloud.store import Store
from tests.support.watched import Watch, unwatched


class S3Http:
    """The server; it listens from the first time that its ``url`` is asked for."""

    def __init__(self, store: Store, watch: Watch = unwatched) -> None:
        self.objects = Objects(store)
        self._watch = watch
        self._server: ThreadingHTTPServer | None = None
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        with self._lock:
            if self._server is None:
                handler = type("Handler", (_Handler,), {"objects": self.objects, "watch": staticmethod(self._watch)})
                self._server = ThreadingHTTPServer(("localhost", 0), handler)
                self._server.daemon_threads = True
                run = {"target": self._server.serve_forever, "kwargs": {"poll_interval": 0.02}, "daemon": True}
                threading.Thread(**run).start()
            return f"http://localhost:{self._server.server_port}"

    def close(self) -> None:
        with self._lock:
            if self._server:
                self._server.shutdown()
                self._server.server_close()
                self._server = None


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    objects: Objects
    watch: Watch

    def log_message(self, *args: Any) -> None:
        """Nothing: tests are quiet."""

    def _begin(self) -> None:
        url = urlsplit(self.path)
        self.query = dict(parse_qsl(url.query, keep_blank_values=True))
        bucket, _, key = url.path.removeprefix("/").partition("/")
        self.bucket, self.key = unquote(bucket), unquote(key)
        self.body = self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def _allowed(self) -> bool:
        self._begin()
        if code := refusal(self.command, self.path, self.headers, self.body, self.objects.secret):
            self._error(403, code)
        elif self.bucket and not self.objects.exists(self.bucket):
            self._error(404, "NoSuchBucket")
        else:
            return True
        return False

    def do_HEAD(self) -> None:
        if self._allowed():
            data = self.objects.get(self.bucket, self.key) if self.key else b""
            self._answer(404 if data is None else 200, data or b"")

    def do_GET(self) -> None:
        if not self._allowed():
            return
        if self.key:
            self._get_object()
        elif "versioning" in self.query:
            status = "<Status>Enabled</Status>" if self.objects.versioned(self.bucket) else ""
            self._xml("VersioningConfiguration", status)
        elif "uploads" in self.query:
            found = self.objects.uploads(self.bucket)
            text = "".join(f"<Upload><Key>{escape(key)}</Key><UploadId>{id_}</UploadId></Upload>" for key, id_ in found)
            self._xml("ListMultipartUploadsResult", f"<IsTruncated>false</IsTruncated>{text}")
        elif "versions" in self.query:
            self._list_versions()
        elif self.bucket:
            self._list_objects()
        else:
            self._xml("ListAllMyBucketsResult", "<Buckets></Buckets>")

    def do_PUT(self) -> None:
        if not self._allowed():
            return
        with self.watch("s3.put"):
            if "versioning" in self.query:
                self.objects.versioned(self.bucket, b"Enabled" in self.body)
            elif "uploadId" in self.query:
                self.objects.part(self.query["uploadId"], int(self.query["partNumber"]), self.body)
            else:
                self.objects.put(self.bucket, self.key, self.body)
        self._answer(200, headers={"ETag": f'"{hashlib.md5(self.body, usedforsecurity=False).hexdigest()}"'})

    def do_POST(self) -> None:
        if not self._allowed():
            return
        if "delete" in self.query:
            self._delete_batch()
        elif "uploads" in self.query:
            self._xml(
                "InitiateMultipartUploadResult", f"<UploadId>{self.objects.begin(self.bucket, self.key)}</UploadId>"
            )
        else:
            self.objects.complete(self.query["uploadId"], self.bucket, self.key)
            self._xml("CompleteMultipartUploadResult", "")

    def do_DELETE(self) -> None:
        if not self._allowed():
            return
        with self.watch("s3.delete"):
            if "uploadId" in self.query:
                there = self.objects.abort(self.query["uploadId"])
            else:
                there = True
                self.objects.delete(self.bucket, self.key, self.query.get("versionId", ""))
        self._answer(204) if there else self._error(404, "NoSuchUpload")

    def _get_object(self) -> None:
        data = self.objects.get(self.bucket, self.key)
        if data is None:
            self._error(404, "NoSuchKey")
        elif asked := self.headers.get("Range", "").removeprefix("bytes="):
            first, _, last = asked.partition("-")
            end = min(int(last or len(data)), len(data) - 1)
            there = {"Content-Range": f"bytes {first}-{end}/{len(data)}"}
            self._answer(206, data[int(first) : end + 1], headers=there)
        else:
            self._answer(200, data)

    def _list_objects(self) -> None:
        after = bytes.fromhex(self.query.get("continuation-token", "")).decode()
        page = int(self.query.get("max-keys", 1000))
        found = [one for one in self.objects.current(self.bucket, self.query.get("prefix", "")) if one.key > after]
        text = "".join(
            f"<Contents><Key>{quote(one.key)}</Key><Size>{one.size}</Size>"
            f"<LastModified>{one.modified}</LastModified></Contents>"
            for one in found[:page]
        )
        more = len(found) > page
        token = found[page - 1].key.encode().hex() if more else ""
        head = f"<IsTruncated>{str(more).lower()}</IsTruncated><KeyCount>{min(len(found), page)}</KeyCount>"
        head += f"<NextContinuationToken>{token}</NextContinuationToken>" if more else ""
        self._xml("ListBucketResult", f"{head}<EncodingType>url</EncodingType>{text}")

    def _list_versions(self) -> None:
        text = "<IsTruncated>false</IsTruncated><EncodingType>url</EncodingType>"
        for one in self.objects.versions(self.bucket):
            kind = "DeleteMarker" if one.marker else "Version"
            size = "" if one.marker else f"<Size>{one.size}</Size>"
            text += f"<{kind}><Key>{quote(one.key)}</Key><VersionId>{one.version}</VersionId>"
            text += f"<IsLatest>{str(one.latest).lower()}</IsLatest>{size}"
            text += f"<LastModified>{one.modified}</LastModified></{kind}>"
        self._xml("ListVersionsResult", text)

    def _delete_batch(self) -> None:
        try:
            root = ET.fromstring(self.body)  # noqa: S314 - a test's own request
        except ET.ParseError:
            self._error(400, "MalformedXML")
            return
        with self.watch("s3.delete_batch"):
            for item in root.findall("{*}Object"):
                self.objects.delete(self.bucket, item.findtext("{*}Key") or "", item.findtext("{*}VersionId") or "")
        self._xml("DeleteResult", "")

    def _error(self, status: int, code: str) -> None:
        self._answer(status, f"<Error><Code>{code}</Code><Message>{code}</Message></Error>".encode())

    def _xml(self, root: str, inner: str) -> None:
        self._answer(200, f'<?xml version="1.0" encoding="UTF-8"?><{root}>{inner}</{root}>'.encode())

    def _answer(self, status: int, body: bytes = b"", *, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

"""A proxy before an S3 server that at some request begins to refuse the key, or to answer nothing at all."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal
from urllib.parse import urlsplit

_REFUSAL = b"<?xml version='1.0'?><Error><Code>InvalidAccessKeyId</Code><Message>No such key.</Message></Error>"


class Gate(ThreadingHTTPServer):
    """Open for ``passes`` requests below ``prefix``, then shut; what does not begin with ``prefix`` always passes."""

    daemon_threads = True

    def __init__(self, behind: str, prefix: str, passes: int, then: Literal["refuse", "hang"]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        place = urlsplit(behind)
        self.behind = place.hostname or "", place.port or 0
        self.prefix, self.passes, self.then = prefix, passes, then
        self.closing, self.lock = threading.Event(), threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def is_open(self, path: str) -> bool:
        """Whether this request may pass; counts it."""
        with self.lock:
            counts = path.startswith(self.prefix)
            self.passes -= counts
            return self.passes >= 0 or (not counts and self.then == "hang")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Gate

    def do_GET(self) -> None:
        if self.server.is_open(self.path):
            behind = HTTPConnection(*self.server.behind)
            behind.request(self.command, self.path, headers=dict(self.headers))  # the Host that was signed, too
            answer = behind.getresponse()
            self._answer(answer.status, answer.read(), dict(answer.getheaders()))
            behind.close()
        elif self.server.then == "refuse":
            self._answer(403, b"" if self.command == "HEAD" else _REFUSAL, {"Content-Type": "application/xml"})
        else:
            self.server.closing.wait()

    do_HEAD = do_GET  # noqa: N815

    def _answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        length = headers.get("Content-Length", str(len(body))) if self.command == "HEAD" else str(len(body))
        for name, value in {**headers, "Content-Length": length}.items():
            if name.lower() not in ("transfer-encoding", "connection"):
                self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...


@contextmanager
def gate(behind: str, prefix: str, passes: int, then: Literal["refuse", "hang"]) -> Iterator[Gate]:
    """A gate that is there while the block runs."""
    with Gate(behind, prefix, passes, then) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.closing.set()
            server.shutdown()
            thread.join()

"""An HTTP server that speaks as much of OpenStack as a test tells it to, and loses answers on demand.

What it is for is what a healthy cloud does not do: time out, close the connection after the work is done, be overloaded, refuse.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

USER, PROJECT = "user-1", "project-1"
PATHS = {
    "identity": "/v3",
    "compute": "/compute/v2.1",
    "network": "/network",
    "volumev3": f"/volume/v3/{PROJECT}",
    "image": "/image",
    "reservation": "/blazar/v1",
    "object-store": f"/swift/v1/AUTH_{PROJECT}",
}
VERSIONS: dict[str, dict[str, Any]] = {
    "/network": {
        "versions": [{"id": "v2.0", "status": "CURRENT", "links": [{"rel": "self", "href": "/network/v2.0/"}]}]
    },
    "/image": {"versions": [{"id": "v2.9", "status": "CURRENT", "links": [{"rel": "self", "href": "/image/v2/"}]}]},
    "/volume/v3": {
        "versions": [
            {
                "id": "v3.0",
                "status": "CURRENT",
                "version": "3.70",
                "min_version": "3.0",
                "links": [{"rel": "self", "href": "/volume/v3/"}],
            }
        ]
    },
    "/compute/v2.1": {
        "version": {"id": "v2.1", "status": "CURRENT", "version": "2.90", "min_version": "2.1", "links": []},
    },
}


@dataclass
class Answer:
    """What to answer; ``lost`` closes the connection instead, after the handler has done its work, ``cut`` in the body's midst."""

    status: int = 200
    body: object = None
    headers: dict[str, str] = field(default_factory=dict)
    lost: bool = False
    cut: bool = False


Handler = Callable[[dict[str, Any]], Answer]


@dataclass
class Stub:
    """The server: what it answers, and what it was asked."""

    url: str = ""
    handlers: dict[tuple[str, str], Handler] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def on(self, method: str, path: str, answer: Answer | Handler) -> None:
        """Answer requests to ``path`` (without the query)."""
        self.handlers[method, path] = answer if callable(answer) else lambda _: answer

    def count(self, method: str, path: str) -> int:
        """How often that was asked."""
        return self.asked.count((method, path))


@contextmanager
def serving() -> Iterator[Stub]:
    """The stub on loopback, with a Keystone that lets everybody in."""
    stub = Stub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("H", (_Handler,), {"stub": stub}))
    stub.url = f"http://127.0.0.1:{server.server_port}"
    stub.on("POST", "/v3/auth/tokens", lambda _: Answer(201, {"token": _token(stub.url)}, {"X-Subject-Token": "t"}))
    stub.on(
        "GET",
        "/v3",
        Answer(
            200, {"version": {"id": "v3.14", "status": "stable", "links": [{"rel": "self", "href": stub.url + "/v3"}]}}
        ),
    )
    for path, body in VERSIONS.items():
        stub.on("GET", path, Answer(200, json.loads(json.dumps(body).replace('"href": "/', f'"href": "{stub.url}/'))))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield stub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _token(url: str) -> dict[str, Any]:
    catalog = [
        {
            "type": kind,
            "name": kind,
            "endpoints": [{"interface": "public", "region": "R", "region_id": "R", "url": url + path, "id": kind}],
        }
        for kind, path in PATHS.items()
    ]
    domain = {"id": "default", "name": "Default"}
    return {
        "user": {"id": USER, "name": "tester", "domain": domain},
        "project": {"id": PROJECT, "name": "lab", "domain": domain},
        "roles": [{"id": "1", "name": "member"}, {"id": "2", "name": "reader"}],
        "expires_at": "2099-01-01T00:00:00.000000Z",
        "issued_at": "2020-01-01T00:00:00.000000Z",
        "methods": ["password"],
        "catalog": catalog,
    }


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    stub: Stub

    def _handle(self) -> None:
        path = self.path.split("?")[0].rstrip("/")
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        with self.stub.lock:
            self.stub.asked.append((self.command, path))
            handler = self.stub.handlers.get((self.command, path))
            request = {
                "query": self.path.partition("?")[2],
                "headers": dict(self.headers),
                "text": raw.decode(),
                "json": json.loads(raw) if raw.startswith((b"{", b"[")) else {},
            }
            answer = handler(request) if handler else Answer(404, {"message": f"stub: no {self.command} {path}"})
        if answer.lost:
            self.close_connection = True
            self.connection.close()
            return
        body = b"" if answer.body is None else json.dumps(answer.body).encode()
        self.send_response(answer.status)
        for name, value in (
            {"Content-Type": "application/json", "Content-Length": str(len(body))} | answer.headers
        ).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body[: len(body) // 2] if answer.cut else body)
        self.close_connection |= answer.cut

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = _handle  # noqa: N815

    def log_message(self, *args: object) -> None:
        """Quiet."""

"""A web server on loopback that serves one file, with the faults that a test asks for."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Served:
    """What is served, and what was asked for.

    Args:
        data: the file.
        cuts: after how many bytes the connection breaks, for the first, second … answer; later ones are whole.
        statuses: what the first, second … answer is instead of the file.
        etag: what the file's version is called; empty to say nothing.
        ranges: the Range header of each request so far, empty where there was none.
    """

    data: bytes
    cuts: list[int] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    etag: str = '"v1"'
    ranges: list[str] = field(default_factory=list)
    url: str = ""


@contextmanager
def serve(served: Served) -> Iterator[Served]:
    """Serve it at ``served.url`` while the body runs."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            served.ranges.append(self.headers.get("Range", ""))
            if served.statuses:
                self.send_error(served.statuses.pop(0))
                return
            start = self._start()
            self.send_response(206 if start else 200)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(served.data) - 1}/{len(served.data)}")
            self.send_header("Content-Length", str(len(served.data) - start))
            if served.etag:
                self.send_header("ETag", served.etag)
            self.end_headers()
            cut = served.cuts.pop(0) if served.cuts else len(served.data)
            self.wfile.write(served.data[start : start + cut])

        def _start(self) -> int:
            match = re.match(r"bytes=(\d+)-$", self.headers.get("Range", ""))
            same = self.headers.get("If-Range") in (None, served.etag)
            return int(match[1]) if match and same else 0

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    served.url = f"http://127.0.0.1:{server.server_port}/Food-11.zip"
    try:
        yield served
    finally:
        server.shutdown()
        thread.join()
        server.server_close()

"""A plain HTTP proxy that misbehaves: by script, or by seed.

It stands before one server (``upstream``), or is the ``http_proxy`` of clients that name their servers themselves.
"""

from __future__ import annotations

import enum
import http.client
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

TIMEOUT_S = 60
_HOP = frozenset({"connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"})
_SILENT = (204, 304)


class Fault(enum.StrEnum):
    """What happens to a request."""

    ERROR_500 = "500"
    ERROR_502 = "502"
    ERROR_503 = "503"
    TOO_MANY = "429"
    """With ``Retry-After: 1``."""
    ONCE_401 = "401"
    """As for a token that has expired; by seed at most once in a proxy's life."""
    CLOSE_BEFORE = "closed before"
    """The server never sees it."""
    CLOSE_AFTER = "closed after"
    """It is carried out, the answer is lost."""
    DELAY = "delayed"
    TRUNCATE = "truncated"
    """Half of the answer comes."""
    REPEAT = "repeated"
    """It is carried out twice; the second answer comes."""


CARRIED_OUT = frozenset({Fault.CLOSE_AFTER, Fault.DELAY, Fault.TRUNCATE, Fault.REPEAT})

Plan = Callable[[str, str], Fault | None]
"""From a request's method and target to what happens to it."""


@dataclass
class Proxy:
    """A running proxy; ``happened`` counts requests and each kind of fault."""

    url: str
    plan: Plan
    upstream: str = ""
    delay_s: float = 0.3
    happened: Counter[str] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def faults(self) -> int:
        """How many requests met one."""
        return sum(count for name, count in self.happened.items() if name in set(Fault))


def by_script(*faults: Fault | None) -> Plan:
    """One after the other, then none."""
    left, lock = list(faults), threading.Lock()

    def plan(method: str, target: str) -> Fault | None:
        with lock:
            return left.pop(0) if left else None

    return plan


def by_seed(seed: object, rate: float, *, without: frozenset[Fault] = frozenset()) -> Plan:
    """A share of requests, which follows from seed, method, target and how often that was asked for."""
    counts: Counter[tuple[str, str]] = Counter()
    choice, lock, refused = [fault for fault in Fault if fault not in without], threading.Lock(), []

    def plan(method: str, target: str) -> Fault | None:
        path = urlsplit(target).path
        with lock:
            counts[method, path] += 1
            dice = random.Random(f"{seed} {method} {path} {counts[method, path]}")
            if dice.random() >= rate:
                return None
            fault = dice.choice(choice)
            if fault is Fault.ONCE_401:
                if refused:
                    return None
                refused.append(path)
            return fault

    return plan


@contextmanager
def serving(plan: Plan, *, upstream: str = "") -> Iterator[Proxy]:
    """The proxy on loopback, before ``upstream`` if that is given."""
    handler = type("Handler", (_Handler,), {})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    handler.proxy = proxy = Proxy(f"http://127.0.0.1:{server.server_port}", plan, upstream)  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass(frozen=True)
class _Answer:
    status: int
    reason: str
    headers: list[tuple[str, str]]
    body: bytes


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    proxy: Proxy

    def log_message(self, *args: Any) -> None:
        """Nothing: tests are quiet."""

    def _handle(self) -> None:
        body = self._body()
        fault = self.proxy.plan(self.command, self.path)
        with self.proxy.lock:
            self.proxy.happened["requests"] += 1
            if fault:
                self.proxy.happened[fault] += 1
        if fault in (None, *CARRIED_OUT):
            self._carry_out(fault, body)
        elif fault is Fault.CLOSE_BEFORE:
            self.close_connection = True
        else:
            status = int(fault or 500)
            more = [("Retry-After", "1")] if fault is Fault.TOO_MANY else []
            text = b"" if self.command == "HEAD" else b'{"error": {"message": "so says the proxy"}}'
            self._send(_Answer(status, "", [*more, ("Content-Type", "application/json")], text))

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = do_PATCH = _handle  # noqa: N815 - http.server's names

    def _carry_out(self, fault: Fault | None, body: bytes) -> None:
        if fault is Fault.DELAY:
            time.sleep(self.proxy.delay_s)
        if fault is Fault.REPEAT:
            self._ask(body)
        answer = self._ask(body)
        if fault is Fault.CLOSE_AFTER:
            self.close_connection = True
        elif fault is Fault.TRUNCATE and answer.body:
            self._send(answer, cut=len(answer.body) // 2)
            self.close_connection = True
        else:
            self._send(answer)

    def _body(self) -> bytes:
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            parts = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def _ask(self, body: bytes) -> _Answer:
        url = urlsplit(self.path if "://" in self.path else self.proxy.upstream + self.path)
        headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP | {"expect"}}
        if body:
            headers["Content-Length"] = str(len(body))
        connection = http.client.HTTPConnection(url.hostname or "", url.port or 80, timeout=TIMEOUT_S)
        try:
            target = f"{url.path}?{url.query}" if url.query else url.path
            connection.request(self.command, target or "/", body or None, headers)
            found = connection.getresponse()
            return _Answer(found.status, found.reason, found.getheaders(), found.read())
        except (OSError, http.client.HTTPException) as error:
            return _Answer(502, "", [], str(error).encode())
        finally:
            connection.close()

    def _send(self, answer: _Answer, *, cut: int | None = None) -> None:
        self.send_response_only(answer.status, answer.reason or None)
        for name, value in answer.headers:
            if name.lower() not in _HOP | {"content-length"}:
                self.send_header(name, value)
        told = next((value for name, value in answer.headers if name.lower() == "content-length"), None)
        size = told if self.command == "HEAD" and told else str(len(answer.body))
        if answer.status not in _SILENT:
            self.send_header("Content-Length", size)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body[:cut])

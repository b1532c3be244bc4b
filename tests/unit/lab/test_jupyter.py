"""Links to Jupyter: tried before they are given, and what is said where they do not work."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from chiops.cloud.base import Node
from chiops.errors import NotFound, RemoteFailed, UsageError
from chiops.lab import jupyter, tokens
from chiops.lab.jupyter import Link
from chiops.lab.loader import load

TOKEN = "a1b2"


class Answers(BaseHTTPRequestHandler):
    """Jupyter's answer to who has the token, and to who has not."""

    def do_GET(self) -> None:
        right = self.path == "/api/status" and self.headers["Authorization"] == f"token {TOKEN}"
        self.send_response(200 if right else 403)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Silent."""


@pytest.fixture
def port() -> Iterator[int]:
    with HTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def link(port: int, token: str = TOKEN) -> Link:
    node = Node(name="node", address="127.0.0.1", user="cc", key_file=Path("k"), known_hosts=Path("h"))
    return Link("lab", node, port, token)


def test_a_link_that_works(port: int) -> None:
    link(port).check()
    assert link(port).url == f"http://127.0.0.1:{port}/lab?token={TOKEN}"


def test_another_token_is_told_without_either(port: int) -> None:
    with pytest.raises(RemoteFailed) as caught:
        link(port, "other").check()
    assert "wants another token" in caught.value.sentence()
    assert "chiops up lab" in caught.value.sentence()
    assert "other?" not in caught.value.sentence()


def test_no_answer_is_told(port: int) -> None:
    closed = link(1)
    with pytest.raises(RemoteFailed, match=r"does not answer at http://127\.0\.0\.1:1/lab"):
        closed.check()


def test_the_token_is_not_in_its_text(port: int) -> None:
    assert TOKEN not in repr(link(port))


def session(**values: str) -> Any:
    lab = load("block-lab", {"net_id": "ff524", **values})
    return cast(Any, SimpleNamespace(lab=lab, node=lambda _: link(0).node))


def test_a_lab_without_jupyter_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with pytest.raises(UsageError, match="runs no Jupyter"):
        jupyter.links(session(jupyter="false"))


def test_a_token_that_is_elsewhere_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with pytest.raises(NotFound, match="no token of block-lab on this machine"):
        jupyter.links(session())
    made = tokens.token("block-lab")
    (found,) = jupyter.links(session())
    assert (found.port, found.token) == (8888, made)

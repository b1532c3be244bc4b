"""The block storage lab's point, through Jupyter: what was written in a notebook outlives the server that it was written on."""

from __future__ import annotations

import http.client
import json
import shlex
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.support.cli import Chiops
from tests.support.poll import wait_for

pytestmark = [pytest.mark.nodes, pytest.mark.timeout(1800)]

NODE = "node-block-e2e"
PATH = "/mnt/block"
UP = ("up", "block-lab", "--site", "local", "--yes", "-o", "json", "--set", "net_id=e2e", "--set", "flavor=m1.small")
NOTEBOOK = {
    "cells": [{"cell_type": "markdown", "id": "a1", "metadata": {}, "source": "written before the server was deleted"}],
    "metadata": {},
    "nbformat": 4,
    "nbformat_minor": 5,
}


@pytest.fixture(scope="module")
def lab(chiops: Chiops) -> Iterator[dict[str, Any]]:
    """The block lab, up; its JSON."""
    yield chiops.ok(*UP).json()
    chiops.ok("down", "--purge-volume", "--yes")
    assert chiops.ok("status", "-o", "json").json() == []


def link(chiops: Chiops) -> dict[str, str]:
    (found,) = chiops.ok("jupyter", "url", "-o", "json", "--show-secret").json()
    return dict(found)


def api(chiops: Chiops, method: str, path: str, body: object = None, token: str = "") -> tuple[int, Any]:
    """Ask Jupyter's API as a browser behind the printed link would: the status, and the document."""
    found = link(chiops) if not token else {**link(chiops), "token": token}
    connection = http.client.HTTPConnection(urlsplit(found["url"]).netloc, timeout=30)
    try:
        text = None if body is None else json.dumps(body)
        connection.request(method, f"/api/{path}", text, {"Authorization": f"token {found['token']}"})
        answer = connection.getresponse()
        content = answer.read()
        return answer.status, json.loads(content) if answer.status < 400 else content
    finally:
        connection.close()


def on_node(chiops: Chiops, script: str) -> str:
    return chiops.ok("exec", "--", "sh", "-ec", script).out.strip()


def filesystem(chiops: Chiops) -> str:
    return on_node(chiops, f"sudo blkid -p -s UUID -o value $(findmnt -rno SOURCE {PATH})")


def lease(chiops: Chiops) -> object:
    (found,) = chiops.ok("lease", "list", "-o", "json").json()
    return found["id"]


def test_the_printed_link_opens_jupyter(chiops: Chiops, lab: dict[str, Any]) -> None:
    printed = urlsplit(chiops.ok("jupyter", "url").out.strip())
    assert f"http://{printed.netloc}" == f"http://{lab['nodes'][0]['address']}:8888"
    assert parse_qs(printed.query)["token"] == [link(chiops)["token"]]
    status, told = api(chiops, "GET", "status")
    assert (status, told["kernels"]) == (200, 0)


def test_no_other_token_opens_it(chiops: Chiops, lab: dict[str, Any]) -> None:
    assert api(chiops, "GET", "contents/work", token="0" * 48)[0] == 403


def test_the_token_is_shown_to_nobody_else(chiops: Chiops, lab: dict[str, Any]) -> None:
    token = link(chiops)["token"]
    (plain,) = chiops.ok("jupyter", "url", "-o", "json").json()
    assert set(plain) == {"lab", "node", "url"}
    assert "token" not in plain["url"]
    again = chiops.ok(*UP, "-v")
    logs = [path.read_text(errors="replace") for path in (chiops.state_home / "chiops").glob("**/*.log")]
    assert token not in again.out + again.err + "".join(logs)
    # The token is the pattern that grep reads from its file, or its own command line would be found.
    look = (
        "cd /; t=/var/lib/chiops/jupyter-service/token; { docker inspect jupyter; docker logs jupyter 2>&1;"
        " cat /proc/[0-9]*/cmdline; journalctl --no-pager; } | grep -aFf $t;"
        f" find /var/lib/chiops /home {PATH} /tmp /etc -perm -o=r -type f -exec grep -lFf $t {{}} +; true"
    )
    assert on_node(chiops, f"sudo sh -c {shlex.quote(look)}") == ""
    assert on_node(chiops, "sudo stat -c '%a %U' /var/lib/chiops/jupyter-service/token") == "600 cc"


def test_a_notebook_is_written_to_the_volume(chiops: Chiops, lab: dict[str, Any]) -> None:
    status, made = api(chiops, "PUT", "contents/work/demo.ipynb", {"type": "notebook", "content": NOTEBOOK})
    assert (status, made["path"]) == (201, "work/demo.ipynb")
    assert on_node(chiops, f"stat -c %U {PATH}/workspace/demo.ipynb") == "cc"


def test_a_second_up_changes_nothing(chiops: Chiops, lab: dict[str, Any]) -> None:
    again = chiops.ok(*UP).json()
    assert (again["changed"], again["configured"]) == (0, 0)


def test_it_comes_back_with_the_node(chiops: Chiops, lab: dict[str, Any]) -> None:
    before = on_node(chiops, "docker inspect --format '{{.State.StartedAt}}' jupyter")
    chiops.ok("server", "reboot", NODE, "--yes")
    done = wait_for(
        "Jupyter after the reboot", lambda: chiops.run("jupyter", "url"), until=lambda one: one.code == 0, within=120
    )
    assert "token=" in done.out
    assert on_node(chiops, "docker inspect --format '{{.State.StartedAt}}' jupyter") != before
    assert api(chiops, "GET", "contents/work/demo.ipynb")[1]["content"]["cells"] == NOTEBOOK["cells"]


def test_up_starts_it_again_when_it_was_stopped(chiops: Chiops, lab: dict[str, Any]) -> None:
    on_node(chiops, "docker stop jupyter")
    assert "does not answer" in chiops.refused("jupyter", "url")
    assert chiops.ok(*UP).json()["configured"] > 0
    assert api(chiops, "GET", "status")[0] == 200


def test_a_new_server_on_the_same_lease_has_the_notebook(chiops: Chiops, lab: dict[str, Any]) -> None:
    before = {"filesystem": filesystem(chiops), "lease": lease(chiops), "token": link(chiops)["token"]}
    old = chiops.ok("server", "show", NODE, "-o", "json").json()["id"]
    chiops.ok("server", "delete", NODE, "--yes")
    again = chiops.ok(*UP)
    assert chiops.ok("server", "show", NODE, "-o", "json").json()["id"] != old
    assert {"filesystem": filesystem(chiops), "lease": lease(chiops), "token": link(chiops)["token"]} == before
    status, found = api(chiops, "GET", "contents/work/demo.ipynb")
    assert (status, found["content"]["cells"]) == (200, NOTEBOOK["cells"]), str(again)


def test_another_token_shuts_the_old_link(chiops: Chiops, lab: dict[str, Any]) -> None:
    old = link(chiops)["token"]
    chiops.ok("jupyter", "rotate", "--yes")
    assert "wants another token" in chiops.refused("jupyter", "url")
    chiops.ok(*UP)
    assert link(chiops)["token"] != old
    assert api(chiops, "GET", "contents/work", token=old)[0] == 403
    chiops.ok("jupyter", "restart", "--yes")
    assert api(chiops, "GET", "status")[0] == 200


def test_jupyter_goes_when_the_lab_wants_it_no_more(chiops: Chiops, lab: dict[str, Any]) -> None:
    chiops.ok(*UP, "--set", "jupyter=false")
    assert on_node(chiops, "docker ps --all --quiet") == ""
    assert on_node(chiops, f"ls {PATH}/workspace") == "demo.ipynb"
    assert "runs no Jupyter" in chiops.refused("jupyter", "url")

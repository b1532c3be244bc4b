"""What the provisioning benchmark counts and shows."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest

from benchmarks.block_lab import project
from benchmarks.block_lab.figures import Cell, Phase, cells, comparison, growth
from benchmarks.block_lab.tools import Counted, seed, variables


def test_cells_are_told_apart_by_phase_and_by_whose_they_are() -> None:
    text = "# a comment\n\n# %% up\na = 1\n\n# %% up, helped: for the test\nb = 2  # %% no cell\n# %% away\ndel a\n"
    assert cells(text) == [
        Cell("up", "", "a = 1\n\n"),
        Cell("up", "for the test", "b = 2  # %% no cell\n"),
        Cell("away", "", "del a\n"),
    ]


@pytest.mark.parametrize("head", ["# %% down", "# %%", "# %% up: why", "# %% up, helped:"])
def test_a_cell_that_is_neither_is_refused(head: str) -> None:
    with pytest.raises(ValueError, match="a cell is to begin with"):
        cells(f"# %% up\na = 1\n{head}\nb = 2\n")


def test_the_seeds_cells_are_python_and_go_up_then_away() -> None:
    found = seed()
    for cell in found:
        compile(cell.source, "cell", "exec")
    phases = [cell.phase for cell in found]
    assert phases == sorted(phases, reverse=True)
    assert set(phases) == {"up", "away"}


def test_medians_are_compared_with_the_first_tools() -> None:
    ours = [{"up": Phase(seconds, 50)} for seconds in (9.0, 10.04, 30.0)]
    theirs = [{"up": Phase(seconds, calls)} for seconds, calls in ((25.0, 99), (25.0, 101), (25.0, 100))]
    assert comparison({"chiops": ours, "other": theirs}).splitlines() == [
        "| | chiops | other | of chiops |",
        "|---|---|---|---|",
        "| up, seconds | 10.0 (9.0 to 30.0) | 25.0 | 2.5 × |",
        "| up, API calls | 50 | 100 (99 to 101) | 2.0 × |",
    ]


def test_growth_shows_each_command_at_each_size() -> None:
    assert growth({"a": {1: [7, 7], 20: [8, 7, 7]}, "b": {1: [3], 20: [60]}}).splitlines() == [
        "| API calls | 1 more | 20 more |",
        "|---|---|---|",
        "| `a` | 7 | 7 (7 to 8) |",
        "| `b` | 3 | 60 |",
    ]


def test_an_entry_becomes_the_variables_that_python_chi_reads() -> None:
    auth = {"auth_url": "http://x:5000/v3", "username": "me", "user_domain_name": "Default", "domain_id": None}
    cloud = SimpleNamespace(config={"auth_type": "password", "auth": auth}, region_name="KVM@TACC")
    assert variables(cloud, "lab") == {
        "OS_AUTH_URL": "http://x:5000/v3",
        "OS_USERNAME": "me",
        "OS_USER_DOMAIN_NAME": "Default",
        "OS_AUTH_TYPE": "v3password",
        "OS_PROJECT_NAME": "lab",
        "OS_REGION_NAME": "KVM@TACC",
        "OS_INTERFACE": "public",
    }


def test_what_is_so_at_the_first_look_took_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    pauses: list[float] = []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        now[0] += seconds

    monkeypatch.setattr(project, "time", SimpleNamespace(perf_counter=lambda: now[0], sleep=sleep))
    assert project.wait(lambda: True, "it") == 0
    assert project.wait(lambda: len(pauses) == 3, "it") == 3 * project.PAUSE_S
    with pytest.raises(TimeoutError, match="never"):
        project.wait(lambda: False, "never")


class _Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(302 if self.path == "/moved" else 204)
        self.send_header("Location", "/")
        self.end_headers()

    do_DELETE = do_GET  # noqa: N815

    def log_message(self, *arguments: object) -> None:
        """Quiet."""


@pytest.fixture
def service() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Answer)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


REQUESTS = """
import sys
from concurrent.futures import ThreadPoolExecutor
import requests
url = sys.argv[1]
with ThreadPoolExecutor(4) as pool:
    list(pool.map(requests.get, [url] * 20))
requests.delete(url)
requests.get(url + "/moved")
"""


def test_every_request_of_every_thread_and_process_is_counted(tmp_path: Path, service: str) -> None:
    counted = Counted(tmp_path)
    assert counted.calls() == 0
    plain = {**os.environ, "NO_PROXY": "127.0.0.1"}
    for _ in range(2):
        subprocess.run([sys.executable, "-c", REQUESTS, service], env=counted.environment(plain), check=True)
    assert counted.calls() == 2 * (20 + 1 + 2)
    subprocess.run([sys.executable, "-c", REQUESTS, service], env=plain, check=True)
    assert counted.calls() == 2 * 23

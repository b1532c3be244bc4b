"""The platform's services by their compose file: on the volume, as the user, with secrets that nobody is shown; and back again."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.cli import Chiops

pytestmark = [pytest.mark.nodes, pytest.mark.timeout(1800)]

NODE = "node-mlops-e2e"
DATA = "/mnt/block/mlops"
# Jupyter has a test of its own, and MLflow's packages are 200 MB: without both, the images are built in seconds.
SETTINGS = ("--set", "net_id=e2e", "--set", "flavor=m1.small", "--set", "volume_gib=2")
LEFT_OUT = ("--set", "mlflow=false", "--set", "jupyter=false")
UP = ("up", "mlops-platform", "--site", "local", "--yes", "-o", "json", *SETTINGS, *LEFT_OUT)


@pytest.fixture(scope="module")
def lab(chiops: Chiops) -> Iterator[dict[str, Any]]:
    """The platform, up; its JSON."""
    yield chiops.ok(*UP).json()
    chiops.ok("down", "--purge-volume", "--yes")


def on_node(chiops: Chiops, script: str) -> str:
    return chiops.ok("exec", "--", "sh", "-ec", script).out.strip()


def container(service: str) -> str:
    return f"$(docker ps --all --quiet --filter label=com.docker.compose.service={service})"


def sql(chiops: Chiops, statement: str) -> str:
    """Over the network that services share, with the password that they have."""
    command = f"PGPASSWORD=$(cat /run/secrets/postgres_password) psql -qtA -h postgres mlflow mlflow -c {shlex.quote(statement)}"
    return on_node(chiops, f"docker exec {container('postgres')} sh -c {shlex.quote(command)}")


def test_everything_is_on_the_volume_and_the_users(chiops: Chiops, lab: dict[str, Any]) -> None:
    assert on_node(chiops, f"stat -c '%U %a' {DATA}/postgres/pgdata {DATA}/secrets {DATA}/secrets/*").splitlines() == [
        *("cc 700", "cc 700", "cc 600", "cc 600", "cc 600"),
    ]
    sql(chiops, "CREATE TABLE kept (name text); INSERT INTO kept VALUES ('before')")
    assert sql(chiops, "SELECT name FROM kept") == "before"
    assert "403" in on_node(
        chiops, f'docker exec {container("store")} python3 -c "{_GET.format("http://127.0.0.1:9000/x")}"'
    )


_GET = "import urllib.request as w, urllib.error as e\ntry: w.urlopen('{}')\nexcept e.HTTPError as x: print(x.code)"


def test_no_secret_is_shown_to_anybody_else(chiops: Chiops, lab: dict[str, Any]) -> None:
    for name in ("postgres_password", "store_secret"):
        # The pattern is read from the file, or grep's own command line would be found.
        look = (
            f"cd /; s={DATA}/secrets/{name}; {{ docker inspect $(docker ps --all --quiet); cat /proc/[0-9]*/cmdline;"
            " journalctl --no-pager; cat /var/lib/chiops/compose/*; cat /var/lib/chiops/compose/.env; } | grep -aFf $s; true"
        )
        assert on_node(chiops, f"sudo sh -c {shlex.quote(look)}") == ""


def test_a_second_up_changes_nothing(chiops: Chiops, lab: dict[str, Any]) -> None:
    again = chiops.ok(*UP).json()
    assert (again["changed"], again["configured"]) == (0, 0)


def test_up_starts_what_was_stopped(chiops: Chiops, lab: dict[str, Any]) -> None:
    on_node(chiops, f"docker stop {container('postgres')}")
    assert chiops.ok(*UP).json()["configured"] > 0
    assert sql(chiops, "SELECT name FROM kept") == "before"


def test_a_new_server_has_the_database_and_the_password_it_was_made_with(chiops: Chiops, lab: dict[str, Any]) -> None:
    look = f"sudo sha256sum {DATA}/secrets/postgres_password {DATA}/secrets/store_secret"
    before = on_node(chiops, look)
    chiops.ok("server", "delete", NODE, "--yes")
    chiops.ok(*UP)
    assert on_node(chiops, look) == before
    assert sql(chiops, "SELECT name FROM kept") == "before"

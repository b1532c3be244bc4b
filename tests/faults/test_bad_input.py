"""Whatever is typed, written into files, or told by a service: one sentence and an exit code, and never a traceback."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from chiops.cli import common
from chiops.cli.main import app
from chiops.cloud import sites
from chiops.cloud.base import Mark
from chiops.lab.spec import LabSpec
from tests.support.fast_cloud.cloud import FACTS, SITE, FastCloud
from tests.support.fast_lab import KEY, LAB
from tests.support.odd import ANYTHING, ANYTHING_OR_NOTHING, Place, changed, places

pytestmark = pytest.mark.timeout(1800)

UNEXPECTED = common.UNEXPECTED
quick = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
WORDS = st.text(min_size=1, max_size=40) | st.sampled_from(
    [
        "",
        " ",
        ".",
        "..",
        "/",
        "../../etc/passwd",
        "a\0b",
        "a\nb",
        "\x1b[31m",
        "%s",
        "{{ x }}",
        "-",
        "--",
        "ü" * 70,
        "0",
        "null",
    ]
)
PORTS = [{"port": 22, "port_max": 23, "protocol": "tcp", "cidr": "0.0.0.0/0"}, {"port": 8888}, {"port": 8000}]
WHOLE: dict[str, Any] = {
    "version": 1,
    "name": "odd",
    "description": "every key of the schema",
    "site": SITE,
    "lease": {"name": "l", "duration": "1h"},
    "security_groups": [{"name": "g", "description": "d", "rules": PORTS}],
    "servers": [
        {
            "name": "n",
            "flavor": "m1.small",
            "image": "CC-Ubuntu24.04",
            "floating_ip": True,
            "security_groups": ["g"],
            "configure": ["docker", "rclone"],
            "boot_volume": {"size_gib": 20, "name": "b", "delete_on_termination": False},
            "services": {
                "jupyter": {"image": "i", "port": 8888, "volume": "v", "work": "w", "mounts": ["/mnt/object"]},
                "compose": {
                    "file": "mlops-platform",
                    "volume": "v",
                    "data": "d",
                    "folders": ["f"],
                    "ports": {"mlflow": 8000},
                    "images": ["jupyter"],
                    "secrets": ["s"],
                    "variables": {"V": "x"},
                },
            },
        }
    ],
    "volumes": [{"name": "v", "size_gib": 1, "server": "n", "mount": "/mnt/block"}],
    "buckets": [{"name": "bucket-odd"}],
    "mounts": [
        {
            "bucket": "bucket-odd",
            "server": "n",
            "path": "/mnt/object",
            "backend": "rclone",
            "read_only": True,
            "options": ["-x"],
        }
    ],
}


@dataclass(frozen=True)
class Here:
    """Where the commands run, in this process: a folder with state, and the fast cloud's file."""

    folder: Path

    @property
    def journal(self) -> Path:
        return self.folder / "state/chiops/chiops.db"

    def ask(self, *argv: str, codes: Sequence[int] = ()) -> Result:
        """Run a command; it ends well, or with one sentence."""
        common.options.__dict__.update(common.Options().__dict__)
        done = CliRunner().invoke(app, argv)
        told = f"{argv}\nexit code {done.exit_code}\n{done.stdout}\n{done.stderr}"
        assert done.exception is None or isinstance(done.exception, SystemExit), f"{told}\n{done.exception!r}"
        assert done.exit_code != UNEXPECTED, told
        assert "Traceback" not in done.output, told
        assert not codes or done.exit_code in codes, told
        errors = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
        by_click = "Usage: " in done.stderr
        assert len(errors) == bool(done.exit_code) or by_click, told
        return done


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Here]:
    file, known = tmp_path / "cloud.db", sites.sites
    monkeypatch.setattr(sites, "sites", lambda: {**known(), SITE: FACTS})
    monkeypatch.setattr(sites, "connect", lambda _: FastCloud(file))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lab.yaml").write_text(LAB)
    before = dict(common.options.__dict__)
    yield Here(tmp_path)
    common.options.__dict__.update(before)


@quick
@given(line=st.integers(0, LAB.count("\n") - 1), text=st.text(max_size=20), keep=st.booleans())
def test_a_damaged_lab_file(place: Here, line: int, text: str, keep: bool) -> None:
    lines = LAB.splitlines()
    lines[line : line + 1] = [lines[line], text] if keep else [text]
    (place.folder / "damaged.yaml").write_text("\n".join(lines), encoding="utf-8", errors="surrogatepass")
    place.ask("plan", "damaged.yaml", "--site", SITE)


def test_the_whole_lab_has_every_key(place: Here) -> None:
    schema = LabSpec.model_json_schema()
    wanted = {key for part in (schema, *schema["$defs"].values()) for key in part.get("properties", ())}
    assert wanted <= {key for where in places(WHOLE) for key in where if isinstance(key, str)}
    (place.folder / "whole.yaml").write_text(json.dumps(WHOLE))
    place.ask("plan", "whole.yaml", codes=(0,))


@settings(quick, max_examples=15)
@given(value=ANYTHING)
@pytest.mark.parametrize("key", sorted({where[0] for where in places(WHOLE) if where}))
def test_a_lab_file_with_odd_values(place: Here, key: str, value: Any) -> None:
    (place.folder / "odd.yaml").write_text(json.dumps({"version": 1, "name": "odd", key: value}))
    place.ask("plan", "odd.yaml", "--site", SITE)


@settings(quick, max_examples=150)
@given(where=st.sampled_from([*places(WHOLE)][1:]), value=ANYTHING_OR_NOTHING)
def test_a_lab_file_with_something_odd_deep_in(place: Here, where: Place, value: Any) -> None:
    (place.folder / "odd.yaml").write_text(json.dumps(changed(WHOLE, where, value)))
    place.ask("plan", "odd.yaml", "--site", SITE)


@quick
@given(content=st.binary(max_size=300))
def test_a_lab_file_of_bytes(place: Here, content: bytes) -> None:
    (place.folder / "bytes.yaml").write_bytes(content)
    place.ask("plan", "bytes.yaml", "--site", SITE, codes=(2,))


@quick
@given(name=st.sampled_from(["net_id", "flavor", "bucket", "nothing"]), value=WORDS)
def test_odd_parameters(place: Here, name: str, value: str) -> None:
    place.ask("plan", "object-lab", "--site", SITE, "--set", f"{name}={value}")


COMMANDS = [
    ["server", "show"], ["server", "delete", "--yes"], ["volume", "show"], ["volume", "create", "--size", "1"],
    ["volume", "attach", "--no-mount"], ["bucket", "show"], ["bucket", "create"], ["lease", "show"],
    ["lease", "delete", "--yes"], ["fip", "delete", "--yes"], ["secgroup", "show"], ["secgroup", "create", "--open", "22"],
    ["keypair", "delete", "--yes"], ["creds", "revoke", "--yes"], ["plan"], ["up", "--no-configure", "--yes"],
]  # fmt: skip


@quick
@given(command=st.sampled_from(COMMANDS), name=WORDS)
def test_odd_names(place: Here, command: list[str], name: str) -> None:
    place.ask(*command, "--site", SITE, "--", name)


@quick
@given(command=st.sampled_from([["status"], ["down", "--yes"], ["ssh"], ["extend", "--by", "1h"]]), name=WORDS)
def test_odd_labs(place: Here, command: list[str], name: str) -> None:
    place.ask(*command, "--", name)


@quick
@given(
    command=st.sampled_from([["lease", "create", "l", "--flavor", "m1.small", "--duration"], ["extend", "--by"]]),
    value=WORDS,
)
def test_odd_durations(place: Here, command: list[str], value: str) -> None:
    place.ask(*command, value, "--site", SITE, *(["--", "lab"] if command[0] == "extend" else []))


@settings(quick, max_examples=30)
@given(content=st.binary(max_size=5000))
@example(content=b"SQLite format 3\0" + bytes(200))
def test_a_journal_of_bytes(place: Here, content: bytes) -> None:
    rmtree(place.folder / "state", ignore_errors=True)
    place.journal.parent.mkdir(parents=True)
    place.journal.write_bytes(content)
    place.ask("status")
    place.ask("plan", "lab.yaml", "--site", SITE)


@settings(quick, max_examples=30)
@given(
    column=st.sampled_from(["site", "source", "settings", "phase", "created"]), value=WORDS | ANYTHING.map(json.dumps)
)
@example(column="settings", value="{")
@example(column="settings", value="[1]")
@example(column="created", value="yesterday")
def test_a_journal_with_odd_values(place: Here, column: str, value: str) -> None:
    rmtree(place.folder / "state", ignore_errors=True)
    place.ask("status", codes=(0,))
    row = {"name": "cut-lab", "site": SITE, "source": str(place.folder / "lab.yaml"), "settings": "{}", "phase": "up"}
    row |= {"created": "2026-01-01T00:00:00+00:00", column: value}
    with closing(sqlite3.connect(place.journal)) as db, db:
        names = ", ".join(row)
        db.execute(f"INSERT INTO labs ({names}) VALUES (?, ?, ?, ?, ?, ?)", [*row.values()])  # noqa: S608 - names of ours
    for command in (["status"], ["plan", "lab.yaml"], ["ssh"], ["down", "cut-lab", "--yes"]):
        place.ask(*command)


@quick
@given(content=st.binary(max_size=200) | ANYTHING.map(lambda value: json.dumps(value).encode()))
def test_odd_results(place: Here, content: bytes) -> None:
    (place.folder / "results").mkdir(exist_ok=True)
    (place.folder / "results/bench-20260101-000000.json").write_bytes(content)
    place.ask("bench", "report")


@settings(quick, max_examples=30)
@given(content=st.binary(max_size=200) | ANYTHING.map(lambda value: json.dumps(value).encode()))
def test_odd_sites(place: Here, content: bytes) -> None:
    (place.folder / "config/chiops").mkdir(parents=True, exist_ok=True)
    (place.folder / "config/chiops/sites.yaml").write_bytes(content)
    place.ask("site", "list")


@settings(quick, max_examples=12)
@given(name=WORDS, lab=WORDS)
def test_a_service_that_tells_odd_names(place: Here, name: str, lab: str) -> None:
    mark = Mark(lab or "x", "me")
    with FastCloud(place.folder / "cloud.db") as cloud:
        group = cloud.network.create_security_group(name, description=name, mark=mark)
        volume = cloud.volumes.create(name, size_gib=1, mark=mark)
        cloud.compute.create_keypair(name, KEY, mark=mark)
    try:
        for noun in ("secgroup", "volume", "keypair"):
            place.ask(noun, "list", "--site", SITE, codes=(0,))
            json.loads(place.ask(noun, "list", "--site", SITE, "-o", "json", codes=(0,)).stdout)
        place.ask("sweep", "--site", SITE)
    finally:
        with FastCloud(place.folder / "cloud.db") as cloud:
            cloud.network.delete_security_group(group.id)
            cloud.compute.delete_keypair(name)
            for _ in range(3):
                cloud.volumes.list()
            cloud.volumes.delete(volume.id)

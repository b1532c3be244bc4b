"""Services in lab files: what is refused, with its line, and where things are looked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from chiops import assets
from chiops.errors import LabFileError
from chiops.lab.loader import parse
from chiops.lab.services import compose_path
from chiops.lab.spec import LabSpec

LAB = """\
version: 1
name: lab
security_groups:
  - {name: web, rules: [{port: 22}, {port: 8000, port_max: 8999}]}
servers:
  - name: node
    flavor: m1.tiny
    security_groups: [web]
    services:
      jupyter:
        port: 8888
        volume: data
        work: workspace
        mounts: [/mnt/object]
      compose:
        file: services.yaml
        volume: data
        data: services
        folders: [postgres]
        ports: {mlflow: 8000}
        secrets: [postgres_password]
        variables: {POSTGRES_USER: mlflow}
volumes:
  - {name: data, size_gib: 2, server: node, mount: /mnt/block}
  - {name: loose, size_gib: 2, server: node}
buckets: [{name: lab-bucket}]
mounts: [{bucket: lab-bucket, server: node, path: /mnt/object}]
"""


@pytest.fixture
def source(tmp_path: Path) -> str:
    (tmp_path / "services.yaml").write_text("services: {}\n")
    return str(tmp_path / "lab.yaml")


def read(text: str, source: str) -> LabSpec:
    return parse(text, source, {}).spec


def test_a_lab_with_both_is_read(source: str) -> None:
    services = read(LAB, source).servers[0].services
    assert services.jupyter
    assert services.compose
    assert [(name, port) for _, name, port in services.ports()] == [("jupyter", 8888), ("mlflow", 8000)]
    assert services.jupyter_port == 8888


def test_a_server_without_services_has_none(source: str) -> None:
    spec = read("version: 1\nname: x\nservers: [{name: node, flavor: m1.tiny}]\n", source)
    assert not spec.servers[0].services
    assert spec.servers[0].services.jupyter_port is None


@pytest.mark.parametrize(
    ("right", "wrong", "told"),
    [
        ("        port: 8888", "        port: 9999", "no security group of the server opens port 9999 for jupyter"),
        ("{mlflow: 8000}", "{mlflow: 7000}", "no security group of the server opens port 7000 for mlflow"),
        ("{mlflow: 8000}", "{mlflow: 8888}", "port 8888 is served twice"),
        ("security_groups: [web]", "security_groups: []", "no security group of the server opens port 8888"),
        ("        work: workspace", "        work: /workspace", "/workspace is not a folder of data: drop the first /"),
        ("mounts: [/mnt/object]", "mounts: [/mnt/objct]", "no bucket mount at '/mnt/objct'"),
        ("file: services.yaml", "file: mlops-platfrm", "there is no compose file 'mlops-platfrm' here or built in"),
        ("        work: work", "        wrok: work", "unknown key 'wrok'; did you mean 'work'?"),
        ("[postgres_password]", "[POSTGRES]", "is not a word of small letters"),
        ("POSTGRES_USER: mlflow", "POSTGRES_USER: $(id)", "has signs that no name, address or number needs"),
    ],
)
def test_a_mistake_is_told_with_its_line(source: str, right: str, wrong: str, told: str) -> None:
    assert LAB.count(right) == 1
    text = LAB.replace(right, wrong)
    with pytest.raises(LabFileError) as caught:
        read(text, source)
    assert told in caught.value.sentence()
    if "security_groups" not in wrong:
        line = next(number for number, line in enumerate(text.splitlines(), 1) if wrong in line)
        assert f"lab.yaml, line {line}:" in caught.value.sentence()


@pytest.mark.parametrize("volume", ["dta", "loose"])
def test_a_volume_must_be_there_and_mounted(source: str, volume: str) -> None:
    with pytest.raises(LabFileError, match=f"no volume mounted on the server '{volume}' is declared"):
        read(LAB.replace("volume: data", f"volume: {volume}", 1), source)


def test_compose_files_are_sought_beside_the_lab_and_then_built_in(tmp_path: Path) -> None:
    assert compose_path("mine.yaml", str(tmp_path / "lab.yaml")) == tmp_path / "mine.yaml"
    for builtin in (assets.templates() / "compose").glob("*.yaml"):
        assert compose_path(builtin.stem, str(tmp_path / "lab.yaml")) == builtin

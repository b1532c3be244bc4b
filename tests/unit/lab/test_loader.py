"""Lab files: what is right is read, each mistake is named with file, line and key, and nothing breaks the reader."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chiops import assets
from chiops.errors import ChiopsError, LabFileError, UsageError
from chiops.lab.loader import builtin_labs, load, parse

OBJECT_LAB = (assets.labs() / "object-lab.yaml.j2").read_text()


def line_of(text: str, part: str) -> int:
    return next(number for number, line in enumerate(text.splitlines(), 1) if part in line)


def mistake(text: str, **settings_: str) -> str:
    with pytest.raises(LabFileError) as caught:
        parse(text, "lab.yaml", settings_)
    return caught.value.sentence()


@pytest.mark.parametrize("name", builtin_labs())
def test_every_built_in_lab_is_right(name: str) -> None:
    lab = load(name, {"net_id": "ff524"})
    assert lab.name == name
    assert all(parameter.help for parameter in lab.parameters)


def test_parameters_reach_every_name() -> None:
    lab = load("object-lab", {"net_id": "ff524", "flavor": "m1.large"})
    assert lab.spec.servers[0].name == "node-object-ff524"
    assert lab.spec.servers[0].flavor == "m1.large"
    assert lab.spec.buckets[0].name == lab.spec.mounts[0].bucket == "object-chi-ff524"


@pytest.mark.parametrize(
    ("right", "wrong", "told"),
    [
        ("floating_ip:", "floating_ipp:", "unknown key 'floating_ipp'; did you mean 'floating_ip'?"),
        ("    flavor: {{", "    flavour: {{", "unknown key 'flavour'; did you mean 'flavor'?"),
        ("port: 22", "port: 99999", "less than or equal to 65535"),
        ("[docker, rclone]", "[dokcer]", "'dokcer' is not known; did you mean 'docker'?"),
        ("version: 1", "version: 2", "version 2 of the lab file is not known; this chiops reads version 1"),
        ("duration: {{ duration }}", "duration: soon", "'soon' is not a duration"),
        ("path: {{ mount_path }}", "path: relative", "is not an absolute path"),
        ("- name: {{ bucket }}", "- name: Foo_Bar", "only lower-case letters"),
    ],
)
def test_a_mistake_is_told_with_line_and_key(right: str, wrong: str, told: str) -> None:
    text = OBJECT_LAB.replace(right, wrong)
    assert text != OBJECT_LAB
    sentence = mistake(text, net_id="ff524")
    assert told in sentence
    assert f"lab.yaml, line {line_of(text, wrong)}" in sentence


def test_a_reference_to_nothing_is_told_with_the_nearest() -> None:
    sentence = mistake(
        OBJECT_LAB.replace("server: node-object-{{ net_id }}", "server: node-objct-ff524"), net_id="ff524"
    )
    assert "no server 'node-objct-ff524' is declared; did you mean 'node-object-ff524'?" in sentence


def test_a_line_is_called_rendered_where_a_loop_moved_it() -> None:
    loop = "{% for i in range(3) %}\n  - name: group-{{ i }}\n{% endfor %}\n"
    sentence = mistake(f"version: 1\nname: x\nsecurity_groups:\n{loop}servrs: []\n")
    assert "as rendered" in sentence
    assert "did you mean 'servers'?" in sentence


def test_loops_make_many() -> None:
    lab = parse(
        "parameters:\n  count: {default: 3, help: how many}\n---\nversion: 1\nname: many\nservers:\n"
        "{% for i in range(count | int) %}  - {name: node-{{ i }}, flavor: m1.tiny}\n{% endfor %}",
        "many.yaml",
        {"count": "2"},
    )
    assert [server.name for server in lab.spec.servers] == ["node-0", "node-1"]


@pytest.mark.parametrize(
    ("settings_", "told"),
    [
        ({"flavr": "x"}, "no parameter 'flavr'. Did you mean 'flavor'?"),
        ({"flavor": "a: b"}, "has signs that no name or size needs"),
        ({"flavor": ""}, "needs a value for 'flavor'"),
        ({"net_id": "x\ny: z"}, "has signs"),
    ],
)
def test_a_wrong_setting_is_refused(settings_: dict[str, str], told: str) -> None:
    with pytest.raises(UsageError, match=told.replace("?", r"\?")):
        load("object-lab", settings_)


def test_an_unknown_lab_is_told_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="Did you mean 'object-lab'"):
        load("object-lb", {})


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no lab file"):
        load(str(tmp_path / "mine.yaml"), {})


@pytest.mark.parametrize(
    "text", ["", "[]", "3", "a: b: c", "\t", "version: 1\nversion: 1\nname: x", "{{", "{% x %}", "a: &a [*a]"]
)
def test_what_is_no_lab_is_told(text: str) -> None:
    assert "lab.yaml" in mistake(text)


def test_a_lab_file_cannot_reach_python() -> None:
    sentence = mistake("version: 1\nname: {{ ''.__class__.__mro__[1].__subclasses__() }}\n")
    assert "lab.yaml" in sentence


@given(st.text(max_size=200))
@settings(max_examples=200, deadline=None)
def test_no_text_escapes_as_a_traceback(text: str) -> None:
    with contextlib.suppress(ChiopsError):
        parse(text, "lab.yaml", {})


@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_no_damage_to_a_lab_escapes_as_a_traceback(data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(OBJECT_LAB)))
    end = data.draw(st.integers(start, min(len(OBJECT_LAB), start + 40)))
    text = OBJECT_LAB[:start] + data.draw(st.text(max_size=10)) + OBJECT_LAB[end:]
    with contextlib.suppress(ChiopsError):
        parse(text, "lab.yaml", {})


@given(st.dictionaries(st.sampled_from(["net_id", "flavor", "bucket", "mount_path"]), st.text(max_size=40)))
@settings(max_examples=150, deadline=None)
def test_no_setting_escapes_as_a_traceback(values: dict[str, str]) -> None:
    with contextlib.suppress(ChiopsError):
        load("object-lab", values)

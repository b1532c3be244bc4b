"""A secret is in nothing that is printed, unless that was asked for."""

from __future__ import annotations

import contextlib
import io
import json

import pytest

from chiops.cli import creds
from chiops.cli.common import options
from chiops.cli.shown import document
from chiops.ops import desk as desks
from chiops.output import Format, emit
from tests.unit.ops.site import credential, desk

SECRET = "the-secret"


@pytest.mark.parametrize("format_", list(Format))
def test_a_printed_credential_has_no_secret(format_: Format, capsys: pytest.CaptureFixture[str]) -> None:
    key = credential(secret=SECRET)
    shown = document(desk(), key)
    emit(shown, format_, table=[shown], text=repr(key))
    said = capsys.readouterr()
    assert SECRET not in said.out + said.err
    assert "abcdef" in said.out


def test_a_list_has_no_secret(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    @contextlib.contextmanager
    def opened(*_: object, **__: object):  # type: ignore[no-untyped-def]
        yield desk(credentials=[credential(secret=SECRET)])

    monkeypatch.setattr(desks, "opened", opened)
    monkeypatch.setattr(options, "output", Format.JSON)
    _run("list")
    out = capsys.readouterr().out
    assert json.loads(out)[0]["access"] == "abcdef"
    assert SECRET not in out


@pytest.mark.parametrize("where", [[], ["--file", "-"], ["--file", "-", "-o", "json"]])
def test_an_export_to_stdout_without_a_word_is_refused_before_the_site_is_asked(
    where: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(options, "output", Format.TABLE)
    with contextlib.redirect_stderr(io.StringIO()) as told, pytest.raises(SystemExit) as ended:
        creds.app(["export", "--format", "env", *where], standalone_mode=True)
    assert ended.value.code == 2
    assert "say where the secret may go. Add --file PATH, or --show-secret to print it." in told.getvalue()


@pytest.mark.parametrize("where", [(), ("--file", "-")])
def test_an_export_to_stdout_is_what_the_program_reads_or_a_document(
    where: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    @contextlib.contextmanager
    def opened(*_: object, **__: object):  # type: ignore[no-untyped-def]
        yield desk(credentials=[credential(secret=SECRET)])

    monkeypatch.setattr(desks, "opened", opened)
    monkeypatch.setattr(options, "output", Format.TABLE)
    _run("export", "--format", "env", "--show-secret", *where)
    text = capsys.readouterr().out
    assert f"AWS_SECRET_ACCESS_KEY={SECRET}\n" in text
    monkeypatch.setattr(options, "output", Format.JSON)
    _run("export", "--format", "env", "--show-secret", *where)
    assert json.loads(capsys.readouterr().out) == {"access": "abcdef", "format": "env", "content": text}


def _run(*words: str) -> None:
    with contextlib.suppress(SystemExit):
        creds.app([*words])

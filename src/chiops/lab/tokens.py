"""A lab's Jupyter token: made once, kept on this machine for its owner alone, dropped with the lab."""

from __future__ import annotations

import secrets
from pathlib import Path

from chiops import paths


def token(lab: str) -> str:
    """The lab's token, made at first use."""
    return existing(lab) or rotate(lab)


def existing(lab: str) -> str:
    """The lab's token; "" if none has been made here."""
    path = _path(lab)
    return path.read_text(encoding="ascii") if path.is_file() else ""


def rotate(lab: str) -> str:
    """Make another token in place of the one there is; nodes have it after the next configuration."""
    made = secrets.token_hex(24)
    draft = _path(lab).with_suffix(".new")
    draft.unlink(missing_ok=True)
    draft.touch(mode=0o600)
    draft.write_text(made, encoding="ascii")
    draft.replace(_path(lab))
    return made


def forget(lab: str) -> None:
    """Drop the token of a lab that is gone."""
    _path(lab).unlink(missing_ok=True)


def _path(lab: str) -> Path:
    # Names may hold dots: a suffix of our own keeps the draft of one from being another's token.
    return paths.private_dir(paths.state_dir() / "jupyter") / f"{lab}.token"

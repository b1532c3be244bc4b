"""A lab file to begin with: from the commented one, or from a built-in lab."""

from __future__ import annotations

import re
from pathlib import Path

from chiops import assets
from chiops.errors import UsageError
from chiops.lab.loader import Lab, find, parse

SUFFIXES = (".yaml", ".yml", ".j2")
_NAME = re.compile(r"^name:.*$", re.MULTILINE)


def write(target: str, like: str = "") -> tuple[Path, Lab]:
    """Write a lab file that is right as it is.

    Args:
        target: a path, or the lab's name, for ``<name>.yaml`` in this folder.
        like: the lab to copy; "" for the commented starter.

    Raises:
        UsageError: the file exists, or can't be written; there is no such lab to copy.
        LabFileError: the lab to copy is not right, or the file's name is none for a lab.
    """
    path = Path(target if target.endswith(SUFFIXES) else f"{target}.yaml").expanduser()
    name = path.name.removesuffix(".j2").rsplit(".", 1)[0]
    source = find(like) if like else assets.templates() / "lab-starter.yaml.j2"
    text = _renamed(source.read_text(encoding="utf-8"), name)
    lab = parse(text, str(path), {})
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as stream:
            stream.write(text)
    except FileExistsError:
        raise UsageError(f"{path} exists", todo="choose another name; nothing is overwritten") from None
    except OSError as error:
        raise UsageError(f"{path} can't be written", why=error.strerror or str(error)) from None
    return path, lab


def _renamed(text: str, name: str) -> str:
    """The file with the lab's name changed, so that both can be up at once; all else to the letter."""
    return _NAME.sub(f"name: {name}", text, count=1)

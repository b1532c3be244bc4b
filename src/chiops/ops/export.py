"""An S3 key in the words of the programs that use it, and into a file that only its owner can read."""

from __future__ import annotations

import enum
import re
import shlex
from pathlib import Path

from chiops import files
from chiops.cloud.base import Ec2Credential, S3Endpoint
from chiops.errors import UsageError


class ExportFormat(enum.StrEnum):
    """For whom a key is written."""

    RCLONE = "rclone"
    AWS = "aws"
    ENV = "env"


LARGEST_BYTES = 1 << 20


def render(format_: ExportFormat, credential: Ec2Credential, endpoint: S3Endpoint, name: str) -> str:
    """The key as a section of rclone.conf or of AWS's credentials file, or as variables, for shells and ``--env-file``.

    Args:
        format_: for whom.
        credential: the key, with its secret.
        endpoint: where it is good.
        name: rclone's remote or AWS's profile; variables have none.
    """
    if format_ is ExportFormat.ENV:
        return _variables(credential, endpoint)
    if format_ is ExportFormat.RCLONE:
        options = {
            "type": "s3",
            "provider": endpoint.provider,
            "access_key_id": credential.access,
            "secret_access_key": credential.secret,
            "endpoint": endpoint.url,
            "region": endpoint.region,
        }
    else:
        options = {
            "aws_access_key_id": credential.access,
            "aws_secret_access_key": credential.secret,
            "region": endpoint.region,
            "endpoint_url": endpoint.url,
        }
    return f"[{name}]\n" + "".join(f"{key} = {value}\n" for key, value in options.items() if value)


def _variables(credential: Ec2Credential, endpoint: S3Endpoint) -> str:
    values = {
        "AWS_ACCESS_KEY_ID": credential.access,
        "AWS_SECRET_ACCESS_KEY": credential.secret,
        "AWS_DEFAULT_REGION": endpoint.region,
        "AWS_ENDPOINT_URL_S3": endpoint.url,
        "S3_ENDPOINT_URL": endpoint.url,
    }
    return "".join(f"{key}={shlex.quote(value)}\n" for key, value in values.items())


def check_name(name: str) -> str:
    """The name of a section, if both rclone and AWS take it.

    Raises:
        UsageError: they do not.
    """
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", name, re.ASCII):
        raise UsageError(f"{name!r} is no name for a remote", todo="use letters, digits, _, . and -")
    return name


def merge(before: str, section: str) -> str:
    """``before`` with ``section`` in place of its section of the same name, or behind all; the rest stays to the letter."""
    header = section.splitlines()[0]
    kept: list[str] = []
    inside = False
    for line in before.splitlines(keepends=True):
        if line.lstrip().startswith("["):
            inside = line.strip() == header
        if not inside:
            kept.append(line)
    rest = "".join(kept)
    if rest and not rest.endswith("\n"):
        rest += "\n"
    gap = "\n" if rest.strip() and not rest.endswith("\n\n") else ""
    return rest + gap + section


def read(path: Path) -> str:
    """What the file holds now; "" if there is none.

    Raises:
        UsageError: it is no text file, or too large to be one of these.
    """
    try:
        with path.open("rb") as stream:
            data = stream.read(LARGEST_BYTES + 1)
        if len(data) <= LARGEST_BYTES:
            return data.decode()
    except FileNotFoundError:
        return ""
    except UnicodeDecodeError:
        pass
    except OSError as error:
        raise UsageError(f"{path} can't be read", why=error.strerror or str(error)) from None
    raise UsageError(f"{path} is no configuration file", todo="name another")


def write_private(path: Path, text: str) -> None:
    """Replace the file as a whole; it is readable by its owner only from its first byte on.

    Raises:
        UsageError: its folder can't be made or written to.
    """
    path = path.resolve()  # a link keeps pointing where it points
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        files.replace(path, text)
    except OSError as error:
        raise UsageError(f"{path} can't be written", why=error.strerror or str(error)) from None

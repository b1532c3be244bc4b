"""Docker's Engine API, which is all that the site speaks, so the version of an installed Docker command does not matter."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from chiops.errors import Capacity, ChiopsError, CloudError, Conflict, NotFound, PrerequisiteMissing, Timeout, Transient

if TYPE_CHECKING:
    from docker import DockerClient

_DEFAULT_SOCKET = "unix:///var/run/docker.sock"
_CALL_S = 120
_PING_S = 5


def host_url() -> str:
    """Where this machine's Docker is; nodes need its file system, so a remote one is refused."""
    url = os.environ.get("DOCKER_HOST") or _DEFAULT_SOCKET
    if not url.startswith("unix://"):
        raise PrerequisiteMissing(
            f"DOCKER_HOST names a Docker elsewhere ({url}), and the local site's nodes need this machine's",
            todo="unset DOCKER_HOST",
        )
    return url


def connect(url: str, timeout_s: int = _PING_S) -> DockerClient | None:
    """A client for ``url`` if a daemon answers there."""
    if not Path(url.removeprefix("unix://")).exists():
        return None
    import docker
    from docker.errors import DockerException

    try:
        client = docker.DockerClient(base_url=url, version="auto", timeout=timeout_s, max_pool_size=32)
    except DockerException:
        return None
    client.api.timeout = _CALL_S
    return client


def is_forbidden(url: str) -> bool:
    """Whether a daemon's socket is there, and this account may not use it."""
    path = url.removeprefix("unix://")
    return Path(path).exists() and not os.access(path, os.R_OK | os.W_OK)


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """Turn Docker's errors in the body into ours; ``doing`` is the clause that says what was tried, e.g. "Creating node a"."""
    from docker.errors import APIError, DockerException
    from requests.exceptions import ConnectionError as Unreachable
    from requests.exceptions import RequestException
    from requests.exceptions import Timeout as TooSlow

    try:
        yield
    except APIError as error:
        raise _api_error(doing, error.explanation or str(error), error.status_code) from error
    except TooSlow as error:
        raise Timeout(f"{doing}: Docker did not answer in time", todo="try again") from error
    except (Unreachable, BrokenPipeError, ConnectionResetError) as error:
        raise Transient(
            f"{doing}: Docker went away", todo="try again when it runs; chiops starts one of its own anew"
        ) from error
    except (DockerException, RequestException) as error:
        raise CloudError(f"{doing} failed", why=str(error)) from error


def _api_error(doing: str, why: str, status: int | None) -> ChiopsError:
    text = why.lower()
    if "no space left" in text:
        return Capacity(f"{doing} failed", why="the disk is full", todo="free some space and try again")
    if "no available ipv4" in text or "no available addresses" in text:
        return Capacity(f"{doing} failed", why="the site's addresses are used up")
    if status == 404:
        return NotFound(f"{doing} failed", why=why)
    if status == 409:
        return Conflict(f"{doing} failed", why=why)
    return CloudError(f"{doing} failed", why=why)

"""This machine's package settings, as nodes get them: where apt and pip look, and which certificates they trust.

A cloud's image carries its mirrors' settings. The local site's nodes have this machine's own, read when an image is built or a node
is made; those of another site get them where its facts say so (``hand_over_packages``).
"""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

SUITE = "bookworm"
"""The Debian release that nodes run."""
CA_BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
"""Where Debian keeps the trusted certificates in one file."""
CA_EXTRA = "/usr/local/share/ca-certificates"
"""Where Debian keeps certificates that an administrator added."""
_APT_KEYS = (
    "Acquire::http::",
    "Acquire::https::",
    "Acquire::Check-Valid-Until ",
    "Acquire::Check-Date ",
    "Acquire::Retries ",
    "Acquire::ForceIPv4 ",
)
_PIP_KEYS = ("index-url", "extra-index-url", "find-links", "no-index", "trusted-host", "proxy", "default-timeout")


@dataclass(frozen=True, slots=True)
class Handover:
    """What nodes are told.

    Attributes:
        sources: lines of /etc/apt/sources.list; none where this machine is not of that release, so that Debian's own apply.
        apt_options: lines of apt.conf.
        pip: what pip is told about where packages come from, by key.
        pip_conf: the text of /etc/pip.conf.
        pip_dirs: local directories that pip's settings name; nodes see them at the same paths.
        certificates: path on the node → content, of everything that this machine trusts.
    """

    sources: tuple[str, ...]
    apt_options: tuple[str, ...]
    pip: Mapping[str, str]
    pip_conf: str
    pip_dirs: tuple[str, ...]
    certificates: Mapping[str, bytes]


@cache
def collect() -> Handover:
    """This machine's settings; read once per process."""
    settings = pip_settings(_output([sys.executable, "-m", "pip", "config", "list"]))
    return Handover(
        sources=debian_sources(_output(_INDEX_TARGETS)),
        apt_options=apt_options(_output(["apt-config", "dump"])),
        pip=settings,
        pip_conf=render_pip(settings),
        pip_dirs=local_dirs(settings.values()),
        certificates=_certificates(),
    )


def as_variables() -> dict[str, object]:
    """The settings for a node that shares no directories with this machine, as variables of the role ``packages``.

    To be treated as secrets: an index's or a proxy's address may carry a password.
    """
    found = collect()
    return {
        "packages_suite": SUITE,
        "packages_sources": list(found.sources),
        "packages_apt_options": list(found.apt_options),
        "packages_pip_conf": render_pip(remote_only(found.pip)),
        "packages_certificates": {path: text.decode(errors="replace") for path, text in found.certificates.items()},
    }


def remote_only(settings: Mapping[str, str]) -> dict[str, str]:
    """pip's settings without this machine's own files: where only those are searched, the node keeps to pip's default."""
    kept = {}
    for key, value in settings.items():
        words = [word for word in value.split() if not word.startswith(("file:", "/"))]
        if words and key != "no-index":
            kept[key] = " ".join(words)
    return kept


_INDEX_TARGETS = [
    "apt-get",
    "indextargets",
    "--format",
    "$(ORIGIN) $(SITE) $(RELEASE) $(COMPONENT)",
    "Created-By: Packages",
]


def debian_sources(targets: str) -> tuple[str, ...]:
    """Source lines for `SUITE` from apt's own list of index targets; none unless it has the main archive."""
    found = set()
    for line in targets.splitlines():
        match line.split():
            case ["Debian", site, release, "main"] if release.split("-")[0] == SUITE:
                found.add((site, release))
    if not any(release == SUITE for _, release in found):
        return ()
    return tuple(f"deb {site} {release} main" for site, release in sorted(found, key=lambda item: item[1]))


def apt_options(dump: str) -> tuple[str, ...]:
    """The lines of ``apt-config dump`` that say how packages are fetched."""
    return tuple(line for line in dump.splitlines() if line.startswith(_APT_KEYS) and not line.endswith(' "";'))


def pip_settings(listing: str) -> dict[str, str]:
    """What ``pip config list`` says about where packages come from; the environment wins, as it does for pip."""
    found: dict[str, tuple[int, str]] = {}
    for line in listing.splitlines():
        scoped, separator, quoted = line.partition("=")
        scope, _, key = scoped.strip().rpartition(".")
        if not separator or key not in _PIP_KEYS or scope not in ("global", "install", ":env:"):
            continue
        try:
            value = str(ast.literal_eval(quoted.strip()))
        except (ValueError, SyntaxError):
            continue
        rank = ("global", "install", ":env:").index(scope)
        if rank >= found.get(key, (-1, ""))[0]:
            found[key] = (rank, value)
    return {key: value for key, (_, value) in found.items()}


def render_pip(settings: Mapping[str, str]) -> str:
    """A pip.conf with these settings, and the certificates that the node has."""
    lines = ["[global]", f"cert = {CA_BUNDLE}"]
    for key, value in sorted(settings.items()):
        words = [word for word in value.split() if word]
        lines.append(f"{key.removeprefix('default-')} = {' '.join(words)}")
    return "\n".join(lines) + "\n"


def local_dirs(values: Iterable[str]) -> tuple[str, ...]:
    """The existing local directories among pip's values. An index is mounted as a whole, not only its ``simple/``."""
    found = set()
    for word in (word for value in values for word in value.split()):
        path = Path(unquote(urlsplit(word).path) if word.startswith("file://") else word)
        if path.is_absolute() and path.is_dir():
            found.add(str(path.parent if path.name == "simple" else path))
    return tuple(sorted(found))


def _certificates() -> dict[str, bytes]:
    found = {}
    bundle = Path(os.environ.get("SSL_CERT_FILE") or CA_BUNDLE)
    if bundle.is_file():
        found[CA_BUNDLE] = bundle.read_bytes()
    for extra in sorted(Path(CA_EXTRA).glob("*.crt")):
        found[f"{CA_EXTRA}/{extra.name}"] = extra.read_bytes()
    return found


def _output(command: list[str]) -> str:
    """What a command prints; nothing if it is not there or fails, since every setting has a default."""
    if shutil.which(command[0]) is None:
        return ""
    done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    return done.stdout if done.returncode == 0 else ""

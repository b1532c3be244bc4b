"""The sites: facts from ``sites.yaml``, and a signed-in cloud for each."""

from __future__ import annotations

import os
from dataclasses import dataclass, fields
from pathlib import Path

from chiops import paths
from chiops.cloud.base import Cloud, SiteFacts
from chiops.errors import UsageError
from chiops.names import suggestion

DEFAULT_SITE = "local"
"""Where nothing else is said."""
VARIABLE = "CHIOPS_SITE"
_DEFAULT_KEY = "default"
_KEYS = frozenset(field.name for field in fields(SiteFacts)) - {"name"}


@dataclass(frozen=True, slots=True)
class Meant:
    """A site that a command means; ``why`` is how that came, as a clause, "" where the person named it."""

    site: str
    why: str = ""


def chosen() -> Meant | None:
    """The site that the person has chosen for all commands: by CHIOPS_SITE, else by ``default:`` in their ``sites.yaml``.

    Raises:
        UsageError: the person's ``sites.yaml`` is not right.
    """
    if name := os.environ.get(VARIABLE, "").strip():
        return Meant(name, f"as {VARIABLE} says")
    configured = _parsed(_own()).get(_DEFAULT_KEY)
    return Meant(str(configured), f"as {_own()} says") if configured else None


def sites() -> dict[str, SiteFacts]:
    """All known sites by name.

    Raises:
        UsageError: the person's ``sites.yaml`` is not right; names file and key.
    """
    merged: dict[str, dict[str, object]] = {}
    for path in (Path(__file__).with_name("sites.yaml"), _own()):
        for name, facts in _read(path).items():
            merged.setdefault(name, {}).update(facts)
    return {name: _facts(name, values) for name, values in merged.items()}


def every() -> dict[str, SiteFacts]:
    """All known sites by name, and every entry of clouds.yaml, which is a site by its own.

    Raises:
        UsageError: the person's ``sites.yaml`` or clouds.yaml is not right.
    """
    from chiops.cloud.openstack.entries import as_site, entries

    known = sites()
    return known | {entry.name: as_site(entry, known) for entry in entries().values() if entry.name not in known}


def site(name: str) -> SiteFacts:
    """The facts of one site: one of ``sites.yaml``, or an entry of clouds.yaml by its name.

    Raises:
        UsageError: no such site; names the nearest one.
    """
    known = sites()
    if name in known:
        return known[name]
    from chiops.cloud.openstack.entries import entries, facts_of

    facts = facts_of(name, known)
    if facts is None:
        raise UsageError(f"there is no site {name!r}", todo=suggestion(name, [*known, *entries()]))
    return facts


def connect(name: str) -> Cloud:
    """A signed-in connection to a site; close it when done.

    Raises:
        UsageError: no such site.
        Auth: there are no credentials for it.
    """
    facts = site(name)
    if facts.cloud == "local":
        from chiops.cloud.local.cloud import LocalCloud

        return LocalCloud()
    from chiops.cloud.openstack.cloud import OpenStackCloud

    return OpenStackCloud(facts)


def _own() -> Path:
    return paths.config_dir() / "sites.yaml"


def _read(path: Path) -> dict[str, dict[str, object]]:
    found: dict[str, dict[str, object]] = {}
    for name, facts in _parsed(path).items():
        if name == _DEFAULT_KEY:
            continue
        if not isinstance(facts, dict):
            raise UsageError(f"{path} must map each site's name to its facts")
        for key in facts:
            if key not in _KEYS:
                raise UsageError(f"{path}: {name} has an unknown key {key!r}", todo=suggestion(str(key), _KEYS))
        found[name] = facts
    return found


def _parsed(path: Path) -> dict[str, object]:
    if not path.is_file():
        return {}
    import yaml

    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UsageError(f"{path} can't be read", why=" ".join(str(error).split())) from error
    if not isinstance(data, dict):
        raise UsageError(f"{path} must map each site's name to its facts")
    if not isinstance(data.get(_DEFAULT_KEY, ""), str):
        raise UsageError(f"{path}: {_DEFAULT_KEY} must be the name of a site")
    return data


def _facts(name: str, values: dict[str, object]) -> SiteFacts:
    from pydantic import TypeAdapter, ValidationError

    try:
        return TypeAdapter(SiteFacts).validate_python({"name": name, "cloud": "openstack", **values})
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise UsageError(f"the facts of the site {name} are not right", why=f"{key}: {first['msg']}") from error

"""clouds.yaml: which entry is which site's, and a site for each entry."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from chiops.cloud.base import SiteFacts
from chiops.errors import Ambiguous, UsageError

ENVIRONMENT = "envvars"
"""What openstacksdk calls the OS_* variables as an entry."""

_NOBODYS = frozenset({ENVIRONMENT, "defaults"})
"""Entries that openstacksdk makes up: from OS_* variables, and where nothing at all is configured."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What an entry of clouds.yaml says about where it leads; regions may be several."""

    name: str
    auth_url: str
    regions: tuple[str, ...]


def entries() -> dict[str, Entry]:
    """The entries of clouds.yaml, where openstacksdk finds it (here, ~/.config/openstack, OS_CLIENT_CONFIG_FILE).

    Raises:
        UsageError: the file can't be read.
    """
    from openstack.config import OpenStackConfig
    from openstack.exceptions import SDKException

    try:
        _require_readable()
        found = OpenStackConfig().cloud_config.get("clouds") or {}
        return {name: _entry(name, values or {}) for name, values in found.items() if name not in _NOBODYS}
    # The last two: the file is not of its shape
    except (SDKException, OSError, TypeError, AttributeError) as error:
        raise UsageError("clouds.yaml can't be read", why=" ".join(str(error).split())) from error


def _require_readable() -> None:
    """Raise what is wrong with the files that openstacksdk is about to read: it passes over what it can't parse without a word."""
    from openstack.config.loader import CONFIG_FILES, SECURE_FILES

    for given, usual in (("OS_CLIENT_CONFIG_FILE", CONFIG_FILES), ("OS_CLIENT_SECURE_FILE", SECURE_FILES)):
        for path in filter(None, (os.environ.get(given), *usual)):
            # Of the first that is there; one that is not for us is passed over here, too
            with suppress(FileNotFoundError, PermissionError):
                # By the name, as openstacksdk tells them apart
                if fault := _fault(Path(path).read_bytes(), json_=path.endswith("json")):
                    raise UsageError("clouds.yaml can't be read", why=f"{path} {fault}")
                break


def _fault(content: bytes, *, json_: bool) -> str:
    """How a file can't be parsed, and where; not in the parser's words, which may hold what it stumbled over: a password."""
    import yaml

    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        return f"is not UTF-8{_after(content[: error.start].decode())}"
    try:
        json.loads(text) if json_ else yaml.safe_load(text)
    except json.JSONDecodeError as error:
        return f"is no JSON{_after(text[: error.pos])}"
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        return f"is no YAML{_after(text[: mark.index]) if mark else ''}"
    except yaml.reader.ReaderError as error:
        return f"is no YAML{_after(text[: error.position])}"
    # The constructors', of a value that is not of the kind its tag or shape says
    except (yaml.YAMLError, ValueError, LookupError, AttributeError, TypeError, RecursionError):
        return "can't be parsed"
    return ""


def _after(text: str) -> str:
    """The place behind a text, for people."""
    lines = text.split("\n")
    return f" at line {len(lines)}, column {len(lines[-1]) + 1}"


def _entry(name: str, values: Mapping[str, object]) -> Entry:
    auth, regions = values.get("auth"), values.get("regions")
    named = (
        [item.get("name", "") if isinstance(item, Mapping) else item for item in regions]
        if isinstance(regions, list)
        else []
    )
    one = values.get("region_name")
    url = auth.get("auth_url", "") if isinstance(auth, Mapping) else ""
    return Entry(name, str(url), tuple(dict.fromkeys(str(it) for it in [one, *named] if it)))


def facts_of(name: str, known: Mapping[str, SiteFacts]) -> SiteFacts | None:
    """An entry of clouds.yaml as a site: a known site's facts where it leads there, else what the entry says.

    Args:
        name: the entry's.
        known: the sites of sites.yaml.

    Returns:
        None if there is no such entry.
    """
    entry = entries().get(name)
    return as_site(entry, known) if entry else None


def as_site(entry: Entry, known: Mapping[str, SiteFacts]) -> SiteFacts:
    """`facts_of`, for an entry that is at hand."""
    name = entry.name
    region = entry.regions[0] if entry.regions else ""
    for facts in known.values():
        if facts.cloud == "openstack" and region == region_of(facts) and same_host(facts.auth_url, entry.auth_url):
            description = f"{facts.name}, by the entry {name} of clouds.yaml"
            return replace(facts, name=name, os_cloud=name, description=description)
    return SiteFacts(
        name=name,
        cloud="openstack",
        os_cloud=name,
        region=region,
        auth_url=entry.auth_url,
        description=f"the entry {name} of clouds.yaml",
    )


def entry_for(facts: SiteFacts) -> Entry | None:
    """The entry to sign in at a site with: the one that the facts name, then OS_CLOUD, then the one that leads there.

    Raises:
        UsageError: the facts or OS_CLOUD name an entry that is not there.
        Ambiguous: several lead there, and none has the site's name.
    """
    known = entries()
    if facts.os_cloud:
        return _named(facts.os_cloud, known, f"the site {facts.name} is to be signed in to with {facts.os_cloud!r}")
    matching = [entry for entry in known.values() if leads_to(entry, facts)]
    chosen = os.environ.get("OS_CLOUD", "")
    if chosen:
        entry = _named(chosen, known, f"OS_CLOUD is {chosen!r}")
        # Credentials are per Keystone: of two sites with different ones OS_CLOUD can mean only one
        if entry in matching or not facts.auth_url or same_host(entry.auth_url, facts.auth_url):
            return entry
    for entry in matching:
        if entry.name.lower() == facts.name.lower():
            return entry
    if len(matching) > 1:
        names = ", ".join(sorted(entry.name for entry in matching))
        raise Ambiguous(
            f"several entries of clouds.yaml lead to {facts.name}", why=names, todo="choose one with OS_CLOUD"
        )
    return matching[0] if matching else None


def leads_to(entry: Entry, facts: SiteFacts) -> bool:
    """Whether an entry is for the site: by its name, or by region at the site's Keystone."""
    if entry.name.lower() == facts.name.lower():
        return True
    here = not facts.auth_url or not entry.auth_url or same_host(entry.auth_url, facts.auth_url)
    return here and (region_of(facts) in entry.regions or (bool(facts.auth_url) and not entry.regions))


def region_of(facts: SiteFacts) -> str:
    """The region to ask the service catalogue for: a site of sites.yaml may be called after it, an entry of clouds.yaml is not."""
    return facts.region or ("" if facts.os_cloud == facts.name else facts.name)


def same_host(one: str, other: str) -> bool:
    """Whether two URLs lead to one host."""
    return bool(one) and urlsplit(one).hostname == urlsplit(other).hostname


def whereabouts(facts: SiteFacts) -> tuple[str, str]:
    """The host one signs in at, and the region that leads to; "" for what nothing says. Sites of several names may share both."""
    try:
        entry = entry_for(facts)
    except (UsageError, Ambiguous):
        entry = None
    regions = entry.regions if entry else ()
    # As `signin` has it: a site of sites.yaml is called after its region, an entry of clouds.yaml as anybody likes
    named = facts.name in regions or (facts.auth_url and facts.os_cloud != facts.name)
    region = facts.region or (facts.name if named else next(iter(regions), ""))
    url = (entry.auth_url if entry else "") or facts.auth_url
    return urlsplit(url).hostname or "", region


def _named(name: str, known: Mapping[str, Entry], what: str) -> Entry:
    from chiops.names import suggestion

    if name not in known:
        raise UsageError(f"{what}, but clouds.yaml has no such entry", todo=suggestion(name, known))
    return known[name]

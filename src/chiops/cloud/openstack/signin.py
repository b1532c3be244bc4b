"""Signing in at a site, with whatever the person has: clouds.yaml, Chameleon's Jupyter, or OS_* variables."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from chiops.cloud.base import SiteFacts
from chiops.cloud.openstack.entries import ENVIRONMENT, entry_for, region_of, same_host
from chiops.cloud.openstack.errors import translated
from chiops.cloud.openstack.transport import READ_S, harden
from chiops.errors import Auth, NoCredentials

if TYPE_CHECKING:
    from openstack.connection import Connection

_WITH_PASSWORD = frozenset({"password", "v3password", "v2password"})
_CHI_LOCK = threading.Lock()
"""python-chi keeps its site in a variable of the process."""


def sign_in(facts: SiteFacts) -> Connection:
    """A connection to the site; the token is asked for with the first request.

    In this order: the entry of clouds.yaml that the facts or OS_CLOUD name or that leads to the site, the session of Chameleon's
    Jupyter, which refreshes its token, and the OS_* variables of an openrc file.

    Raises:
        NoCredentials: there are none for the site.
        UsageError, Ambiguous: clouds.yaml leaves it open which ones.
    """
    with translated(f"signing in at {facts.name}"):
        connection = _connection(facts)
        harden(connection.session)
        # openstacksdk has keystoneauth ask Glance five times more, with pauses of any length
        connection.config.config["image_status_code_retries"] = 0
        refuse_reentry(connection.session.auth)
        return connection


def refuse_reentry(auth: Any) -> None:
    """Have a plugin that needs a token in the midst of getting one say so, instead of waiting for itself without end.

    keystoneauth signs in under a lock, and looks up Keystone's versions there; if that is answered 401, it asks again with a token,
    for which it wants the same lock. Refused, it takes the version from the address.
    """
    from keystoneauth1.exceptions import Unauthorized

    get_access, busy = auth.get_access, threading.local()

    def get_access_once(*args: Any, **kwargs: Any) -> Any:
        if getattr(busy, "now", False):
            raise Unauthorized("Keystone wants a token before it gives one")
        busy.now = True
        try:
            return get_access(*args, **kwargs)
        finally:
            busy.now = False

    auth.get_access = get_access_once


def _connection(facts: SiteFacts) -> Connection:
    entry = entry_for(facts)
    if entry:
        here = region_of(facts)
        # The entry's own region is one of a Keystone that may serve several, this site's among them
        other = here not in entry.regions and bool(facts.auth_url or facts.region)
        return _configured(entry.name, here if other or here in entry.regions else "")
    if in_chameleon_jupyter():
        return _from_jupyter(facts)
    url = os.environ.get("OS_AUTH_URL", "")
    if url and (not facts.auth_url or same_host(url, facts.auth_url)):
        return _configured(ENVIRONMENT, region_of(facts) if facts.auth_url or facts.region else "")
    raise NoCredentials(
        f"there are no credentials for {facts.name}",
        why=f"OS_AUTH_URL leads to {url}, and each site has its own credentials" if url else "",
        todo=f"make an application credential at {facts.web or 'the dashboard'} (Identity, Application Credentials, "
        f"'unrestricted' ticked), and put the clouds.yaml that it offers into ~/.config/openstack with {facts.name!r} as "
        "the entry's name, or load its openrc file",
    )


def _configured(name: str, region: str) -> Connection:
    """A connection by an entry as openstacksdk reads it, in ``region`` if that is given."""
    from openstack.config import OpenStackConfig
    from openstack.connection import Connection

    config = OpenStackConfig()
    if region:
        # Asked for another region than the entry's, `get_one` refuses, though the token is good for all of them
        values = config.cloud_config["clouds"][name]
        values.pop("regions", None)
        values["region_name"] = region
    _require_password(name, config.cloud_config["clouds"][name])
    return Connection(config=config.get_one(cloud=name, api_timeout=READ_S))


def _require_password(name: str, values: Mapping[str, Any]) -> None:
    """Raise if an entry signs in by password and has none: keystoneauth says so in an exception of no kind, or of any."""
    auth = values.get("auth") or {}
    kind = values.get("auth_type") or ("password" if {"username", "user_id"} & auth.keys() else "")
    if kind not in _WITH_PASSWORD or {"password", "token"} & (auth.keys() | values.keys()):
        return
    if name == ENVIRONMENT:
        raise Auth("OS_PASSWORD is not set", todo="set it, or load your openrc file again")
    raise Auth(
        f"the entry {name} of clouds.yaml has no password",
        todo="add `password` below `auth`, which the file that the dashboard offers leaves out, or make an application credential",
    )


def in_chameleon_jupyter() -> bool:
    """Whether this runs where JupyterHub hands out Chameleon's tokens."""
    return bool(os.environ.get("JUPYTERHUB_API_URL")) and os.environ.get("OS_AUTH_TYPE") == "v3oidcaccesstoken"


def _from_jupyter(facts: SiteFacts) -> Connection:
    """python-chi's session for the site, set up without its `use_site`, which prints and asks a web service."""
    from chi import context
    from openstack.connection import Connection

    with _CHI_LOCK:
        if facts.auth_url:
            context.set("auth_url", facts.auth_url)
            context.set("region_name", region_of(facts))
            context.set("project_domain_name", context.DEFAULT_PROJECT_DOMAIN_NAME)
        adapter = context.session()
        return Connection(session=adapter.session, region_name=adapter.region_name)

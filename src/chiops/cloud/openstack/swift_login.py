"""How nodes sign in at the object store over Swift: with the application credential that we are signed in with, if it is one."""

from __future__ import annotations

from chiops.cloud.base import SwiftAccess
from chiops.cloud.openstack.site import Site


def access(site: Site) -> SwiftAccess | None:
    """The sign-in; None where ours is a password, a token or a credential known by name only."""
    auth = site.conn.config.config.get("auth") or {}
    credential_id, secret = auth.get("application_credential_id"), auth.get("application_credential_secret")
    if not (site.application_credential and credential_id and secret):
        return None
    return SwiftAccess(
        auth_url=versioned(str(auth["auth_url"])),
        region=site.region,
        user_id=site.me.user_id,
        credential_id=str(credential_id),
        credential_secret=str(secret),
    )


def versioned(url: str) -> str:
    """Keystone's address with its version, which rclone asks for as it is written."""
    url = url.rstrip("/")
    return url if url.endswith("/v3") else f"{url}/v3"

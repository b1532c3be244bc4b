"""The remotes of a node's rclone.conf: the buckets over S3 with the lab's key, and over Swift where that can be had.

Swift takes no key made for a lab. Signing in with the person's password would put that on the node, and a token ends within hours;
so there is a Swift remote only where we are signed in with an application credential, which can be revoked by itself.
"""

from __future__ import annotations

from collections.abc import Mapping

from chiops.cloud.base import S3Access, SwiftAccess

S3 = "rclone_s3"
SWIFT = "rclone_swift"
"""The remotes' names in rclone.conf, as the labs' texts have them."""


def remotes(access: Mapping[str, S3Access], swift: SwiftAccess | None) -> dict[str, dict[str, str]]:
    """All remotes of a lab's nodes by name, with their secrets; none where the lab has no buckets."""
    if not access:
        return {}
    # one key opens all buckets of a lab
    found = {S3: s3_options(next(iter(access.values())))}
    return found | {SWIFT: swift_options(swift)} if swift else found


def s3_options(access: S3Access) -> dict[str, str]:
    """The buckets over S3, as rclone.conf has it."""
    return {
        "type": "s3",
        "provider": access.endpoint.provider,
        "access_key_id": access.access,
        "secret_access_key": access.secret,
        "endpoint": access.endpoint.url,
        "region": access.endpoint.region,
    }


def swift_options(access: SwiftAccess) -> dict[str, str]:
    """The same buckets over Swift, as rclone.conf has it."""
    return {
        "type": "swift",
        "user_id": access.user_id,
        "application_credential_id": access.credential_id,
        "application_credential_secret": access.credential_secret,
        "auth": access.auth_url,
        "auth_version": "3",
        "region": access.region,
    }


def told(access: Mapping[str, S3Access], swift: SwiftAccess | None) -> list[object]:
    """What of the remotes makes a node's configuration another, without a secret."""
    keys = {name: [one.access, one.endpoint.url] for name, one in access.items()}
    return [keys, [swift.credential_id, swift.auth_url, swift.region] if swift else []]

"""Who the person is at the local site, and their S3 keys."""

from __future__ import annotations

import os
import pwd
from collections.abc import Sequence
from typing import TYPE_CHECKING

from chiops.cloud.base import Ec2Credential, Identity, Mark
from chiops.cloud.local.keys import Key, Keys
from chiops.cloud.local.s3server import S3Server

if TYPE_CHECKING:
    from chiops.cloud.local.site import LocalSite


class LocalIdentity:
    """`base.IdentityService` at the local site: the account of this machine is the user, the site the one project."""

    def __init__(self, site: LocalSite) -> None:
        self._site = site
        self._keys = Keys(site.store)
        self._server = S3Server(site, self._keys)
        site.on_idle(self._server.stop)

    @property
    def s3_server(self) -> S3Server:
        """The server that the keys are for."""
        return self._server

    def whoami(self) -> Identity:
        """The account that runs chiops."""
        uid = os.getuid()
        try:
            name = pwd.getpwuid(uid).pw_name
        except KeyError:
            name = str(uid)
        return Identity(user_id=str(uid), user_name=name, project_id=self._project, project_name="local")

    def ec2_credentials(self) -> Sequence[Ec2Credential]:
        """All S3 keys of the site but our own."""
        return [self._credential(key) for key in self._keys.list()]

    def create_ec2_credential(self, *, mark: Mark) -> Ec2Credential:
        """A new S3 key, good in every bucket of the site from now on."""
        key = self._keys.add(mark)
        self._server.apply()
        return self._credential(key)

    def delete_ec2_credential(self, access: str) -> None:
        """Revoke an S3 key; the S3 server refuses it when this returns.

        Raises:
            NotFound: there is no such key.
        """
        self._keys.revoke(access)
        self._server.apply()

    @property
    def _project(self) -> str:
        return f"local-{self._site.id}"

    def _credential(self, key: Key) -> Ec2Credential:
        return Ec2Credential(
            access=key.access, secret=key.secret, project_id=self._project, mark=key.mark, created=key.created
        )

"""Keystone's part: who we are, and EC2 credentials, the keys to S3.

They are made through ``/v3/credentials``, which stores a blob as it is given: so the mark is in it from the start, and the
access key is ours to choose, which makes a repeated request harmless. A site that keeps that interface to administrators has
``OS-EC2``, which stores nothing but the pair: then this machine remembers which are ours.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from chiops.cloud.base import Ec2Credential, Identity, Mark
from chiops.cloud.openstack import times, told
from chiops.cloud.openstack.once import once
from chiops.cloud.openstack.record import Record
from chiops.cloud.openstack.site import Site
from chiops.errors import Auth, NotFound


class OpenStackIdentity:
    """`base.IdentityService` at one site."""

    def __init__(self, site: Site) -> None:
        self._site = site

    @property
    def _keystone(self) -> Any:
        return self._site.keystone

    @property
    def _record(self) -> Record:
        return Record("credentials", self._site.me.project_id, self._site.region)

    def whoami(self) -> Identity:
        """The user and project that the token is for."""
        return self._site.me

    def ec2_credentials(self) -> Sequence[Ec2Credential]:
        """The user's own pairs for this project. A patched Keystone shows none to an application credential."""
        me = self._site.me
        remembered = self._record.all()
        with self._site.doing("listing EC2 credentials"):
            found = told.with_ids(self._keystone.credentials(type="ec2", user_id=me.user_id))
        credentials = (_credential(item, remembered) for item in found if item.project_id == me.project_id)
        return [credential for credential in credentials if credential]

    def create_ec2_credential(self, *, mark: Mark) -> Ec2Credential:
        """Make a pair.

        Raises:
            Auth: the sign-in may not: a patched Keystone refuses application credentials.
        """
        me = self._site.me
        access, secret, created = secrets.token_hex(16), secrets.token_hex(16), datetime.now(UTC)
        blob = {"access": access, "secret": secret, **mark.as_metadata(), "chiops-created": created.isoformat()}

        def make() -> Ec2Credential:
            with self._site.doing("creating an EC2 credential"):
                self._keystone.create_credential(
                    type="ec2", user_id=me.user_id, project_id=me.project_id, blob=json.dumps(blob)
                )
            return Ec2Credential(access=access, secret=secret, project_id=me.project_id, mark=mark, created=created)

        def find() -> Ec2Credential | None:
            return next((it for it in self.ec2_credentials() if it.access == access), None)

        try:
            return once(make, find, what="the EC2 credential")
        except Auth as refused:
            return self._create_unlabelled(mark, refused)

    def _create_unlabelled(self, mark: Mark, refused: Auth) -> Ec2Credential:
        """Through ``OS-EC2``. If that is refused too, the first refusal is the one that explains."""
        me = self._site.me
        try:
            with self._site.doing("creating an EC2 credential"):
                answer = self._keystone.post(
                    f"/users/{me.user_id}/credentials/OS-EC2", json={"tenant_id": me.project_id}, raise_exc=True
                )
                made = answer.json()["credential"]
        except Auth:
            raise refused from None
        self._record.put(made["access"], mark)
        return Ec2Credential(access=made["access"], secret=made["secret"], project_id=me.project_id, mark=mark)

    def delete_ec2_credential(self, access: str) -> None:
        """Revoke a pair; Ceph's gateway may take it for five more minutes, from its cache."""
        try:
            with self._site.doing("revoking an EC2 credential", f"EC2 credential {access}"):
                self._keystone.delete_credential(hashlib.sha256(access.encode()).hexdigest(), ignore_missing=False)
        except Auth as refused:
            # Keystone says 403 of what is not there, so as not to tell which exist
            if access in {credential.access for credential in self.ec2_credentials()}:
                raise
            raise NotFound(f"there is no EC2 credential {access} of yours at {self._site.facts.name}") from refused
        self._record.drop(access)


def _credential(item: Any, remembered: Mapping[str, Mark]) -> Ec2Credential | None:
    try:
        blob = json.loads(item.blob)
    except (ValueError, TypeError):
        return None
    words = told.words(blob)
    access, secret = words.get("access"), words.get("secret")
    if not access or not secret:
        return None
    return Ec2Credential(
        access=access,
        secret=secret,
        project_id=item.project_id,
        mark=Mark.from_metadata(words) or remembered.get(access),
        created=times.parse(words.get("chiops-created")),
    )

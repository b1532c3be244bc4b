"""Cinder's part. Attaching and detaching go through Nova, which alone tells the server's hypervisor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from chiops.cloud.base import Attachment, Mark, State, Volume
from chiops.cloud.openstack import times, told
from chiops.cloud.openstack.errors import NoService
from chiops.cloud.openstack.once import REQUEST, once, word
from chiops.cloud.openstack.site import Site
from chiops.cloud.values import BETWEEN
from chiops.errors import Conflict, InvalidRequest, Stuck

STUCK_AFTER = timedelta(minutes=10)
"""Attaching and detaching take seconds; what is between for longer does not come out by itself."""
SERIAL_CHARACTERS = 20
"""As much of the volume's id as fits into a virtio disk's serial number."""


class OpenStackVolumes:
    """`base.Volumes` at one site."""

    def __init__(self, site: Site, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._site = site
        self._now = now

    @property
    def _cinder(self) -> Any:
        return self._site.cinder

    def list(self) -> Sequence[Volume]:
        """Every volume of the project; Cinder pages by 1000. A site without Cinder has none."""
        try:
            with self._site.doing("listing volumes"):
                return [volume(item, self._now()) for item in told.with_ids(self._cinder.volumes(details=True))]
        except NoService:
            return []

    def get(self, volume_id: str) -> Volume:
        """One volume."""
        with self._site.doing(f"reading the volume {volume_id}", f"volume {volume_id}"):
            return volume(self._cinder.get_volume(volume_id), self._now())

    def create(self, name: str, *, size_gib: int, mark: Mark, image_id: str = "", volume_type: str = "") -> Volume:
        """Ask for a volume, blank or from an image.

        Raises:
            Quota: the project's volumes or gigabytes are used up.
            InvalidRequest: an impossible size or an unknown type.
        """
        if size_gib < 1:
            raise InvalidRequest(f"a volume of {size_gib} GiB can't be made", todo="ask for 1 GiB at least")
        body: dict[str, Any] = {"name": name, "size": size_gib, "metadata": mark.as_metadata() | {REQUEST: word()}}
        if image_id:
            body["image_id"] = image_id
        if volume_type:
            body["volume_type"] = volume_type

        def make() -> Volume:
            with self._site.doing(f"creating the volume {name}"):
                return volume(self._cinder.create_volume(**body), self._now())

        def find() -> Volume | None:
            with self._site.doing("listing volumes"):
                for item in self._cinder.volumes(details=True, name=name):
                    if told.words(item.metadata).get(REQUEST) == body["metadata"][REQUEST]:
                        return volume(item, self._now())
            return None

        return once(make, find, what=f"the volume {name}")

    def extend(self, volume_id: str, size_gib: int) -> Volume:
        """Grow a volume.

        Raises:
            InvalidRequest: it is that large already.
            Conflict: it is attached, and the site grows only free volumes.
        """
        current = self.get(volume_id)
        if size_gib <= current.size_gib:
            raise InvalidRequest(
                f"the volume {current.name} has {current.size_gib} GiB and never shrinks", todo="ask for more"
            )
        with self._site.doing(f"extending the volume {volume_id}", f"volume {volume_id}"):
            self._cinder.extend_volume(volume_id, size_gib)
        return self.get(volume_id)

    def attach(self, volume_id: str, server_id: str) -> Attachment:
        """Attach a volume to a server.

        Raises:
            Conflict: it is attached already.
            Stuck: it hangs in `reserved`, `attaching` or `detaching`.
        """

        def make() -> Attachment:
            with self._site.doing(f"attaching the volume {volume_id} to the server {server_id}"):
                made = self._site.nova.create_volume_attachment(server_id, volume_id=volume_id)
            return _attachment(volume_id, server_id, made.device)

        def find() -> Attachment | None:
            return next((it for it in self.get(volume_id).attachments if it.server_id == server_id), None)

        return once(make, find, what=f"the attachment of the volume {volume_id}")

    def detach(self, volume_id: str, server_id: str) -> None:
        """Detach a volume; unmount it first."""
        thing = f"volume {volume_id} at the server {server_id}"
        with self._site.doing(f"detaching the {thing}", thing):
            self._site.nova.delete_volume_attachment(server_id, volume_id, ignore_missing=False)

    def delete(self, volume_id: str) -> None:
        """Delete a volume and what is on it.

        Raises:
            Conflict: it is attached.
            Stuck: it hangs in `reserved`, `attaching` or `detaching`.
        """
        try:
            with self._site.doing(f"deleting the volume {volume_id}", f"volume {volume_id}"):
                self._cinder.delete_volume(volume_id, ignore_missing=False)
        except Conflict as refused:
            # Cinder says which statuses it would take, and not which one it is
            status = self.get(volume_id).status
            if status in BETWEEN:
                raise Stuck(f"{refused.what}: it is {status}", todo=Stuck.WAY_OUT) from refused
            raise


def by_id(volume_id: str) -> str:
    """Where the volume shows on its node, whatever letter it got."""
    return f"/dev/disk/by-id/virtio-{volume_id[:SERIAL_CHARACTERS]}"


def volume(item: Any, now: datetime) -> Volume:
    """A volume as Cinder describes it."""
    status = told.text(item.status)
    state, fault = _state(status), ""
    changed = times.parse(item.updated_at) or times.parse(item.created_at)
    if status in BETWEEN and changed and now - changed > STUCK_AFTER:
        state = State.FAILED
        fault = f"it has been {status} since {changed:%Y-%m-%d %H:%M} UTC and does not come out by itself"
    elif state is State.FAILED:
        fault = f"Cinder reports {status.replace('_', ' ')}"
    return Volume(
        id=told.text(item.id),
        name=told.text(item.name),
        status=status,
        state=state,
        fault=fault,
        mark=Mark.from_metadata(told.words(item.metadata)),
        created=times.parse(item.created_at),
        size_gib=told.number(item.size) or 0,
        bootable=str(item.is_bootable).lower() == "true",
        volume_type=told.text(item.volume_type),
        attachments=tuple(
            _attachment(item.id, server_id, it.get("device"))
            for it in told.mappings(item.attachments)
            if (server_id := told.text(it.get("server_id")))
        ),
    )


def _attachment(volume_id: str, server_id: str, device: object) -> Attachment:
    return Attachment(volume_id=volume_id, server_id=server_id, device=told.text(device), by_id=by_id(volume_id))


def _state(status: str) -> State:
    if status == "available":
        return State.READY
    if status == "in-use":
        return State.IN_USE
    if status == "deleting":
        return State.DELETING
    return State.FAILED if status.startswith("error") else State.PENDING

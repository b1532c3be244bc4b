"""Calls from several threads, and several connections to one cloud, get on with each other."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from chiops.cloud.base import Cloud, Image, Keypair, Lease, Mark, SecurityGroup, Server, State
from chiops.errors import Conflict
from tests.support.scratch import Scratch


def at_once(*calls: Callable[[], object]) -> list[object]:
    """Run the calls at the same time; the first failure is raised."""
    with ThreadPoolExecutor(len(calls)) as pool:
        return [future.result() for future in [pool.submit(call) for call in calls]]


def test_different_resources_are_made_at_once(cloud: Cloud, scratch: Scratch, key: tuple[Path, str]) -> None:
    at_once(
        scratch.volume,
        scratch.volume,
        scratch.group,
        scratch.group,
        scratch.floating_ip,
        scratch.floating_ip,
        scratch.bucket,
        scratch.bucket,
        scratch.credential,
        lambda: scratch.keypair(key[1]),
    )
    lab = scratch.mark
    assert len([volume for volume in cloud.volumes.list() if volume.mark == lab]) == 2
    assert len({bucket.name for bucket in cloud.objects.list() if bucket.mark == lab}) >= 2


def test_servers_of_one_name_made_at_once_are_two(
    cloud: Cloud, scratch: Scratch, image: Image, lease: Lease, keypair: Keypair, ssh_group: SecurityGroup
) -> None:
    name = scratch.name("twin")

    def make() -> Server:
        made = scratch.server(image=image, lease=lease, keypair=keypair, groups=[ssh_group], name=name)
        return scratch.until_ready(made)

    first, second = at_once(make, make)
    assert isinstance(first, Server)
    assert isinstance(second, Server)
    assert first.name == second.name == name
    assert first.id != second.id
    assert first.fixed_address != second.fixed_address


def test_volumes_attached_at_once_all_arrive(cloud: Cloud, scratch: Scratch, shared_server: Server) -> None:
    volumes = [scratch.volume() for _ in range(3)]
    at_once(*[lambda volume=volume: scratch.attached(volume, shared_server) for volume in volumes])
    found = [cloud.volumes.get(volume.id) for volume in volumes]
    assert {volume.state for volume in found} == {State.IN_USE}
    assert len({volume.attachments[0].device for volume in found}) == len(volumes)


def test_reading_while_others_write(cloud: Cloud, scratch: Scratch) -> None:
    def read() -> None:
        for _ in range(10):
            cloud.volumes.list()
            cloud.network.security_groups()
            cloud.compute.list()

    def write() -> None:
        for _ in range(3):
            cloud.network.delete_security_group(scratch.group().id)

    at_once(read, write, read, write)


def test_a_bucket_that_several_ask_for_at_once_is_the_one_makers(cloud: Cloud, scratch: Scratch) -> None:
    """One is told that it has the bucket, and it bears that one's mark, whatever the others' requests did to it meanwhile."""
    name = scratch.name("bucket")
    marks = [replace(scratch.mark, lab=f"{scratch.mark.lab}-{n}") for n in range(4)]

    def make(mark: Mark) -> Mark | None:
        try:
            return cloud.objects.create(name, mark=mark).mark
        except Conflict:
            return None

    scratch.on_close(lambda: cloud.objects.delete(name))
    made = [mark for mark in at_once(*[partial(make, mark) for mark in marks]) if mark]
    assert [cloud.objects.get(name).mark] == made
    with pytest.raises(Conflict):
        cloud.objects.create(name, mark=scratch.mark)

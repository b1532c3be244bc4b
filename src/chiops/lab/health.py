"""Whether the parts of a lab work, asked of the parts themselves: all at once, each within bounded time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from chiops.cloud.base import Ec2Credential, Mark, Node, S3Access, S3Endpoint
from chiops.errors import ChiopsError, NotFound
from chiops.lab import serving
from chiops.lab.spec import LabSpec
from chiops.lab.volumes import RIGHT_DISK

ASK_TIMEOUT_S = 20.0
"""For all that is asked of a node in one command."""
MOUNT_TIMEOUT_S = 5
"""For one mount: a bucket's hangs as long as its server does."""
PARALLEL = 16

# Each line is "<word> <rest>". A mount that hangs is given up with SIGKILL, since a process that waits for FUSE takes no other.
_SCRIPT = f"""{RIGHT_DISK}
printf 'disk %s\\n' "$(df --output=avail -B1 / | tail -n 1)"
for program in docker firewalld; do
  printf '%s %s\\n' "$program" "$(systemctl is-active "$program" 2>/dev/null || true)"
done
command -v rclone >/dev/null && echo 'rclone there'
if systemctl is-active --quiet firewalld; then
  printf 'ports %s\\n' "$(sudo -n firewall-cmd --list-ports 2>/dev/null) $(sudo -n firewall-cmd --list-services 2>/dev/null)"
fi
for path do
  if ! timeout -s KILL {MOUNT_TIMEOUT_S} mountpoint -q "$path"; then echo "mount $path is not mounted, or hangs"
  elif ! right_disk "$path"; then echo "mount $path shows another disk than the volume's"
  elif timeout -s KILL {MOUNT_TIMEOUT_S} sh -c 'ls "$1" || sudo -n ls "$1"' sh "$path" >/dev/null 2>&1; then echo "mount $path"
  else echo "mount $path can't be read"; fi
done
"""


@dataclass(frozen=True)
class NodeFacts:
    """What a node says of itself. ``mounts`` and ``services`` have for each what is wrong with it, "" for nothing."""

    disk_free: int
    docker: str
    firewalld: str
    rclone: bool
    ports: str
    mounts: Mapping[str, str]
    services: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Health:
    """Whether a part works; ``detail`` says what does not."""

    ok: bool
    detail: str = ""


def paths_on(spec: LabSpec, server: str) -> list[str]:
    """Where the lab mounts something on a server."""
    mounts = [mount.path for mount in spec.mounts if mount.server == server]
    return mounts + [volume.mount for volume in spec.volumes if volume.server == server and volume.mount]


def services_on(spec: LabSpec, server: str) -> dict[str, str]:
    """The services of a server, each with the command that succeeds while it answers."""
    return {
        name: command for one in spec.servers if one.name == server for name, command in serving.checks(one.services)
    }


def ask(node: Node, paths: Sequence[str], services: Mapping[str, str]) -> NodeFacts:
    """One command on a node.

    Raises:
        RemoteFailed: it is not reached, or does not answer in time.
    """
    from chiops.remote.ready import knock
    from chiops.remote.ssh import Ssh

    if fault := knock(node):
        raise fault
    script = _SCRIPT + "".join(
        f"if {{ {command}; }} >/dev/null 2>&1; then echo service {name}; else echo service {name} does not answer; fi\n"
        for name, command in services.items()
    )
    return read(Ssh(node).run("sh", "-c", script, "sh", *paths, timeout=ASK_TIMEOUT_S, check=False).stdout)


def read(said: str) -> NodeFacts:
    """The node's answer, as values."""
    words: dict[str, str] = {}
    parts: dict[str, dict[str, str]] = {"mount": {}, "service": {}}
    for line in said.splitlines():
        word, _, rest = line.partition(" ")
        if word in parts:
            name, _, wrong = rest.partition(" ")
            parts[word][name] = wrong
        else:
            words[word] = rest.strip()
    free = words.get("disk", "")
    return NodeFacts(
        disk_free=int(free) if free.isdecimal() else 0,
        docker=words.get("docker", ""),
        firewalld=words.get("firewalld", ""),
        rclone="rclone" in words,
        ports=words.get("ports", ""),
        mounts=parts["mount"],
        services=parts["service"],
    )


def of_node(spec: LabSpec, node: Node) -> Health:
    """Whether a node answers, its Docker runs where the lab wants it, its mounts can be read and its services answer."""
    paths, services = paths_on(spec, node.name), services_on(spec, node.name)
    try:
        facts = ask(node, paths, services)
    except ChiopsError as error:
        return Health(False, error.why or error.what)
    wrong = [f"{path} {facts.mounts.get(path) or 'did not answer'}" for path in paths if facts.mounts.get(path) != ""]
    server = next((one for one in spec.servers if one.name == node.name), None)
    if server and "docker" in server.configure and facts.docker != "active":
        wrong.append(f"Docker is {facts.docker or 'not there'}")
    wrong += [f"{name} does not answer" for name in services if facts.services.get(name) != ""]
    well = ["answers ssh", *(f"{path} readable" for path in paths), *(f"{name} answers" for name in services)]
    return Health(not wrong, "; ".join(wrong) or ", ".join(well))


def of_bucket(
    name: str, endpoint: Callable[[], S3Endpoint], credentials: Sequence[Ec2Credential], mark: Mark
) -> Health:
    """Whether a bucket is reached over S3, and the lab's key opens it."""
    from chiops.s3 import client as s3

    try:
        key = next((one for one in credentials if one.mark == mark), None)
        if key is None:
            raise NotFound("the lab's S3 key is gone")
        access = S3Access(bucket=name, endpoint=endpoint(), access=key.access, secret=key.secret)
        client = s3.client(access, connections=1, attempts=1, timeout_s=5)
        with s3.translated(f"reading {name}"):
            client.list_objects_v2(Bucket=name, MaxKeys=1)
    except ChiopsError as error:
        return Health(False, error.why or error.what)
    return Health(True, "its key opens it")


def ask_all(questions: Mapping[str, Callable[[], Health]]) -> dict[str, Health]:
    """All answers, asked for at once; a question that fails in a way of its own is answered with that."""
    if not questions:
        return {}
    with ThreadPoolExecutor(min(PARALLEL, len(questions)), thread_name_prefix="health") as pool:
        return dict(zip(questions, pool.map(_answer, questions.values()), strict=True))


def _answer(question: Callable[[], Health]) -> Health:
    try:
        return question()
    except Exception as error:  # noqa: BLE001 - one odd part never hides the others
        return Health(False, f"{type(error).__name__}: {error}")

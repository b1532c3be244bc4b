"""One server's container: what it is made of, and how it is made and started."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from chiops import files
from chiops.cloud import handover
from chiops.cloud.base import Mark
from chiops.cloud.local import containers, flavors, image
from chiops.cloud.local.docker_api import translated
from chiops.cloud.local.recipe import FILES
from chiops.cloud.local.site import NODE_FILES
from chiops.cloud.local.slots import Slots

if TYPE_CHECKING:
    from chiops.cloud.local.site import LocalSite

CAPABILITIES = (
    *(
        "AUDIT_CONTROL",
        "AUDIT_WRITE",
        "CHOWN",
        "DAC_OVERRIDE",
        "FOWNER",
        "FSETID",
        "IPC_LOCK",
        "IPC_OWNER",
        "KILL",
        "LEASE",
    ),
    *(
        "LINUX_IMMUTABLE",
        "MKNOD",
        "NET_ADMIN",
        "NET_BIND_SERVICE",
        "NET_BROADCAST",
        "NET_RAW",
        "SETFCAP",
        "SETGID",
        "SETPCAP",
    ),
    *("SETUID", "SYS_ADMIN", "SYS_BOOT", "SYS_CHROOT", "SYS_NICE", "SYS_PTRACE", "SYS_TTY_CONFIG"),
)
"""What systemd, mounts and containers within the node need. DAC_READ_SEARCH is left out on purpose: it opens this machine's files
by their inode."""
_DENIED = (
    *("kexec_load", "kexec_file_load", "init_module", "finit_module", "delete_module"),
    *("open_by_handle_at", "swapon", "swapoff"),
)
"""System calls that are this machine's matter, whatever the capabilities."""
_INIT = "/usr/local/sbin/chiops-node-init"
_SPEC_LABEL = "chiops-spec"
_RESOLV = ("/etc/resolv.conf", "/run/systemd/resolve/resolv.conf")
_POWEROFF = b"[Unit]\nSuccessAction=exit-force\nSuccessActionExitStatus=0\n"
"""A power-off ends the container with success, so that it stays off; a reboot does not, so that it comes back."""
_PUBLIC_DNS = "1.1.1.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """All that a server was asked for; carried by its container's labels, so that no database is needed to know it."""

    id: str
    name: str
    image: str
    flavor: str
    keypair: str
    public_key: str
    address: str
    lab: str
    owner: str
    created: str
    lease_id: str = ""
    reservation_id: str = ""
    boot_volume: str = ""
    """The id of the volume that it boots from, "" for a disk of its own from the image."""
    metadata: Mapping[str, str]

    @property
    def mark(self) -> Mark:
        """Whose it is."""
        return Mark(self.lab, self.owner)

    def to_json(self) -> str:
        """For a label or a file."""
        return json.dumps(asdict(replace(self, metadata=dict(self.metadata))), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The inverse of `to_json`."""
        return cls(**json.loads(text))

    @classmethod
    def from_container(cls, container: Mapping[str, Any]) -> Self:
        """The spec that a listed container carries."""
        return cls.from_json(container["Labels"][_SPEC_LABEL])


def labels(site: LocalSite, spec: Spec) -> dict[str, str]:
    """The labels of a server's container."""
    own = {containers.ID_LABEL: spec.id, "chiops-name": spec.name, _SPEC_LABEL: spec.to_json()}
    return site.labels(containers.KIND, **own, **spec.mark.as_metadata())


def make(site: LocalSite, spec: Spec) -> str:
    """Create the container and fill in what is its own; it does not run yet. Returns its id.

    The node's folder must be there, with what the network puts into it.
    """
    image_name = image.ensure(site)
    write_files(site, spec)
    client = site.engine.client()
    # the generated stubs know no API client
    api: Any = client.api
    with translated(f"Creating server {spec.name}"):
        made = api.create_container(
            image_name,
            [_INIT],
            name=site.container_name(spec.id),
            hostname=hostname(spec.name),
            labels=labels(site, spec),
            environment={"container": "docker"},
            # overlay on overlay is refused, so Docker's own data lies elsewhere; a boot volume takes it as it is
            volumes=[] if spec.boot_volume else ["/var/lib/docker", "/var/lib/containerd"],
            stop_signal="SIGRTMIN+3",
            tty=True,
            networking_config=api.create_networking_config(
                {site.network_name: api.create_endpoint_config(ipv4_address=spec.address)}
            ),
            host_config=api.create_host_config(**host_config(site, spec)),
        )
    containers.put(client, made["Id"], own_files())
    return str(made["Id"])


def start(site: LocalSite, container_id: str, name: str) -> None:
    """Start a created or stopped container."""
    with translated(f"Starting server {name}"):
        site.engine.client().api.start(container_id)


def host_config(site: LocalSite, spec: Spec) -> dict[str, Any]:
    """What the container may do and use of this machine. Never privileged; no device by wildcard."""
    limits = flavors.limits(flavors.by_name(spec.flavor), flavors.machine())
    devices = [device for device in ("/dev/fuse", "/dev/net/tun") if Path(device).exists()]
    binds = [f"{site.node_dir(spec.id)}:{NODE_FILES}:ro", f"{image.files_dir(site)}:{image.SITE_FILES}:ro"]
    binds += [f"{folder}:{folder}:ro" for folder in handover.collect().pip_dirs]
    profile = {
        "defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [{"names": list(_DENIED), "action": "SCMP_ACT_ERRNO", "errnoRet": 1}],
    }
    return {
        "cap_drop": ["ALL"],
        "cap_add": list(CAPABILITIES),
        "security_opt": [f"seccomp={json.dumps(profile)}", "apparmor=unconfined"],
        "cgroupns": "private",
        "devices": [f"{device}:{device}:rwm" for device in devices],
        "device_cgroup_rules": Slots(site.store).rules(spec.id, root=bool(spec.boot_volume)),
        "network_mode": site.network_name,
        "tmpfs": {"/run": "mode=755,exec"},
        "binds": binds,
        "nano_cpus": limits.cpus * 10**9,
        "mem_limit": limits.memory,
        "memswap_limit": limits.memory,
        "shm_size": limits.memory // 2,
        # a reboot from inside ends the container with an error code, and it comes back
        "restart_policy": {"Name": "on-failure"},
    }


def write_files(site: LocalSite, spec: Spec) -> None:
    """Write what the node reads from its folder when it starts, but for the network's and the volumes' part."""
    folder = site.node_dir(spec.id)
    files.replace(folder / "authorized_keys", spec.public_key.strip() + "\n")
    files.replace(
        folder / "resolv.conf",
        resolv_conf([Path(path).read_text(encoding="utf-8") for path in _RESOLV if Path(path).exists()]),
    )
    (folder / "disks").touch()
    if spec.boot_volume:
        slots = Slots(site.store)
        files.replace(folder / "root", f"{slots.number(slots.root(spec.id).whole)} {spec.boot_volume} {spec.id}\n")
        files.replace(folder / "own-files", "".join(f"{path.lstrip('/')}\n" for path in own_files() if path != _INIT))


def own_files() -> dict[str, tuple[bytes, int]]:
    """What every node gets into its own file system: our programs, and this machine's package settings."""
    settings = handover.collect()
    files = {
        _INIT: ((FILES / "node-init").read_bytes(), 0o755),
        "/usr/local/bin/udevadm": ((FILES / "site_disks.py").read_bytes(), 0o755),
        "/etc/systemd/system/systemd-poweroff.service.d/site.conf": (_POWEROFF, 0o644),
        "/etc/apt/apt.conf.d/90site": (_lines(settings.apt_options), 0o644),
        # an index's address may carry a password
        "/etc/pip.conf": (settings.pip_conf.encode(), 0o600 if "@" in settings.pip_conf else 0o644),
    }
    if settings.sources:
        files["/etc/apt/sources.list"] = (_lines(settings.sources), 0o644)
    return files | {path: (content, 0o644) for path, content in settings.certificates.items()}


def hostname(name: str) -> str:
    """A server's name as its host name, as Nova derives it."""
    cleaned = re.sub(r"[^a-z0-9-]+", "-", name.lower().replace("_", "-"))[:63].strip("-")
    return cleaned or "server"


def resolv_conf(texts: list[str]) -> str:
    """A resolv.conf for nodes from this machine's: name servers that listen on this machine only are no use to them."""
    for text in texts:
        lines = [line.split() for line in text.splitlines()]
        servers = [words[1] for words in lines if len(words) > 1 and words[0] == "nameserver"]
        reachable = [server for server in servers if not server.startswith("127.") and server != "::1"]
        if reachable:
            return "".join(f"nameserver {server}\n" for server in reachable)
    return f"nameserver {_PUBLIC_DNS}\n"


def _lines(lines: tuple[str, ...]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()

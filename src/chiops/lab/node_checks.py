"""What doctor finds on a node: ssh, Docker, rclone, disk, mounts, services, and whether its firewall shuts what the cloud opens."""

from __future__ import annotations

from chiops.cloud.base import Check, Node
from chiops.errors import ChiopsError
from chiops.lab import health
from chiops.lab.health import NodeFacts
from chiops.lab.spec import LabSpec, ServerSpec
from chiops.names import format_bytes

LOW_DISK_BYTES = 2 << 30
SERVICES = {"ssh": 22, "http": 80, "https": 443, "cockpit": 9090}
"""firewalld's words for ports, as far as images open them so."""


def check(spec: LabSpec, node: Node) -> list[Check]:
    """All findings of one node; a silent one is the only finding."""
    server = next(one for one in spec.servers if one.name == node.name)
    paths, services = health.paths_on(spec, node.name), health.services_on(spec, node.name)
    up = f"run `chiops up {spec.name}`"
    try:
        facts = health.ask(node, paths, services)
    except ChiopsError as error:
        return [Check(f"{spec.name}: {node.name}", "failed", error.why or error.what, error.todo or up)]
    found = [Check(f"{spec.name}: {node.name}", "ok", f"answers ssh at {node.address}")]
    if "docker" in server.configure:
        verdict = Check(f"{spec.name}: {node.name}: docker", "ok", "runs")
        if facts.docker != "active":
            verdict = Check(verdict.name, "failed", facts.docker or "not there", up)
        found.append(verdict)
    if "rclone" in server.configure or any(mount.server == node.name for mount in spec.mounts):
        verdict = Check(f"{spec.name}: {node.name}: rclone", "ok", "installed")
        found.append(verdict if facts.rclone else Check(verdict.name, "failed", "not installed", up))
    found.append(_disk(spec, node, facts))
    for path in paths:
        wrong = facts.mounts.get(path, "did not answer")
        name = f"{spec.name}: {path}"
        found.append(Check(name, "failed", wrong, up) if wrong else Check(name, "ok", "can be read"))
    for name in services:
        wrong = facts.services.get(name, "did not answer")
        name = f"{spec.name}: {node.name}: {name}"
        found.append(Check(name, "failed", wrong, up) if wrong else Check(name, "ok", "answers"))
    return found + firewall(spec, server, facts)


def _disk(spec: LabSpec, node: Node, facts: NodeFacts) -> Check:
    name, detail = f"{spec.name}: {node.name}: disk", f"{format_bytes(facts.disk_free)} free"
    if facts.disk_free < LOW_DISK_BYTES:
        return Check(
            name, "warning", detail, f"make room: `chiops exec --node {node.name} -- sudo docker system prune`"
        )
    return Check(name, "ok", detail)


def firewall(spec: LabSpec, server: ServerSpec, facts: NodeFacts) -> list[Check]:
    """Ports that the server's security groups open and the node's own firewall, which older images run, keeps shut."""
    if facts.firewalld != "active":
        return []
    groups = [group for group in spec.security_groups if group.name in server.security_groups]
    rules = [rule for group in groups for rule in group.rules if rule.protocol == "tcp"]
    opened = _opened(facts.ports)
    shut = [
        rule
        for rule in rules
        if not any(low <= rule.port and (rule.port_max or rule.port) <= high for low, high in opened)
    ]
    name = f"{spec.name}: {server.name}: firewall"
    if not shut:
        return [Check(name, "ok", "firewalld lets in what the security groups do")]
    ports = [f"{rule.port}-{rule.port_max}/tcp" if rule.port_max else f"{rule.port}/tcp" for rule in shut]
    options = " ".join(f"--add-port={port}" for port in ports)
    return [
        Check(
            name,
            "warning",
            f"firewalld keeps {', '.join(ports)} shut, which the security groups open",
            f"run `chiops exec --node {server.name} -- sudo sh -c 'firewall-cmd --permanent {options} && firewall-cmd --reload'`",
        )
    ]


def _opened(said: str) -> list[tuple[int, int]]:
    """firewalld's list of ports and services as ranges."""
    found = []
    for word in said.split():
        ports, _, protocol = word.partition("/")
        first, _, last = ports.partition("-")
        if protocol == "tcp" and first.isdecimal() and (not last or last.isdecimal()):
            found.append((int(first), int(last or first)))
        elif word in SERVICES:
            found.append((SERVICES[word], SERVICES[word]))
    return found

"""Security groups: what is opened answers, and nothing else does."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import replace

import pytest

from chiops.cloud.base import Cloud, Image, Keypair, Lease, Mark, Node, Rule, SecurityGroup
from chiops.errors import Ambiguous, Conflict, NotFound
from tests.support.nodes import as_root, port_answers, succeeds
from tests.support.poll import wait_for
from tests.support.scratch import Scratch
from tests.support.target import SSH, NewServer, Reach

WEB = Rule("tcp", 8080, 8080)
ELSEWHERE = replace(WEB, cidr="203.0.113.0/24")  # TEST-NET-3: nobody's address


def found(cloud: Cloud, group_id: str) -> SecurityGroup:
    """The group as the cloud lists it."""
    (group,) = (group for group in cloud.network.security_groups() if group.id == group_id)
    return group


def listen(node: Node) -> None:
    """A web server on port 8080, answering within the node."""
    as_root(node, "systemd-run --quiet python3 -m http.server 8080")
    wait_for("listener", lambda: succeeds(node, "timeout 2 bash -c ':>/dev/tcp/127.0.0.1/8080'"))


def publish(node: Node) -> None:
    """A web server published on port 8080 the way container engines do: its own network namespace behind DNAT."""
    as_root(
        node,
        """
        ip netns add inner
        ip link add veth-out type veth peer name veth-in netns inner
        ip addr add 10.99.0.1/24 dev veth-out; ip link set veth-out up
        ip -n inner addr add 10.99.0.2/24 dev veth-in; ip -n inner link set veth-in up; ip -n inner link set lo up
        ip -n inner route add default via 10.99.0.1
        echo 1 >/proc/sys/net/ipv4/ip_forward
        iptables -P FORWARD ACCEPT
        iptables -t nat -A PREROUTING -p tcp --dport 8080 ! -i veth-out -j DNAT --to-destination 10.99.0.2:80
        systemd-run --quiet ip netns exec inner python3 -m http.server 80
        """,
    )
    wait_for("listener", lambda: succeeds(node, "timeout 2 bash -c ':>/dev/tcp/10.99.0.2/80'"))


def until_answers(node: Node, port: int, within: float) -> None:
    wait_for(f"port {port} open", lambda: port_answers(node.address, port), within=within)


def until_silent(node: Node, port: int, within: float) -> None:
    wait_for(f"port {port} closed", lambda: not port_answers(node.address, port, timeout=1), within=within)


def test_create_list_delete(cloud: Cloud, scratch: Scratch) -> None:
    made = scratch.group(description="opens nothing yet")
    listed = found(cloud, made.id)
    assert listed.name == made.name
    assert listed.mark == made.mark == scratch.mark
    assert listed.rules == made.rules == ()
    assert "opens nothing yet" in listed.description
    cloud.network.delete_security_group(made.id)
    assert made.id not in {group.id for group in cloud.network.security_groups()}
    with pytest.raises(NotFound):
        cloud.network.delete_security_group(made.id)


@pytest.mark.parametrize(
    "rule",
    [SSH, Rule("udp", 60000, 61000), Rule("icmp"), Rule("any"), ELSEWHERE, Rule("tcp", 1, 65535, "10.0.0.0/8")],
    ids=lambda rule: f"{rule.protocol}-{rule.port_min}-{rule.port_max}",
)
def test_rules_come_back_as_given_and_go(cloud: Cloud, scratch: Scratch, rule: Rule) -> None:
    group = scratch.group(rule, WEB) if rule != WEB else scratch.group(rule)
    assert set(found(cloud, group.id).rules) == {rule, WEB}
    cloud.network.remove_rule(group.id, rule)
    assert found(cloud, group.id).rules == (WEB,)
    with pytest.raises(NotFound):
        cloud.network.remove_rule(group.id, rule)


def test_what_is_unknown_is_not_found(cloud: Cloud, ssh_group: SecurityGroup) -> None:
    unknown = str(uuid.uuid4())
    asked: list[Callable[[], object]] = [
        lambda: cloud.network.add_rule(unknown, SSH),
        lambda: cloud.network.remove_rule(unknown, SSH),
        lambda: cloud.network.delete_security_group(unknown),
        lambda: cloud.network.set_server_groups(unknown, [ssh_group.name]),
        lambda: cloud.network.server_groups(unknown),
    ]
    for ask in asked:
        with pytest.raises(NotFound):
            ask()


def test_a_group_in_use_is_not_deleted(cloud: Cloud, scratch: Scratch, new_server: NewServer) -> None:
    group = scratch.group(SSH)
    server = new_server(groups=[group])
    with pytest.raises(Conflict):
        cloud.network.delete_security_group(group.id)
    assert found(cloud, group.id).rules == (SSH,)
    assert cloud.compute.get(server.id).security_groups == (group.name,)


def test_set_server_groups_replaces_them(
    cloud: Cloud, scratch: Scratch, new_server: NewServer, ssh_group: SecurityGroup
) -> None:
    server, web = new_server(), scratch.group(WEB)
    for names in ([web.name], [ssh_group.name, web.name], [ssh_group.name]):
        cloud.network.set_server_groups(server.id, names)
        assert sorted(cloud.compute.get(server.id).security_groups) == sorted(names)
    with pytest.raises(NotFound):
        cloud.network.set_server_groups(server.id, ["no-such-group"])
    assert cloud.compute.get(server.id).security_groups == (ssh_group.name,)


def test_groups_of_one_name_are_told_apart_by_their_ids(cloud: Cloud, scratch: Scratch, new_server: NewServer) -> None:
    name, web = scratch.name("group"), scratch.group()
    one, two = (scratch.group(name=name, mark=Mark(f"{name}-{of}", scratch.mark.owner)) for of in ("hers", "theirs"))
    server = new_server(groups=[two.id])
    assert cloud.network.server_groups(server.id) == [two.id]
    assert cloud.compute.get(server.id).security_groups == (two.name,)
    with pytest.raises(Ambiguous):
        cloud.network.set_server_groups(server.id, [one.name])
    assert cloud.network.server_groups(server.id) == [two.id]
    for wanted in ([one.id], [one.id, two.id], [web.id]):
        cloud.network.set_server_groups(server.id, wanted)
        assert sorted(cloud.network.server_groups(server.id)) == sorted(wanted)


@pytest.mark.parametrize("serve", [listen, publish])
def test_only_what_is_opened_answers(
    cloud: Cloud, scratch: Scratch, new_server: NewServer, reach: Reach, serve: Callable[[Node], None]
) -> None:
    group, within = scratch.group(SSH), scratch.target.patience
    node = reach(new_server(groups=[group]))
    serve(node)
    assert not port_answers(node.address, 8080), "closed until opened"
    cloud.network.add_rule(group.id, ELSEWHERE)
    assert not port_answers(node.address, 8080), "open to others only"
    cloud.network.add_rule(group.id, WEB)
    until_answers(node, 8080, within)
    cloud.network.remove_rule(group.id, WEB)
    until_silent(node, 8080, within)
    assert port_answers(node.address, 22)


def test_a_rule_for_a_range_opens_just_that(
    cloud: Cloud, scratch: Scratch, new_server: NewServer, reach: Reach
) -> None:
    node = reach(new_server(groups=[scratch.group(SSH, Rule("tcp", 8081, 8090))]))
    for port in (8080, 8081, 8090, 8091):
        as_root(node, f"systemd-run --quiet python3 -m http.server {port}")
    for port in (8081, 8090):
        until_answers(node, port, within=scratch.target.patience)
    for port in (8080, 8091):
        assert succeeds(node, f"timeout 2 bash -c ':>/dev/tcp/127.0.0.1/{port}'")
        assert not port_answers(node.address, port)


def test_groups_bind_other_nodes_too(
    cloud: Cloud, scratch: Scratch, new_server: NewServer, reach: Reach, shared_node: Node
) -> None:
    group = scratch.group(SSH)
    server = new_server(groups=[group])
    listen(reach(server))
    knock = f"timeout 2 bash -c ':>/dev/tcp/{server.fixed_address}/8080'"
    assert not succeeds(shared_node, knock)
    cloud.network.add_rule(group.id, WEB)
    wait_for("open to the neighbour", lambda: succeeds(shared_node, knock), within=scratch.target.patience)


def test_any_protocol_opens_every_port(cloud: Cloud, scratch: Scratch, new_server: NewServer, reach: Reach) -> None:
    node = reach(new_server(groups=[scratch.group(Rule("any"))]))
    listen(node)
    until_answers(node, 8080, within=scratch.target.patience)


def test_the_firewall_is_no_matter_of_the_node(
    cloud: Cloud, scratch: Scratch, new_server: NewServer, reach: Reach
) -> None:
    """What a service on the node does to its own packet filter opens nothing (a restart of its Docker flushes rules)."""
    node = reach(new_server())
    listen(node)
    as_root(node, "iptables -F; iptables -P INPUT ACCEPT; iptables -t nat -F")
    assert not port_answers(node.address, 8080)


def test_without_any_group_nothing_answers(
    real_nodes: None,
    cloud: Cloud,
    scratch: Scratch,
    image: Image,
    lease: Lease,
    keypair: Keypair,
    ssh_group: SecurityGroup,
    reach: Reach,
) -> None:
    closed = scratch.group()
    server = scratch.until_ready(scratch.server(image=image, lease=lease, keypair=keypair, groups=[closed]))
    address = scratch.floating_ip()
    cloud.network.bind_floating_ip(address.id, server.id)
    assert not port_answers(address.address, 22)
    cloud.network.set_server_groups(server.id, [ssh_group.name])
    wait_for("ssh opened", lambda: port_answers(address.address, 22), within=scratch.target.patience)
    assert as_root(reach(cloud.compute.get(server.id)), "hostname") == server.name

"""The types of bare-metal hosts at a site, from Chameleon's reference API, or as Blazar tells them where there is none.

python-chi's `chi.hardware` asks the same address. It is not used: it also wants Blazar's list of hosts, through a client that it
does not declare, and takes seconds to import, for tables in notebooks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from chiops.cloud.base import NodeType
from chiops.cloud.openstack import told
from chiops.cloud.openstack.errors import translated
from chiops.cloud.openstack.site import Site
from chiops.errors import Auth, CloudError, NotFound


def node_types(site: Site) -> Sequence[NodeType]:
    """What `ReservationRequest.resource_properties` may ask for as ``$node_type``, by name.

    Raises:
        NotFound: the site has no hosts to book, or does not tell its members which.
        CloudError: the reference API did not answer with what it documents.
    """
    return _described(site) if site.facts.hardware_url else _bare(site)


def _described(site: Site) -> Sequence[NodeType]:
    url = site.facts.hardware_url
    with translated(f"asking {url} for the hosts of {site.facts.name}"):
        answer = site.conn.session.get(url, authenticated=False)
    try:
        return summary(answer.json()["items"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CloudError(
            f"{url} did not answer with hosts", todo="see the site's web pages, or set `hardware_url` in sites.yaml"
        ) from error


def _bare(site: Site) -> Sequence[NodeType]:
    """Names only. Blazar shows them to whom its policy allows it, and by default that is administrators."""
    try:
        with site.doing("asking for the types of hosts"):
            answer = site.adapter("reservation").get("/os-hosts/properties?detail=True")
            properties = told.listing(answer.json()["resource_properties"], "property")
    except Auth:
        raise NotFound(
            f"{site.facts.name} does not tell its members which types of hosts it has",
            todo="ask the site's help desk, or name the address that lists them as `hardware_url` in sites.yaml",
        ) from None
    found = [item.get("values") for item in properties if item.get("property") == "node_type"]
    names = (name for values in found if isinstance(values, list) for name in values if told.text(name))
    return [NodeType(name=name) for name in sorted(names)]


def summary(items: Iterable[Mapping[str, Any]]) -> Sequence[NodeType]:
    """The types among hosts, by name; each is told by its first host, since all of a type are alike."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for item in items:
        found.setdefault(str(item["node_type"]), []).append(item)
    return [_type(name, hosts) for name, hosts in sorted(found.items())]


def _type(name: str, hosts: Sequence[Mapping[str, Any]]) -> NodeType:
    first = hosts[0]
    cpu, memory = first.get("processor") or {}, first.get("main_memory") or {}
    disks = [str(disk.get("humanized_size") or "") for disk in first.get("storage_devices") or ()]
    return NodeType(
        name=name,
        hosts=len(hosts),
        threads=told.number(told.mapping(first.get("architecture")).get("smt_size")),
        cpu=str(cpu.get("other_description") or cpu.get("model") or ""),
        ram=str(memory.get("humanized_ram_size") or ""),
        gpu=_gpu(first.get("gpu")),
        disks=", ".join(filter(None, disks)),
    )


def _gpu(told: Any) -> str:
    """``4 × A100``; a single mapping for most types, a list for some."""
    cards = told if isinstance(told, list) else [told or {}]
    named = [(card.get("gpu_count") or 1, card.get("gpu_model") or "GPU") for card in cards if card.get("gpu")]
    return ", ".join(f"{count} × {model}" for count, model in named)

#!/usr/bin/env python3
"""Ansible inventory of the nodes that are up, as `chiops status` knows them, one group per lab.

ansible-inventory -i inventories/chiops.py --graph
ansible -i inventories/chiops.py object_lab -m ansible.builtin.ping
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from typing import Any


def inventory(labs: list[dict[str, Any]]) -> dict[str, Any]:
    """What Ansible expects of an inventory script, from the JSON of `chiops status`.

    A server without an address is not up yet and left out. Labs may name their servers alike: then the lab's name goes before.
    """
    servers = [(lab["lab"], part) for lab in labs for part in lab["parts"] if part["kind"] == "server"]
    reachable = [(lab, part) for lab, part in servers if (part.get("extra") or {}).get("address")]
    names = [part["name"] for _, part in reachable]
    made: dict[str, Any] = {"_meta": {"hostvars": {}}}
    for lab, part in reachable:
        name = part["name"] if names.count(part["name"]) == 1 else f"{lab}.{part['name']}"
        made["_meta"]["hostvars"][name] = variables(part["extra"])
        group = re.sub(r"\W", "_", re.sub(r"^(\d)", r"_\1", lab))
        made.setdefault(group, {"hosts": []})["hosts"].append(name)
    return made


def variables(server: dict[str, Any]) -> dict[str, Any]:
    """How Ansible connects to a server: by the lab's key, and the host keys that chiops has seen."""
    known_hosts = str(server["known_hosts"]).replace("%", "%%")
    options = [
        "-o",
        "IdentitiesOnly=yes",
        "-o",
        f'UserKnownHostsFile="{known_hosts}"',
        "-o",
        "StrictHostKeyChecking=accept-new",
    ]
    return {
        "ansible_host": server["address"],
        "ansible_user": server["user"],
        "ansible_ssh_private_key_file": str(server["key_file"]),
        "ansible_ssh_common_args": shlex.join(options),
    }


def main() -> int:
    """Answer ``--list``; ``--host`` has nothing to add, since ``_meta`` has it all."""
    if "--host" in sys.argv[1:]:
        sys.stdout.write("{}\n")
        return 0
    try:
        done = subprocess.run(["chiops", "status", "--output", "json"], stdout=subprocess.PIPE, text=True, check=False)
    except FileNotFoundError:
        sys.stderr.write("chiops is not on PATH: activate the environment that it is installed in\n")
        return 1
    if done.returncode:
        return done.returncode
    json.dump(inventory(json.loads(done.stdout)), sys.stdout, indent=2)
    return 0


if __name__ == "__main__":
    sys.exit(main())

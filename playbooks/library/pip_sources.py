#!/usr/bin/python
"""Ansible module: where a node's pip finds packages, as volumes for a container."""

from __future__ import annotations

import configparser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: pip_sources
short_description: Tell which files of a node a container needs to install packages as the node would
description:
  - Reads the node's pip configuration and names it, its certificates, and the local directories that it points to.
  - A node without pip settings needs only its certificates.
  - Changes nothing.
options:
  config:
    description: The pip configuration of the whole node.
    type: path
    default: /etc/pip.conf
  certificates:
    description: The certificates that the node trusts, in one file.
    type: path
    default: /etc/ssl/certs/ca-certificates.crt
author: chiops
"""

EXAMPLES = r"""
- name: Find the node's package sources
  pip_sources:
  register: sources
"""

RETURN = r"""
volumes:
  description: Volumes for C(docker run), read-only and at the same paths.
  type: list
  elements: str
  returned: always
"""

_KEYS = ("index-url", "extra-index-url", "find-links", "cert", "constraint")


def local_path(word: str) -> str:
    """The local path that a word of pip's settings names; empty for a URL of another machine."""
    if word.startswith("file://"):
        return unquote(urlsplit(word).path)
    return word if word.startswith("/") else ""


def named_paths(text: str) -> list[str]:
    """The local paths that a pip.conf names. Of an index the folder around it: its files lie beside ``simple/``."""
    parser = configparser.RawConfigParser(strict=False)
    parser.read_string(text)
    found = []
    for section in parser.sections():
        for key, value in parser.items(section):
            if key not in _KEYS:
                continue
            for path in map(Path, filter(None, map(local_path, value.split()))):
                found.append(str(path.parent if path.name == "simple" else path))
    return found


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "config": {"type": "path", "default": "/etc/pip.conf"},
            "certificates": {"type": "path", "default": "/etc/ssl/certs/ca-certificates.crt"},
        },
        supports_check_mode=True,
    )
    config = Path(module.params["config"])
    wanted = [str(config), module.params["certificates"]]
    if config.is_file():
        try:
            wanted += named_paths(config.read_text(encoding="utf-8"))
        except (configparser.Error, UnicodeDecodeError) as error:
            module.fail_json(msg=f"{config} cannot be read: {error}")
    there = sorted({path for path in wanted if Path(path).exists()})
    module.exit_json(changed=False, volumes=[f"{path}:{path}:ro" for path in there])


if __name__ == "__main__":
    main()

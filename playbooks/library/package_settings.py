#!/usr/bin/python
"""Ansible module: a node's package settings, written all at once; as tasks they would cost a connection for each file."""

from __future__ import annotations

import os
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: package_settings
short_description: Tell a node where apt and pip find packages, and whom they trust
description:
  - Writes apt's sources and options, pip's configuration and certificates, each only where it differs.
  - Sources are for one Debian release; a node of another keeps its own. Those that the image brought are put aside.
options:
  suite:
    description: The Debian release that O(sources) are of.
    type: str
    required: true
  sources:
    description: Lines of sources.list; none leaves those of the image.
    type: list
    elements: str
    required: true
  apt_options:
    description: Lines of apt.conf.
    type: list
    elements: str
    required: true
  pip_conf:
    description: The text of pip.conf.
    type: str
    required: true
  certificates:
    description: Path on the node, and the text that goes there.
    type: dict
    required: true
  root:
    description: Where the node's files lie.
    type: path
    default: /
author: chiops
"""

EXAMPLES = r"""
- name: Have apt fetch through the proxy
  package_settings:
    suite: bookworm
    sources: []
    apt_options: ['Acquire::http::Proxy "http://proxy.example:3128";']
    pip_conf: ""
    certificates: {}
"""

RETURN = r"""
written:
  description: The files that were not as they should be.
  type: list
  elements: str
  returned: always
"""

IMAGES_SOURCES = "etc/apt/sources.list.d/debian.sources"


def is_debian(release: str, suite: str) -> bool:
    """Whether the text of os-release is that of Debian's ``suite``."""
    values = dict(line.split("=", 1) for line in release.splitlines() if "=" in line)
    named = values.get("ID", "").strip("\"'"), values.get("VERSION_CODENAME", "").strip("\"'")
    return named == ("debian", suite)


def write(path: Path, text: str, *, check: bool) -> bool:
    """Have ``text`` in the file, which only root reads where it holds a password; whether it was not so."""
    secret = "@" in text and "BEGIN CERTIFICATE" not in text
    mode = 0o600 if secret else 0o644
    content = text.encode()
    if path.is_file() and path.read_bytes() == content and path.stat().st_mode & 0o777 == mode:
        return False
    if not check:
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{path.name}.chiops")
        part.unlink(missing_ok=True)
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(content)
        part.replace(path)
    return True


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "suite": {"type": "str", "required": True},
            "sources": {"type": "list", "elements": "str", "required": True, "no_log": True},
            "apt_options": {"type": "list", "elements": "str", "required": True, "no_log": True},
            "pip_conf": {"type": "str", "required": True, "no_log": True},
            "certificates": {"type": "dict", "required": True},
            "root": {"type": "path", "default": "/"},
        },
        supports_check_mode=True,
    )
    wanted, root = module.params, Path(module.params["root"])
    files = {path.lstrip("/"): text for path, text in wanted["certificates"].items()}
    files["etc/apt/apt.conf.d/90site"] = "".join(f"{line}\n" for line in wanted["apt_options"])
    files["etc/pip.conf"] = wanted["pip_conf"]
    release = root / "etc/os-release"
    aside = False
    if wanted["sources"] and release.is_file() and is_debian(release.read_text(), wanted["suite"]):
        files["etc/apt/sources.list"] = "".join(f"{line}\n" for line in wanted["sources"])
        aside = (root / IMAGES_SOURCES).is_file()
    try:
        written = [path for path, text in files.items() if write(root / path, text, check=module.check_mode)]
        if aside and not module.check_mode:
            # apt takes no notice of files with another ending
            (root / IMAGES_SOURCES).rename(root / f"{IMAGES_SOURCES}.image")
    except OSError as error:
        module.fail_json(msg=f"the package settings can't be written: {error}")
    module.exit_json(changed=bool(written or aside), written=[f"/{path}" for path in written])


if __name__ == "__main__":
    main()

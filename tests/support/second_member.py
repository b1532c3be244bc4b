"""Adds another member to the project of an entry of clouds.yaml, and writes a clouds.yaml with an entry for them.

usage: python -m tests.support.second_member ADMIN_ENTRY ENTRY OUTPUT      (the new entry is called ENTRY-mate)

For clouds that are made for tests: it needs an administrator, and the member's password is as good as public.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import openstack
from openstack.config import OpenStackConfig

NAME = "chiops-test-mate"
PASSWORD = "chiops-test-mate"


def main(admin_entry: str, entry: str, output: Path) -> None:
    config = OpenStackConfig().cloud_config["clouds"]
    with openstack.connect(cloud=entry) as cloud:
        project_id = cloud.current_project_id
    with openstack.connect(cloud=admin_entry) as admin:
        keystone: Any = admin.identity
        user = keystone.find_user(NAME) or keystone.create_user(name=NAME, password=PASSWORD, domain_id="default")
        for role in ("member", "reader"):
            keystone.assign_project_role_to_user(project_id, user, keystone.find_role(role))
    auth = {"username": NAME, "password": PASSWORD, "user_domain_id": "default", "project_id": project_id}
    mate = config[entry] | {"auth": auth | {"auth_url": config[entry]["auth"]["auth_url"]}, "auth_type": "password"}
    wanted = {name: values for name, values in config.items() if name not in ("envvars", "defaults")}
    output.touch(mode=0o600)
    output.write_text(json.dumps({"clouds": wanted | {f"{entry}-mate": mate}}, indent=2))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))

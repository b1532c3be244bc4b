"""The nouns, each with its own file of commands, which is imported only when one of its commands is looked for.

Building the options of every command of every noun takes longer than all else that ``chiops --help`` does.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

NOUNS = {
    "lab": "Lab files: the built-in labs, and your own.",
    "site": "The places where labs can run.",
    "lease": "Leases: servers, hosts and addresses, booked until an end time.",
    "server": "Servers: made on a lease, from an image or a volume.",
    "fip": "Floating IPs: addresses that are reached from outside.",
    "secgroup": "Security groups: whatever none of a server's groups opens is closed.",
    "keypair": "Key pairs: the public keys that servers let in.",
    "image": "Images: what servers boot from.",
    "flavor": "Flavors: the sizes of servers, and what they cost.",
    "volume": "Volumes: disks whose data outlives the server.",
    "bucket": "Buckets: the containers of an object store.",
    "creds": "EC2 credentials: the keys to S3.",
    "jupyter": "Jupyter on a lab's nodes.",
    "data": "Datasets: prepared on a node, loaded into the lab's bucket.",
    "bench": "Input pipelines, measured in containers on a node.",
}
"""Name and one line of help, in the order of the help. A noun's commands are in ``chiops.cli.<name>``, as ``app``."""


class Noun(TyperGroup):
    """A command group whose file is imported at the first look into it."""

    def __init__(self, name: str, help_: str) -> None:
        super().__init__(name=name, help=help_, no_args_is_help=True, rich_markup_mode=None)
        self._loaded = False

    def _load(self) -> None:
        if not self._loaded:
            self._loaded = True
            module = import_module(f"chiops.cli.{self.name}")
            self.commands.update(typer.main.get_group(module.app).commands)

    def list_commands(self, ctx: Any) -> list[str]:
        self._load()
        return super().list_commands(ctx)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        self._load()
        return super().get_command(ctx, cmd_name)


class Root(TyperGroup):
    """The program: its verbs, and behind them the nouns."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        for name, help_ in NOUNS.items():
            self.add_command(Noun(name, help_))

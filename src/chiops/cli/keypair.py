"""``chiops keypair``: public keys that servers let in."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from chiops.cli.common import app as group
from chiops.cli.common import command, confirm, options
from chiops.cli.shown import ForLabOption, document, whose
from chiops.output import emit

app = group("keypair", "Key pairs: the public keys that servers let in.")


@command(app, "list", epilog="Example: chiops keypair list")
def list_() -> None:
    """List your key pairs at the site, and which of them is this machine's."""
    from chiops.ops.desk import opened
    from chiops.ops.shell import is_this_machines

    with opened(options.site) as desk:
        keypairs = [(one, is_this_machines(one)) for one in desk.cloud.compute.keypairs()]
        rows = [
            {
                "name": one.name,
                "fingerprint": one.fingerprint,
                "this machine's": "yes" if here else "",
                "whose": whose(desk, one),
            }
            for one, here in keypairs
        ]
        shown = [document(desk, one, this_machine=here) for one, here in keypairs]
    emit(shown, options.output, table=rows, text="" if rows else "No key pairs.")


@command(app, "create", epilog="Example: chiops keypair create laptop --file ~/.ssh/id_ed25519.pub")
def create(
    name: Annotated[str, typer.Argument(help="Its name.")],
    file: Annotated[
        Path | None,
        typer.Option(help="A public key; this machine's chiops key by default.", show_default=False),
    ] = None,
    lab: ForLabOption = None,
) -> None:
    """Register a public key at the site."""
    from chiops.ops import keypairs
    from chiops.ops.desk import opened

    with opened(options.site, lab) as desk:
        made, new = keypairs.create(desk, name, file.expanduser() if file else None)
        result = document(desk, made, new=new)
    word = "is registered" if new else "was registered already"
    emit(result, options.output, text=f"{made.name} {word}: {made.fingerprint}")


@command(app, "delete", epilog="Example: chiops keypair delete laptop")
def delete(name: Annotated[str, typer.Argument(metavar="KEYPAIR", help="Its name.")]) -> None:
    """Delete a key pair of ours; servers that were made with it keep the key."""
    from chiops.ops import keypairs
    from chiops.ops.desk import opened

    with opened(options.site) as desk:
        gone = keypairs.delete(desk, name, confirm)
    emit({"deleted": gone.name}, options.output, text=f"Deleted the key pair {gone.name}.")

"""``chiops jupyter``: the notebooks on a lab's nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from chiops.cli import common
from chiops.cli.common import command, confirm, options
from chiops.output import emit

if TYPE_CHECKING:
    from chiops.lab.jupyter import Link

app = common.app("jupyter", "Jupyter on a lab's nodes.")
LabArgument = Annotated[str | None, typer.Argument(help="Which lab, if several are up.", show_default=False)]


@command(app, "url", epilog="Example: chiops jupyter url block-lab")
def url(
    lab: LabArgument = None,
    show_secret: Annotated[
        bool, typer.Option("--show-secret", help="Show the token in JSON and YAML too; the printed link has it anyway.")
    ] = False,
) -> None:
    """Print the link to Jupyter, token and all, once it is seen to work. Whoever has the link has the node."""
    from chiops.lab import jupyter
    from chiops.lab.session import opened

    with opened(lab, options.site) as session:
        found = jupyter.links(session)
        for link in found:
            link.check()
    emit(
        [_document(link, show_secret=show_secret) for link in found],
        options.output,
        text="\n".join(link.url for link in found),
    )


@command(app, "restart", epilog="Example: chiops jupyter restart block-lab")
def restart(lab: LabArgument = None) -> None:
    """Start Jupyter anew. What its kernels have in memory is lost, what is saved stays."""
    from chiops.lab import jupyter
    from chiops.lab.session import opened

    with opened(lab, options.site) as session:
        confirm(f"Restart Jupyter of {session.lab.name}? Its kernels lose what they have in memory.")
        done = jupyter.restart(session)
    emit(
        [_document(link) for link in done],
        options.output,
        text="\n".join(f"Jupyter on {link.node.name} answers at {link.address}" for link in done),
    )


@command(app, "rotate", epilog="Example: chiops jupyter rotate block-lab")
def rotate(lab: LabArgument = None) -> None:
    """Make another token; the next `chiops up` brings it to the nodes, and links with the old one open nothing."""
    from chiops.lab import jupyter

    def ask() -> None:
        confirm("Make another token? Links with the old one will open nothing.")

    name = jupyter.rotate(lab, options.site, ask)
    emit({"lab": name}, options.output, text=f"Next: chiops up {name}, which brings the new token to its nodes.")


def _document(link: Link, *, show_secret: bool = False) -> dict[str, object]:
    """A link as JSON has it."""
    secret = {"token": link.token} if show_secret else {}
    return {"lab": link.lab, "node": link.node.name, "url": link.url if show_secret else link.address, **secret}

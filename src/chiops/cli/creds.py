"""``chiops creds``: EC2 credentials, the keys to S3. A secret is shown or written only where that was asked for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from chiops.cli.common import app as group
from chiops.cli.common import command, confirm, options
from chiops.cli.shown import document, whose
from chiops.ops.export import ExportFormat
from chiops.output import emit

if TYPE_CHECKING:
    from chiops.cloud.base import Ec2Credential
    from chiops.ops.desk import Desk

app = group("creds", "EC2 credentials: the keys to S3.")
AccessArgument = Annotated[str, typer.Argument(metavar="ACCESS", help="The access key, or its first characters.")]
OptionalAccess = Annotated[
    str | None,
    typer.Argument(metavar="[ACCESS]", help="The access key; the newest of yours by default.", show_default=False),
]
OfLabOption = Annotated[
    str | None, typer.Option("--lab", help="The key of this lab; that of none by default.", show_default=False)
]
SecretOption = Annotated[bool, typer.Option("--show-secret", help="Print the secret too.")]
STDOUT = "-"


@command(app, "list", epilog="Example: chiops creds list")
def list_() -> None:
    """List your EC2 credentials at the object store's site, without their secrets."""
    from chiops.ops.desk import opened

    with opened(options.site, objects=True) as desk:
        found = desk.cloud.identity.ec2_credentials()
        rows = [_row(desk, one) for one in found]
        shown = [document(desk, one) for one in found]
    emit(shown, options.output, table=rows, text="" if rows else "No EC2 credentials.")


@command(app, "create", epilog="Example: chiops creds create")
def create(
    another: Annotated[bool, typer.Option("--new", help="Another one, even if you have one.")] = False,
    lab: OfLabOption = None,
) -> None:
    """Make an EC2 credential; the one that you have is reused."""
    from chiops.ops import credentials
    from chiops.ops.desk import opened

    with opened(options.site, lab, objects=True) as desk:
        made, new = credentials.create(desk, another=another)
        result = document(desk, made, new=new)
    text = f"{made.access} {'is new' if new else 'is yours already'}. Next: chiops creds export --format rclone --file PATH"
    emit(result, options.output, text=text)


@command(app, "show", epilog="Example: chiops creds show --show-secret")
def show(access: OptionalAccess = None, show_secret: SecretOption = False, lab: OfLabOption = None) -> None:
    """Show an EC2 credential, and where it is good; its secret only with --show-secret."""
    from chiops.ops import credentials
    from chiops.ops.desk import opened

    with opened(options.site, lab, objects=True) as desk:
        found = credentials.choose(desk, access)
        endpoint = desk.cloud.objects.endpoint()
        secret = {"secret": found.secret} if show_secret else {}
        row = {**_row(desk, found), "endpoint": endpoint.url, **secret}
        emit(document(desk, found, endpoint=endpoint, **secret), options.output, table=[row])


@command(
    app,
    "export",
    epilog="Example: chiops creds export --format rclone --name rclone_s3 --file ~/.config/rclone/rclone.conf",
)
def export(
    access: OptionalAccess = None,
    format_: Annotated[
        ExportFormat, typer.Option("--format", help="For which program: rclone, aws, or env for a shell.")
    ] = ExportFormat.RCLONE,
    file: Annotated[
        str | None,
        typer.Option(
            metavar="PATH",
            help="Into this file, readable by you alone; - for stdout, with --show-secret.",
            show_default=False,
        ),
    ] = None,
    name: Annotated[str, typer.Option(help="The remote's (rclone) or profile's (aws) name.")] = "rclone_s3",
    show_secret: SecretOption = False,
    lab: OfLabOption = None,
) -> None:
    """Write an EC2 credential for rclone, for AWS's tools, or as variables; other sections of the file stay."""
    from chiops.errors import UsageError
    from chiops.ops import credentials
    from chiops.ops.desk import opened

    printed = file in (None, STDOUT)
    if printed and not show_secret:
        raise UsageError("say where the secret may go", todo="add --file PATH, or --show-secret to print it")
    with opened(options.site, lab, objects=True) as desk:
        found = credentials.choose(desk, access)
        text = credentials.export_text(desk, found, format_, name)
    if printed:
        result = {"access": found.access, "format": format_, "content": text}
        emit(result, options.output, text=text.removesuffix("\n"))
        return
    path = Path(str(file)).expanduser()
    credentials.export_file(path, text, format_, confirm)
    emit(
        {"access": found.access, "format": format_, "file": path},
        options.output,
        text=f"Wrote {found.access} to {path}, readable by you alone.",
    )


@command(app, "revoke", epilog="Example: chiops creds revoke 3f2a9c")
def revoke(access: AccessArgument) -> None:
    """Revoke an EC2 credential of ours: whatever uses it is refused, at Ceph's gateway after about five minutes."""
    from chiops.ops import credentials
    from chiops.ops.desk import opened

    with opened(options.site, objects=True) as desk:
        gone = credentials.revoke(desk, access, confirm)
        when = credentials.refused_from(desk)
    emit({"revoked": gone.access, "refused": when}, options.output, text=f"Revoked {gone.access}: refused {when}.")


@command(app, "rotate", epilog="Example: chiops creds rotate --lab object-lab")
def rotate(
    access: Annotated[
        str | None,
        typer.Argument(
            metavar="[ACCESS]", help="The access key; all of the lab's, or of none, by default.", show_default=False
        ),
    ] = None,
    lab: OfLabOption = None,
) -> None:
    """Make a new EC2 credential, then revoke the old one."""
    from chiops.ops import credentials
    from chiops.ops.desk import opened

    with opened(options.site, lab, objects=True) as desk:
        done = credentials.rotate(desk, access, confirm)
        when = credentials.refused_from(desk)
        result = document(desk, done.new, revoked=[one.access for one in done.revoked], refused=when)
    lines = [f"{done.new.access} stands in for {', '.join(one.access for one in done.revoked)}, refused {when}."]
    if done.lab:
        lines.append(f"Next: chiops up {done.lab}, which brings it to the lab's nodes.")
    emit(result, options.output, text="\n".join(lines))


def _row(desk: Desk, credential: Ec2Credential) -> dict[str, object]:
    return {
        "access": credential.access,
        "created": f"{credential.created:%Y-%m-%d %H:%M} UTC" if credential.created else "",
        "whose": whose(desk, credential),
    }
